"""The schedulers: each says the learning rate after an update and after an epoch.

Spec: RW-SCHED-001, RW-SCHED-002, RW-SCHED-003, RW-STATE-003.
"""

from math import isnan
from typing import TypeAlias

from attrs import define

from tenuto.conformance_tests.oracle.tree import Tree
from tenuto.conformance_tests.oracle.workload.settings import Settings


@define
class Constant:
    """The learning rate of the settings throughout.

    Spec: RW-SCHED-001.
    """

    settings: Settings

    def initial(self) -> float:
        """The learning rate before the first update."""
        return self.settings.lr

    def after_update(self, rate: float) -> float:
        """The learning rate after an update."""
        return rate

    def after_epoch(self, rate: float, val_loss: float) -> float:  # noqa: ARG002 - one form for all schedulers
        """The learning rate after an epoch."""
        return rate

    def state(self) -> dict[str, Tree]:
        """The state as it stands in the file."""
        return {}


@define
class WarmupStep:
    """Linear warm-up, then steps down.

    Spec: RW-SCHED-002.
    """

    settings: Settings
    steps: int = 0

    def initial(self) -> float:
        """The learning rate before the first update."""
        lr, warmup = self.settings.lr, self.settings.warmup
        return lr if warmup == 0 else lr / float(warmup)

    def after_update(self, rate: float) -> float:
        """The learning rate after an update."""
        self.steps = self.steps + 1
        lr, warmup = self.settings.lr, self.settings.warmup
        if self.steps < warmup:
            return (lr * float(self.steps + 1)) / float(warmup)
        if self.steps == warmup:
            return lr
        if (self.steps - warmup) % self.settings.step_size == 0:
            return rate * self.settings.gamma
        return rate

    def after_epoch(self, rate: float, val_loss: float) -> float:  # noqa: ARG002 - one form for all schedulers
        """The learning rate after an epoch."""
        return rate

    def state(self) -> dict[str, Tree]:
        """The state as it stands in the file."""
        return {"scheduler": {"kind": "warmup_step", "steps": self.steps}}


@define
class Plateau:
    """Reduces when `val_loss` no longer improves.

    Spec: RW-SCHED-003.
    """

    settings: Settings
    best: float | None = None
    bad_epochs: int = 0
    cooldown_left: int = 0

    def initial(self) -> float:
        """The learning rate before the first update."""
        return self.settings.lr

    def after_update(self, rate: float) -> float:
        """The learning rate after an update."""
        return rate

    def after_epoch(self, rate: float, val_loss: float) -> float:
        """The learning rate after an epoch."""
        if not isnan(val_loss) and (self.best is None or val_loss < self.best - self.settings.threshold):
            self.best = val_loss
            self.bad_epochs = 0
        else:
            self.bad_epochs = self.bad_epochs + 1
        if self.cooldown_left > 0:
            self.cooldown_left = self.cooldown_left - 1
            self.bad_epochs = 0
        if self.bad_epochs > self.settings.patience:
            rate = rate * self.settings.factor
            rate = max(rate, self.settings.min_lr)
            self.cooldown_left = self.settings.cooldown
            self.bad_epochs = 0
        return rate

    def state(self) -> dict[str, Tree]:
        """The state as it stands in the file."""
        state: Tree = {
            "kind": "plateau",
            "best": self.best,
            "bad_epochs": self.bad_epochs,
            "cooldown_left": self.cooldown_left,
        }
        return {"scheduler": state}


Scheduler: TypeAlias = Constant | WarmupStep | Plateau


def make_scheduler(settings: Settings) -> Scheduler:
    """The scheduler of the settings before its first step."""
    if settings.scheduler == "warmup_step":
        return WarmupStep(settings)
    return Plateau(settings) if settings.scheduler == "plateau" else Constant(settings)
