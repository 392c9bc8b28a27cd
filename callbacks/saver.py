"""Acts on decisions to save: captures, writes now or in the background, publishes or counts failures."""

from __future__ import annotations

import logging
from functools import partial

from tenuto.callbacks.background import Background
from tenuto.callbacks.documents import timestamp_of, weights_of
from tenuto.callbacks.news import News
from tenuto.callbacks.policies import naming
from tenuto.callbacks.policies.memory import Memory
from tenuto.callbacks.policies.save import SaveFacts, SavePlan, plan_save
from tenuto.callbacks.policies.schedule import SaveEvent
from tenuto.callbacks.recollection import Recollection
from tenuto.callbacks.repository import Repository, SaveJob, SaveOutcome
from tenuto.callbacks.settings import CheckpointSettings
from tenuto.callbacks.stopwatch import Stopwatch
from tenuto.reference.checkpoint.tree import Document
from tenuto.reference.clock import steady_clock
from tenuto.reference.errors import CheckpointError
from tenuto.reference.events.contexts import Context, ExceptionRaised, Progress, RunIdentity, TrainStart
from tenuto.reference.trainer.loop import Trainer

__all__ = ["Saver"]

_log = logging.getLogger("tenuto")


class Saver:
    """What the checkpoint callback remembers and does.

    Args:
        settings: Of the callback.

    Attributes:
        recollection: What decisions depend on.
        last_path: Of the checkpoint that was saved last, or None.
        stopwatch: What measures for saves by seconds.
    """

    def __init__(self, settings: CheckpointSettings) -> None:
        self.last_path: str | None = None
        self.stopwatch = Stopwatch(steady_clock)
        self._settings, self._rules = settings, settings.save_rules()
        self.recollection = Recollection(
            settings.monitored, settings.state_key, has_policy=settings.save_policy is not None
        )
        self._run: RunIdentity | None = None
        self._repository: Repository | None = None
        self._background: Background[SaveOutcome] = Background()
        self._needs_mending = False
        self._forget_attempt()

    def _forget_attempt(self) -> None:
        self._failures = 0
        self._last_error: CheckpointError | None = None
        self._saved_at: Progress | None = None  # of the last save, if it was exact
        self._has_saved = False
        self._news = News()  # what is left of the attempt before is told to nobody (CPC-CALL-007)

    @property
    def durable_memory(self) -> Memory:
        """The memory as of the last save that is durable.

        Spec: CPC-CALL-006.
        """
        return self.recollection.before if self._background.is_busy else self.recollection.now

    def _enter(self, run: RunIdentity, *, resumed: bool) -> None:
        """Begins an attempt, at its first save or at its start: a manual save may come before the start."""
        if run == self._run:
            return
        self.recollection.begin(resumed=resumed)
        self._run, self._repository, self._needs_mending = run, None, False
        self._forget_attempt()

    # -- what the hooks ask for ---------------------------------------------------------------------------------------

    def start(self, context: TrainStart) -> None:
        """Puts the folder in order, and finds out whether it can be written to.

        Raises:
            CheckpointError: If it cannot.

        Spec: STORE-SAVE-009, STORE-SAVE-011, CPC-NAME-006, CPC-WHEN-009.
        """
        self._enter(context.run, resumed=context.resumed)
        self.stopwatch.start(self._rules.triggers)
        repository = self._open(context.run)
        if not context.resumed:
            return
        if not self._has_saved and repository.holds_parent():
            self._saved_at = context.progress
        for name in self._repair(repository):
            _log.warning("best checkpoint %s: not in %s", name, self._settings.checkpoint_dir)

    def consider(self, event: SaveEvent, context: Context) -> None:
        """Saves if the event asks for it."""
        self.settle(context, wait=False)
        plan = self._plan(event, context)
        if plan is not None and (self._background.is_busy or self._needs_mending):
            self.settle(context, wait=True)  # it may still fail, and the decision be another (CPC-ASYNC-007)
            self._mend()
            plan = self._plan(event, context)
        if plan is not None:
            self._save(plan, context)
            self.settle(context, wait=False)

    def finish(self, context: Context) -> None:
        """Sees to it that the last state is saved, and its weights alone if that is asked for.

        Raises:
            CheckpointError: Why it could not be.

        Spec: CPC-WHEN-004, CPC-ERR-004, CPC-NAME-012.
        """
        self.settle(context, wait=True)
        self.consider("train_end", context)
        self.settle(context, wait=True)
        self._mend()
        if self._rules.at_train_end and self._saved_at != context.progress and self._last_error is not None:
            raise self._last_error
        if self._settings.save_final_weights:
            document = context.capture(reasons=("train_end",), best=self.recollection.best())
            path = self._opened(context.run).write_weights(
                weights_of(self.recollection.complete(document)), context.progress
            )
            _log.info("Saved the weights alone: %s", path)

    def save_emergency(self, context: ExceptionRaised) -> None:
        """Saves the last consistent boundary, unless nothing has been trained; moves neither triggers nor `latest`.

        Spec: CPC-ERR-003, CPC-NAME-002, CPC-WHEN-006.
        """
        if context.progress == Progress():
            return
        reasons = ("signal",) if context.is_signal else ("exception",)
        document = self.recollection.complete(context.capture(reasons=reasons, best=self.recollection.best()))
        names = (naming.emergency_name(context.progress),)
        job = SaveJob(document, names, False, (), context.progress, reasons, lists=self.recollection.now.lists)
        self._note(self._opened(context.run).write(job))
        self.settle(context, wait=False)

    def save_now(self, trainer: Trainer) -> str:
        """Saves the present state of a trainer and returns the path; the news of it waits for the next event.

        Raises:
            CheckpointError: Why the save failed.

        Spec: CPC-CALL-001, CPC-CALL-007, CPC-WHEN-006.
        """
        self._collect(wait=True)
        self._enter(trainer.run, resumed=self.recollection.is_loaded or trainer.run.parent is not None)
        in_window = not trainer.workload.completed_window()
        facts = SaveFacts("manual", trainer.progress, trainer.metrics.view, self._saved_at, in_window)
        plan = plan_save(self._rules, self.recollection.now, facts)
        assert plan is not None  # noqa: S101 - a manual save is always made
        self.recollection.propose(plan.memory)
        try:
            document = trainer.capture_state(reasons=plan.reasons, best=self.recollection.best(), trigger=plan.trigger)
            outcome = self._opened(trainer.run).write(self._job(plan, document, trainer.progress))
        except BaseException:
            self.recollection.take_back()
            raise
        self._note(outcome)
        return outcome.path

    def settle(self, context: Context, *, wait: bool) -> None:
        """Tells the callbacks what has become durable; a save in flight is waited for if that is asked for.

        Spec: CPC-ASYNC-003, CPC-ASYNC-004, CPC-CALL-007.
        """
        self._collect(wait=wait)
        self._news.tell(context)

    def wait(self) -> None:
        """Waits for a save in flight; what came of it is noted at the next event."""
        self._background.wait()

    def close(self) -> None:
        """Waits for a save in flight and ends the background thread; news that is left is told to nobody.

        Spec: CPC-CALL-007.
        """
        try:
            self._collect(wait=True)
        finally:
            self._background.close()

    # -- one save -----------------------------------------------------------------------------------------------------

    def _plan(self, event: SaveEvent, context: Context) -> SavePlan | None:
        facts = SaveFacts(
            event, context.progress, context.metrics, self._saved_at, context.in_window, self.stopwatch.seconds()
        )
        return plan_save(self._rules, self.recollection.now, facts)

    def _save(self, plan: SavePlan, context: Context) -> None:
        """Spec: CPC-WHEN-005, CPC-ASYNC-001."""
        self.recollection.propose(plan.memory)  # the file holds what is remembered after it
        self.stopwatch.start(plan.due)
        in_background = self._settings.async_save
        try:
            document = context.capture(
                reasons=plan.reasons, best=self.recollection.best(), trigger=plan.trigger, copy=in_background
            )
            write = partial(self._opened(context.run).write, self._job(plan, document, context.progress))
            if in_background:
                self._background.start(write)
                return
            outcome = write()
        except CheckpointError as error:
            self._count_failure(error)
        except BaseException:
            self.recollection.take_back()
            raise
        else:
            self._note(outcome)

    def _job(self, plan: SavePlan, document: Document, progress: Progress) -> SaveJob:
        """Completes a document and returns what is to be done with it; a best that replaces no file gets its name."""
        assert self._repository is not None  # noqa: S101 - the caller has opened it
        new = {name: self._repository.unused_name(name, timestamp_of(document)) for name in plan.stamped}
        self.recollection.name_best(new)
        instead = {naming.best_name(monitor): name for monitor, name in new.items()}
        return SaveJob(
            document=self.recollection.complete(document),
            names=tuple(instead.get(name, name) for name in plan.names),
            moves_latest=True,
            dropped=plan.dropped,
            progress=progress,
            reasons=plan.reasons,
            may_delete=not self._needs_mending,
            lists=self.recollection.now.lists,
        )

    def _collect(self, *, wait: bool) -> None:
        try:
            outcome = self._background.take(wait=wait)
        except CheckpointError as error:
            self._count_failure(error)
        else:
            if outcome is not None:
                self._note(outcome)

    def _note(self, outcome: SaveOutcome) -> None:
        self._failures, self.last_path = 0, outcome.path
        if not naming.is_emergency(outcome.saved.names[0]):
            self._has_saved, self._saved_at = True, outcome.saved.progress if outcome.exact else None
        _log.info("Saved checkpoint: %s (%s)", outcome.saved.path, ", ".join(outcome.saved.reasons))
        if outcome.problem is not None:
            self._needs_mending = True
            _log.error("saved, but a second name or deleting failed: %s", outcome.problem)
        self._news.add(outcome)

    def _count_failure(self, error: CheckpointError) -> None:
        """Spec: CPC-ERR-001, CPC-ERR-002."""
        self.recollection.take_back_lists()
        self._failures, self._last_error = self._failures + 1, error
        _log.error("saving failed, %d in a row: %s", self._failures, error)
        if self._failures >= self._settings.max_save_failures:
            raise error

    # -- the folder ---------------------------------------------------------------------------------------------------

    def _mend(self) -> None:
        """Makes second names that could not be made before; until then nothing is deleted."""
        if not self._needs_mending or self._repository is None:
            return
        try:
            self._repair(self._repository)
        except CheckpointError as error:
            _log.error("second names: %s", error)
        else:
            self._needs_mending = False

    def _repair(self, repository: Repository) -> tuple[str, ...]:
        """Makes second names good, and returns those whose state is not in the folder."""
        repaired = repository.repair(self.recollection.now.lists)
        self.recollection.name_best(repaired.stamped)
        return repaired.lost

    def _open(self, run: RunIdentity) -> Repository:
        self._repository = Repository(
            self._settings.checkpoint_dir,
            run,
            latest=self._settings.latest,
            verify=self._settings.verify == "readback",
            is_compressing=self._settings.compression is not None,
            retention=self._settings.retention_policy(),
            monitors=self._rules.monitors,
        )
        return self._repository

    def _opened(self, run: RunIdentity) -> Repository:
        return self._repository or self._open(run)
