"""The trainer that most users meet: a torch model, an optimizer and data in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from tenuto.reference.errors import ConfigError
from tenuto.reference.events.listener import Listener
from tenuto.reference.trainer import loop
from tenuto.reference.trainer.torch_build import Precision, TorchSettings, build_workload, schedules
from tenuto.reference.trainer.torch_schedulers import Interval, Schedule
from tenuto.reference.trainer.torch_workload import Step

__all__ = ["Trainer"]

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Trainer(loop.Trainer):
    """Trains a torch model.

    Args:
        model: Trained in place, on the device where it is.
        optimizer: Over parameters of the model; or a map of names to several, which are all stepped at each update.
        train_data: A `DataLoader` over a dataset with indices and a length: its order is replaced by one that depends
            on `seed` and the epoch alone; `shuffle=True` and `False` are kept. Or any iterable of batches, started anew
            for each epoch and asked for its position if it has `state_dict` and `load_state_dict`.
        max_epochs: At least 1.
        validate_every: Validation after every so many epochs, at least 1.
        max_steps: Ends the run as a stop would, at that `global_step`; at least 1, or None.
        max_seconds: Interrupts an attempt at the first end of a batch after so many seconds, above 0; or None.
        loss: `loss(model(inputs), targets)` for batches of `(inputs, targets)`; or give `step`.
        step: `step(model, batch)` returns metrics with `loss` among them.
        validation_data: Of the kinds of `train_data`, or None.
        scheduler: One, or a map of names to several; a `Schedule` says itself when it is stepped.
        scheduler_interval: `epoch`, or `step` for once an update.
        scheduler_monitor: For ReduceLROnPlateau, the metric to watch.
        accumulate: Batches to one update, at least 1.
        clip_norm: To which norm all gradients together are clipped, above 0; or None.
        precision: What autocast computes in; `float16` scales the loss by a `scaler`.
        scaler: A gradient scaler; made for `float16` unless given.
        limit_batches: After how many batches an epoch of training ends, at least 1; or None. For smoke runs.
        limit_validation_batches: Likewise for validation.
        callbacks: See `tenuto.BaseCallback`.
        seed: Of data order and loading; call `tenuto.seed_all` for the weights before you make the model.

    Raises:
        ConfigError: `invalid_setting`, `unsupported_loader` or `unsupported_model`.

    Spec: TR-SET-001, TR-LOOP-006, TR-LOOP-008, TR-LOOP-014, TR-LOOP-021, TR-FAIL-020.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, one for each thing that a training has
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer | Mapping[str, torch.optim.Optimizer],
        train_data: Iterable[Any],
        *,
        max_epochs: int,
        validate_every: int = 1,
        max_steps: int | None = None,
        max_seconds: float | None = None,
        loss: Loss | None = None,
        step: Step | None = None,
        validation_data: Iterable[Any] | None = None,
        scheduler: LRScheduler | Schedule | Mapping[str, LRScheduler | Schedule] | None = None,
        scheduler_interval: Interval = "epoch",
        scheduler_monitor: str = "val_loss",
        accumulate: int = 1,
        clip_norm: float | None = None,
        precision: Precision = "float32",
        scaler: torch.amp.GradScaler | None = None,
        limit_batches: int | None = None,
        limit_validation_batches: int | None = None,
        callbacks: Sequence[Listener] = (),
        seed: int = 0,
    ) -> None:
        settings = TorchSettings(
            accumulate=accumulate,
            clip_norm=clip_norm,
            precision=precision,
            scaler=scaler,
            limit_batches=limit_batches,
            limit_validation_batches=limit_validation_batches,
            seed=seed,
        )
        workload = build_workload(
            model,
            optimizer,
            schedules(scheduler, scheduler_interval, scheduler_monitor),
            step=_step(loss, step),
            train_data=train_data,
            validation_data=validation_data,
            settings=settings,
        )
        super().__init__(
            workload,
            max_epochs=max_epochs,
            validate_every=validate_every,
            max_steps=max_steps,
            max_seconds=max_seconds,
            callbacks=callbacks,
        )


def _step(loss: Loss | None, step: Step | None) -> Step:
    if (loss is None) == (step is None):
        got = "neither" if loss is None else "both"
        raise ConfigError("invalid_setting", f"loss and step: {got}; expected one of them")
    if step is not None:
        return step
    given = loss
    assert given is not None  # noqa: S101 - one of them is there

    def from_loss(model: nn.Module, batch: Any) -> Mapping[str, Any]:  # noqa: ANN401 - a pair of tensors
        inputs, targets = batch
        return {"loss": given(model(inputs), targets)}

    return from_loss
