"""Samples, the order of an epoch, and its batches and windows.

Spec: RW-DATA-001, RW-DATA-002, RW-DATA-003, RW-DATA-004, RW-ACC-001.
"""

from attrs import frozen

from tenuto.conformance_tests.oracle.workload.generator import EPOCH_ORDER, TRAINING_INPUTS, VALIDATION_INPUTS, stream
from tenuto.conformance_tests.oracle.workload.settings import Settings


@frozen
class Sample:
    """One sample: its inputs and its target."""

    x: list[float]
    target: float


def target(x: list[float]) -> float:
    """The target of a sample.

    Spec: RW-DATA-002.
    """
    y = 0.0
    for i in range(len(x)):
        y = y + x[i] * x[(i + 1) % len(x)]
    return y


def _samples(seed: int, purpose: int, count: int, features: int) -> list[Sample]:
    drawn = stream(seed, purpose, 0)
    inputs = [[drawn.symmetric() for _ in range(features)] for _ in range(count)]
    return [Sample(x, target(x)) for x in inputs]


def training_samples(settings: Settings) -> list[Sample]:
    """The training samples in ascending order.

    Spec: RW-DATA-001.
    """
    return _samples(settings.seed, TRAINING_INPUTS, settings.samples, settings.features)


def validation_samples(settings: Settings) -> list[Sample]:
    """The validation samples in ascending order.

    Spec: RW-DATA-001.
    """
    return _samples(settings.seed, VALIDATION_INPUTS, settings.validation_samples, settings.features)


def order_of_epoch(settings: Settings, epoch: int) -> list[int]:
    """The order in which the samples of an epoch are trained on.

    Spec: RW-DATA-003.
    """
    drawn = stream(settings.seed, EPOCH_ORDER, epoch)
    order = list(range(settings.samples))
    for i in range(settings.samples - 1, 0, -1):
        j = drawn.below(i + 1)
        order[i], order[j] = order[j], order[i]
    return order


def cut(order: list[int], batch_size: int) -> list[list[int]]:
    """The order of an epoch in batches; the last one holds what is left.

    Spec: RW-DATA-004.
    """
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def batches_of_epoch(settings: Settings, epoch: int) -> list[list[int]]:
    """The sample numbers of each batch of an epoch.

    Spec: RW-DATA-003, RW-DATA-004.
    """
    return cut(order_of_epoch(settings, epoch), settings.batch_size)


def ends_window(settings: Settings, batch: int, batches: int) -> bool:
    """Whether the batch with this number is the last one of its window.

    Spec: RW-ACC-001.
    """
    return (batch + 1) % settings.accumulate == 0 or batch + 1 == batches
