"""What the checkpoint callback remembers; saved with each checkpoint."""
from ..errors import Phase, TenutoError
from ..events.progress import Progress
from ..log import log
from ..msgpack import Kind
from ..tree import Value
from .naming import entry_name, is_bare_name
from .ranking import BestEntry, BestList, Monitor


def _refuse(what: StringSpan) -> TenutoError:
    return TenutoError(
        "not_resumable",
        Phase.RESTORE,
        String(
            "callback_state.CheckpointCallback.",
            what,
            ": expected what a checkpoint callback has saved",
        ),
    )


def _part(
    m: Value, key: StringSpan, kind: UInt8
) raises TenutoError -> ref[m.items[0]] Value:
    var i = m.find(key)
    if i < 0 or m.items[i].kind != kind:
        raise _refuse(key)
    return m.items[i]


def _count(m: Value, key: StringSpan) raises TenutoError -> Int:
    ref v = _part(m, key, Kind.INT)
    if not v.is_count():
        raise _refuse(key)
    return v.as_int()


def _read_entry(m: Value) raises TenutoError -> BestEntry:
    var file = _part(m, "file", Kind.STR).as_text()
    if not is_bare_name(file):
        raise _refuse("file")
    return BestEntry(
        _part(m, "value", Kind.F64).as_float(),
        _count(m, "epoch"),
        _count(m, "step"),
        file^,
    )


def _renamed(var entry: BestEntry, one: Monitor) -> BestEntry:
    """An entry with a name for the present number of slots.

    Spec: CPC-BEST-014.
    """
    var at_end = entry_name(
        one.name, one.slots(), Progress(entry.epoch, 0, entry.step)
    )
    var inside = entry_name(
        one.name, one.slots(), Progress(entry.epoch, 1, entry.step)
    )
    if entry.file != inside:
        entry.file = at_end^
    return entry^


struct Memory(Copyable):
    """Spec: CPC-STATE-001, CPC-STATE-002."""

    var last_epoch: Int
    var last_step: Int
    var lists: List[BestList]

    def __init__(out self, monitors: List[Monitor]):
        self.last_epoch = 0
        self.last_step = 0
        self.lists = []
        for one in monitors:
            self.lists.append(BestList(one.copy()))

    def best(self) -> Value:
        """As `metadata.best` holds it. Spec: CPC-STATE-003."""
        var m = Value.map()
        for one in self.lists:
            m.put(one.monitor.name, one.to_tree())
        return m^

    def to_map(self) -> Value:
        """The state of the callback."""
        var best = Value.map()
        for one in self.lists:
            var m = Value.map()
            m.put("mode", Value.text(one.monitor.mode))
            m.put("entries", one.to_tree())
            best.put(one.monitor.name, m^)
        var m = Value.map()
        m.put("last_epoch", Value.int(Int64(self.last_epoch)))
        m.put("last_step", Value.int(Int64(self.last_step)))
        m.put("best", best^)
        return m^

    def load(mut self, state: Value) raises TenutoError:
        """Take over a saved state, whole or not at all.

        Errors: `not_resumable`.
        Spec: CPC-BEST-008, CPC-BEST-014, CPC-STATE-005.
        """
        var last_epoch = _count(state, "last_epoch")
        var last_step = _count(state, "last_step")
        ref best = _part(state, "best", Kind.MAP)
        var lists = List[BestList]()
        for one in self.lists:
            lists.append(BestList(one.monitor.copy()))
        for i in range(0, len(best.items), 2):
            var name = best.items[i].as_text()
            var mode = _part(best.items[i + 1], "mode", Kind.STR).as_text()
            ref entries = _part(best.items[i + 1], "entries", Kind.ARRAY)
            var found = List[BestEntry]()
            for k in range(len(entries.items)):
                found.append(_read_entry(entries.items[k]))
            var is_known = False
            for ref one in lists:
                if one.monitor.name == name and one.monitor.mode == mode:
                    is_known = True
                    for k in range(min(len(found), one.monitor.slots())):
                        one.entries.append(
                            _renamed(found[k].copy(), one.monitor)
                        )
            if not is_known:
                log(String("best list of ", name, " (", mode, "): left out"))
        self.last_epoch = last_epoch
        self.last_step = last_step
        self.lists = lists^
