"""The training loop: what happens in which order.

It knows no framework, no file and no policy.
"""
from ..clock import seconds
from ..document import Document
from ..errors import Phase, TenutoError
from ..events.contexts import (
    CaptureRequest,
    Context,
)
from ..events.hooks import Hook, hook_name
from ..events.listener import AnyCallback
from ..events.progress import Progress, RunIdentity
from ..log import log
from .boundary import Boundary
from .calls import calls_of
from .capture import build_document, check_fits, metrics_of
from .dispatcher import Dispatcher
from .epoch import run_epoch
from .interrupts import Interrupts, is_interruption
from .metrics import MetricBook
from .reports import RestoreReport, TrainResult
from .resume import choose_start, identity_after, move_aside, new_run
from .settings import TrainerSettings
from .state import is_exact, make_origin, progress_of
from .workload import Workload


struct Trainer[W: Workload](Movable):
    """Drives a workload through its epochs and calls the hooks.

    Errors: `invalid_setting`, `several_checkpoint_callbacks`,
    `duplicate_state_key`. Spec: TR-LOOP-001, TR-LOOP-004, CB-ORDER-002.
    """

    var workload: Self.W
    var settings: TrainerSettings
    var progress: Progress
    var metrics: MetricBook
    var run: RunIdentity
    var has_begun: Bool  # whether a hook of this attempt was called
    var _dispatcher: Dispatcher
    var _boundary: Boundary
    var _interrupts: Interrupts
    var _stop: Optional[String]
    var _may_stop: Bool
    var _is_resumed: Bool
    var _started: Float64

    def __init__(
        out self,
        var workload: Self.W,
        var settings: TrainerSettings,
        var callbacks: List[AnyCallback],
    ) raises TenutoError:
        settings.check()
        self._dispatcher = Dispatcher(callbacks^)
        self.workload = workload^
        self.progress = Progress(0, 0, 0)
        self.metrics = MetricBook()
        self.run = new_run()
        self.has_begun = False
        self._boundary = Boundary()
        self._interrupts = Interrupts(settings.max_seconds)
        self._stop = None
        self._may_stop = True
        self._is_resumed = False
        self._started = seconds()
        self.settings = settings^

    # -- the public calls ----------------------------------------------------

    def fit(
        mut self, resume: StringSpan = "never"
    ) raises TenutoError -> TrainResult:
        """Train to the end.

        `resume` is `never`, `auto`, or the path of a checkpoint or folder.
        Errors: those of `choose_start` and `restore_state`, in which case no
        hook was called; `training_interrupted`; the error that a step or a
        hook raised.
        Spec: TR-FAIL-001, TR-FAIL-002, TR-FAIL-013, CB-HOOK-005, CB-HOOK-008.
        """
        self._begin(resume)
        var failure: Optional[TenutoError] = None
        try:
            self._interrupts.listen()
            self._train()
        except e:
            failure = e.copy()
        if failure:
            self._fail(failure.value())
        self._may_stop = False
        var last = self._context(Hook.TEARDOWN)
        self._boundary.in_hook = True
        self._dispatcher.dispatch_to_all(last, hook_name(Hook.TEARDOWN))
        self._boundary.in_hook = False
        self._interrupts.end()
        self._is_resumed = False
        if failure:
            raise failure.value().copy()
        return TrainResult(
            self.progress,
            self.metrics.copy(),
            self.run.copy(),
            self._stop.copy(),
        )

    def restore_state(
        mut self, state: Document
    ) raises TenutoError -> RestoreReport:
        """Take over a saved state, whole or not at all.

        Errors: `not_resumable`, `state_mismatch`, `directory_in_use`; nothing
        has changed then. Spec: TR-REST-001 to TR-REST-004, TR-RES-010.
        """
        check_fits(self.workload, self.settings, state)
        var run = identity_after(state, self._dispatcher.folder())
        return self._restore(state, run^)

    def capture_state(
        mut self, request: CaptureRequest
    ) raises TenutoError -> Document:
        """The state of the last consistent boundary. Spec: TR-STATE-015."""
        var origin = make_origin(self.run, request, seconds() - self._started)
        var exact = self._boundary.is_exact() and not (
            request.by_hand and self._boundary.in_hook
        )
        return build_document(
            self.workload,
            self.settings,
            self.progress,
            self.metrics,
            request,
            exact,
            origin^,
            self._dispatcher.capture(self._boundary.copies),
        )

    def request_interrupt(mut self, name: StringSpan) raises TenutoError:
        """Do as if the signal SIGINT or SIGTERM came. Spec: TR-FAIL-019."""
        self._interrupts.request(name)

    def context(mut self) -> Context:
        """That of a call from outside of any hook, valid until the next."""
        return self._context(Hook.TEARDOWN)

    # -- the loop ------------------------------------------------------------

    def _begin(mut self, resume: StringSpan) raises TenutoError:
        """Decide what this attempt continues from, and continue from it."""
        self.has_begun = False
        self._started = seconds()
        self._stop = None
        self._may_stop = True
        self._boundary.begin()
        self._interrupts.begin(self._started)
        if self._is_resumed and String(resume) == "never":
            return
        var folder = self._dispatcher.folder()
        var start = choose_start(
            resume, folder, self.settings.on_unusable_checkpoint == "fresh"
        )
        if start.state:
            var run = start.run.copy()
            var state = start.take_state()
            check_fits(self.workload, self.settings, state)
            _ = self._restore(state, run^)
            return
        if not self.progress.is_start():
            raise TenutoError(
                "already_trained",
                Phase.CONFIG,
                "the trainer has trained; expected a state to resume",
            )
        if folder:
            move_aside(folder.value(), start.unusable)
        self.run = start.run.copy()

    def _restore(
        mut self, state: Document, var run: RunIdentity
    ) raises TenutoError -> RestoreReport:
        """Take over a state that fits. Spec: TR-REST-002, TR-REST-013."""
        var metrics = metrics_of(state)
        ref states = state.root.get("callback_state")
        var former = self._dispatcher.restore(states)
        try:
            self.workload.restore(state)
        except e:
            self._dispatcher.undo(former, len(former))
            raise e^
        self.metrics = metrics^
        self.progress = progress_of(state.root)
        self.run = run^
        self._is_resumed = True
        var exact = is_exact(state.root)
        self._boundary.restored(exact)
        var notes = self._dispatcher.unmatched(states)
        if not exact:
            notes.append("metadata.exact: false in the file")
        for note in notes:
            log(note)
        ref now = self.progress
        log(
            String("Resumed from epoch ", now.epoch, ", step ", now.global_step)
        )
        return RestoreReport(self.progress, exact, notes^)

    def _train(mut self) raises TenutoError:
        """Every epoch that is left, between the first hook and the last.

        A stop is looked for before a signal: with nothing left to train the
        end is a normal one. Spec: TR-FAIL-016, TR-FAIL-018, TR-FAIL-024.
        """
        var start = self._context(Hook.TRAIN_START)
        start.resumed = self._is_resumed
        start.max_epochs = self.settings.max_epochs
        self.has_begun = True
        self._call(start)
        if self._is_over():
            log("nothing is left to train")
        else:
            while self.progress.epoch < self.settings.max_epochs and (
                not self._stop
            ):
                self._interrupts.poll()
                run_epoch(self)
        self._may_stop = False
        self._dispatch(Hook.TRAIN_END)

    def _is_over(self) -> Bool:
        """Spec: TR-RES-009, TR-LOOP-014."""
        return (
            self.progress.epoch >= self.settings.max_epochs
            or self.has_all_steps()
        )

    def has_all_steps(self) -> Bool:
        """Whether the last step of the run is made."""
        ref most = self.settings.max_steps
        return Bool(most) and self.progress.global_step >= most.value()

    # -- hooks ---------------------------------------------------------------

    def _fail(mut self, error: TenutoError):
        """Spec: TR-FAIL-007, TR-FAIL-012, TR-FAIL-014."""
        self._may_stop = False
        self._boundary.fail()
        var raised = self._context(Hook.EXCEPTION)
        raised.error = error.copy()
        raised.exact = self._boundary.is_exact()
        raised.is_signal = is_interruption(error)
        self._boundary.in_hook = True
        self._dispatcher.dispatch_to_all(raised, hook_name(Hook.EXCEPTION))
        self._boundary.in_hook = False

    def _dispatch(mut self, hook: Int) raises TenutoError:
        self._call(self._context(hook))

    def _call(mut self, context: Context) raises TenutoError:
        """Call every callback; before any hook that does not belong to the
        boundary the states of the callbacks are copied. Spec: TR-LOOP-018.
        """
        var hook = context.hook
        var belongs = (
            hook == Hook.BATCH_END
            or hook == Hook.EPOCH_END
            or hook == Hook.CHECKPOINT_SAVED
            or hook == Hook.CHECKPOINT_DELETED
        )
        if not belongs and self._boundary.is_to_leave():
            self._boundary.leave(self._dispatcher.copies())
        var was = self._boundary.in_hook
        self._boundary.in_hook = True
        self._dispatcher.dispatch(context)
        self._boundary.in_hook = was

    def _context(mut self, hook: Int) -> Context:
        var erased = (
            Pointer(to=self)
            .unsafe_bitcast[NoneType]()
            .unsafe_origin_cast[MutUntrackedOrigin]()
        )
        return Context(
            hook,
            self.progress,
            self.run.copy(),
            not self.workload.completed_window(),
            erased,
            calls_of[Self.W](),
        )
