"""Which values of a monitored metric are best: one order, for selection and
for eviction alike. Pure.
"""
from ..events.progress import Progress
from ..settings import is_nan
from ..tree import Value
from .naming import entry_name


struct Monitor(Copyable):
    """One monitored metric. Spec: CPC-BEST-011."""

    var name: String
    var mode: String
    var min_delta: Float64
    var save_top_k: Optional[Int]
    var overwrite: Bool

    def __init__(out self, var name: String):
        self.name = name^
        self.mode = "min"
        self.min_delta = 0.0
        self.save_top_k = None
        self.overwrite = True

    def slots(self) -> Int:
        """How many entries its best list holds."""
        return self.save_top_k.or_else(1)

    def is_better(self, value: Float64, than: Float64) -> Bool:
        """Without tolerance. Spec: CPC-BEST-001."""
        return value < than if self.mode == "min" else value > than

    def improves(self, value: Float64, first: Float64) -> Bool:
        """By more than `min_delta`. Spec: CPC-BEST-005, CPC-BEST-010."""
        return is_improvement(self.mode, self.min_delta, value, first)


def is_improvement(
    mode: String, min_delta: Float64, value: Float64, best: Float64
) -> Bool:
    """Whether a value is better than the best by more than `min_delta`.

    Spec: CPC-BEST-010, CB-EARLY-002.
    """
    if min_delta == 0.0:
        return value < best if mode == "min" else value > best
    var gain = best - value if mode == "min" else value - best
    return gain > min_delta


@fieldwise_init
struct BestEntry(Copyable):
    """One slot of a best list."""

    var value: Float64
    var epoch: Int
    var step: Int
    var file: String

    def to_map(self) -> Value:
        """As it stands in a file. Spec: CPC-STATE-001."""
        var m = Value.map()
        m.put("value", Value.float(self.value))
        m.put("epoch", Value.int(Int64(self.epoch)))
        m.put("step", Value.int(Int64(self.step)))
        m.put("file", Value.text(self.file))
        return m^


struct BestList(Copyable):
    """The best list of a monitor, best first."""

    var monitor: Monitor
    var entries: List[BestEntry]

    def __init__(out self, var monitor: Monitor):
        self.monitor = monitor^
        self.entries = []

    def to_tree(self) -> Value:
        """The entries. Spec: CPC-STATE-003."""
        var v = Value.array()
        for entry in self.entries:
            v.push(entry.to_map())
        return v^

    def _place(self, value: Float64, epoch: Int, step: Int) -> Int:
        """Where a value stands in the list. Spec: CPC-BEST-002."""
        var at = 0
        while at < len(self.entries):
            ref other = self.entries[at]
            if self.monitor.is_better(value, other.value):
                break
            var is_equal = value == other.value
            if is_equal and (
                epoch < other.epoch
                or (epoch == other.epoch and step < other.step)
            ):
                break
            at += 1
        return at

    def admit(mut self, value: Float64, progress: Progress) -> Admission:
        """Let a value into the list, if it belongs there.

        Spec: CPC-BEST-003, CPC-BEST-004, CPC-BEST-005, CPC-BEST-009.
        """
        var answer = Admission()
        if is_nan(value):
            return answer^
        for entry in self.entries:
            if (
                entry.epoch == progress.epoch
                and entry.step == progress.global_step
            ):
                return answer^
        ref m = self.monitor
        if m.slots() == 1 and len(self.entries) > 0:
            if not m.improves(value, self.entries[0].value):
                return answer^
            answer.place = 0
        else:
            answer.place = self._place(
                value, progress.epoch, progress.global_step
            )
        if answer.place >= m.slots():
            answer.place = -1
            return answer^
        if len(self.entries) > 0:
            answer.previous = self.entries[0].value
        var file = entry_name(m.name, m.slots(), progress)
        self.entries.insert(
            answer.place,
            BestEntry(value, progress.epoch, progress.global_step, file^),
        )
        if len(self.entries) > m.slots():
            var evicted = self.entries.pop()
            if m.slots() > 1:
                answer.left = evicted.file.copy()
        return answer^


struct Admission(Copyable):
    """What happened to a list."""

    var place: Int  # of the new value, -1 if it did not enter
    var left: String  # the file of the entry that left, with several slots
    var previous: Optional[Float64]  # the value of rank 1 before

    def __init__(out self):
        self.place = -1
        self.left = ""
        self.previous = None
