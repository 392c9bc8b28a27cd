"""A whole training: epochs, batches, windows, updates, schedulers, validation and metrics, without callbacks.

Spec: CB-ORDER-002, TR-LOOP-001, TR-LOOP-004.
"""

from collections.abc import Iterator

from attrs import Factory, define

from tenuto.conformance_tests.oracle.workload.data import (
    Sample,
    batches_of_epoch,
    ends_window,
    training_samples,
    validation_samples,
)
from tenuto.conformance_tests.oracle.workload.generator import DROPOUT, Generator, stream
from tenuto.conformance_tests.oracle.workload.network import Model, Values, initial_weights, zeros
from tenuto.conformance_tests.oracle.workload.optimizers import Optimizer, make_optimizer
from tenuto.conformance_tests.oracle.workload.schedulers import Scheduler, make_scheduler
from tenuto.conformance_tests.oracle.workload.settings import Settings


@define
class Training:
    """A training at one boundary.

    Attributes:
        settings, max_epochs, validate_every: what it was made with.
        model, optimizer, scheduler, dropout: the parts with a state.
        gradients: sums of the window in progress; None between two windows.
        epoch, global_step, batch_in_epoch: progress.
        metrics: name -> value and the `global_step` at which it was measured.
        sums: name -> sum and count over the batches of the epoch in progress; empty between two epochs.
        samples, validation: the data.
    """

    settings: Settings
    max_epochs: int
    validate_every: int
    model: Model
    optimizer: Optimizer
    scheduler: Scheduler
    dropout: Generator
    samples: list[Sample]
    validation: list[Sample]
    gradients: Values | None = None
    epoch: int = 0
    global_step: int = 0
    batch_in_epoch: int = 0
    metrics: dict[str, tuple[float, int]] = Factory(dict)
    sums: dict[str, tuple[float, int]] = Factory(dict)

    def boundaries(self) -> Iterator[None]:
        """Train to the end; yields at every boundary: after each batch, and after each epoch.

        Spec: TR-LOOP-004.
        """
        while self.epoch < self.max_epochs:
            batches = batches_of_epoch(self.settings, self.epoch)
            while self.batch_in_epoch < len(batches):
                self._batch(batches[self.batch_in_epoch], len(batches))
                yield
            self._end_of_epoch()
            yield

    def finish(self) -> "Training":
        """Train to the end; returns itself."""
        for _ in self.boundaries():
            pass
        return self

    def _batch(self, numbers: list[int], batches: int) -> None:
        """A batch, counted, with the update and the scheduler if it ends a window.

        Spec: RW-ACC-001, RW-ACC-002, TR-LOOP-001, CB-METRIC-003.
        """
        if self.gradients is None:
            self.gradients = zeros(self.settings)
        batch = [self.samples[number] for number in numbers]
        loss = self.model.train_batch(batch, self.gradients, self.dropout)
        if ends_window(self.settings, self.batch_in_epoch, batches):
            self.optimizer.update(self.model.weights, self.gradients)
            self.gradients = None
            self.global_step = self.global_step + 1
            self.optimizer.lr = self.scheduler.after_update(self.optimizer.lr)
        self.batch_in_epoch = self.batch_in_epoch + 1
        total, count = self.sums.get("loss", (0.0, 0))
        self.sums["loss"] = (total + loss, count + 1)
        self.metrics["train_loss_step"] = (loss, self.global_step)

    def _end_of_epoch(self) -> None:
        """Validation, means of the epoch, the scheduler, and the count.

        Spec: CB-ORDER-002, CB-ORDER-003, TR-LOOP-013, RW-SCHED-003.
        """
        validated = bool(self.validation) and validation_due(self.epoch + 1, self.validate_every)
        if validated:
            for name, value in self.model.validate(self.validation).items():
                self.metrics[f"val_{name}"] = (value, self.global_step)
        for name, (total, count) in self.sums.items():
            self.metrics[f"train_{name}"] = (total / float(count), self.global_step)
        self.sums = {}
        if validated:
            self.optimizer.lr = self.scheduler.after_epoch(self.optimizer.lr, self.metrics["val_loss"][0])
        self.epoch = self.epoch + 1
        self.batch_in_epoch = 0


def validation_due(epoch: int, validate_every: int) -> bool:
    """Whether validation follows the epoch with this number, counted from 1.

    Spec: TR-LOOP-010.
    """
    return epoch % validate_every == 0


def start(settings: Settings, max_epochs: int, validate_every: int = 1) -> Training:
    """A training before its first batch."""
    scheduler = make_scheduler(settings)
    return Training(
        settings=settings,
        max_epochs=max_epochs,
        validate_every=validate_every,
        model=Model(settings, initial_weights(settings)),
        optimizer=make_optimizer(settings, scheduler.initial()),
        scheduler=scheduler,
        dropout=stream(settings.seed, DROPOUT, 0),
        samples=training_samples(settings),
        validation=validation_samples(settings),
    )
