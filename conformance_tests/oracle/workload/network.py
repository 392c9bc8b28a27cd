"""The network: initial weights, output, gradients, a batch, validation.

Parameters, gradients and per-parameter states are lists of float64 in C order, by the names of the parameters.

Spec: RW-MODEL-001, RW-MODEL-002, RW-MODEL-003, RW-MODEL-004, RW-MODEL-005, RW-MODEL-006.
"""

from math import sqrt
from typing import TypeAlias

from attrs import define, frozen

from tenuto.conformance_tests.oracle.workload.data import Sample
from tenuto.conformance_tests.oracle.workload.generator import INITIAL_WEIGHTS, Generator, stream
from tenuto.conformance_tests.oracle.workload.settings import Settings

Values: TypeAlias = dict[str, list[float]]

W1, B1, W2, B2 = "layer1.weight", "layer1.bias", "layer2.weight", "layer2.bias"
PARAMETERS = (W1, B1, W2, B2)


def shapes(settings: Settings) -> dict[str, tuple[int, ...]]:
    """The shapes of the parameters, in the order of their indices.

    Spec: section 5 of 50-reference-workload.md.
    """
    hidden, features = settings.hidden, settings.features
    return {W1: (hidden, features), B1: (hidden,), W2: (1, hidden), B2: (1,)}


def zeros(settings: Settings) -> Values:
    """0.0 for every element of every parameter.

    Spec: RW-ACC-002, RW-OPT-002.
    """
    hidden, features = settings.hidden, settings.features
    return {W1: [0.0] * (hidden * features), B1: [0.0] * hidden, W2: [0.0] * hidden, B2: [0.0]}


def initial_weights(settings: Settings) -> Values:
    """The weights before the first update.

    Spec: RW-MODEL-001.
    """
    drawn = stream(settings.seed, INITIAL_WEIGHTS, 0)
    weights = zeros(settings)
    for name, inputs in ((W1, settings.features), (W2, settings.hidden)):
        weights[name] = [drawn.symmetric() * (1.0 / sqrt(inputs)) for _ in weights[name]]
    return weights


@frozen
class Forward:
    """The output of a sample, with what its gradients need.

    Attributes:
        o: the output.
        m: the hidden units after activation and dropout.
        passes: for each hidden unit whether it is active and kept.
        q: the probability with which a unit is kept; 1.0 in validation.
    """

    o: float
    m: list[float]
    passes: list[bool]
    q: float


def forward(weights: Values, x: list[float], keep: list[bool], q: float) -> Forward:
    """The output of a sample with the inputs `x`.

    Spec: RW-MODEL-002.
    """
    features = len(x)
    w1, b1, w2, o = weights[W1], weights[B1], weights[W2], weights[B2][0]
    m, passes = [], []
    for j in range(len(b1)):
        z = b1[j]
        for i in range(features):
            z = z + w1[j * features + i] * x[i]
        passes.append(z > 0.0 and keep[j])
        m.append(z / q if passes[j] else 0.0)
        o = o + w2[j] * m[j]
    return Forward(o, m, passes, q)


def draw_keep(settings: Settings, dropout: Generator) -> list[bool]:
    """Which hidden units a sample in training keeps.

    Spec: RW-MODEL-003.
    """
    return [dropout.unit() >= settings.dropout for _ in range(settings.hidden)]


def add_gradients(weights: Values, gradients: Values, x: list[float], done: Forward, g: float) -> None:
    """Add the gradients of a sample to those of the window; `g` is that of its output.

    Spec: RW-MODEL-005.
    """
    features = len(x)
    g_w1, g_b1, g_w2, g_b2 = (gradients[name] for name in PARAMETERS)
    g_b2[0] = g_b2[0] + g
    for j in range(len(g_b1)):
        g_w2[j] = g_w2[j] + g * done.m[j]
        if done.passes[j]:
            h = (g * weights[W2][j]) / done.q
            g_b1[j] = g_b1[j] + h
            for i in range(features):
                g_w1[j * features + i] = g_w1[j * features + i] + h * x[i]


@define
class Model:
    """The weights and the buffer `seen`, the number of samples trained on."""

    settings: Settings
    weights: Values
    seen: int = 0

    def train_batch(self, batch: list[Sample], gradients: Values, dropout: Generator) -> float:
        """Train on a batch: add to `gradients`, count its samples, and return its loss.

        Spec: RW-MODEL-004, RW-MODEL-005.
        """
        n = len(batch)
        q = 1.0 - self.settings.dropout
        total = 0.0
        for sample in batch:
            keep = draw_keep(self.settings, dropout)
            done = forward(self.weights, sample.x, keep, q)
            d = done.o - sample.target
            total = total + d * d
            g = (2.0 * d) / float(n * self.settings.accumulate)
            add_gradients(self.weights, gradients, sample.x, done, g)
            self.seen = self.seen + 1
        return total / float(n)

    def validate(self, samples: list[Sample]) -> dict[str, float]:
        """The metrics of validation, flattened.

        Spec: RW-MODEL-006, CB-METRIC-001.
        """
        everything = [True] * self.settings.hidden
        squares = 0.0
        sizes = 0.0
        for sample in samples:
            d = forward(self.weights, sample.x, everything, 1.0).o - sample.target
            squares = squares + d * d
            sizes = sizes + (0.0 - d) if d < 0.0 else sizes + d
        count = float(len(samples))
        return {"loss": squares / count, "parts.abs": sizes / count}
