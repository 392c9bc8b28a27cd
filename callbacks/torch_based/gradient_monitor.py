"""The norm of the gradients: the first thing to look at when a training diverges."""

from __future__ import annotations

import torch
from torch import nn

from tenuto.callbacks.base import BaseCallback
from tenuto.callbacks.best_effort import BestEffort
from tenuto.callbacks.metric_logger import MetricLogger
from tenuto.reference.events.contexts import Context, TrainStart

__all__ = ["GradientMonitor"]


class GradientMonitor(BaseCallback):
    """Gives `gradient_norm`, the Euclidean norm over all gradients of a model, to loggers.

    It looks after the update, at the gradients that the optimizer has used: clipped, if they are clipped, and the sum
    over an accumulation window. It reads nothing but `grad` of the parameters, and costs one wait for the device.

    Example:
        ```python
        table = tenuto.CSVLogger("runs/a/metrics.csv")
        callbacks = [table, tenuto.GradientMonitor(model, table, each_parameter=True)]
        ```

    Args:
        model: Whose parameters are read.
        loggers: Who gets the values; they are callbacks of the trainer too.
        each_parameter: Whether there is also a norm `gradient_norm.{parameter}` for each parameter.

    Attributes:
        values: Of the last window, by name; empty before the first one.

    Spec: CB-READY-005.
    """

    def __init__(self, model: nn.Module, *loggers: MetricLogger, each_parameter: bool = False) -> None:
        self.values: dict[str, float] = {}
        self._model, self._loggers, self._each = model, loggers, each_parameter
        self._effort = BestEffort(type(self).__name__)

    def on_train_start(self, context: TrainStart) -> None:
        """Starts an attempt."""
        self._effort.begin()

    def on_batch_end(self, context: Context) -> None:
        """Measures, and gives the values to the loggers."""
        if not context.in_window:  # inside one the sum is not complete
            self._effort.run(self._tell, context)

    def _tell(self, context: Context) -> None:
        self._measure()
        for logger in self._loggers:
            logger.log(self.values, context)

    def _measure(self) -> None:
        norms = {
            name: _norm(parameter.grad)
            for name, parameter in self._model.named_parameters()
            if parameter.grad is not None
        }
        if not norms:
            raise RuntimeError("the model has no gradients; expected some after an update")
        device = next(iter(norms.values())).device
        stacked = torch.stack([norm.to(device) for norm in norms.values()])
        total, *each = torch.cat([torch.linalg.vector_norm(stacked).reshape(1), stacked]).tolist()
        named = {f"gradient_norm.{name}": norm for name, norm in zip(norms, each, strict=True)}
        self.values = {"gradient_norm": total, **(named if self._each else {})}


def _norm(gradient: torch.Tensor) -> torch.Tensor:
    """Returns the norm as float32 or float64: squares of half-precision numbers overflow."""
    dense = gradient.detach().coalesce().values() if gradient.is_sparse else gradient.detach()
    real = torch.view_as_real(dense) if dense.is_complex() else dense
    norm: torch.Tensor = torch.linalg.vector_norm(
        real, dtype=torch.float64 if real.dtype is torch.float64 else torch.float32
    )
    return norm
