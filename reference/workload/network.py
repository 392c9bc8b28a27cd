"""The network of the reference workload, forwards and backwards, in single float64 operations. Pure.

No call of `sum`: from Python 3.12 on it compensates, which is another sequence of operations than the specification's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from tenuto.reference.workload.data import Sample
from tenuto.reference.workload.generator import Generator

__all__ = ["PARAMETERS", "Network", "Pass", "Values", "initial_values", "zeros"]

PARAMETERS: Final = ("layer1.weight", "layer1.bias", "layer2.weight", "layer2.bias")

Values = list[list[float]]  # one list for each parameter, in C order: weights, gradients, moments


@frozen
class Pass:
    """What a sample leaves behind on its way through the network.

    Attributes:
        output: Of the network.
        hidden: What the hidden units passed on, `m` of the specification.
        live: For each hidden unit whether it is active and kept.
    """

    output: float
    hidden: list[float]
    live: list[bool]


def initial_values(generator: Generator, features: int, hidden: int) -> Values:
    """Draws the initial weights.

    Spec: RW-MODEL-001.
    """
    return [
        _draw(generator, hidden * features, features),
        [0.0] * hidden,
        _draw(generator, hidden, hidden),
        [0.0],
    ]


def _draw(generator: Generator, count: int, inputs: int) -> list[float]:
    bound = 1.0 / math.sqrt(float(inputs))
    return [(2.0 * generator.unit() - 1.0) * bound for _ in range(count)]


def zeros(like: Values) -> Values:
    """Returns as many zeros."""
    return [[0.0] * len(values) for values in like]


class Network:
    """Two layers with dropout between them.

    Args:
        values: The parameters, in the order of `PARAMETERS`; trained in place.
        dropout: Probability with which a hidden unit is dropped.
        seen: Training samples so far.
    """

    def __init__(self, values: Values, dropout: float, seen: int = 0) -> None:
        self.values = values
        self.seen = seen
        self._dropout = dropout

    def forward(self, x: Sequence[float], keep: Sequence[bool], q: float) -> Pass:
        """Computes the output of a sample.

        Args:
            x: Its inputs.
            keep: For each hidden unit whether it is kept.
            q: By what a kept unit is divided.

        Spec: RW-MODEL-002.
        """
        w1, b1, w2, (b2,) = self.values
        width, o = len(x), b2
        hidden, live = [], []
        for j in range(len(b1)):
            z = b1[j]
            for w, value in zip(w1[j * width : (j + 1) * width], x, strict=True):
                z = z + w * value
            passes = z > 0.0 and keep[j]
            m = z / q if passes else 0.0
            o = o + w2[j] * m
            hidden.append(m)
            live.append(passes)
        return Pass(o, hidden, live)

    def train_on(self, batch: Sequence[Sample], accumulate: int, generator: Generator, gradients: Values) -> float:
        """Trains on a batch up to its gradients.

        Args:
            batch: At least one sample.
            accumulate: Batches of a window.
            generator: Of dropout.
            gradients: Those of the window so far; added to in place.

        Returns:
            The loss.

        Spec: RW-MODEL-003, RW-MODEL-004.
        """
        n, total = len(batch), 0.0
        q = 1.0 - self._dropout
        divisor = float(n * accumulate)
        for sample in batch:
            # One draw for each unit whatever is computed: the draws of a batch can be counted beforehand.
            keep = [generator.unit() >= self._dropout for _ in self.values[1]]
            passed = self.forward(sample.inputs, keep, q)
            d = passed.output - sample.target
            total = total + d * d
            self._add_gradients(sample.inputs, passed, (2.0 * d) / divisor, q, gradients)
            self.seen = self.seen + 1
        return total / float(n)

    def _add_gradients(self, x: Sequence[float], passed: Pass, g: float, q: float, gradients: Values) -> None:
        """Spec: RW-MODEL-005."""
        w2 = self.values[2]
        g_w1, g_b1, g_w2, g_b2 = gradients
        g_b2[0] = g_b2[0] + g
        for j in range(len(w2)):
            g_w2[j] = g_w2[j] + g * passed.hidden[j]
            if passed.live[j]:
                h = (g * w2[j]) / q
                g_b1[j] = g_b1[j] + h
                for at, value in enumerate(x, j * len(x)):
                    g_w1[at] = g_w1[at] + h * value

    def error(self, sample: Sample) -> float:
        """Returns how far the output of a validation sample is from its target; nothing is dropped.

        Spec: RW-MODEL-002, RW-MODEL-006.
        """
        keep = [True] * len(self.values[1])
        return self.forward(sample.inputs, keep, 1.0).output - sample.target
