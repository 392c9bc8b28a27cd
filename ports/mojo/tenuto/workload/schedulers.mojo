"""The schedulers: what becomes of the learning rate."""
from ..settings import is_nan
from .settings import WorkloadSettings


struct Scheduler(Copyable):
    """`none`, `warmup_step` or `plateau`."""

    var kind: String
    var settings: WorkloadSettings
    var steps: Int
    var best: Optional[Float64]
    var bad_epochs: Int
    var cooldown_left: Int

    def __init__(out self, settings: WorkloadSettings):
        self.kind = settings.scheduler.copy()
        self.settings = settings.copy()
        self.steps = 0
        self.best = None
        self.bad_epochs = 0
        self.cooldown_left = 0

    def first_rate(self) -> Float64:
        """The learning rate before the first update.

        Spec: RW-SCHED-001, RW-SCHED-002, RW-SCHED-003.
        """
        if self.kind == "warmup_step" and self.settings.warmup > 0:
            return self.settings.lr / Float64(self.settings.warmup)
        return self.settings.lr

    def after_update(mut self, rate: Float64) -> Float64:
        """The learning rate after an update. Spec: RW-SCHED-002."""
        if self.kind != "warmup_step":
            return rate
        self.steps += 1
        ref s = self.settings
        if self.steps < s.warmup:
            return (s.lr * Float64(self.steps + 1)) / Float64(s.warmup)
        if self.steps == s.warmup:
            return s.lr
        if (self.steps - s.warmup) % s.step_size == 0:
            return rate * s.gamma
        return rate

    def after_epoch(mut self, rate: Float64, v: Float64) -> Float64:
        """The learning rate after an epoch whose `val_loss` is `v`.

        Spec: RW-SCHED-003.
        """
        if self.kind != "plateau":
            return rate
        ref s = self.settings
        if not is_nan(v) and (
            not self.best or v < self.best.value() - s.threshold
        ):
            self.best = v
            self.bad_epochs = 0
        else:
            self.bad_epochs += 1
        if self.cooldown_left > 0:
            self.cooldown_left -= 1
            self.bad_epochs = 0
        if self.bad_epochs <= s.patience:
            return rate
        self.cooldown_left = s.cooldown
        self.bad_epochs = 0
        var lower = rate * s.factor
        return s.min_lr if lower < s.min_lr else lower
