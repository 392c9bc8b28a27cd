"""Metrics: flat names, the step of each value, and the running means of an epoch. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.errors import TenutoError
from tenuto.reference.events.contexts import Metric

__all__ = ["MetricBook", "as_float", "check_training_names", "flat_names", "flatten"]

_STEP: Final = "_step"  # what marks the value of one batch
_NOTHING: Final = (0.0, 0)


def flatten(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Flattens nested maps with dots and makes every value a float.

    Raises:
        TenutoError: `duplicate_metric` or `invalid_metric`, phase `train`.

    Spec: CB-METRIC-001, CB-METRIC-002.
    """
    for name, value in metrics.items():
        if type(value) is not float or type(name) is not str or not name:
            return {name: as_float(name, value) for name, value in flat_names(metrics).items()}
    return dict(metrics)  # so already, as nearly always: a batch should not wait for more


def flat_names(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Flattens nested maps with dots and leaves the values as they are.

    Raises:
        TenutoError: `duplicate_metric` or `invalid_metric`, phase `train`.

    Spec: CB-METRIC-001, CB-METRIC-002, CB-METRIC-011, CB-METRIC-012.
    """
    flat: dict[str, Any] = {}
    for name, value in _walk(metrics, ""):
        if name in flat:
            raise _refuse("duplicate_metric", f"metric {name!r}: given flat and nested; expected one")
        flat[name] = value
    return flat


def as_float(name: str, value: Any) -> float:  # noqa: ANN401 - whatever a step measures
    """Returns the value of a metric.

    Raises:
        TenutoError: `invalid_metric`, phase `train`.
    """
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise _refuse("invalid_metric", f"metric {name!r}: {type(value).__name__}; expected a number") from error


def check_training_names(names: Iterable[str]) -> None:
    """Refuses a metric whose mean over the epoch would have the name of another one's value of a step.

    Raises:
        TenutoError: `duplicate_metric`, phase `train`.

    Spec: CB-METRIC-002.
    """
    known = set(names)
    for name in sorted(known):
        if f"{name}{_STEP}" in known:
            message = f"metrics {name!r} and {name + _STEP!r}: train_{name}{_STEP} would be both; expected other names"
            raise _refuse("duplicate_metric", message)


def _refuse(code: str, message: str) -> TenutoError:
    return TenutoError(code, message, phase="train")


def _walk(metrics: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in metrics.items():
        if not isinstance(name, str) or not name:
            raise _refuse("invalid_metric", f"name of a metric: {name!r}; expected text that is not empty")
        if isinstance(value, Mapping):
            yield from _walk(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


class MetricBook:
    """Every metric's last value with its step, and the sums from which the means of an epoch are made.

    The values of a batch are entered when somebody looks: most batches pass unseen.

    Spec: CB-METRIC-003.
    """

    def __init__(self) -> None:
        self._values: dict[str, Metric] = {}
        self._view: Mapping[str, Metric] = MappingProxyType(self._values)
        self._sums: dict[str, tuple[float, int]] = {}
        self._unseen: tuple[Mapping[str, float], int] | None = None  # the last batch, and its step

    @property
    def view(self) -> Mapping[str, Metric]:
        """The values, which cannot be written to."""
        self._enter_batch()
        return self._view

    def _enter_batch(self) -> None:
        if self._unseen is not None:
            (metrics, step), self._unseen = self._unseen, None
            self.record(metrics, step, prefix="train_", suffix=_STEP)

    def record(self, metrics: Mapping[str, float], step: int, *, prefix: str = "", suffix: str = "") -> None:
        """Notes values measured at a step."""
        self._enter_batch()
        for name, value in metrics.items():
            self._values[f"{prefix}{name}{suffix}"] = Metric(value, step)

    def add_batch(self, metrics: Mapping[str, float], step: int) -> None:
        """Notes the metrics of a training batch and adds them to the sums of the epoch.

        Raises:
            TenutoError: `duplicate_metric`, phase `train`.
        """
        if not metrics.keys() <= self._sums.keys():  # those have been checked together
            check_training_names(metrics.keys() | self._sums.keys())
        if self._unseen is not None and self._unseen[0].keys() != metrics.keys():
            self._enter_batch()  # a name that this batch has not keeps its value
        self._unseen = metrics, step
        for name, value in metrics.items():
            total, count = self._sums.get(name, _NOTHING)
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
        return {name: metric.value for name, metric in self.view.items()}

    def capture(self) -> tuple[dict[str, Tree], dict[str, Tree]]:
        """Returns values and sums as trees."""
        values: dict[str, Tree] = {name: {"value": m.value, "step": m.step} for name, m in self.view.items()}
        sums: dict[str, Tree] = {name: [total, count] for name, (total, count) in self._sums.items()}
        return values, sums

    def restore(self, values: Mapping[str, Any], sums: Mapping[str, Any]) -> None:
        """Takes over captured values and sums."""
        self._unseen = None
        self._values.clear()
        self._values.update({name: Metric(entry["value"], entry["step"]) for name, entry in values.items()})
        self._sums = {name: (total, count) for name, (total, count) in sums.items()}
