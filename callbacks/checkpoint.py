"""The checkpoint callback: builds facts, asks the policies, acts on the answer."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import partial

from attrs import define, field

from tenuto.callbacks.background import Background
from tenuto.callbacks.policies import naming
from tenuto.callbacks.policies.save import Memory, SaveEvent, SavePlan, SaveRules, plan_save
from tenuto.callbacks.repository import Repository, SaveJob, SaveOutcome
from tenuto.callbacks.settings import CheckpointSettings
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.tree import Document, Tree
from tenuto.reference.errors import CheckpointError, ConfigError
from tenuto.reference.events.contexts import Capture, Context, ExceptionRaised, Progress, RunIdentity, TrainStart
from tenuto.reference.events.hooks import Hook
from tenuto.reference.events.listener import Phase
from tenuto.reference.trainer.loop import Trainer

__all__ = ["CheckpointCallback"]

_log = logging.getLogger("tenuto")


@define(eq=False, slots=False)
class CheckpointCallback(CheckpointSettings):
    """Saves checkpoints: periodic, best, latest, at the end, and in an emergency.

    Args:
        checkpoint_dir: The folder; further keywords are those of `CheckpointSettings`.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: CPC-SET-001.
    """

    _memory: Memory = field(factory=Memory, init=False, repr=False)
    _before: Memory = field(factory=Memory, init=False, repr=False)
    _repository: Repository | None = field(default=None, init=False, repr=False)
    _background: Background[SaveOutcome] = field(factory=Background, init=False, repr=False)
    _failures: int = field(default=0, init=False, repr=False)
    _saved_at: Progress | None = field(default=None, init=False, repr=False)
    _last_path: str | None = field(default=None, init=False, repr=False)
    _warned: bool = field(default=False, init=False, repr=False)

    phase: Phase = field(default="checkpoint", init=False)

    # -- what the trainer asks ----------------------------------------------------------------------------------------

    @property
    def checkpoint_folder(self) -> str:
        """The folder, where `resume="auto"` looks."""
        return self.checkpoint_dir

    @property
    def saves_on_exception(self) -> bool:
        """Whether generators are copied at each batch."""
        return self.save_on_exception

    @property
    def state_key(self) -> str:
        """Depends on what is monitored, so that callbacks for different metrics live side by side."""
        return f"CheckpointCallback[{self.monitor},{self.mode}]" if self.save_best else "CheckpointCallback"

    def handles(self, hook: Hook) -> bool:
        """Spares the hook of every batch where nothing is saved by steps and nothing is in the background."""
        if hook is Hook.BATCH_END:
            return self.save_every_steps is not None or self.async_save
        return super().handles(hook)

    def state_dict(self) -> dict[str, Tree]:
        """Returns what later decisions depend on."""
        return self._memory.to_tree()

    def load_state_dict(self, state: dict[str, Tree]) -> None:
        """Takes over a saved memory."""
        self._memory = self._before = Memory.from_tree(state)

    # -- hooks --------------------------------------------------------------------------------------------------------

    def on_train_start(self, context: TrainStart) -> None:
        """Looks at the folder: removes left-over temporary files of this run, notes what lies there."""
        self._failures, self._saved_at = 0, None
        self._open(context.run, context.progress if context.resumed else None)

    def on_batch_end(self, context: Context) -> None:
        """Saves by steps."""
        self._consider("batch", context)

    def on_epoch_end(self, context: Context) -> None:
        """Saves by epochs and the best."""
        self._look_for_monitor(context)
        self._consider("epoch", context)

    def on_train_end(self, context: Context) -> None:
        """Saves the last state unless it is saved."""
        self._settle(context, wait=True)
        self._consider("train_end", context)
        self._settle(context, wait=True)

    def on_exception(self, context: ExceptionRaised) -> None:
        """Saves the last consistent boundary.

        Spec: CPC-ERR-003, CPC-NAME-002, CPC-WHEN-006.
        """
        self._settle(context, wait=True)
        if not self.save_on_exception:
            return
        reasons = ("signal",) if context.is_signal else ("exception",)
        job = SaveJob(
            context.capture(reasons=reasons, best=self._best()),
            (naming.emergency_name(context.progress),),
            moves_latest=False,
            dropped=(),
            progress=context.progress,
            reasons=reasons,
        )
        self._publish(self._opened(context.run).write(job), context)

    def on_teardown(self, context: Context) -> None:
        """Ends the background thread."""
        try:
            self._settle(context, wait=True)
        finally:
            self._background.close()

    # -- calls from outside the loop ----------------------------------------------------------------------------------

    def save_checkpoint(
        self, trainer: Trainer, epoch: int | None = None, metrics: Mapping[str, float] | None = None
    ) -> str:
        """Saves the present state of a trainer now.

        Args:
            trainer: Whose state is saved.
            epoch: If given, has to be the trainer's number of completed epochs.
            metrics: Measured now; they take part in the choice of the best.

        Returns:
            The path of the file.

        Raises:
            ConfigError: `epoch_mismatch`.
            CheckpointError: Why the save failed.

        Spec: CPC-CALL-001, CPC-WHEN-006.
        """
        if epoch is not None and epoch != trainer.progress.epoch:
            message = f"epoch: {epoch}; expected {trainer.progress.epoch}, the trainer's number of completed epochs"
            raise ConfigError("epoch_mismatch", message)
        trainer.metrics.record(metrics or {}, trainer.progress.global_step)
        plan = plan_save(self._rules(), self._memory, "manual", trainer.progress, trainer.metrics.view, self._saved_at)
        assert plan is not None  # noqa: S101 - a manual save is always made
        self._before, self._memory = self._memory, plan.memory
        try:
            document = trainer.capture_state(reasons=plan.reasons, best=self._best(), trigger=plan.trigger)
            outcome = self._opened(trainer.run).write(self._job(plan, document, trainer.progress))
        except CheckpointError:
            self._memory = self._before
            raise
        self._last_path = outcome.saved.path
        return outcome.saved.path

    def load_checkpoint(self, path: str | os.PathLike[str]) -> Document:
        """Reads a checkpoint whole and checks every byte.

        Args:
            path: As given; a bare name is looked up under `checkpoint_dir` if it is not there.

        Raises:
            CheckpointError: `file_not_found`, or why it is refused.

        Spec: CPC-CALL-002.
        """
        name = os.fspath(path)
        is_bare = os.path.basename(name) == name
        return read_checkpoint(
            os.path.join(self.checkpoint_dir, name) if is_bare and not os.path.exists(name) else name
        )

    @property
    def best_model_path(self) -> str | None:
        """Where the best checkpoint is, or None."""
        return os.path.join(self.checkpoint_dir, self._memory.best[0].file) if self._memory.best else None

    @property
    def best_model_score(self) -> float | None:
        """The best value, or None."""
        return self._memory.best[0].value if self._memory.best else None

    @property
    def best_k_models(self) -> dict[str, float]:
        """Path -> value of the best list, best first."""
        return {os.path.join(self.checkpoint_dir, entry.file): entry.value for entry in self._memory.best}

    @property
    def last_model_path(self) -> str | None:
        """Where the checkpoint is that was saved last, or None."""
        return self._last_path

    # -- acting on decisions ------------------------------------------------------------------------------------------

    def _rules(self) -> SaveRules:
        return SaveRules(
            every_epochs=self.save_frequency,
            every_steps=self.save_every_steps,
            monitor=self.monitor if self.save_best else None,
            mode=self.mode,
            slots=self.save_top_k or 1,
            min_delta=self.min_delta,
            at_train_end=self.save_on_train_end,
        )

    def _consider(self, event: SaveEvent, context: Context) -> None:
        self._settle(context, wait=False)
        if self._plan(event, context) is None:
            return
        self._settle(context, wait=True)  # a save in flight may still fail, and the decision be another (CPC-ASYNC-002)
        plan = self._plan(event, context)
        if plan is not None:
            self._save(plan, context)

    def _plan(self, event: SaveEvent, context: Context) -> SavePlan | None:
        return plan_save(self._rules(), self._memory, event, context.progress, context.metrics, self._saved_at)

    def _save(self, plan: SavePlan, context: Context) -> None:
        self._before, self._memory = self._memory, plan.memory  # the file holds what is remembered after it
        document = self._captured(plan, context.capture)
        job = self._job(plan, document, context.progress)
        write = partial(self._opened(context.run).write, job)
        if self.async_save:
            self._background.start(write)
            return
        try:
            outcome = write()
        except CheckpointError as error:
            self._count_failure(error)
        else:
            self._publish(outcome, context)

    def _captured(self, plan: SavePlan, capture: Capture) -> Document:
        try:
            return capture(reasons=plan.reasons, best=self._best(), trigger=plan.trigger, copy=self.async_save)
        except BaseException:
            self._memory = self._before
            raise

    def _job(self, plan: SavePlan, document: Document, progress: Progress) -> SaveJob:
        return SaveJob(document, plan.names, True, plan.dropped, progress, plan.reasons)

    def _settle(self, context: Context, *, wait: bool) -> None:
        """Takes note of a save that was made in the background.

        Spec: CPC-ASYNC-003, CPC-ASYNC-004.
        """
        try:
            outcome = self._background.take(wait=wait)
        except CheckpointError as error:
            self._count_failure(error)
        else:
            if outcome is not None:
                self._publish(outcome, context)

    def _publish(self, outcome: SaveOutcome, context: Context) -> None:
        self._failures, self._last_path = 0, outcome.saved.path
        if not naming.is_emergency(os.path.basename(outcome.saved.path)):
            self._saved_at = outcome.saved.progress
        _log.info("Saved checkpoint: %s (%s)", outcome.saved.path, ", ".join(outcome.saved.reasons))
        if outcome.problem is not None:
            _log.error("old checkpoints could not be deleted: %s", outcome.problem)
        context.announce(outcome.saved)
        for deleted in outcome.deleted:
            context.announce(deleted)

    def _count_failure(self, error: CheckpointError) -> None:
        """Spec: CPC-ERR-001, CPC-ERR-002."""
        self._memory = self._before
        self._failures += 1
        _log.error("saving failed, %d in a row: %s", self._failures, error)
        if self._failures >= self.max_save_failures:
            raise error

    def _best(self) -> dict[str, Tree]:
        return {self.monitor: list(self._memory.best_tree())} if self.save_best else {}

    def _look_for_monitor(self, context: Context) -> None:
        """Spec: CPC-BEST-007."""
        if not self.save_best or self.monitor in context.metrics:
            return
        known = ", ".join(sorted(context.metrics)) or "none"
        message = f"monitor: {self.monitor!r}; expected one of the metrics measured: {known}"
        if self.strict_monitor:
            raise ConfigError("monitor_missing", message)
        if not self._warned:
            _log.warning("%s; no best checkpoint is kept", message)
            self._warned = True

    def _open(self, run: RunIdentity, resumed: Progress | None) -> Repository:
        self._repository = Repository(
            self.checkpoint_dir,
            run,
            resumed_at=(resumed.epoch, resumed.batch_in_epoch, resumed.global_step) if resumed else None,
            latest=self.latest,
            keep_last=self.keep_last_n,
            verify=self.verify == "readback",
        )
        return self._repository

    def _opened(self, run: RunIdentity) -> Repository:
        return self._repository or self._open(run, None)
