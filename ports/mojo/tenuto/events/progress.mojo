"""How far a training has come, and which attempt of which run it is."""
from ..tree import Value


@fieldwise_init
struct Progress(ImplicitlyCopyable):
    """Spec: TR-LOOP-001."""

    var epoch: Int
    var batch_in_epoch: Int
    var global_step: Int

    def is_same(self, other: Self) -> Bool:
        """Whether both are one boundary."""
        return (
            self.epoch == other.epoch
            and self.batch_in_epoch == other.batch_in_epoch
            and self.global_step == other.global_step
        )

    def is_before(self, other: Self) -> Bool:
        """Whether the other one has come further. Spec: TR-RES-011."""
        if self.epoch != other.epoch:
            return self.epoch < other.epoch
        if self.batch_in_epoch != other.batch_in_epoch:
            return self.batch_in_epoch < other.batch_in_epoch
        return self.global_step < other.global_step

    def is_start(self) -> Bool:
        """Whether no batch of the run has been trained."""
        return self.is_same(Progress(0, 0, 0))

    def to_map(self) -> Value:
        """As it stands in `metadata.progress`. Spec: TR-STATE-002."""
        var m = Value.map()
        m.put("epoch", Value.int(Int64(self.epoch)))
        m.put("batch_in_epoch", Value.int(Int64(self.batch_in_epoch)))
        m.put("global_step", Value.int(Int64(self.global_step)))
        return m^


@fieldwise_init
struct Ancestor(ImplicitlyCopyable):
    """An earlier attempt, and the state of it that was resumed from."""

    var attempt: Int
    var progress: Progress


struct RunIdentity(Copyable):
    """Which attempt of which run this is. Spec: TR-STATE-003."""

    var run_id: String
    var attempt: Int
    var parent: Optional[String]
    var lineage: List[Ancestor]

    def __init__(
        out self,
        var run_id: String,
        attempt: Int = 1,
        var parent: Optional[String] = None,
        var lineage: List[Ancestor] = [],
    ):
        self.run_id = run_id^
        self.attempt = attempt
        self.parent = parent^
        self.lineage = lineage^

    def has_superseded(self, attempt: Int, progress: Progress) -> Bool:
        """Whether this attempt does not build on a state of its run.

        Spec: TR-RES-019.
        """
        if attempt >= self.attempt:
            return False
        for one in self.lineage:
            if one.attempt == attempt:
                return one.progress.is_before(progress)
        return True

    def lineage_tree(self) -> Value:
        """As it stands in `metadata.origin.lineage`."""
        var rows = Value.array()
        for one in self.lineage:
            var row = Value.array()
            row.push(Value.int(Int64(one.attempt)))
            row.push(Value.int(Int64(one.progress.epoch)))
            row.push(Value.int(Int64(one.progress.batch_in_epoch)))
            row.push(Value.int(Int64(one.progress.global_step)))
            rows.push(row^)
        return rows^
