"""The data of the reference workload: made samples, and the order of an epoch. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from tenuto.reference.workload.generator import Generator, Purpose, stream

__all__ = ["Sample", "epoch_order", "make_samples", "target_of"]


@frozen
class Sample:
    """Inputs and what the network is to make of them."""

    inputs: tuple[float, ...]
    target: float


def make_samples(generator: Generator, count: int, features: int) -> list[Sample]:
    """Draws samples.

    Args:
        generator: The stream of the inputs.
        count: How many samples.
        features: Inputs of each.

    Spec: RW-DATA-001.
    """
    drawn = [tuple(2.0 * generator.unit() - 1.0 for _ in range(features)) for _ in range(count)]
    return [Sample(inputs, target_of(inputs)) for inputs in drawn]


def target_of(x: Sequence[float]) -> float:
    """Returns the target of a sample.

    Spec: RW-DATA-002.
    """
    y = 0.0
    for i in range(len(x)):
        y = y + x[i] * x[(i + 1) % len(x)]
    return y


def epoch_order(seed: int, epoch: int, samples: int) -> list[int]:
    """Returns the order of the samples in the epoch that starts after `epoch` completed epochs.

    Spec: RW-DATA-003, TR-LOOP-002.
    """
    generator = stream(seed, Purpose.ORDER, epoch)
    order = list(range(samples))
    for i in range(samples - 1, 0, -1):
        j = generator.below(i + 1)
        order[i], order[j] = order[j], order[i]
    return order
