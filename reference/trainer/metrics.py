"""Metrics: flat names, the step of each value, and the running means of an epoch. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.errors import TenutoError
from tenuto.reference.events.contexts import Metric

__all__ = ["MetricBook", "flatten"]


def flatten(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Flattens nested maps with dots and makes every value a float.

    Raises:
        TenutoError: `duplicate_metric` or `invalid_metric`, phase `train`.

    Spec: CB-METRIC-001, CB-METRIC-002.
    """
    flat: dict[str, float] = {}
    for name, value in _walk(metrics, ""):
        if name in flat:
            message = f"metric {name!r}: given flat and nested; expected one"
            raise TenutoError("duplicate_metric", message, phase="train")
        try:
            flat[name] = float(value)
        except (TypeError, ValueError) as error:
            message = f"metric {name!r}: {type(value).__name__}; expected a number"
            raise TenutoError("invalid_metric", message, phase="train") from error
    return flat


def _walk(metrics: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _walk(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


class MetricBook:
    """Every metric's last value with its step, and the sums from which the means of an epoch are made.

    Spec: CB-METRIC-003.
    """

    def __init__(self) -> None:
        self._values: dict[str, Metric] = {}
        self._sums: dict[str, tuple[float, int]] = {}
        self.view: Mapping[str, Metric] = MappingProxyType(self._values)

    def record(self, metrics: Mapping[str, float], step: int, *, prefix: str = "", suffix: str = "") -> None:
        """Notes values measured at a step."""
        for name, value in metrics.items():
            self._values[f"{prefix}{name}{suffix}"] = Metric(value, step)

    def add_batch(self, metrics: Mapping[str, float], step: int) -> None:
        """Notes the metrics of a training batch and adds them to the sums of the epoch."""
        self.record(metrics, step, prefix="train_", suffix="_step")
        for name, value in metrics.items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value, count + 1)

    def record_means(self, step: int) -> None:
        """Notes the means over the batches of the epoch."""
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self.record(means, step, prefix="train_")

    def forget_batches(self) -> None:
        """Starts the sums of another epoch."""
        self._sums.clear()

    def current(self) -> dict[str, float]:
        """Returns the values without their steps."""
        return {name: metric.value for name, metric in self._values.items()}

    def capture(self) -> tuple[dict[str, Tree], dict[str, Tree]]:
        """Returns values and sums as trees."""
        values: dict[str, Tree] = {name: {"value": m.value, "step": m.step} for name, m in self._values.items()}
        sums: dict[str, Tree] = {name: [total, count] for name, (total, count) in self._sums.items()}
        return values, sums

    def restore(self, values: Mapping[str, Any], sums: Mapping[str, Any]) -> None:
        """Takes over captured values and sums."""
        self._values.clear()
        self._values.update({name: Metric(entry["value"], entry["step"]) for name, entry in values.items()})
        self._sums = {name: (total, count) for name, (total, count) in sums.items()}
