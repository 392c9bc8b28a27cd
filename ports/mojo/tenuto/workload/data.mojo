"""The made data: samples, and the order of an epoch."""
from .generator import Generator, Purpose, stream


@fieldwise_init
struct Sample(Copyable):
    """Inputs and target of one sample."""

    var inputs: List[Float64]
    var target: Float64


def _target(x: List[Float64]) -> Float64:
    """Spec: RW-DATA-002."""
    var y = Float64(0.0)
    for i in range(len(x)):
        y = y + x[i] * x[(i + 1) % len(x)]
    return y


def make_samples(
    var generator: Generator, samples: Int, features: Int
) -> List[Sample]:
    """Samples in ascending order, each input drawn. Spec: RW-DATA-001."""
    var made = List[Sample](capacity=samples)
    for _ in range(samples):
        var x = List[Float64](capacity=features)
        for _ in range(features):
            x.append(2.0 * generator.unit() - 1.0)
        var target = _target(x)
        made.append(Sample(x^, target))
    return made^


def epoch_order(seed: Int, epoch: Int, samples: Int) -> List[Int]:
    """The order of an epoch, from the seed and the completed epochs alone.

    Spec: RW-DATA-003, TR-LOOP-002.
    """
    var generator = stream(seed, Purpose.ORDER, epoch)
    var order = List[Int](capacity=samples)
    for i in range(samples):
        order.append(i)
    for i in range(samples - 1, 0, -1):
        var j = Int(generator.below(UInt64(i + 1)))
        var other = order[j]
        order[j] = order[i]
        order[i] = other
    return order^
