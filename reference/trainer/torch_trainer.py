"""The trainer that most users meet: a torch model, an optimizer and loaders in one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader

from tenuto.reference.errors import ConfigError
from tenuto.reference.events.listener import Listener
from tenuto.reference.trainer import loop
from tenuto.reference.trainer.torch_workload import Step, TorchWorkload

__all__ = ["Trainer"]

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Trainer(loop.Trainer):
    """Trains a torch model.

    Args:
        model: Trained in place, on the device where it is.
        optimizer: Over parameters of the model.
        train_data: A `DataLoader` over a dataset with indices and a length. Its order is replaced by one that depends
            on `seed` and the epoch alone; `shuffle=True` and `False` are kept.
        max_epochs: At least 1.
        validate_every: Validation after every so many epochs, at least 1.
        max_steps: Ends the run as a stop would, at that `global_step`; at least 1, or None.
        max_seconds: Interrupts an attempt at the first end of a batch after so many seconds, above 0; or None.
        loss: `loss(model(inputs), targets)` for batches of `(inputs, targets)`; or give `step`.
        step: `step(model, batch)` returns metrics with `loss` among them.
        validation_data: Likewise a `DataLoader`, or None.
        scheduler: Stepped once an epoch or once a batch.
        scheduler_interval: `epoch` or `batch`.
        scheduler_monitor: For ReduceLROnPlateau, the metric to watch.
        callbacks: See `tenuto.BaseCallback`.
        seed: Of data order and loading; call `tenuto.seed_all` for the weights before you make the model.

    Raises:
        ConfigError: `invalid_setting`, `unsupported_loader` or `unsupported_model`.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, one for each thing that a training has
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        train_data: DataLoader[Any],
        *,
        max_epochs: int,
        validate_every: int = 1,
        max_steps: int | None = None,
        max_seconds: float | None = None,
        loss: Loss | None = None,
        step: Step | None = None,
        validation_data: DataLoader[Any] | None = None,
        scheduler: LRScheduler | None = None,
        scheduler_interval: Literal["epoch", "batch"] = "epoch",
        scheduler_monitor: str = "val_loss",
        callbacks: Sequence[Listener] = (),
        seed: int = 0,
    ) -> None:
        workload = TorchWorkload(
            model,
            optimizer,
            step=_step(loss, step),
            train_data=train_data,
            validation_data=validation_data,
            scheduler=scheduler,
            scheduler_interval=scheduler_interval,
            scheduler_monitor=scheduler_monitor,
            seed=seed,
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
