"""The trainings and save points of the known-answer tables.

Spec: RW-KAT-001.
"""

from itertools import product

from attrs import evolve, frozen

from tenuto.conformance_tests.oracle.workload.settings import Settings
from tenuto.conformance_tests.oracle.workload.training import Training, start


@frozen
class Case:
    """A whole training.

    Attributes:
        name: its name in the table.
        shows: what is special about it, for a person.
        settings, max_epochs, validate_every: what it is made with.
    """

    name: str
    shows: str
    settings: Settings
    max_epochs: int = 3
    validate_every: int = 1


@frozen
class SavePoint:
    """A checkpoint of a training, at the boundary with this progress."""

    name: str
    shows: str
    settings: Settings
    max_epochs: int
    epoch: int
    batch_in_epoch: int
    validate_every: int = 1

    def reach(self) -> Training:
        """The training at that boundary; raises ValueError if it has no such boundary."""
        training = start(self.settings, self.max_epochs, self.validate_every)
        for _ in training.boundaries():
            if (training.epoch, training.batch_in_epoch) == (self.epoch, self.batch_in_epoch):
                return training
        msg = f"save point of {self.name}: {self.epoch}, {self.batch_in_epoch}; expected a boundary of the training"
        raise ValueError(msg)


def combinations() -> list[Case]:
    """Every optimizer with every scheduler, with and without accumulation."""
    return [
        Case(
            f"{optimizer}-{scheduler}-{accumulate}".replace("_", "-"),
            f"{optimizer}, scheduler {scheduler}, windows of {accumulate}",
            Settings(optimizer=optimizer, scheduler=scheduler, accumulate=accumulate),
        )
        for optimizer, scheduler, accumulate in product(("sgd", "adam"), ("none", "warmup_step", "plateau"), (1, 3))
    ]


def edges() -> list[Case]:
    """Settings at the ends of their ranges."""
    tiny = Settings(features=1, hidden=1, batch_size=1, samples=5, validation_samples=1)
    return [
        Case("no-dropout", "every unit is kept, and drawn for nevertheless", Settings(dropout=0.0)),
        Case("high-dropout", "few units are kept", Settings(dropout=0.9)),
        Case("no-validation", "no metric of validation", Settings(validation_samples=0)),
        Case("tiny", "one feature, one hidden unit, batches of one", tiny),
        Case("one-sample", "one sample, one batch", Settings(samples=1, accumulate=2)),
        Case("batch-above-samples", "one short batch for each epoch", Settings(batch_size=100)),
        Case("window-above-epoch", "one short window for each epoch", Settings(accumulate=65536)),
        Case("greatest-seed", "seed 2^63 - 1", Settings(seed=2**63 - 1)),
        Case("wide", "more units and features", Settings(features=6, hidden=11, samples=9, seed=3), 2),
        Case("no-momentum", "momentum 0.0", Settings(momentum=0.0)),
        Case(
            "no-betas", "both powers are 0.0 after the first update", Settings(optimizer="adam", beta1=0.0, beta2=0.0)
        ),
        Case(
            "subnormal",
            "learning rates and biases are subnormal",
            Settings(lr=2e-310, scheduler="warmup_step", warmup=3, step_size=2),
        ),
    ]


def schedules() -> list[Case]:
    """Schedulers that change the learning rate often."""
    reduces = Settings(scheduler="plateau", samples=8, threshold=10.0, patience=2, cooldown=2, min_lr=0.01)
    return [
        Case("no-warmup", "reductions count from 0", Settings(scheduler="warmup_step", warmup=0, step_size=4)),
        Case("long-warmup", "the warm-up never ends", Settings(scheduler="warmup_step", warmup=100)),
        Case(
            "every-update",
            "a reduction after each update, by a factor that rounds",
            Settings(scheduler="warmup_step", warmup=2, step_size=1, gamma=0.9),
        ),
        Case("plateau-reduces", "reductions, cooldowns and the lowest rate", reduces, 18),
        Case(
            "plateau-impatient",
            "a reduction after each epoch without improvement",
            Settings(scheduler="plateau", samples=8, patience=0, cooldown=0, threshold=0.02, lr=0.3, factor=0.7),
            10,
        ),
        Case(
            "plateau-equal",
            "weights hardly move, and a val_loss that stays is no improvement",
            Settings(scheduler="plateau", samples=4, lr=2e-310),
            6,
        ),
        Case("plateau-every-2", "validation after each second epoch", evolve(reduces, patience=0), 7, 2),
        Case("never-validated", "fewer epochs than validation asks for", Settings(scheduler="plateau"), 2, 3),
        Case(
            "plateau-raises",
            "a factor above 1.0",
            Settings(scheduler="plateau", samples=8, threshold=10.0, patience=0, factor=1.5, optimizer="adam"),
            6,
        ),
    ]


def diverging() -> list[Case]:
    """Trainings that leave the range of numbers: infinities, then NaN."""
    return [
        Case("diverging-sgd", "losses grow to infinity and NaN", Settings(lr=1e4, hidden=2)),
        Case("diverging-adam", "the first update goes too far", Settings(lr=1e300, optimizer="adam"), 1),
        Case(
            "diverging-plateau",
            "a val_loss of NaN never improves",
            Settings(lr=1e4, hidden=2, scheduler="plateau", cooldown=0),
            5,
        ),
    ]


def trainings() -> list[Case]:
    """Every training of `training.json`."""
    return combinations() + edges() + schedules() + diverging()


def save_points() -> list[SavePoint]:
    """Every checkpoint of `checkpoint.json`."""
    plain = Settings(seed=1)
    windows = Settings(seed=2, accumulate=4, optimizer="adam", scheduler="warmup_step")
    plateau = Settings(seed=3, accumulate=2, scheduler="plateau", threshold=10.0, patience=0, cooldown=2)
    rare = Settings(seed=5, scheduler="plateau", optimizer="adam", samples=8)
    silent = Settings(seed=4, validation_samples=0, optimizer="adam", features=1, hidden=1, accumulate=3)
    return [
        SavePoint("mid-epoch", "between two batches", plain, 3, 1, 2),
        SavePoint("last-batch", "after the last batch of an epoch, before validation", plain, 3, 1, 6),
        SavePoint("epoch", "after an epoch", plain, 3, 2, 0),
        SavePoint("end", "after the last epoch", plain, 3, 3, 0),
        SavePoint("first-window", "inside the first window, before the first update", windows, 2, 0, 3),
        SavePoint("mid-window", "inside the short window at the end of an epoch", windows, 2, 1, 5),
        SavePoint("mid-window-end", "the end of the same training", windows, 2, 2, 0),
        SavePoint("plateau", "a scheduler that cools down, inside a window", plateau, 5, 3, 3),
        SavePoint("plateau-end", "the end of the same training", plateau, 5, 5, 0),
        SavePoint("every-2", "after an epoch without validation", rare, 4, 3, 0, 2),
        SavePoint("every-2-end", "the end of the same training", rare, 4, 4, 0, 2),
        SavePoint("nan", "weights and metrics that are NaN", Settings(lr=1e4, hidden=2), 3, 3, 0),
        SavePoint("no-validation", "no metric of validation", silent, 2, 1, 4),
        SavePoint("no-validation-end", "the end of the same training", silent, 2, 2, 0),
    ]
