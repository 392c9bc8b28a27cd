"""PyTorch as a workload: a model, its optimizers and schedulers, data."""

from __future__ import annotations

import copy as copying
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from typing import Any

import torch
from attrs import frozen
from torch import nn

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.events.contexts import Metric, Progress
from tenuto.reference.trainer import torch_model
from tenuto.reference.trainer.metrics import check_training_names
from tenuto.reference.trainer.torch_buffers import Buffers
from tenuto.reference.trainer.torch_generators import Generators, fit_generators
from tenuto.reference.trainer.torch_iterable import BatchLoader
from tenuto.reference.trainer.torch_metrics import flat_values, number
from tenuto.reference.trainer.torch_samples import mixed
from tenuto.reference.trainer.torch_schedulers import Schedulers
from tenuto.reference.trainer.torch_tree import TreeMaker, like
from tenuto.reference.trainer.torch_update import Updater
from tenuto.reference.trainer.workload import WorkloadState

__all__ = ["Step", "TorchData", "TorchWorkload"]

Step = Callable[[nn.Module, Any], Mapping[str, Any]]


@frozen
class TorchData:
    """What a training loads.

    Attributes:
        train: Batches of training.
        validation: Batches of validation, or None.
    """

    train: BatchLoader
    validation: BatchLoader | None = None


class TorchWorkload:
    """Trains a torch model.

    Args:
        model: Trained in place, on the device where it is.
        step: `step(model, batch)` returns metrics; `loss`, a scalar tensor, among them. Used for validation too.
        data: What is trained and validated on.
        updater: Makes the updates.
        schedulers: Stepped once an epoch or once an update.
        precision: The dtype that autocast computes in; None for that of the model.
        config: Every setting that changes what is computed.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        step: Step,
        data: TorchData,
        updater: Updater,
        schedulers: Schedulers,
        precision: torch.dtype | None,
        config: Mapping[str, Tree],
    ) -> None:
        self._model, self._step, self._config = model, step, dict(config)
        self._train, self._validation = data.train, data.validation
        self._updater, self._schedulers, self._precision = updater, schedulers, precision
        self._has_buffers = any(True for _ in model.buffers())
        self._position = 0  # batches of the epoch that were loaded
        self._touched = False
        self._may_have_drawn = False
        self._names: AbstractSet[str] = frozenset()  # of metrics that were found good
        self._boundary: Generators | None = None
        self._boundary_loader: Any = None  # the state of the loader, as of the boundary too
        self._architecture = torch_model.describe(model)
        self._buffers = Buffers()

    # -- what is saved about it ---------------------------------------------------------------------------------------

    def config(self) -> dict[str, Tree]:
        """See `Workload`."""
        return dict(self._config)

    def architecture(self) -> dict[str, Tree]:
        """See `Workload`."""
        return self._architecture

    # -- training -----------------------------------------------------------------------------------------------------

    def open_epoch(self, epoch: int, skip_batches: int) -> None:
        """See `Workload`."""
        self._position = skip_batches
        self._train.open_epoch(epoch, skip_batches)

    def next_batch(self) -> Any | None:  # noqa: ANN401 - whatever collation makes
        """See `Workload`."""
        self._may_have_drawn = self._may_have_drawn or self._train.has_state  # that state moves with the batch
        batch = self._train.next_batch()
        self._position += batch is not None
        return batch

    def close(self) -> None:
        """See `Workload`. Ends the worker processes of the loaders."""
        self._train.close()
        if self._validation is not None:
            self._validation.close()

    def train_on(self, batch: Any) -> Mapping[str, Any]:  # noqa: ANN401 - whatever collation makes
        """See `Workload`.

        Spec: TR-FAIL-007, TR-LOOP-012.
        """
        self._may_have_drawn = True
        self._touched = self._has_buffers  # a forward pass in training mode may update buffers
        metrics = self._updater.train(self._evaluate, batch, position=self._position, is_last=self._train.is_last)
        if not self._updater.is_open:
            self._schedulers.after_update()
        for name, value in metrics.items():
            metrics[name] = number(name, value)
        return metrics

    def _evaluate(self, batch: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever collation makes
        metrics = self._measure(batch)
        if metrics.keys() != self._names:
            check_training_names(metrics)
            self._names = frozenset(metrics)
        return metrics

    def _measure(self, batch: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever collation makes
        if self._precision is None:
            return flat_values(self._step(self._model, batch))
        with torch.autocast(next(self._model.parameters()).device.type, dtype=self._precision):
            return flat_values(self._step(self._model, batch))

    def completed_window(self) -> bool:
        """See `Workload`."""
        return not self._updater.is_open

    def has_validation(self) -> bool:
        """See `Workload`."""
        return self._validation is not None

    def validate(self, poll: Callable[[], None]) -> Mapping[str, Any]:
        """See `Workload`. Returns means over the samples, summed in float64."""
        assert self._validation is not None  # noqa: S101 - the loop asks first
        self._may_have_drawn = True
        modes = [(module, module.training) for module in self._model.modules()]
        self._model.eval()
        try:
            with torch.no_grad():
                return self._means(self._validation, poll)
        finally:
            for module, training in modes:  # each its own: a user may have frozen some of them
                module.training = training

    def _means(self, data: BatchLoader, poll: Callable[[], None]) -> dict[str, float]:
        sums: dict[str, float] = {}
        total = 0
        data.open_epoch(0, 0)
        while (batch := _next_batch(data, poll)) is not None:
            measured = self._measure(batch)
            for name, value in measured.items():
                sums[name] = sums.get(name, 0.0) + number(name, value) * data.samples
            total += data.samples
            poll()
        return {name: value / total for name, value in sums.items()}

    def end_epoch(self, metrics: Mapping[str, Metric], *, step: int, validated: bool) -> None:
        """See `Workload`.

        Spec: TR-LOOP-013.
        """
        self._touched = self._touched or self._schedulers.follows_epochs
        self._schedulers.after_epoch(metrics, step=step, is_measured=validated or self._validation is None)

    # -- state --------------------------------------------------------------------------------------------------------

    def mark_boundary(self, *, copy_generators: bool) -> None:
        """See `Workload`."""
        self._boundary = Generators.copy() if copy_generators else None
        self._boundary_loader = copying.deepcopy(self._train.state_dict()) if copy_generators else None
        self._touched = self._may_have_drawn = self._updater.has_begun = False

    def is_exact(self) -> bool:
        """See `Workload`. Generators that have moved on are not those of the boundary unless they were copied there."""
        is_whole = not (self._touched or self._updater.has_begun)
        return is_whole and (self._boundary is not None or not self._may_have_drawn)

    def capture(self, *, at_boundary: bool, copy: bool) -> WorkloadState:
        """See `Workload`.

        Spec: TR-STATE-001, TR-STATE-005, TR-STATE-022.
        """
        maker = TreeMaker(self._buffers.begin() if copy else None)
        has_copies = at_boundary and self._boundary is not None
        generators = self._boundary if has_copies and self._boundary else Generators.copy()
        loader = self._boundary_loader if has_copies else self._train.state_dict()
        optimizers, gradients, scaler = self._updater.capture(maker)
        return WorkloadState(
            torch_model.capture(self._model, maker),
            optimizers,
            self._schedulers.capture(maker),
            generators.to_tree(),
            gradients,
            scaler,
            None if loader is None else maker.tree(loader, "trainer_state.loader"),
        )

    def mismatches(self, state: WorkloadState, progress: Progress) -> list[str]:
        """See `Workload`.

        Spec: TR-REST-001.
        """
        found = self.weights_mismatches(state.model_state)
        found += _names("optimizer_state", state.optimizer_state, self._updater.optimizers.keys())
        found += _names("scheduler_state", state.scheduler_state, self._schedulers.classes.keys())
        found += self._updater.mismatches(state)
        found += self._schedulers.mismatches(state.scheduler_state)
        if (state.loader is not None) is not self._train.has_state:
            where = "in this trainer, not in the file" if self._train.has_state else "in the file, not in this trainer"
            found.append(f"trainer_state.loader: {where}")
        return found + Generators.mismatches(self._generators(state, progress)[0])

    def inexact(self, state: WorkloadState, progress: Progress) -> list[str]:
        """See `Workload`.

        Spec: TR-REST-012.
        """
        return self._generators(state, progress)[1]

    def _generators(self, state: WorkloadState, progress: Progress) -> tuple[dict[str, Any], list[str]]:
        """Returns the state for each live generator, and what of it is not in the file."""
        rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
        seed: Any = self._config["seed"]
        return fit_generators(state.rng_state, mixed(seed, progress.epoch, rank))

    def config_mismatches(self, saved: Mapping[str, Tree]) -> list[str]:
        """See `Workload`.

        Spec: TR-REST-001, TR-REST-005.
        """
        return [
            f"metadata.config.{name}: {saved.get(name)!r} in the file, {live!r} in this trainer"
            for name, live in self.config().items()
            if saved.get(name) != live
        ]

    def restore(self, state: WorkloadState, progress: Progress) -> None:
        """See `Workload`.

        Spec: TR-REST-002, TR-REST-003.
        """
        generators = Generators.from_tree(self._generators(state, progress)[0])
        with ExitStack() as undo:  # a failure calls what it holds, last first
            undo.callback(Generators.copy().restore)
            self._updater.restore(state, undo)
            self._schedulers.restore(state.scheduler_state, undo)
            self._restore_loader(state.loader, undo)
            torch_model.restore(self._model, state.model_state, undo)
            generators.restore()
            undo.pop_all()
        self.mark_boundary(copy_generators=True)

    def weights_mismatches(self, saved: Tree) -> list[str]:
        """See `Workload`."""
        return torch_model.mismatches(self._model, saved)

    def load_weights(self, saved: dict[str, Tree]) -> None:
        """See `Workload`."""
        with ExitStack() as undo:
            torch_model.restore(self._model, saved, undo)
            undo.pop_all()

    def _restore_loader(self, saved: Tree, undo: ExitStack) -> None:
        """Spec: TR-LOOP-020."""
        if saved is not None:
            former = copying.deepcopy(self._train.state_dict())
            undo.callback(self._train.load_state_dict, former)
            self._train.load_state_dict(like(former, saved))


def _names(path: str, saved: Mapping[str, Tree], live: AbstractSet[str]) -> list[str]:
    found = [f"{path}.{name}: in the file, not in this trainer" for name in sorted(saved.keys() - live)]
    return found + [f"{path}.{name}: in this trainer, not in the file" for name in sorted(live - saved.keys())]


def _next_batch(data: BatchLoader, poll: Callable[[], None]) -> Any | None:  # noqa: ANN401 - whatever collation makes
    try:
        return data.next_batch()
    except Exception:
        poll()  # the signal that stops us often takes the loader's workers first (TR-FAIL-009)
        raise
