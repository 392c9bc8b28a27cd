"""Laws of the network; `test_workload_oracle` shows that faults break them."""

import math
from fractions import Fraction
from itertools import product

import pytest

from tenuto.conformance_tests.oracle.workload import network
from tenuto.conformance_tests.oracle.workload.data import training_samples
from tenuto.conformance_tests.oracle.workload.generator import DROPOUT, WORD, Generator, stream
from tenuto.conformance_tests.oracle.workload.network import B1, B2, W1, W2, Forward, Model, Values, zeros
from tenuto.conformance_tests.oracle.workload.settings import Settings
from tenuto.conformance_tests.oracle.workload.training import start


def trained(settings: Settings) -> Model:
    """A model whose biases are no longer zero."""
    return start(settings, 2).finish().model


def exact_output(weights: Values, x: list[float], keep: list[bool], q: float) -> float:
    """A two-layer network as everyone knows it, in rational numbers."""
    inputs = [Fraction(one) for one in x]
    rows = [weights[W1][at : at + len(x)] for at in range(0, len(weights[W1]), len(x))]
    o = Fraction(weights[B2][0])
    for row, bias, w2, kept in zip(rows, weights[B1], weights[W2], keep, strict=True):
        z = sum((Fraction(w) * one for w, one in zip(row, inputs, strict=True)), Fraction(bias))
        o += Fraction(w2) * max(z, Fraction(0)) / Fraction(q) * kept
    return float(o)


@pytest.mark.req("RW-MODEL-001")
def test_initial_weights_are_even_within_their_range() -> None:
    settings = Settings(features=16, hidden=64)
    weights = start(settings, 1).model.weights
    for name, inputs in ((W1, 16), (W2, 64)):
        scaled = [one * math.sqrt(inputs) for one in weights[name]]
        assert all(-1.0 <= one <= 1.0 for one in scaled)
        assert sum(one * one for one in scaled) / len(scaled) == pytest.approx(1 / 3, rel=0.25)
        assert len(set(scaled)) == len(scaled)
    assert set(weights[B1]) | set(weights[B2]) == {0.0}


@pytest.mark.req("RW-MODEL-001")
def test_initial_weights_are_drawn_layer_by_layer() -> None:
    """More hidden units leave the first rows of the first layer as they are."""
    few, many = (start(Settings(hidden=hidden), 1).model.weights[W1] for hidden in (4, 9))
    assert many[:12] == few


@pytest.mark.req("RW-MODEL-002")
def test_the_output_is_that_of_a_two_layer_network() -> None:
    settings = Settings(hidden=5)
    weights = trained(settings).weights
    for sample, keep in zip(training_samples(settings), product((True, False), repeat=5), strict=False):
        found = network.forward(weights, sample.x, list(keep), 0.75).o
        assert found == pytest.approx(exact_output(weights, sample.x, list(keep), 0.75), rel=1e-13, abs=1e-13)


@pytest.mark.req("RW-MODEL-002", "RW-MODEL-003")
def test_dropout_keeps_the_mean_output() -> None:
    settings = Settings(dropout=0.25)
    weights = trained(settings).weights
    for sample in training_samples(settings):
        mean = 0.0
        for keep in product((True, False), repeat=4):
            share = math.prod(0.75 if kept else 0.25 for kept in keep)
            mean += share * network.forward(weights, sample.x, list(keep), 0.75).o
        assert mean == pytest.approx(network.forward(weights, sample.x, [True] * 4, 1.0).o, abs=1e-12)


@pytest.mark.req("RW-MODEL-003")
@pytest.mark.parametrize("dropout", [0.0, 0.25, 0.9])
def test_one_draw_for_each_unit_and_sample_whatever_the_dropout(dropout: float) -> None:
    training = start(Settings(dropout=dropout, hidden=5), 3).finish()
    draws = 3 * 22 * 5
    assert training.dropout.state == (stream(0, DROPOUT, 0).state + draws * 0x9E3779B97F4A7C15) % WORD


@pytest.mark.req("RW-MODEL-003")
def test_units_are_dropped_as_often_as_asked_for_and_in_order() -> None:
    kept = network.draw_keep(Settings(hidden=4000, dropout=0.9), Generator(5))
    drawn = Generator(5)
    assert 330 < sum(kept) < 470
    assert kept == [drawn.unit() >= 0.9 for _ in kept]


@pytest.mark.req("RW-MODEL-004", "RW-MODEL-006")
def test_without_dropout_a_batch_is_validated_as_it_is_trained() -> None:
    settings = Settings(dropout=0.0)
    model = trained(settings)
    for size in (1, 3, 4):
        batch = training_samples(settings)[:size]
        expected = model.validate(batch)["loss"]
        assert model.train_batch(batch, zeros(settings), Generator(0)) == expected


@pytest.mark.req("RW-MODEL-004")
def test_seen_counts_samples() -> None:
    assert start(Settings(accumulate=4), 3).finish().model.seen == 3 * 22


@pytest.mark.req("RW-MODEL-005", "RW-MODEL-004")
@pytest.mark.parametrize("size", [1, 3, 4])
@pytest.mark.parametrize("settings", [Settings(accumulate=3), Settings(dropout=0.0, seed=2), Settings(features=1)])
def test_gradients_are_finite_differences_of_the_loss(settings: Settings, size: int) -> None:
    """Correct within a tolerance: the loss of the batch over the batches of a window, by each weight."""
    model, batch, step = trained(settings), training_samples(settings)[:size], 1e-6
    gradients = zeros(settings)
    model.train_batch(batch, gradients, Generator(3))
    for name, values in model.weights.items():
        for at, value in enumerate(values):
            losses = []
            for moved in (value + step, value - step):
                values[at] = moved
                losses.append(model.train_batch(batch, zeros(settings), Generator(3)))
            values[at] = value
            slope = (losses[0] - losses[1]) / (2 * step) / settings.accumulate
            assert gradients[name][at] == pytest.approx(slope, rel=1e-5, abs=1e-8)


@pytest.mark.req("RW-MODEL-005")
def test_a_unit_that_does_not_pass_adds_nothing_not_even_nan() -> None:
    settings = Settings(hidden=2, features=1)
    gradients = zeros(settings)
    done = Forward(math.nan, [0.0, 0.5], [False, True], 1.0)
    network.add_gradients(zeros(settings), gradients, [1.0], done, math.nan)
    assert gradients[B1][0] == gradients[W1][0] == 0.0
    assert math.isnan(gradients[B1][1])
    assert math.isnan(gradients[W1][1])


@pytest.mark.req("RW-MODEL-005")
def test_the_gradients_of_samples_add_up_in_order() -> None:
    """Samples of one batch and those of batches of one count the same, bit for bit, if their divisor is."""
    together, apart = Settings(batch_size=3, accumulate=2), Settings(batch_size=1, accumulate=6)
    model, batch = trained(together), training_samples(together)[:3]
    whole, parts = zeros(together), zeros(apart)
    drawn = Generator(1)
    model.train_batch(batch, whole, Generator(1))
    for sample in batch:
        Model(apart, model.weights).train_batch([sample], parts, drawn)
    assert whole == parts


@pytest.mark.req("RW-MODEL-006")
def test_validation_keeps_every_unit_and_changes_nothing() -> None:
    training = start(Settings(dropout=0.5), 1).finish()
    model, state, seen = training.model, training.dropout.state, training.model.seen
    for sample in training.validation:
        d = exact_output(model.weights, sample.x, [True] * 4, 1.0) - sample.target
        found = model.validate([sample])
        assert found == pytest.approx({"loss": d * d, "parts.abs": abs(d)}, rel=1e-12)
    assert (training.dropout.state, model.seen) == (state, seen)


@pytest.mark.req("RW-MODEL-006")
def test_metrics_of_validation_are_means_over_its_samples() -> None:
    training = start(Settings(), 1)
    single = [training.model.validate([sample]) for sample in training.validation]
    for name, value in training.model.validate(training.validation).items():
        assert value == pytest.approx(math.fsum(one[name] for one in single) / len(single))
