"""The checkpoint callback: builds facts, asks the policies, acts on the answer."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from attrs import Factory, define, field

from tenuto.callbacks.saver import Saver
from tenuto.callbacks.settings import CheckpointSettings
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.tree import Document, Tree
from tenuto.reference.errors import ConfigError
from tenuto.reference.events.contexts import Context, EpochEnd, ExceptionRaised, TrainStart
from tenuto.reference.events.hooks import Hook
from tenuto.reference.events.listener import Phase
from tenuto.reference.trainer.loop import Trainer
from tenuto.reference.trainer.metrics import flatten

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

    _saver: Saver = field(default=Factory(Saver, takes_self=True), init=False, repr=False)
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
        """The same whatever is monitored, and in every port: one resumes what another saved.

        Spec: CPC-STATE-001.
        """
        return "CheckpointCallback"

    def handles(self, hook: Hook) -> bool:
        """Spares the hook of every batch where nothing is saved by steps and nothing is in the background."""
        if hook is Hook.BATCH_END:
            return self.save_every_steps is not None or self.async_save
        return super().handles(hook)

    def state_dict(self) -> dict[str, Tree]:
        """Returns what later decisions depend on."""
        return self._saver.state_dict()

    def load_state_dict(self, state: dict[str, Tree]) -> None:
        """Takes over a saved memory."""
        self._saver.load_state_dict(state)

    # -- hooks --------------------------------------------------------------------------------------------------------

    def on_train_start(self, context: TrainStart) -> None:
        """Puts the folder in order."""
        self._saver.start(context)

    def on_batch_end(self, context: Context) -> None:
        """Saves by steps."""
        self._saver.consider("batch", context)

    def on_epoch_end(self, context: EpochEnd) -> None:
        """Saves by epochs and the best."""
        self._look_for_monitor(context)
        self._saver.consider("epoch", context)

    def on_train_end(self, context: Context) -> None:
        """Saves the last state unless it is saved."""
        self._saver.finish(context)

    def on_exception(self, context: ExceptionRaised) -> None:
        """Saves the last consistent boundary, whatever became of a save in flight."""
        try:
            self._saver.settle(context, wait=True)
        finally:
            if self.save_on_exception:
                self._saver.save_emergency(context)

    def on_teardown(self, context: Context) -> None:
        """Ends the background thread; there is no event left at which anything could be told."""
        self._saver.close()

    def _look_for_monitor(self, context: EpochEnd) -> None:
        """Spec: CPC-BEST-007."""
        if not self.save_best or not context.measured or self.monitor in context.metrics:
            return
        known = ", ".join(sorted(context.metrics)) or "none"
        message = f"monitor: {self.monitor!r}; expected one of the metrics measured: {known}"
        if self.strict_monitor:
            raise ConfigError("monitor_missing", message)
        if not self._warned:
            _log.warning("%s; no best checkpoint is kept", message)
            self._warned = True

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
        trainer.metrics.record(flatten(metrics or {}), trainer.progress.global_step)
        return self._saver.save_now(trainer)

    def load_checkpoint(self, path: str | os.PathLike[str]) -> Document:
        """Reads a checkpoint whole and checks every byte; waits for a save in flight.

        Args:
            path: As given; a bare name is looked up under `checkpoint_dir` if it is not there.

        Raises:
            CheckpointError: `file_not_found`, or why it is refused.

        Spec: CPC-CALL-002.
        """
        self._saver.wait()
        name = os.fspath(path)
        is_bare = os.path.basename(name) == name
        return read_checkpoint(
            os.path.join(self.checkpoint_dir, name) if is_bare and not os.path.exists(name) else name
        )

    @property
    def best_model_path(self) -> str | None:
        """Where the best checkpoint is, or None."""
        return os.path.join(self.checkpoint_dir, self._saver.memory.best[0].file) if self._saver.memory.best else None

    @property
    def best_model_score(self) -> float | None:
        """The best value, or None."""
        return self._saver.memory.best[0].value if self._saver.memory.best else None

    @property
    def best_k_models(self) -> dict[str, float]:
        """Path -> value of the best list, best first."""
        return {os.path.join(self.checkpoint_dir, entry.file): entry.value for entry in self._saver.memory.best}

    @property
    def last_model_path(self) -> str | None:
        """Where the checkpoint is that was saved last, or None."""
        return self._saver.last_path
