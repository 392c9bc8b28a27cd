"""The base of the loggers: which values are new, and what happens when writing them fails."""

from __future__ import annotations

from collections.abc import Mapping

from tenuto.callbacks.base import BaseCallback
from tenuto.callbacks.best_effort import BestEffort
from tenuto.reference.events.contexts import Context, EpochEnd, Metric, TrainStart

__all__ = ["MetricLogger"]


class MetricLogger(BaseCallback):
    """Hands every new value of every metric to `write_values`, once.

    A logger of your own overrides `write_values`, and `open` and `close` where it needs them. If one of them raises,
    the error is logged and the logger is silent until the attempt ends; training goes on.

    Example:
        ```python
        class PrintLogger(tenuto.MetricLogger):
            def write_values(self, values, context):
                for name, metric in values.items():
                    print(metric.step, name, metric.value)
        ```

    Spec: CB-READY-001, CB-READY-002.
    """

    def __init__(self) -> None:
        self._effort = BestEffort(type(self).__name__)
        self._known: dict[str, Metric] = {}
        self._is_open = False

    def open(self, context: TrainStart) -> None:
        """Before the first value of an attempt."""

    def write_values(self, values: Mapping[str, Metric], context: Context) -> None:
        """Writes new values.

        Args:
            values: At least one, by name, each with the step at which it was measured.
            context: Of the hook.
        """
        raise NotImplementedError

    def close(self) -> None:
        """After the last value of an attempt, also after a failure of the logger."""

    def log(self, values: Mapping[str, float], context: Context) -> None:
        """Writes values that are no metrics of the training, at the present step.

        Args:
            values: By name.
            context: Of the hook in which they were measured.
        """
        step = context.progress.global_step
        self._effort.run(self._write, {name: Metric(float(value), step) for name, value in values.items()}, context)

    def on_train_start(self, context: TrainStart) -> None:
        """Opens; the values that a resumed training brings along are known."""
        self._known = dict(context.metrics)
        self._effort.begin()
        self._effort.run(self._open, context)

    def on_batch_end(self, context: Context) -> None:
        """Writes the values of the batch."""
        self._effort.run(self._write_new, context)

    def on_epoch_end(self, context: EpochEnd) -> None:
        """Writes the values of the epoch and of validation."""
        self._effort.run(self._write_new, context)

    def on_teardown(self, context: Context) -> None:
        """Writes what is left, and closes."""
        self._effort.run(self._write_new, context)
        if self._is_open:
            self._is_open = False
            self._effort.finish(self.close)

    def _open(self, context: TrainStart) -> None:
        self._is_open = True  # before it opens: what fails half-way is closed too
        self.open(context)

    def _write_new(self, context: Context) -> None:
        new = {name: metric for name, metric in context.metrics.items() if not _is_same(self._known.get(name), metric)}
        self._known.update(new)
        self._write(new, context)

    def _write(self, values: Mapping[str, Metric], context: Context) -> None:
        if not self._is_open:
            raise RuntimeError("it is not open; expected it among the callbacks of the trainer")
        if values:
            self.write_values(values, context)


def _is_same(known: Metric | None, metric: Metric) -> bool:
    return known is metric or known == metric  # NaN equals nothing, but is still the same measurement
