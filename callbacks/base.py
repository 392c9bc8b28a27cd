"""The base of all callbacks: every hook with a default that does nothing."""

from __future__ import annotations

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.events.contexts import (
    CheckpointDeleted,
    CheckpointSaved,
    Context,
    EpochEnd,
    ExceptionRaised,
    TrainStart,
)
from tenuto.reference.events.hooks import Hook
from tenuto.reference.events.listener import Phase

__all__ = ["BaseCallback"]


class BaseCallback:
    """Override the hooks that you need; the others cost nothing.

    Attributes:
        phase: `observe`, or `checkpoint` for a callback that saves: those run after all observers.

    Spec: CB-HOOK-001, CB-HOOK-003, CB-ORDER-001.
    """

    phase: Phase = "observe"

    @property
    def state_key(self) -> str:
        """Under which the state is saved; the name of the class unless overridden."""
        return type(self).__name__

    @property
    def checkpoint_folder(self) -> str | None:
        """Where this callback saves checkpoints; None if it does not."""
        return None

    @property
    def saves_on_exception(self) -> bool:
        """Whether this callback captures the state after a failure."""
        return False

    def handles(self, hook: Hook) -> bool:
        """Returns whether the hook is overridden."""
        return getattr(type(self), hook.value) is not getattr(BaseCallback, hook.value)

    def state_dict(self) -> dict[str, Tree]:
        """Returns what is to be saved: plain data; empty for nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Tree]) -> None:
        """Takes over what `state_dict` returned when the checkpoint was saved."""

    def on_train_start(self, context: TrainStart) -> None:
        """Before the first batch of an attempt, after a restore."""

    def on_epoch_start(self, context: Context) -> None:
        """Before the first batch of an epoch."""

    def on_batch_start(self, context: Context) -> None:
        """Before a batch is trained on."""

    def on_batch_end(self, context: Context) -> None:
        """After a batch was trained on and counted."""

    def on_validation_start(self, context: Context) -> None:
        """Before validation."""

    def on_validation_end(self, context: Context) -> None:
        """After validation."""

    def on_epoch_end(self, context: EpochEnd) -> None:
        """After the epoch was counted; the metrics include those of its validation."""

    def on_checkpoint_saved(self, context: CheckpointSaved) -> None:
        """After a checkpoint became durable."""

    def on_checkpoint_deleted(self, context: CheckpointDeleted) -> None:
        """After a checkpoint was deleted."""

    def on_train_end(self, context: Context) -> None:
        """After the last epoch, or an early stop; never after a failure."""

    def on_exception(self, context: ExceptionRaised) -> None:
        """After a failure or a signal."""

    def on_teardown(self, context: Context) -> None:
        """Last, whatever happened."""
