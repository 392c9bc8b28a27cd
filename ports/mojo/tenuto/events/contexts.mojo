"""What a hook receives."""
from ..document import Document
from ..errors import TenutoError
from ..trainer.metrics import MetricBook
from ..tree import Value
from .progress import Progress, RunIdentity

comptime Erased = Pointer[NoneType, MutUntrackedOrigin]


@fieldwise_init
struct SavedCheckpoint(Copyable):
    """A checkpoint that is durable. Spec: CB-HOOK-004."""

    var path: String
    var names: List[String]
    var reasons: List[String]
    var progress: Progress


@fieldwise_init
struct DeletedCheckpoint(Copyable):
    """A name of a checkpoint that is gone. Spec: CB-HOOK-010."""

    var path: String


struct CaptureRequest(Copyable):
    """What a state is to say of the save that it is taken for."""

    var reasons: List[String]
    var best: Value  # `metadata.best`
    var trigger: Value  # nil for none; TR-STATE-012
    var files: Value  # nil for none; CPC-NAME-014
    var by_hand: Bool  # inside a hook such a state is not exact; CPC-CALL-008

    def __init__(out self, var reasons: List[String]):
        self.reasons = reasons^
        self.best = Value.map()
        self.trigger = Value()
        self.files = Value()
        self.by_hand = False


struct Calls(ImplicitlyCopyable):
    """How a context reaches the trainer, whose type it does not know."""

    var stop: def(Erased, String) thin -> None
    var interrupt: def(Erased, String) thin raises TenutoError -> None
    var capture: def(Erased, CaptureRequest) thin raises TenutoError -> Document
    var saved: def(Erased, SavedCheckpoint) thin raises TenutoError -> None
    var deleted: def(Erased, DeletedCheckpoint) thin raises TenutoError -> None
    var metrics: def(Erased) thin -> Pointer[MetricBook, MutUntrackedOrigin]

    def __init__(
        out self,
        stop: def(Erased, String) thin -> None,
        interrupt: def(Erased, String) thin raises TenutoError -> None,
        capture: def(
            Erased, CaptureRequest
        ) thin raises TenutoError -> Document,
        saved: def(Erased, SavedCheckpoint) thin raises TenutoError -> None,
        deleted: def(Erased, DeletedCheckpoint) thin raises TenutoError -> None,
        metrics: def(Erased) thin -> Pointer[MetricBook, MutUntrackedOrigin],
    ):
        self.stop = stop
        self.interrupt = interrupt
        self.capture = capture
        self.saved = saved
        self.deleted = deleted
        self.metrics = metrics


struct Context(Movable):
    """The one argument of every hook, valid during its call.

    The fields behind `in_window` belong to the hooks that the table of section
    1 of 10-callbacks.md names, and have no meaning in others.
    Spec: CB-HOOK-001, CB-HOOK-002, CB-HOOK-012, CB-HOOK-014.
    """

    var hook: Int
    var progress: Progress
    var run: RunIdentity
    var in_window: Bool
    var resumed: Bool
    var max_epochs: Int
    var measured: Bool
    var saved: Optional[SavedCheckpoint]
    var deleted: Optional[DeletedCheckpoint]
    var error: Optional[TenutoError]
    var exact: Bool
    var is_signal: Bool
    var _trainer: Erased
    var _calls: Calls

    def __init__(
        out self,
        hook: Int,
        progress: Progress,
        var run: RunIdentity,
        in_window: Bool,
        trainer: Erased,
        calls: Calls,
    ):
        self.hook = hook
        self.progress = progress
        self.run = run^
        self.in_window = in_window
        self.resumed = False
        self.max_epochs = 0
        self.measured = False
        self.saved = None
        self.deleted = None
        self.error = None
        self.exact = False
        self.is_signal = False
        self._trainer = trainer
        self._calls = calls

    def metrics(self) -> ref[ImmOrigin(origin_of(self))] MetricBook:
        """The last value of every metric of the run; not to be changed."""
        comptime O = ImmOrigin(origin_of(self))
        return (
            self._calls.metrics(self._trainer)
            .as_imm()
            .unsafe_origin_cast[O]()[]
        )

    def request_stop(self, reason: StringSpan):
        """Ask for a normal end. Spec: CB-STOP-001, CB-STOP-003."""
        self._calls.stop(self._trainer, String(reason))

    def request_interrupt(self, name: StringSpan) raises TenutoError:
        """Do as if the signal SIGINT or SIGTERM came. Spec: TR-FAIL-019."""
        self._calls.interrupt(self._trainer, String(name))

    def capture(self, request: CaptureRequest) raises TenutoError -> Document:
        """Take the state of the last consistent boundary. Spec: TR-LOOP-004."""
        return self._calls.capture(self._trainer, request)

    def announce(self, news: SavedCheckpoint) raises TenutoError:
        """Tell every callback that a checkpoint was saved.

        A callback that announces is called again inside its own hook: what its
        hooks of news change, it keeps behind an `ArcPointer`.
        Spec: CB-HOOK-009.
        """
        self._calls.saved(self._trainer, news)

    def announce(self, news: DeletedCheckpoint) raises TenutoError:
        """Tell every callback that a name was deleted. Spec: CB-HOOK-009."""
        self._calls.deleted(self._trainer, news)

    def _record(self, flat: Value):
        """Note metrics that were given to a manual save. Spec: CPC-CALL-003."""
        self._calls.metrics(self._trainer)[].record(
            flat, self.progress.global_step
        )
