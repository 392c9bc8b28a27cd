"""The learning rates with which training was done."""

from __future__ import annotations

from typing import Any, Protocol

from tenuto.callbacks.base import BaseCallback
from tenuto.callbacks.best_effort import BestEffort
from tenuto.callbacks.metric_logger import MetricLogger
from tenuto.reference.events.contexts import Context, TrainStart

__all__ = ["LearningRateMonitor"]


class _HasGroups(Protocol):
    """What is needed of an optimizer; those of torch have it."""

    param_groups: list[dict[str, Any]]


class LearningRateMonitor(BaseCallback):
    """Gives the learning rate of each batch to loggers: `lr`, or `lr.0`, `lr.1` where there are several groups.

    A scheduler changes the rate after the batch; what is given is the rate that the batch was trained with.

    Example:
        ```python
        table = tenuto.CSVLogger("runs/a/metrics.csv")
        callbacks = [table, tenuto.LearningRateMonitor(optimizer, table)]
        ```

    Args:
        optimizer: Whose parameter groups are read.
        loggers: Who gets the values; they are callbacks of the trainer too.

    Attributes:
        values: Of the last batch, by name; empty before the first one.

    Spec: CB-READY-004.
    """

    def __init__(self, optimizer: _HasGroups, *loggers: MetricLogger) -> None:
        self.values: dict[str, float] = {}
        self._optimizer, self._loggers = optimizer, loggers
        self._effort = BestEffort(type(self).__name__)

    def on_train_start(self, context: TrainStart) -> None:
        """Starts an attempt."""
        self._effort.begin()

    def on_batch_start(self, context: Context) -> None:
        """Reads the rates that the batch is trained with."""
        self._effort.run(self._read)

    def on_batch_end(self, context: Context) -> None:
        """Gives them to the loggers, now that the batch is counted."""
        self._effort.run(self._tell, context)

    def _tell(self, context: Context) -> None:
        for logger in self._loggers:
            logger.log(self.values, context)

    def _read(self) -> None:
        rates = [float(group["lr"]) for group in self._optimizer.param_groups]
        self.values = {"lr": rates[0]} if len(rates) == 1 else {f"lr.{i}": rate for i, rate in enumerate(rates)}
