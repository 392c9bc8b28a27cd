"""The schedulers of the reference workload, with what of them is saved. Pure."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from typing import Any, ClassVar

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.errors import ConfigError
from tenuto.reference.workload.form import BEST, COUNT, Form, exactly
from tenuto.reference.workload.settings import WorkloadSettings

__all__ = ["Plateau", "Scheduler", "WarmupStep", "make_scheduler"]

_MONITOR = "val_loss"
_NAME = "scheduler"  # under which the file holds the one scheduler


class Scheduler:
    """Leaves the learning rate as it is: the kind `none`, and the base of the others.

    Args:
        settings: Of the workload.

    Spec: RW-SCHED-001.
    """

    variables: ClassVar[Mapping[str, Form]] = {}  # what training changes: attribute and its form

    def __init__(self, settings: WorkloadSettings) -> None:
        self._settings = settings

    def first_rate(self) -> float:
        """Returns the learning rate before the first update."""
        return self._settings.lr

    def after_update(self, rate: float) -> float:
        """Returns the learning rate after an update that was made with `rate`."""
        return rate

    def check_metrics(self, known: Container[str]) -> None:
        """Refuses to go on without the metric that the scheduler follows; `known` are all measured so far.

        Raises:
            ConfigError: `monitor_missing`.

        Spec: TR-LOOP-013.
        """

    def after_epoch(self, rate: float, metrics: Mapping[str, float]) -> float:  # noqa: ARG002 - overridden
        """Returns the learning rate after an epoch that ended with `rate` and measured these metrics."""
        return rate

    def capture(self) -> dict[str, Tree]:
        """Returns the state by name; empty for the kind `none`.

        Spec: RW-STATE-003.
        """
        if not self.variables:
            return {}
        return {_NAME: {"kind": self._settings.scheduler, **{name: getattr(self, name) for name in self.variables}}}

    def form(self) -> dict[str, Form]:
        """Returns what a saved state has to look like."""
        if not self.variables:
            return {}
        return {_NAME: {"kind": exactly(self._settings.scheduler), **self.variables}}

    def load(self, saved: Any) -> None:  # noqa: ANN401 - from a file, its form has been compared
        """Takes over a saved state."""
        for name in self.variables:
            setattr(self, name, saved[_NAME][name])


class WarmupStep(Scheduler):
    """Warms up in a line, then multiplies by a factor each so many updates.

    Spec: RW-SCHED-002.
    """

    variables: ClassVar = {"steps": COUNT}

    def __init__(self, settings: WorkloadSettings) -> None:
        super().__init__(settings)
        self.steps = 0

    def first_rate(self) -> float:
        """See `Scheduler`."""
        chosen = self._settings
        return chosen.lr / float(chosen.warmup) if chosen.warmup else chosen.lr

    def after_update(self, rate: float) -> float:
        """See `Scheduler`."""
        chosen = self._settings
        self.steps = self.steps + 1
        if self.steps < chosen.warmup:
            return (chosen.lr * float(self.steps + 1)) / float(chosen.warmup)
        if self.steps == chosen.warmup:
            return chosen.lr
        return rate * chosen.gamma if (self.steps - chosen.warmup) % chosen.step_size == 0 else rate


class Plateau(Scheduler):
    """Multiplies by a factor when `val_loss` has not improved for a while.

    Spec: RW-SCHED-003.
    """

    variables: ClassVar = {"best": BEST, "bad_epochs": COUNT, "cooldown_left": COUNT}

    def __init__(self, settings: WorkloadSettings) -> None:
        super().__init__(settings)
        self.best: float | None = None
        self.bad_epochs = 0
        self.cooldown_left = 0

    def check_metrics(self, known: Container[str]) -> None:
        """See `Scheduler`."""
        if _MONITOR not in known:
            raise ConfigError("monitor_missing", f"scheduler plateau: no {_MONITOR!r} measured; expected it")

    def after_epoch(self, rate: float, metrics: Mapping[str, float]) -> float:
        """See `Scheduler`. An epoch without validation changes nothing.

        Spec: TR-LOOP-013.
        """
        v, chosen = metrics.get(_MONITOR), self._settings
        if v is None:
            return rate
        if not math.isnan(v) and (self.best is None or v < self.best - chosen.threshold):
            self.best, self.bad_epochs = v, 0
        else:
            self.bad_epochs = self.bad_epochs + 1
        if self.cooldown_left > 0:
            self.cooldown_left, self.bad_epochs = self.cooldown_left - 1, 0
        if self.bad_epochs > chosen.patience:
            rate = max(rate * chosen.factor, chosen.min_lr)
            self.cooldown_left, self.bad_epochs = chosen.cooldown, 0
        return rate


def make_scheduler(settings: WorkloadSettings) -> Scheduler:
    """Returns the scheduler of the settings before anything is trained."""
    kinds: dict[str, type[Scheduler]] = {"none": Scheduler, "warmup_step": WarmupStep, "plateau": Plateau}
    return kinds[settings.scheduler](settings)
