"""What the trainer asks of a callback. `tenuto.callbacks.BaseCallback` is one implementation."""

from __future__ import annotations

from typing import Literal, Protocol

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.events.hooks import Hook

__all__ = ["Listener", "Phase"]

Phase = Literal["observe", "checkpoint"]


class Listener(Protocol):
    """An object with a method for each hook that it handles.

    Attributes:
        phase: Whether it runs with the observers or, after them, with those that save checkpoints.
        state_key: Under which its state is saved.
        checkpoint_folder: Where it saves checkpoints, if it does: `resume="auto"` looks there.
        saves_on_exception: Whether it captures the state after a failure; only then generators are copied each batch.
    """

    @property
    def phase(self) -> Phase:
        """See the class."""

    @property
    def state_key(self) -> str:
        """See the class."""

    @property
    def checkpoint_folder(self) -> str | None:
        """See the class."""

    @property
    def saves_on_exception(self) -> bool:
        """See the class."""

    def handles(self, hook: Hook) -> bool:
        """Returns whether the listener has something to do at a hook."""

    def state_dict(self) -> dict[str, Tree]:
        """Returns the state to be saved; empty if there is none."""

    def load_state_dict(self, state: dict[str, Tree]) -> None:
        """Takes a saved state."""
