"""Acts on decisions to save: captures, writes, tells, or counts failures."""
from std.memory import ArcPointer
from ..clock import seconds
from ..errors import Phase, TenutoError
from ..events.contexts import CaptureRequest, Context
from ..events.progress import Progress
from ..log import log
from ..tree import Value
from ..trainer.metrics import flatten
from ..trainer.state import weights_of
from .job import News, SaveJob, SaveOutcome
from .memory import Memory
from .naming import emergency_name
from .repository import Repository
from .settings import CheckpointSettings
from .update import Update, admit, keeps_times, missing


struct Saver(Movable):
    """What the checkpoint callback does.

    `memory` is shared with the callback: a capture inside a save reads it.
    """

    var settings: CheckpointSettings
    var memory: ArcPointer[Memory]
    var last_path: Optional[String]
    var news: News
    var _repository: Optional[Repository]
    var _failures: Int  # in a row
    var _saved_at: Optional[Progress]  # of the last save, if it was exact
    var _has_saved: Bool
    var _saved_seconds: Float64
    var _warned: List[String]
    var _files: Value  # monitor -> name, of those without overwriting

    def __init__(
        out self, settings: CheckpointSettings, memory: ArcPointer[Memory]
    ):
        self.settings = settings.copy()
        self.memory = memory
        self.last_path = None
        self.news = News()
        self._repository = None
        self._failures = 0
        self._saved_at = None
        self._has_saved = False
        self._saved_seconds = 0.0
        self._warned = []
        self._files = Value.map()

    # -- hooks ---------------------------------------------------------------

    def start(mut self, context: Context) raises TenutoError:
        """Try the folder, and put it in order.

        Spec: STORE-SAVE-009, STORE-SAVE-011, CPC-NAME-006, CPC-WHEN-009.
        """
        self._saved_seconds = seconds()
        self._failures = 0
        self._repository = Repository(self.settings, context.run)
        if not context.resumed:
            return
        if not self._has_saved and self._repository.value().holds_parent():
            self._saved_at = context.progress
        self._repository.value().repair(self.memory[].lists)

    def end_batch(mut self, context: Context) raises TenutoError:
        """Save by steps and by seconds.

        Spec: CPC-WHEN-002, CPC-WHEN-008, CPC-CALL-007.
        """
        if self.settings.save_every_steps or self.settings.save_every_seconds:
            self.news.tell(context)
        var update = Update(self.memory[].copy())
        var is_due = self._is_time(context)
        var step = context.progress.global_step
        ref every = self.settings.save_every_steps
        if every and step - update.memory.last_step >= every.value():
            update.memory.last_step = step
            is_due = True
        if is_due:
            self._save(context, update^, [String("periodic")])

    def end_epoch(mut self, context: Context) raises TenutoError:
        """Save by epochs, by seconds, and the best.

        Spec: CPC-WHEN-001, CPC-WHEN-003, CPC-WHEN-008, CPC-WHEN-012.
        """
        self.news.tell(context)
        self._look_for_monitors(context)
        var update = self._admitted(context)
        var is_due = self._is_time(context)
        var epoch = context.progress.epoch
        ref every = self.settings.save_frequency
        if every and epoch - update.memory.last_epoch >= every.value():
            update.memory.last_epoch = epoch
            is_due = True
        var reasons = List[String]()
        if is_due:
            reasons.append("periodic")
        if update.has_entered():
            reasons.append("best")
        if len(reasons) > 0:
            self._save(context, update^, reasons^)

    def finish(mut self, context: Context) raises TenutoError:
        """See to it that the last state is saved.

        Spec: CPC-WHEN-004, CPC-WHEN-009, CPC-ERR-004, CPC-NAME-012.
        """
        self.news.tell(context)
        var is_saved = Bool(self._saved_at) and (
            self._saved_at.value().is_same(context.progress)
        )
        if self.settings.save_on_train_end and not is_saved:
            self._save(
                context,
                Update(self.memory[].copy()),
                [String("train_end")],
                is_final=True,
            )
        if self.settings.save_final_weights:
            var request = CaptureRequest([String("train_end")])
            request.best = self.memory[].best()
            var weights = weights_of(context.capture(request))
            self._open(context)
            self._repository.value().write_weights(weights, context.progress)

    def save_emergency(mut self, context: Context) raises TenutoError:
        """Save the last boundary, unless nothing has been trained.

        Spec: CPC-ERR-003, CPC-NAME-002, CPC-WHEN-006, TR-STATE-004.
        """
        if not self.settings.save_on_exception or context.progress.is_start():
            return
        var reason = String("signal" if context.is_signal else "exception")
        var request = CaptureRequest([reason.copy()])
        request.best = self.memory[].best()
        var job = SaveJob(
            context.capture(request),
            [emergency_name(context.progress)],
            context.progress,
            [reason^],
            context.exact,
        )
        job.moves_latest = False
        self._open(context)
        var outcome = self._repository.value().write(job, self.memory[].lists)
        self._note(outcome^)
        self.news.tell(context)

    def close(mut self):
        """The end of an attempt."""
        self.news = News()
        self._warned = []
        self._saved_at = None
        self._has_saved = False

    def save_now(
        mut self, context: Context, metrics: Value
    ) raises TenutoError -> String:
        """A manual save; its path. The news of it waits for the next event.

        Spec: CPC-CALL-001, CPC-CALL-003, CPC-ERR-008, CPC-WHEN-006.
        """
        context._record(flatten(metrics))
        var update = self._admitted(context)
        var reasons = List[String]()
        if update.has_entered():
            reasons.append("best")
        reasons.append("manual")
        var before = self.memory[].copy()
        try:
            return self._write(context, update^, reasons^, by_hand=True)
        except e:
            self.memory[] = before^
            raise e^

    # -- decisions -----------------------------------------------------------

    def _is_time(mut self, context: Context) -> Bool:
        """Spec: CPC-WHEN-008, CPC-ERR-005."""
        ref every = self.settings.save_every_seconds
        var now = seconds()
        if not every or now - self._saved_seconds < every.value():
            return False
        self._saved_seconds = now
        return True

    def _look_for_monitors(mut self, context: Context) raises TenutoError:
        """Spec: CPC-BEST-007."""
        if not context.measured:
            return
        for name in missing(self.memory[], context.metrics()):
            if self.settings.strict_monitor:
                raise TenutoError(
                    "monitor_missing",
                    Phase.CONFIG,
                    String("monitor: ", name, ": expected it to be measured"),
                )
            if name not in self._warned:
                log(String("monitor: ", name, " was never measured"))
                self._warned.append(name.copy())

    def _admitted(mut self, context: Context) raises TenutoError -> Update:
        """Let the metrics of this moment into the lists.

        Spec: CPC-BEST-006, CPC-BEST-015.
        """
        self._open(context)
        return admit(
            self.memory[],
            context.metrics(),
            context.progress,
            self._repository.value().store,
            self._files,
        )

    # -- doing ---------------------------------------------------------------

    def _open(mut self, context: Context) raises TenutoError:
        if not self._repository:
            self._repository = Repository(self.settings, context.run)

    def _save(
        mut self,
        context: Context,
        var update: Update,
        var reasons: List[String],
        is_final: Bool = False,
    ) raises TenutoError:
        """One write of the state, and the news of it; or one more failure.

        The schedule goes on as if a failed save had been made; the best list
        does not. Spec: CPC-ERR-001, CPC-ERR-002, CPC-ERR-005, CPC-ERR-010.
        """
        var before = self.memory[].copy()
        try:
            _ = self._write(context, update^, reasons^, by_hand=False)
        except e:
            self.memory[].lists = before.lists.copy()
            self._failures += 1
            log(String("saving failed, ", self._failures, " in a row: ", e))
            var is_last = self._failures >= self.settings.max_save_failures
            if is_final or is_last or e.phase == Phase.CONFIG:
                raise e^
            return
        self.news.tell(context)

    def _write(
        mut self,
        context: Context,
        var update: Update,
        var reasons: List[String],
        by_hand: Bool,
    ) raises TenutoError -> String:
        """Capture the state, write it under its names, and note the news.

        Spec: CPC-WHEN-005, CPC-BEST-013, CPC-CALL-008.
        """
        self._mend(context)
        self.memory[] = update.memory.copy()
        var request = CaptureRequest(reasons.copy())
        request.best = self.memory[].best()
        request.trigger = update.trigger.copy()
        request.by_hand = by_hand
        if keeps_times(update.memory):
            request.files = update.files.copy()
        var names = update.all_names(
            reasons,
            context.progress,
            context.in_window,
            self.settings.layout == "epoch_dirs",
        )
        var doc = context.capture(request)
        var is_exact = doc.root.get("metadata").get("exact").bits != 0
        var job = SaveJob(doc^, names^, context.progress, reasons^, is_exact)
        job.left = update.left.copy()
        var outcome = self._repository.value().write(job, self.memory[].lists)
        self._files = update.files.copy()
        self._has_saved = True
        self._saved_at = None
        if is_exact:
            self._saved_at = context.progress
        var path = outcome.saved.path.copy()
        self._note(outcome^)
        return path^

    def _mend(mut self, context: Context) raises TenutoError:
        """Make names that could not be made before. Spec: CPC-ERR-006."""
        self._open(context)
        if not self._repository.value().needs_mending:
            return
        try:
            self._repository.value().repair(self.memory[].lists)
        except e:
            log(String("second names: ", e))

    def _note(mut self, var outcome: SaveOutcome):
        self._failures = 0
        self.last_path = outcome.saved.path.copy()
        self.news.add(outcome^)
