"""Acts on decisions to save: captures, writes now or in the background, publishes or counts failures."""

from __future__ import annotations

import logging
import os
from functools import partial

from attrs import evolve

from tenuto.callbacks.background import Background
from tenuto.callbacks.policies import naming
from tenuto.callbacks.policies.save import Memory, SaveEvent, SavePlan, SaveRules, adapt_best, plan_save, read_memory
from tenuto.callbacks.repository import Repository, SaveJob, SaveOutcome
from tenuto.callbacks.settings import CheckpointSettings
from tenuto.reference.checkpoint.tree import Document, Tree
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
        memory: What decisions depend on; if a save is in flight, as it is if that save succeeds.
        last_path: Of the checkpoint that was saved last, or None.
    """

    def __init__(self, settings: CheckpointSettings) -> None:
        self.memory = Memory()
        self.last_path: str | None = None
        self._settings = settings
        self._before = self.memory
        self._repository: Repository | None = None
        self._background: Background[SaveOutcome] = Background()
        self._failures = 0
        self._last_error: CheckpointError | None = None
        self._saved_at: Progress | None = None
        self._news: list[SaveOutcome] = []
        self._needs_mending = False
        self._rules = SaveRules(
            every_epochs=settings.save_frequency,
            every_steps=settings.save_every_steps,
            monitor=settings.monitor if settings.save_best else None,
            mode=settings.mode,
            slots=settings.save_top_k or 1,
            min_delta=settings.min_delta,
            at_train_end=settings.save_on_train_end,
        )

    def state_dict(self) -> dict[str, Tree]:
        """Returns what later decisions depend on."""
        return self.memory.to_tree(self._rules)

    def load_state_dict(self, state: dict[str, Tree]) -> None:
        """Takes over what an earlier attempt remembered.

        Spec: CPC-BEST-008, CPC-BEST-014.
        """
        memory, left_out = read_memory(state, self._rules)
        for name in left_out:
            _log.warning("best list of %s: is not monitored any more, left out", name)
        self._remember(memory)

    def start(self, context: TrainStart) -> None:
        """Puts the folder in order, and finds out whether it can be written to.

        Raises:
            CheckpointError: If it cannot.

        Spec: STORE-SAVE-009, STORE-SAVE-011, CPC-NAME-006.
        """
        self._failures, self._saved_at, self._last_error = 0, None, None
        repository = self._open(context.run)
        if not context.resumed:
            self._remember(Memory())  # of a run before this one
            return
        self._remember(adapt_best(self._rules, self.memory))
        if repository.holds_parent():
            self._saved_at = context.progress
        for name in repository.repair(self._best_states()):
            _log.warning("best checkpoint %s: not in %s", name, self._settings.checkpoint_dir)

    def consider(self, event: SaveEvent, context: Context) -> None:
        """Saves if the event asks for it."""
        self.settle(context, wait=False)
        if self._plan(event, context) is None:
            return
        self.settle(context, wait=True)  # a save in flight may still fail, and the decision be another (CPC-ASYNC-002)
        self._mend()
        plan = self._plan(event, context)
        if plan is not None:
            self._save(plan, context)
            self.settle(context, wait=False)

    def finish(self, context: Context) -> None:
        """Sees to it that the last state is saved.

        Raises:
            CheckpointError: Why it could not be.

        Spec: CPC-WHEN-004, CPC-ERR-004.
        """
        self.settle(context, wait=True)
        self.consider("train_end", context)
        self.settle(context, wait=True)
        self._mend()
        if self._rules.at_train_end and self._saved_at != context.progress and self._last_error is not None:
            raise self._last_error

    def save_emergency(self, context: ExceptionRaised) -> None:
        """Saves the last consistent boundary, unless nothing has been trained; moves neither triggers nor `latest`.

        Spec: CPC-ERR-003, CPC-NAME-002, CPC-WHEN-006.
        """
        if context.progress == Progress():
            return
        reasons = ("signal",) if context.is_signal else ("exception",)
        document = context.capture(reasons=reasons, best=self._best())
        names = (naming.emergency_name(context.progress),)
        job = SaveJob(document, names, False, (), context.progress, reasons)
        self._note(self._opened(context.run).write(job))
        self.settle(context, wait=False)

    def save_now(self, trainer: Trainer) -> str:
        """Saves the present state of a trainer and returns the path; the news of it waits for the next event.

        Raises:
            CheckpointError: Why the save failed.

        Spec: CPC-CALL-001, CPC-WHEN-006.
        """
        self._collect(wait=True)
        facts = trainer.progress, trainer.metrics.view, self._saved_at
        in_window = not trainer.workload.completed_window()
        plan = plan_save(self._rules, self.memory, "manual", *facts, in_window=in_window)
        assert plan is not None  # noqa: S101 - a manual save is always made
        self._before, self.memory = self.memory, plan.memory
        try:
            document = trainer.capture_state(reasons=plan.reasons, best=self._best(), trigger=plan.trigger)
            outcome = self._opened(trainer.run).write(self._job(plan, document, trainer.progress))
        except BaseException:
            self.memory = self._before
            raise
        self._note(outcome)
        if not trainer.is_running:
            self._news.clear()  # outside an attempt there are no hooks (CPC-CALL-007)
        return outcome.saved.path

    def settle(self, context: Context, *, wait: bool) -> None:
        """Tells the callbacks what has become durable, in the background or by hand.

        Spec: CPC-ASYNC-003, CPC-ASYNC-004.
        """
        self._collect(wait=wait)
        news, self._news = self._news, []
        for outcome in news:
            context.announce(outcome.saved)
            for deleted in outcome.deleted:
                context.announce(deleted)

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
            self._news.clear()
            self._background.close()

    def _remember(self, memory: Memory) -> None:
        self.memory = self._before = memory

    def _plan(self, event: SaveEvent, context: Context) -> SavePlan | None:
        facts = context.progress, context.metrics, self._saved_at
        return plan_save(self._rules, self.memory, event, *facts, in_window=context.in_window)

    def _save(self, plan: SavePlan, context: Context) -> None:
        """Spec: CPC-WHEN-005, CPC-ASYNC-001."""
        self._before, self.memory = self.memory, plan.memory  # the file holds what is remembered after it
        in_background = self._settings.async_save
        try:
            document = context.capture(
                reasons=plan.reasons, best=self._best(), trigger=plan.trigger, copy=in_background
            )
            write = partial(self._opened(context.run).write, self._job(plan, document, context.progress))
            if in_background:
                self._background.start(write)
                return
            outcome = write()
        except CheckpointError as error:
            self._count_failure(error)
        except BaseException:
            self.memory = self._before
            raise
        else:
            self._note(outcome)

    def _job(self, plan: SavePlan, document: Document, progress: Progress) -> SaveJob:
        return SaveJob(document, plan.names, True, plan.dropped, progress, plan.reasons, not self._needs_mending)

    def _collect(self, *, wait: bool) -> None:
        try:
            outcome = self._background.take(wait=wait)
        except CheckpointError as error:
            self._count_failure(error)
        else:
            if outcome is not None:
                self._note(outcome)

    def _note(self, outcome: SaveOutcome) -> None:
        self._failures, self.last_path = 0, outcome.saved.path
        if not naming.is_emergency(os.path.basename(outcome.saved.path)):
            self._saved_at = outcome.saved.progress
        _log.info("Saved checkpoint: %s (%s)", outcome.saved.path, ", ".join(outcome.saved.reasons))
        if outcome.problem is not None:
            self._needs_mending = True
            _log.error("saved, but a second name or deleting failed: %s", outcome.problem)
        self._news.append(outcome)

    def _count_failure(self, error: CheckpointError) -> None:
        """The schedule goes on as if the save had been made; the best list does not.

        Spec: CPC-ERR-001, CPC-ERR-002, CPC-ERR-005.
        """
        tried = self.memory
        self.memory = evolve(self._before, last_epoch=tried.last_epoch, last_step=tried.last_step)
        self._failures, self._last_error = self._failures + 1, error
        _log.error("saving failed, %d in a row: %s", self._failures, error)
        if self._failures >= self._settings.max_save_failures:
            raise error

    def _mend(self) -> None:
        """Makes second names that could not be made before; until then nothing is deleted."""
        if not self._needs_mending or self._repository is None:
            return
        try:
            self._repository.repair(self._best_states())
        except CheckpointError as error:
            _log.error("second names: %s", error)
        else:
            self._needs_mending = False

    def _best(self) -> dict[str, Tree]:
        return {self._rules.monitor: list(self.memory.best_tree())} if self._rules.monitor is not None else {}

    def _best_states(self) -> dict[str, tuple[int, int]]:
        """Returns which state each best name has to lead to."""
        best = self.memory.best
        states = {entry.file: (entry.epoch, entry.step) for entry in best}
        return {**states, naming.best_name(self._settings.monitor): (best[0].epoch, best[0].step)} if best else {}

    def _open(self, run: RunIdentity) -> Repository:
        self._repository = Repository(
            self._settings.checkpoint_dir,
            run,
            latest=self._settings.latest,
            keep_last=self._settings.keep_last_n,
            verify=self._settings.verify == "readback",
        )
        return self._repository

    def _opened(self, run: RunIdentity) -> Repository:
        return self._repository or self._open(run)
