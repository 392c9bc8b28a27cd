"""What is known of the checkpoints in a folder."""
from .events.progress import Progress, RunIdentity


struct Entry(Copyable):
    """One checkpoint file, as its head describes it."""

    var name: String  # in the folder
    var checkpoint_id: String
    var run_id: String
    var attempt: Int
    var progress: Progress
    var is_exact: Bool
    var is_full: Bool
    var reasons: List[String]
    var damage: String  # the code of what cannot be used; else empty

    def __init__(out self, var name: String):
        self.name = name^
        self.checkpoint_id = ""
        self.run_id = ""
        self.attempt = 0
        self.progress = Progress(0, 0, 0)
        self.is_exact = False
        self.is_full = False
        self.reasons = []
        self.damage = ""

    def is_damaged(self) -> Bool:
        """Whether its head is broken, or that of no training state."""
        return self.damage.byte_length() > 0

    def named(self, var name: String) -> Self:
        """The same under another name."""
        var other = self.copy()
        other.name = name^
        return other^

    def has_reason(self, reason: StringSpan) -> Bool:
        """Whether it was saved for a reason."""
        for one in self.reasons:
            if one.as_bytes() == reason.as_bytes():
                return True
        return False

    def is_emergency(self) -> Bool:
        """Whether it was saved after a failure or a signal."""
        return self.has_reason("exception") or self.has_reason("signal")

    def is_older(self, other: Self) -> Bool:
        """Whether another one is newer. Spec: TR-RES-001, TR-RES-011."""
        if self.attempt != other.attempt:
            return self.attempt < other.attempt
        return self.progress.is_before(other.progress)

    def is_start_of(self, run: RunIdentity) -> Bool:
        """Whether an attempt resumed from it, or it has the weights of that
        state. Spec: TR-RES-008, CPC-NAME-012.
        """
        if self.is_full:
            return Bool(run.parent) and self.checkpoint_id == run.parent.value()
        var n = len(run.lineage)
        return n > 0 and (
            run.lineage[n - 1].attempt == self.attempt
            and run.lineage[n - 1].progress.is_same(self.progress)
        )
