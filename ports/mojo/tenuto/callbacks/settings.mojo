"""The settings of the checkpoint callback.

Spec: CPC-SET-001 to CPC-SET-006, CPC-NAME-017.
"""
from ..errors import Phase, TenutoError
from ..msgpack import Kind
from ..settings import (
    invalid,
    read_amount,
    read_integer,
    read_integer_or_nil,
    read_positive,
    read_switch,
    read_text,
    read_word,
)
from ..storage import absolute
from ..tree import Value
from .naming import escape, moment_end
from .ranking import Monitor
from .retention import Retention


struct CheckpointSettings(Copyable):
    """Section 1 of 20-checkpoint-callback.md.

    `put` sets one by its name, `check` refuses what contradicts itself.
    """

    var checkpoint_dir: String
    var save_frequency: Optional[Int]
    var save_every_steps: Optional[Int]
    var save_every_seconds: Optional[Float64]
    var save_best: Bool
    var monitor: Monitor  # what `monitor` and the four after it say
    var monitors: List[Monitor]
    var keep_last_n: Optional[Int]
    var keep_best_latest: Bool
    var retention: List[Retention]  # several are a union
    var latest: String
    var layout: String
    var verify: String
    var max_save_failures: Int
    var save_on_exception: Bool
    var save_on_train_end: Bool
    var save_final_weights: Bool
    var strict_monitor: Bool

    def __init__(
        out self, checkpoint_dir: StringSpan = "./checkpoints"
    ) raises TenutoError:
        """Every setting with its default. Spec: CPC-SET-005."""
        self.checkpoint_dir = absolute(checkpoint_dir)
        self.save_frequency = 1
        self.save_every_steps = None
        self.save_every_seconds = None
        self.save_best = True
        self.monitor = Monitor("val_loss")
        self.monitors = []
        self.keep_last_n = None
        self.keep_best_latest = False
        self.retention = []
        self.latest = "auto"
        self.layout = "flat"
        self.verify = "readback"
        self.max_save_failures = 3
        self.save_on_exception = True
        self.save_on_train_end = True
        self.save_final_weights = False
        self.strict_monitor = False

    @staticmethod
    def from_map(
        checkpoint_dir: StringSpan, given: Value
    ) raises TenutoError -> Self:
        """The settings that a map gives, the others with their defaults."""
        var made = Self(checkpoint_dir)
        for i in range(0, len(given.items), 2):
            made.put(given.items[i].as_text(), given.items[i + 1])
        made.check()
        return made^

    def put(mut self, name: String, v: Value) raises TenutoError:
        """Set one by its name. Errors: `invalid_setting`,
        `unsupported_setting`.
        """
        if not (
            self._put_count(name, v)
            or self._put_switch(name, v)
            or self._put_word(name, v)
        ):
            if not put_monitor(self.monitor, name, v):
                raise invalid(name, "the name of a setting")

    def _put_count(mut self, name: String, v: Value) raises TenutoError -> Bool:
        if name == "save_frequency":
            self.save_frequency = read_integer_or_nil(name, v)
        elif name == "save_every_steps":
            self.save_every_steps = read_integer_or_nil(name, v)
        elif name == "save_every_seconds":
            self.save_every_seconds = None
            if v.kind != Kind.NIL:
                self.save_every_seconds = read_positive(name, v, whole=True)
        elif name == "keep_last_n":
            self.keep_last_n = read_integer_or_nil(name, v)
        elif name == "max_save_failures":
            self.max_save_failures = read_integer(name, v, 1)
        else:
            return False
        return True

    def _put_switch(
        mut self, name: String, v: Value
    ) raises TenutoError -> Bool:
        if name == "save_best":
            self.save_best = read_switch(name, v)
        elif name == "keep_best_latest":
            self.keep_best_latest = read_switch(name, v)
        elif name == "save_on_exception":
            self.save_on_exception = read_switch(name, v)
        elif name == "save_on_train_end":
            self.save_on_train_end = read_switch(name, v)
        elif name == "save_final_weights":
            self.save_final_weights = read_switch(name, v)
        elif name == "strict_monitor":
            self.strict_monitor = read_switch(name, v)
        elif name == "async_save":
            if read_switch(name, v):
                raise unsupported(name)
        else:
            return False
        return True

    def _put_word(mut self, name: String, v: Value) raises TenutoError -> Bool:
        if name == "latest":
            self.latest = read_word(name, v, "auto symlink copy none")
        elif name == "layout":
            self.layout = read_word(name, v, "flat epoch_dirs")
        elif name == "verify":
            self.verify = read_word(name, v, "readback none")
        elif name == "compression":
            if v.kind != Kind.NIL:
                _ = read_word(name, v, "zstd")
                raise unsupported(name)
        elif name == "monitors":
            self._put_monitors(v)
        elif name == "save_policy" or name == "retention":
            if v.kind != Kind.NIL:
                raise invalid(name, "a policy, or nil")
        else:
            return False
        return True

    def _put_monitors(mut self, v: Value) raises TenutoError:
        self.monitors = []
        if v.kind == Kind.NIL:
            return
        if v.kind != Kind.ARRAY or len(v.items) == 0:
            raise invalid("monitors", "a list that is not empty")
        for i in range(len(v.items)):
            ref m = v.items[i]
            if m.kind != Kind.MAP or m.find("monitor") < 0:
                raise invalid("monitors", "maps with a monitor")
            var one = Monitor("")
            for k in range(0, len(m.items), 2):
                var name = m.items[k].as_text()
                if not put_monitor(one, name, m.items[k + 1]):
                    raise invalid(String("monitors.", name), "a known key")
            self.monitors.append(one^)

    def check(self) raises TenutoError:
        """Refuse what says one thing twice, and names that could be equal.

        Errors: `invalid_setting`, `duplicate_file_name`.
        Spec: CPC-SET-003, CPC-SET-004, CPC-NAME-017.
        """
        var keeps = Bool(self.keep_last_n) or self.keep_best_latest
        if self.keep_best_latest and self.keep_last_n:
            raise invalid("keep_best_latest", "no keep_last_n beside it")
        if len(self.retention) > 0 and keeps:
            raise invalid("retention", "no other policy beside it")
        if len(self.monitors) > 0 and _is_changed(self.monitor):
            raise invalid("monitors", "no monitor, mode, ... beside it")
        var all = self.monitors.copy()
        all.append(self.monitor.copy())
        for one in all:
            if not one.overwrite and one.slots() > 1:
                raise invalid("overwrite", "true with several slots")
            if escape(one.name).byte_length() > 180:
                raise invalid("monitor", "at most 180 bytes in a file name")
        _check_names(self.chosen())

    def chosen(self) -> List[Monitor]:
        """The monitors in their order; none with `save_best` false."""
        if not self.save_best:
            return []
        if len(self.monitors) > 0:
            return self.monitors.copy()
        return [self.monitor.copy()]

    def policies(self) -> List[Retention]:
        """What decides which names are deleted."""
        if len(self.retention) > 0:
            return self.retention.copy()
        if self.keep_last_n:
            return [Retention(Retention.LAST, self.keep_last_n.value())]
        if self.keep_best_latest:
            return [Retention(Retention.BEST_AND_LATEST)]
        return [Retention(Retention.ALL)]


def unsupported(name: StringSpan) -> TenutoError:
    """The refusal of a setting whose capability is missing.

    Spec: CPC-SET-006.
    """
    return TenutoError(
        "unsupported_setting", Phase.CONFIG, String(name, ": not in this port")
    )


def put_monitor(
    mut one: Monitor, name: String, v: Value
) raises TenutoError -> Bool:
    """Set a key of a monitor; whether it is the name of one."""
    if name == "monitor":
        one.name = read_text(name, v)
    elif name == "mode":
        one.mode = read_word(name, v, "min max")
    elif name == "min_delta":
        one.min_delta = read_amount(name, v, whole=True)
    elif name == "save_top_k":
        one.save_top_k = read_integer_or_nil(name, v)
    elif name == "overwrite":
        one.overwrite = read_switch(name, v)
    else:
        return False
    return True


def _is_changed(one: Monitor) -> Bool:
    """Whether a monitor has another value than the default of a setting.

    One slot that is asked for is another value than nil. Spec: CPC-SET-003.
    """
    return (
        one.name != "val_loss"
        or one.mode != "min"
        or one.min_delta != 0.0
        or Bool(one.save_top_k)
        or not one.overwrite
    )


def _check_names(monitors: List[Monitor]) raises TenutoError:
    """Spec: CPC-SET-004."""
    for i in range(len(monitors)):
        var stem = escape(monitors[i].name).lower()
        for k in range(len(monitors)):
            if i == k:
                continue
            var other = escape(monitors[k].name).lower()
            if other.startswith(stem) and _is_tail(
                other.as_bytes()[stem.byte_length() : other.byte_length()],
                monitors[i],
            ):
                raise TenutoError(
                    "duplicate_file_name",
                    Phase.CONFIG,
                    String(monitors[i].name, " and ", monitors[k].name),
                )


def _is_tail(b: Span[UInt8, _], one: Monitor) -> Bool:
    """Whether a name of a monitor's files goes on like this."""
    if len(b) == 0:
        return True
    if b[0] != 0x5F:
        return False
    if one.slots() > 1:
        return moment_end(b, 1) == len(b)
    return not one.overwrite and _is_time(b)


def _is_time(b: Span[UInt8, _]) -> Bool:
    """Whether it is `_20260131t235959z`, with a number behind it or not.

    Spec: CPC-NAME-009.
    """
    if len(b) < 17 or b[9] != 0x74 or b[16] != 0x7A:
        return False
    for i in range(1, 16):
        if i != 9 and (b[i] < 0x30 or b[i] > 0x39):
            return False
    if len(b) == 17:
        return True
    for i in range(18, len(b)):
        if b[i] < 0x30 or b[i] > 0x39:
            return False
    return b[17] == 0x5F and len(b) > 18
