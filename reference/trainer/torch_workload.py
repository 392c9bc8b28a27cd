"""PyTorch as a workload: one model, one optimizer, an optional scheduler, data loaders."""

from __future__ import annotations

import copy as copying
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Literal

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torch.utils.data import DataLoader

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.errors import ConfigError
from tenuto.reference.events.contexts import Metric, Progress
from tenuto.reference.trainer import torch_model, torch_optimizer
from tenuto.reference.trainer.metrics import check_training_names
from tenuto.reference.trainer.torch_checks import check_model, check_settings
from tenuto.reference.trainer.torch_data import EpochLoader
from tenuto.reference.trainer.torch_generators import Generators
from tenuto.reference.trainer.torch_metrics import flat_values, loss_of, number
from tenuto.reference.trainer.torch_tree import TreeMaker, like
from tenuto.reference.trainer.workload import WorkloadState

__all__ = ["Step", "TorchWorkload"]

Step = Callable[[nn.Module, Any], Mapping[str, Any]]
_OPTIMIZER, _SCHEDULER = "optimizer", "scheduler"


class TorchWorkload:
    """Trains a torch model.

    Args:
        model: Trained in place, on the device where it is.
        optimizer: Over parameters of the model.
        step: `step(model, batch)` returns metrics; `loss`, a scalar tensor, among them. Used for validation too.
        train_data: A loader over a dataset with indices and a length.
        validation_data: Likewise, or None.
        scheduler: Stepped once an epoch or once a batch.
        scheduler_interval: `epoch` or `batch`.
        scheduler_monitor: For ReduceLROnPlateau, the metric to watch.
        seed: Of data order and loading.

    Raises:
        ConfigError: `unsupported_loader`, `unsupported_model` or `invalid_setting`.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        step: Step,
        train_data: DataLoader[Any],
        validation_data: DataLoader[Any] | None = None,
        scheduler: LRScheduler | None = None,
        scheduler_interval: Literal["epoch", "batch"] = "epoch",
        scheduler_monitor: str = "val_loss",
        seed: int = 0,
    ) -> None:
        check_settings(optimizer, scheduler, scheduler_interval)
        check_model(model, optimizer)
        self._model, self._optimizer, self._scheduler = model, optimizer, scheduler
        self._step, self._seed = step, seed
        self._interval, self._monitor = scheduler_interval, scheduler_monitor
        self._train = EpochLoader(train_data, seed)
        self._validation = EpochLoader(validation_data, seed) if validation_data is not None else None
        self._has_buffers = any(True for _ in model.buffers())
        self._touched = False
        self._may_have_drawn = False
        self._boundary: Generators | None = None
        self._architecture = torch_model.describe(model)

    # -- what is saved about it ---------------------------------------------------------------------------------------

    def config(self) -> dict[str, Tree]:
        """See `Workload`."""
        return {
            "seed": self._seed,
            "batch_size": self._train.batch_size,
            "optimizer": type(self._optimizer).__name__,
            "scheduler": type(self._scheduler).__name__ if self._scheduler else None,
        }

    def architecture(self) -> dict[str, Tree]:
        """See `Workload`."""
        return self._architecture

    # -- training -----------------------------------------------------------------------------------------------------

    def open_epoch(self, epoch: int, skip_batches: int) -> None:
        """See `Workload`."""
        self._train.open_epoch(epoch, skip_batches)

    def next_batch(self) -> Any | None:  # noqa: ANN401 - whatever collation makes
        """See `Workload`."""
        return self._train.next_batch()

    def close(self) -> None:
        """See `Workload`. Ends the worker processes of the loaders."""
        self._train.close()
        if self._validation is not None:
            self._validation.close()

    def train_on(self, batch: Any) -> Mapping[str, Any]:  # noqa: ANN401 - whatever collation makes
        """See `Workload`. Zeroes the gradients, runs forward and backward, steps optimizer and batch scheduler.

        Spec: TR-FAIL-007.
        """
        self._may_have_drawn = True
        self._touched = self._has_buffers  # a forward pass in training mode may update buffers
        self._optimizer.zero_grad(set_to_none=True)
        metrics = flat_values(self._step(self._model, batch))
        check_training_names(metrics)
        loss_of(metrics).backward()  # type: ignore[no-untyped-call]
        self._touched = True
        self._optimizer.step()
        if self._scheduler is not None and self._interval == "batch":
            self._scheduler.step()
        return {name: number(name, value) for name, value in metrics.items()}

    def completed_window(self) -> bool:
        """See `Workload`. Every batch ends in an update."""
        return True

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

    def _means(self, data: EpochLoader, poll: Callable[[], None]) -> dict[str, float]:
        sums: dict[str, float] = {}
        total = 0
        data.open_epoch(0, 0)
        while (batch := _next_batch(data, poll)) is not None:
            for name, value in flat_values(self._step(self._model, batch)).items():
                sums[name] = sums.get(name, 0.0) + number(name, value) * data.samples
            total += data.samples
            poll()
        return {name: value / total for name, value in sums.items()}

    def end_epoch(self, metrics: Mapping[str, Metric], *, step: int, validated: bool) -> None:
        """See `Workload`.

        Spec: TR-LOOP-013.
        """
        if self._scheduler is None or self._interval != "epoch":
            return
        self._touched = True
        if not isinstance(self._scheduler, ReduceLROnPlateau):
            self._scheduler.step()
        elif self._monitor in metrics:
            if metrics[self._monitor].step == step:
                self._scheduler.step(metrics[self._monitor].value)
        elif validated or self._validation is None:
            known = ", ".join(sorted(metrics))
            raise ConfigError("monitor_missing", f"scheduler_monitor: {self._monitor!r}; expected one of {known}")

    # -- state --------------------------------------------------------------------------------------------------------

    def mark_boundary(self, *, copy_generators: bool) -> None:
        """See `Workload`."""
        self._boundary = Generators.copy() if copy_generators else None
        self._touched = self._may_have_drawn = False

    def is_exact(self) -> bool:
        """See `Workload`. Generators that have moved on are not those of the boundary unless they were copied there."""
        return not self._touched and (self._boundary is not None or not self._may_have_drawn)

    def capture(self, *, at_boundary: bool, copy: bool) -> WorkloadState:
        """See `Workload`.

        Spec: TR-STATE-001, TR-STATE-005.
        """
        maker = TreeMaker(copy=copy)
        generators = self._boundary if at_boundary and self._boundary is not None else Generators.copy()
        schedulers: dict[str, Tree] = {}
        if self._scheduler is not None:
            schedulers[_SCHEDULER] = maker.tree(self._scheduler.state_dict(), f"scheduler_state.{_SCHEDULER}")
        return WorkloadState(
            torch_model.capture(self._model, maker),
            {_OPTIMIZER: torch_optimizer.capture(self._optimizer, maker)},
            schedulers,
            generators.to_tree(),
        )

    def mismatches(self, state: WorkloadState, progress: Progress) -> list[str]:  # noqa: ARG002 - no windows here
        """See `Workload`.

        Spec: TR-REST-001.
        """
        found = torch_model.mismatches(self._model, state.model_state)
        found += _names("optimizer_state", state.optimizer_state, {_OPTIMIZER})
        found += _names("scheduler_state", state.scheduler_state, {_SCHEDULER} if self._scheduler else set())
        if _OPTIMIZER in state.optimizer_state:
            saved = state.optimizer_state[_OPTIMIZER]
            found += torch_optimizer.mismatches(self._optimizer, saved, f"optimizer_state.{_OPTIMIZER}")
        found += [
            f"scheduler_state.{name}: no map in the file"
            for name, saved in state.scheduler_state.items()
            if not isinstance(saved, dict)
        ]
        if state.gradients is not None:
            found.append("trainer_state.gradients: in the file, not in this trainer")
        return found + Generators.mismatches(state.rng_state)

    def config_mismatches(self, saved: Mapping[str, Tree]) -> list[str]:
        """See `Workload`.

        Spec: TR-REST-001, TR-REST-005.
        """
        return [
            f"metadata.config.{name}: {saved.get(name)!r} in the file, {live!r} in this trainer"
            for name, live in self.config().items()
            if saved.get(name) != live
        ]

    def restore(self, state: WorkloadState) -> None:
        """See `Workload`.

        Spec: TR-REST-002, TR-REST-003.
        """
        generators = Generators.from_tree(state.rng_state)
        weights = torch_model.load(self._model, state.model_state)
        exchanged: list[tuple[torch.Tensor, torch.Tensor]] = []
        with ExitStack() as undo:  # a failure calls what it holds, last first
            undo.callback(Generators.copy().restore)
            undo.callback(torch_optimizer.restore(self._optimizer, state.optimizer_state[_OPTIMIZER]))
            if self._scheduler is not None:
                former = copying.deepcopy(self._scheduler.state_dict())
                undo.callback(self._scheduler.load_state_dict, former)
                self._scheduler.load_state_dict(like(former, state.scheduler_state[_SCHEDULER]))
            for name, value in copying.deepcopy(torch_model.extras(self._model)).items():
                undo.callback(torch_model.set_extra, self._model, name, value)
            torch_model.restore_extras(self._model, state.model_state)
            undo.callback(torch_model.exchange_back, exchanged)
            torch_model.assign(weights, exchanged)
            generators.restore()
            undo.pop_all()
        self.mark_boundary(copy_generators=True)


def _names(path: str, saved: Mapping[str, Tree], live: set[str]) -> list[str]:
    found = [f"{path}.{name}: in the file, not in this trainer" for name in sorted(saved.keys() - live)]
    return found + [f"{path}.{name}: in this trainer, not in the file" for name in sorted(live - saved.keys())]


def _next_batch(data: EpochLoader, poll: Callable[[], None]) -> Any | None:  # noqa: ANN401 - whatever collation makes
    try:
        return data.next_batch()
    except Exception:
        poll()  # the signal that stops us often takes the loader's workers first (TR-FAIL-009)
        raise
