"""A save that is to be made, what came of it, and the news of it."""
from ..document import Document
from ..errors import TenutoError
from ..events.contexts import Context, DeletedCheckpoint, SavedCheckpoint
from ..events.progress import Progress
from ..log import log


struct SaveJob(Movable):
    """One checkpoint to be written."""

    var document: Document
    var names: List[String]  # the first is written, the others are second ones
    var moves_latest: Bool
    var left: List[String]  # names that left a best list
    var progress: Progress
    var reasons: List[String]
    var is_exact: Bool

    def __init__(
        out self,
        var document: Document,
        var names: List[String],
        progress: Progress,
        var reasons: List[String],
        is_exact: Bool,
    ):
        self.document = document^
        self.names = names^
        self.moves_latest = True
        self.left = []
        self.progress = progress
        self.reasons = reasons^
        self.is_exact = is_exact


struct SaveOutcome(Copyable):
    """What a job did: the checkpoint is durable under its first name."""

    var saved: SavedCheckpoint
    var deleted: List[DeletedCheckpoint]

    def __init__(out self, var saved: SavedCheckpoint):
        self.saved = saved^
        self.deleted = []


struct News(Movable):
    """What has become durable and was not told yet."""

    var _outcomes: List[SaveOutcome]

    def __init__(out self):
        self._outcomes = []

    def add(mut self, var outcome: SaveOutcome):
        """A save was made. Spec: STORE-RUN-005."""
        ref saved = outcome.saved
        var reasons = ", ".join(saved.reasons)
        log(String("Saved checkpoint: ", saved.path, " (", reasons, ")"))
        self._outcomes.append(outcome^)

    def tell(mut self, context: Context) raises TenutoError:
        """Tell every callback; after one that fails no more is told.

        Spec: CPC-CALL-007, CB-HOOK-010, CB-FAIL-005.
        """
        var outcomes = self._outcomes.copy()
        self._outcomes = []
        for outcome in outcomes:
            context.announce(outcome.saved)
            for gone in outcome.deleted:
                context.announce(gone)
