"""The training of a scenario, in the steps between which hooks are called.

Spec: TR-LOOP-001, TR-LOOP-004, CB-ORDER-002, SCN-DATA-001.
"""

from collections.abc import Mapping

from attrs import Factory, define, fields

from tenuto.conformance_tests.oracle.model.errors import Failure
from tenuto.conformance_tests.oracle.model.retention import Progress
from tenuto.conformance_tests.oracle.tree import Document
from tenuto.conformance_tests.oracle.workload.data import batches_of_epoch
from tenuto.conformance_tests.oracle.workload.restore import restore
from tenuto.conformance_tests.oracle.workload.settings import Settings
from tenuto.conformance_tests.oracle.workload.training import Training, start, validation_due

Measured = Mapping[str, tuple[float | None, ...]]


@define
class Stepwise(Training):
    """A training that is told when to go on.

    Attributes:
        replaced: name of a metric -> what takes its place, by epoch; None for nothing.
    """

    replaced: Measured = Factory(dict)

    @property
    def progress(self) -> Progress:
        """Where it is."""
        return self.epoch, self.batch_in_epoch, self.global_step

    @property
    def batches(self) -> int:
        """How many batches an epoch has."""
        return len(batches_of_epoch(self.settings, self.epoch))

    @property
    def validates(self) -> bool:
        """Whether validation is due after the epoch in progress.

        Spec: TR-LOOP-010.
        """
        return bool(self.validation) and validation_due(self.epoch + 1, self.validate_every)

    def batch(self) -> None:
        """Train on the next batch, and count it."""
        numbers = batches_of_epoch(self.settings, self.epoch)
        self._batch(numbers[self.batch_in_epoch], len(numbers))

    def validate(self) -> None:
        """Validate, and record what was measured.

        Spec: CB-METRIC-007, CB-METRIC-010, SCN-DATA-001.
        """
        measured: dict[str, float | None] = {}
        for name, value in self.model.validate(self.validation).items():
            measured[f"val_{name}"] = value
        for name, values in self.replaced.items():
            if self.epoch < len(values):
                measured[name] = values[self.epoch]
        self.record({name: value for name, value in measured.items() if value is not None})

    def record(self, metrics: Mapping[str, float]) -> None:
        """Record metrics as measured now.

        Spec: CB-METRIC-003, CPC-CALL-003.
        """
        self.metrics |= {name: (value, self.global_step) for name, value in metrics.items()}

    def end_epoch(self) -> None:
        """Record the means, step the scheduler, and count the epoch.

        Spec: CB-ORDER-002, CB-METRIC-008, TR-LOOP-013.
        """
        self.record({f"train_{name}": total / float(count) for name, (total, count) in self.sums.items()})
        if self.validates and self.settings.scheduler == "plateau":
            if "val_loss" not in self.metrics:
                raise Failure("monitor_missing")
            value, step = self.metrics["val_loss"]
            if step == self.global_step:
                self.optimizer.lr = self.scheduler.after_epoch(self.optimizer.lr, value)
        self.sums = {}
        self.epoch, self.batch_in_epoch = self.epoch + 1, 0


def fresh(settings: Settings, max_epochs: int, validate_every: int, replaced: Measured) -> Stepwise:
    """A training before its first batch."""
    return _stepwise(start(settings, max_epochs, validate_every), replaced)


def resumed(document: Document, max_epochs: int, replaced: Measured) -> Stepwise:
    """The training that goes on from a document, whose length is free.

    Spec: TR-REST-008, TR-REST-013.
    """
    training = _stepwise(restore(document), replaced)
    training.max_epochs = max_epochs
    return training


def _stepwise(training: Training, replaced: Measured) -> Stepwise:
    parts = {one.name: getattr(training, one.name) for one in fields(Training)}
    return Stepwise(**parts, replaced=replaced)
