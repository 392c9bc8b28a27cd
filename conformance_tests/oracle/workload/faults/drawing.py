"""Faults of generator and data.

Spec: RW-GEN-001 to RW-GEN-004, RW-DATA-001 to RW-DATA-004.
"""

from itertools import pairwise

from tenuto.conformance_tests.oracle.workload import data, generator
from tenuto.conformance_tests.oracle.workload.data import Sample
from tenuto.conformance_tests.oracle.workload.faults.fault import Fault
from tenuto.conformance_tests.oracle.workload.generator import WORD, Generator, mix, stream
from tenuto.conformance_tests.oracle.workload.settings import Settings


def _next_before_step(drawn: Generator) -> int:
    z = drawn.state
    drawn.state = (drawn.state + 0x9E3779B97F4A7C15) % WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) % WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % WORD
    return z ^ (z >> 31)


def _unit_of_52_bits(drawn: Generator) -> float:
    return float(drawn.next() >> 12) * 2.0**-52


def _unit_of_64_bits(drawn: Generator) -> float:
    return float(drawn.next()) * 2.0**-64  # may round up to 1.0


def _below_biased(drawn: Generator, n: int) -> int:
    return drawn.next() % n


def _below_rejecting_the_top(drawn: Generator, n: int) -> int:
    r = drawn.next()
    while r >= WORD - WORD % n:
        r = drawn.next()
    return r % n


def _below_scaled(drawn: Generator, n: int) -> int:
    return (drawn.next() * n) >> 64


def _below_one_less(drawn: Generator, n: int) -> int:
    return drawn.next() % max(n - 1, 1)


def _state_of_sum(seed: int, purpose: int, index: int) -> int:
    return mix(seed + purpose + index)


def _samples_by_feature(seed: int, purpose: int, count: int, features: int) -> list[Sample]:
    drawn = stream(seed, purpose, 0)
    columns = [[drawn.symmetric() for _ in range(count)] for _ in range(features)]
    return [Sample(list(x), data.target(list(x))) for x in zip(*columns, strict=True)]


def _samples_of_one_purpose(seed: int, purpose: int, count: int, features: int) -> list[Sample]:  # noqa: ARG001 - the fault
    return _samples(seed, 1, count, features)


def _target_without_wrap(x: list[float]) -> float:
    return sum((one * following for one, following in pairwise(x)), 0.0)


def _shuffled(settings: Settings, epoch: int, within: int) -> list[int]:
    """Each sample is swapped with one of `within` more than those before it, 0 for all."""
    drawn = stream(settings.seed, 4, epoch)
    order = list(range(settings.samples))
    for i in range(settings.samples - 1, 0, -1):
        j = drawn.below(i + within)
        order[i], order[j] = order[j], order[i]
    return order


def _order_of_one_cycle(settings: Settings, epoch: int) -> list[int]:
    return _shuffled(settings, epoch, 0)


def _order_of_the_seed(settings: Settings, epoch: int) -> list[int]:  # noqa: ARG001 - the fault
    return _shuffled(settings, 0, 1)


def _order_swapping_anywhere(settings: Settings, epoch: int) -> list[int]:
    drawn = stream(settings.seed, 4, epoch)
    order = list(range(settings.samples))
    for i in range(settings.samples - 1, 0, -1):
        j = drawn.below(settings.samples)
        order[i], order[j] = order[j], order[i]
    return order


def _order_upwards(settings: Settings, epoch: int) -> list[int]:
    drawn = stream(settings.seed, 4, epoch)
    order = list(range(settings.samples))
    for i in range(1, settings.samples):
        j = drawn.below(i + 1)
        order[i], order[j] = order[j], order[i]
    return order


def _cut_without_the_rest(order: list[int], batch_size: int) -> list[list[int]]:
    found = _cut(order, batch_size)
    return found[:-1] if len(found) > 1 and len(found[-1]) < batch_size else found


def _cut_by_stride(order: list[int], batch_size: int) -> list[list[int]]:
    count = -(-len(order) // batch_size)
    return [order[first::count] for first in range(count)]


_samples = data._samples
_cut = data.cut

FAULTS = [
    Fault("next mixes before it steps", "RW-GEN-001", Generator, "next", _next_before_step),
    Fault("unit has 52 bits", "RW-GEN-002", Generator, "unit", _unit_of_52_bits),
    Fault("unit has 64 bits", "RW-GEN-002", Generator, "unit", _unit_of_64_bits),
    Fault("below accepts everything", "RW-GEN-003", Generator, "below", _below_biased),
    Fault("below rejects the top", "RW-GEN-003", Generator, "below", _below_rejecting_the_top),
    Fault("below takes the high bits", "RW-GEN-003", Generator, "below", _below_scaled),
    Fault("below leaves out the greatest", "RW-GEN-003", Generator, "below", _below_one_less),
    Fault("streams are sums", "RW-GEN-004", generator, "stream_state", _state_of_sum),
    Fault("inputs by feature", "RW-DATA-001", data, "_samples", _samples_by_feature),
    Fault("validation on training samples", "RW-DATA-001", data, "_samples", _samples_of_one_purpose),
    Fault("target without wrap", "RW-DATA-002", data, "target", _target_without_wrap),
    Fault("order of one cycle", "RW-DATA-003", data, "order_of_epoch", _order_of_one_cycle),
    Fault("order swaps anywhere", "RW-DATA-003", data, "order_of_epoch", _order_swapping_anywhere),
    Fault("order of the seed alone", "RW-DATA-003", data, "order_of_epoch", _order_of_the_seed),
    Fault("order upwards", "RW-DATA-003", data, "order_of_epoch", _order_upwards),
    Fault("short batch left out", "RW-DATA-004", data, "cut", _cut_without_the_rest),
    Fault("batches by stride", "RW-DATA-004", data, "cut", _cut_by_stride),
]
