"""The checkpoint callback: builds facts, asks the policies, acts on the answer."""

from __future__ import annotations

import os
from collections.abc import Mapping

from attrs import define, field

from tenuto.callbacks.missing_monitors import MissingMonitors
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


@define(eq=False, slots=False)
class CheckpointCallback(CheckpointSettings):
    """Saves checkpoints: periodic, best, latest, at the end, and in an emergency.

    Args:
        checkpoint_dir: The folder; further keywords are those of `CheckpointSettings`.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: CPC-SET-001.
    """

    _saver: Saver = field(init=False, repr=False)
    _missing: MissingMonitors = field(init=False, repr=False)
    phase: Phase = field(default="checkpoint", init=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        self._saver = Saver(self)
        self._missing = MissingMonitors(self.monitored, strict=self.strict_monitor)

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
        """Spares the hook of every batch where it has nothing to look at.

        Spec: CPC-CALL-007.
        """
        if hook is Hook.BATCH_END:
            asked = (self.save_every_steps, self.save_every_seconds, self.save_policy)
            return self.async_save or any(one is not None for one in asked)
        return super().handles(hook)

    def state_dict(self) -> dict[str, Tree]:
        """Returns what later decisions depend on."""
        return self._saver.recollection.state_dict()

    def load_state_dict(self, state: dict[str, Tree]) -> None:
        """Takes over a saved memory."""
        self._saver.recollection.load_state_dict(state)

    # -- hooks --------------------------------------------------------------------------------------------------------

    def on_train_start(self, context: TrainStart) -> None:
        """Puts the folder in order."""
        self._missing.start()
        self._saver.start(context)

    def on_batch_end(self, context: Context) -> None:
        """Saves by steps, by seconds, and where the policy of the user says so."""
        self._saver.consider("batch", context)

    def on_epoch_end(self, context: EpochEnd) -> None:
        """Saves by epochs, by seconds, the best, and where the policy of the user says so."""
        self._saver.settle(context, wait=False)  # what is due to be told is told, whether or not a monitor is missing
        self._missing.look(context)
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
        """Where the best checkpoint of the first monitor is, or None."""
        return next(iter(self.best_k_models), None)

    @property
    def best_model_score(self) -> float | None:
        """The best value of the first monitor, or None."""
        return next(iter(self.best_k_models.values()), None)

    @property
    def best_k_models(self) -> dict[str, float]:
        """Path -> value of the best list of the first monitor, best first.

        Spec: CPC-CALL-006.
        """
        memory, first = self._saver.durable_memory, next((one.monitor for one in self.monitored), "")
        stamped = memory.stamped.get(first)  # the one file of a monitor whose files replace none
        return {
            os.path.join(self.checkpoint_dir, stamped or entry.file): entry.value for entry in memory.list_of(first)
        }

    @property
    def last_model_path(self) -> str | None:
        """Where the checkpoint is that was saved last, or None."""
        return self._saver.last_path
