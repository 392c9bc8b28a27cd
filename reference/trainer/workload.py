"""What the trainer drives. PyTorch is one workload; the reference workload of the specification is another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from attrs import frozen

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.events.contexts import Metric, Progress

__all__ = ["Workload", "WorkloadState"]


@frozen
class WorkloadState:
    """The parts of a document that belong to the workload.

    Attributes:
        gradients: Between two batches of one accumulation window, those of the window so far; None at its end.
        scaler: Of a gradient scaler; None without one.
        loader: What the loader of the training data says of its position; None if it says nothing.
    """

    model_state: Tree
    optimizer_state: dict[str, Tree]
    scheduler_state: dict[str, Tree]
    rng_state: dict[str, Tree]
    gradients: Tree = None
    scaler: Tree = None
    loader: Tree = None


class Workload(Protocol):
    """Model, data, optimizers and generators behind one small interface."""

    def config(self) -> dict[str, Tree]:
        """Returns the settings that belong in the file: nothing that depends on host, path or clock."""

    def architecture(self) -> dict[str, Tree]:
        """Returns a description of the model in plain text, with a `fingerprint`."""

    def open_epoch(self, epoch: int, skip_batches: int) -> None:
        """Starts an epoch, leaving out batches that were already trained on, without loading them."""

    def next_batch(self) -> Any | None:  # noqa: ANN401 - only the workload knows what a batch is
        """Loads the next batch; None at the end of the epoch. Leaves the generators as they were."""

    def train_on(self, batch: Any) -> Mapping[str, Any]:  # noqa: ANN401 - as above
        """Trains on a batch and returns its metrics; the batch that completes an accumulation window ends in an update.

        The last batch of an epoch completes its window always.
        """

    def completed_window(self) -> bool:
        """Returns whether no accumulation window is open: the batch last trained on completed it, or none was."""

    def has_validation(self) -> bool:
        """Returns whether there is anything to validate on."""

    def validate(self, poll: Callable[[], None]) -> Mapping[str, Any]:
        """Validates, calling `poll` after each batch, and returns the metrics."""

    def end_epoch(self, metrics: Mapping[str, Metric], *, step: int, validated: bool) -> None:
        """Steps what is stepped once an epoch; what follows a metric, only if it was measured in this epoch.

        Args:
            metrics: Every metric so far.
            step: `global_step`, that of the metrics measured at the end of this epoch.
            validated: Whether the epoch ended with validation.
        """

    def close(self) -> None:
        """Gives back what an epoch holds, such as loader workers. May be called at any time, and again."""

    def mark_boundary(self, *, copy_generators: bool) -> None:
        """Notes that the state is whole now. Cheap: at each batch."""

    def is_exact(self) -> bool:
        """Returns whether weights, buffers, optimizers and schedulers are those of the last boundary."""

    def capture(self, *, at_boundary: bool, copy: bool) -> WorkloadState:
        """Takes the state.

        Args:
            at_boundary: Whether to take what is kept of the last boundary, the generators at least, instead of what is
                now.
            copy: Whether to copy tensors instead of viewing them.
        """

    def mismatches(self, state: WorkloadState, progress: Progress) -> list[str]:
        """Returns everything in which a state of this progress does not fit, each with its path. Changes nothing."""

    def weights_mismatches(self, saved: Tree) -> list[str]:
        """Returns everything in which saved weights, `model_state`, do not fit, each with its path. Changes nothing."""

    def config_mismatches(self, saved: Mapping[str, Tree]) -> list[str]:
        """Returns every setting that has to be as saved and is not, with its path."""

    def inexact(self, state: WorkloadState, progress: Progress) -> list[str]:
        """Returns why training would not go on exactly from a state of this progress that fits, each with its path."""

    def restore(self, state: WorkloadState, progress: Progress) -> None:
        """Takes over a state of this progress that fits, generators last; on an error everything is as before.

        A part that the state does not have is left as it is, but for gradients: without them no window is open.
        """

    def load_weights(self, saved: dict[str, Tree]) -> None:
        """Takes over weights that fit, and nothing else; those that are missing stay. On an error all is as before."""
