"""What a hook receives: facts of the moment and a few services, never the trainer.

Spec: CB-HOOK-001, CB-HOOK-002.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from attrs import field, frozen

from tenuto.reference.checkpoint.tree import Document, Tree

__all__ = [
    "Capture",
    "CheckpointDeleted",
    "CheckpointSaved",
    "Context",
    "DeletedCheckpoint",
    "EpochEnd",
    "ExceptionRaised",
    "Metric",
    "Progress",
    "RunIdentity",
    "SavedCheckpoint",
    "TrainStart",
]


@frozen(order=True)
class Progress:
    """How far training has come. Ordered: a later state compares greater.

    Attributes:
        epoch: Completed epochs.
        batch_in_epoch: Completed batches of the epoch in progress.
        global_step: Completed updates.

    Spec: TR-LOOP-001.
    """

    epoch: int = 0
    batch_in_epoch: int = 0
    global_step: int = 0


@frozen
class Metric:
    """A value and the `global_step` at which it was measured.

    Spec: CB-METRIC-001, CB-METRIC-003.
    """

    value: float
    step: int


@frozen
class RunIdentity:
    """Which run this is.

    Attributes:
        run_id: The same over all attempts.
        attempt: 1 for the first start.
        parent: `checkpoint_id` of the state restored, or None.
        lineage: For each earlier attempt that this one builds on, its number and the position `(epoch, batch_in_epoch,
            global_step)` of its last state that counts.
    """

    run_id: str
    attempt: int = 1
    parent: str | None = None
    lineage: tuple[tuple[int, tuple[int, int, int]], ...] = ()

    def has_superseded(self, attempt: int, position: tuple[int, int, int]) -> bool:
        """Returns whether a state is one that this attempt does not build on.

        Spec: TR-RES-008.
        """
        limits = dict(self.lineage)
        return attempt != self.attempt and (attempt not in limits or position > limits[attempt])


@frozen
class SavedCheckpoint:
    """A checkpoint that is durable.

    Attributes:
        path: Of the first of its names.
        names: All names in the folder that lead to it.
        reasons: Why it was saved.
        progress: The state that it holds.
    """

    path: str
    names: tuple[str, ...]
    reasons: tuple[str, ...]
    progress: Progress


@frozen
class DeletedCheckpoint:
    """A checkpoint of which a name was deleted."""

    path: str


class Capture(Protocol):
    """Takes the state of the last consistent boundary."""

    def __call__(
        self,
        *,
        reasons: tuple[str, ...],
        best: dict[str, Tree],
        trigger: dict[str, Tree] | None = None,
        copy: bool = False,
    ) -> Document:
        """Returns the state as a document.

        Args:
            reasons: For `metadata.origin`.
            best: For `metadata.best`.
            trigger: What caused the save, for `metadata.origin`.
            copy: Whether tensors are copied; otherwise they are views of live memory, valid until the hook returns.
        """


@frozen(kw_only=True)
class Context:
    """What every hook receives.

    Attributes:
        progress: Where training is.
        metrics: Every metric so far, by flat name; read-only, and as of this hook.
        run: Which run and attempt this is.
        in_window: Whether the progress lies between two batches of one accumulation window.
        request_stop: Asks for a normal end; the argument is the reason.
        capture: See `Capture`.
        announce: Tells all callbacks that a checkpoint was saved or deleted.
    """

    progress: Progress
    metrics: Mapping[str, Metric]
    run: RunIdentity
    in_window: bool
    request_stop: Callable[[str], None] = field(repr=False)
    capture: Capture = field(repr=False)
    announce: Callable[[SavedCheckpoint | DeletedCheckpoint], None] = field(repr=False)


@frozen(kw_only=True)
class TrainStart(Context):
    """For `on_train_start`.

    Attributes:
        resumed: Whether a state was restored.
        max_epochs: How many epochs the run is to have.
    """

    resumed: bool
    max_epochs: int


@frozen(kw_only=True)
class EpochEnd(Context):
    """For `on_epoch_end`.

    Attributes:
        measured: Whether everything that is measured at the end of an epoch was: false only where validation was not
            due at this one.
    """

    measured: bool


@frozen(kw_only=True)
class CheckpointSaved(Context):
    """For `on_checkpoint_saved`."""

    saved: SavedCheckpoint


@frozen(kw_only=True)
class CheckpointDeleted(Context):
    """For `on_checkpoint_deleted`."""

    deleted: DeletedCheckpoint


@frozen(kw_only=True)
class ExceptionRaised(Context):
    """For `on_exception`.

    Attributes:
        error: What was raised.
        exact: Whether the state is one of a consistent boundary.
        is_signal: Whether a signal asked for the end.
    """

    error: BaseException
    exact: bool
    is_signal: bool
