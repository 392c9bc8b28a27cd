"""Faults of the network: weights, output, gradients, a batch, validation.

Spec: RW-NUM-002, RW-GEN-004, RW-MODEL-001 to RW-MODEL-006.
"""

from math import isfinite, sqrt

from tenuto.conformance_tests.oracle.workload import network, training
from tenuto.conformance_tests.oracle.workload.data import Sample
from tenuto.conformance_tests.oracle.workload.faults.fault import Fault, fused
from tenuto.conformance_tests.oracle.workload.generator import Generator, stream
from tenuto.conformance_tests.oracle.workload.network import B1, B2, PARAMETERS, W1, W2, Forward, Model, Values, zeros
from tenuto.conformance_tests.oracle.workload.settings import Settings


def _weights_backwards(settings: Settings) -> Values:
    drawn = stream(settings.seed, 3, 0)
    weights = zeros(settings)
    for name, inputs in ((W2, settings.hidden), (W1, settings.features)):
        weights[name] = [drawn.symmetric() * (1.0 / sqrt(inputs)) for _ in weights[name]]
    return weights


def _weights_with_biases(settings: Settings) -> Values:
    drawn = stream(settings.seed, 3, 0)
    inputs = {W1: settings.features, B1: settings.features, W2: settings.hidden, B2: settings.hidden}
    return {
        name: [drawn.symmetric() * (1.0 / sqrt(inputs[name])) for _ in elements]
        for name, elements in zeros(settings).items()
    }


def _weights_divided(settings: Settings) -> Values:
    drawn = stream(settings.seed, 3, 0)
    weights = zeros(settings)
    for name, inputs in ((W1, settings.features), (W2, settings.hidden)):
        weights[name] = [drawn.symmetric() / sqrt(inputs) for _ in weights[name]]
    return weights


def _weights_after_the_data(settings: Settings) -> Values:
    drawn = stream(settings.seed, 2, 0)
    for _ in range(settings.validation_samples * settings.features):
        drawn.next()
    return {name: [drawn.symmetric() * 0.5 for _ in elements] for name, elements in zeros(settings).items()}


def _forward_without_scale(weights: Values, x: list[float], keep: list[bool], q: float) -> Forward:  # noqa: ARG001 - the fault
    return _forward(weights, x, keep, 1.0)


def _forward_linear(weights: Values, x: list[float], keep: list[bool], q: float) -> Forward:
    """No activation: a unit is passed on whatever its sign."""
    found = _forward(weights, x, keep, q)
    features = len(x)
    o = weights[B2][0]
    m = []
    for j, bias in enumerate(weights[B1]):
        z = bias
        for i in range(features):
            z = z + weights[W1][j * features + i] * x[i]
        m.append(z / q if keep[j] else 0.0)
        o = o + weights[W2][j] * m[j]
    return Forward(o, m, list(keep), found.q)


def _forward_bias_last(weights: Values, x: list[float], keep: list[bool], q: float) -> Forward:
    found = _forward(weights, x, keep, q)
    o = 0.0
    for w2, m in zip(weights[W2], found.m, strict=True):
        o = o + w2 * m
    return Forward(o + weights[B2][0], found.m, found.passes, q)


def _forward_fused(weights: Values, x: list[float], keep: list[bool], q: float) -> Forward:
    """Rounds each product and the sum after it once."""
    found = _forward(weights, x, keep, q)
    if not all(isfinite(one) for values in weights.values() for one in values):
        return found
    features = len(x)
    o = weights[B2][0]
    for j, bias in enumerate(weights[B1]):
        z = bias
        for i in range(features):
            z = fused(weights[W1][j * features + i], x[i], z)
        found.m[j] = z / q if found.passes[j] else 0.0
        o = fused(weights[W2][j], found.m[j], o)
    return Forward(o, found.m, found.passes, q)


def _keep_the_dropped(settings: Settings, dropout: Generator) -> list[bool]:
    return [dropout.unit() < settings.dropout for _ in range(settings.hidden)]


def _keep_without_draws(settings: Settings, dropout: Generator) -> list[bool]:
    return _keep(settings, dropout) if settings.dropout > 0.0 else [True] * settings.hidden


def _gradients_without_scale(weights: Values, gradients: Values, x: list[float], done: Forward, g: float) -> None:
    _gradients(weights, gradients, x, Forward(done.o, done.m, done.passes, 1.0), g)


def _gradients_by_mask(weights: Values, gradients: Values, x: list[float], done: Forward, g: float) -> None:
    """Adds products with 0.0 where the text adds nothing."""
    features = len(x)
    g_w1, g_b1, g_w2, g_b2 = (gradients[name] for name in PARAMETERS)
    g_b2[0] = g_b2[0] + g
    for j in range(len(g_b1)):
        g_w2[j] = g_w2[j] + g * done.m[j]
        h = ((g * weights[W2][j]) / done.q) * float(done.passes[j])
        g_b1[j] = g_b1[j] + h
        for i in range(features):
            g_w1[j * features + i] = g_w1[j * features + i] + h * x[i]


def _gradients_swapped(weights: Values, gradients: Values, x: list[float], done: Forward, g: float) -> None:
    scaled = {**weights, W2: [one / done.q for one in weights[W2]]}  # divided before it is multiplied
    _gradients(scaled, gradients, x, Forward(done.o, done.m, done.passes, 1.0), g)


def _batch(model: Model, batch: list[Sample], gradients: Values, dropout: Generator, divisor: float) -> float:
    """As the text, with another divisor of the gradients."""
    total = 0.0
    for sample in batch:
        keep = network.draw_keep(model.settings, dropout)
        done = network.forward(model.weights, sample.x, keep, 1.0 - model.settings.dropout)
        d = done.o - sample.target
        total = total + d * d
        network.add_gradients(model.weights, gradients, sample.x, done, (2.0 * d) / divisor)
        model.seen = model.seen + 1
    return total / float(len(batch))


def _batch_without_windows(model: Model, batch: list[Sample], gradients: Values, dropout: Generator) -> float:
    return _batch(model, batch, gradients, dropout, float(len(batch)))


def _batch_of_full_size(model: Model, batch: list[Sample], gradients: Values, dropout: Generator) -> float:
    return _batch(model, batch, gradients, dropout, float(model.settings.batch_size * model.settings.accumulate))


def _batch_of_half_gradients(model: Model, batch: list[Sample], gradients: Values, dropout: Generator) -> float:
    return _batch(model, batch, gradients, dropout, 2.0 * float(len(batch) * model.settings.accumulate))


def _batch_summed(model: Model, batch: list[Sample], gradients: Values, dropout: Generator) -> float:
    return _train_batch(model, batch, gradients, dropout) * float(len(batch))


def _batch_seen_once(model: Model, batch: list[Sample], gradients: Values, dropout: Generator) -> float:
    seen = model.seen
    loss = _train_batch(model, batch, gradients, dropout)
    model.seen = seen + 1
    return loss


def _validate_with_scale(model: Model, samples: list[Sample]) -> dict[str, float]:
    """Divides by q as in training, though nothing is dropped."""
    everything = [True] * model.settings.hidden
    outputs = [_forward(model.weights, one.x, everything, 1.0 - model.settings.dropout).o for one in samples]
    differences = [o - one.target for o, one in zip(outputs, samples, strict=True)]
    count = float(len(samples))
    return {"loss": sum(d * d for d in differences) / count, "parts.abs": sum(map(abs, differences)) / count}


def _validate_signed(model: Model, samples: list[Sample]) -> dict[str, float]:
    everything = [True] * model.settings.hidden
    differences = [_forward(model.weights, one.x, everything, 1.0).o - one.target for one in samples]
    return _validate(model, samples) | {"parts.abs": sum(differences) / float(len(samples))}


def _validate_summed(model: Model, samples: list[Sample]) -> dict[str, float]:
    return {name: value * float(len(samples)) for name, value in _validate(model, samples).items()}


_forward = network.forward
_keep = network.draw_keep
_gradients = network.add_gradients
_train_batch = Model.train_batch
_validate = Model.validate

FAULTS = [
    Fault("second layer drawn first", "RW-MODEL-001", training, "initial_weights", _weights_backwards),
    Fault("biases drawn", "RW-MODEL-001", training, "initial_weights", _weights_with_biases),
    Fault("weights divided by the root", "RW-MODEL-001", training, "initial_weights", _weights_divided),
    Fault("weights from the stream of the data", "RW-GEN-004", training, "initial_weights", _weights_after_the_data),
    Fault("kept units not scaled", "RW-MODEL-002", network, "forward", _forward_without_scale),
    Fault("no activation", "RW-MODEL-002", network, "forward", _forward_linear),
    Fault("bias added last", "RW-MODEL-002", network, "forward", _forward_bias_last),
    Fault("output of fused operations", "RW-NUM-002", network, "forward", _forward_fused),
    Fault("dropped units kept", "RW-MODEL-003", network, "draw_keep", _keep_the_dropped),
    Fault("no draws without dropout", "RW-MODEL-003", network, "draw_keep", _keep_without_draws),
    Fault("loss not divided", "RW-MODEL-004", Model, "train_batch", _batch_summed),
    Fault("seen counts batches", "RW-MODEL-004", Model, "train_batch", _batch_seen_once),
    Fault("gradients not scaled", "RW-MODEL-005", network, "add_gradients", _gradients_without_scale),
    Fault("gradients by a mask of zeros", "RW-MODEL-005", network, "add_gradients", _gradients_by_mask),
    Fault("gradients divided earlier", "RW-MODEL-005", network, "add_gradients", _gradients_swapped),
    Fault("gradients not divided by the window", "RW-MODEL-005", Model, "train_batch", _batch_without_windows),
    Fault("gradients divided by the full batch", "RW-MODEL-005", Model, "train_batch", _batch_of_full_size),
    Fault("gradients of half the square", "RW-MODEL-005", Model, "train_batch", _batch_of_half_gradients),
    Fault("validation scaled", "RW-MODEL-006", Model, "validate", _validate_with_scale),
    Fault("validation not divided", "RW-MODEL-006", Model, "validate", _validate_summed),
    Fault("differences not absolute", "RW-MODEL-006", Model, "validate", _validate_signed),
]
