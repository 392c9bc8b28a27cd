"""Laws of arithmetic, windows, optimizers and schedulers; `test_workload_oracle` shows that faults break them."""

import math
from math import inf, nan

import pytest

from tenuto.conformance_tests.oracle.workload import optimizers
from tenuto.conformance_tests.oracle.workload.data import batches_of_epoch
from tenuto.conformance_tests.oracle.workload.generator import Generator
from tenuto.conformance_tests.oracle.workload.network import PARAMETERS, Model, zeros
from tenuto.conformance_tests.oracle.workload.optimizers import Adam
from tenuto.conformance_tests.oracle.workload.schedulers import Plateau
from tenuto.conformance_tests.oracle.workload.settings import Settings
from tenuto.conformance_tests.oracle.workload.training import start


@pytest.mark.req("RW-ACC-001")
@pytest.mark.parametrize(("accumulate", "updates"), [(1, 6), (2, 3), (4, 2), (6, 1), (100, 1)])
def test_no_window_crosses_the_end_of_an_epoch(accumulate: int, updates: int) -> None:
    training = start(Settings(accumulate=accumulate), 3)
    for _ in training.boundaries():
        whole = training.batch_in_epoch % accumulate == 0 or training.batch_in_epoch == 6
        assert (training.gradients is None) == whole
        done = updates if training.batch_in_epoch == 6 else training.batch_in_epoch // accumulate
        assert training.global_step == training.epoch * updates + done


@pytest.mark.req("RW-ACC-001", "RW-MODEL-005")
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_full_window_updates_as_one_batch_of_its_samples(optimizer: str) -> None:
    """Bit for bit, as both divide by the product and add sample by sample, but for the short last window."""
    windows = Settings(optimizer=optimizer, samples=24, batch_size=2, accumulate=3)
    batches = Settings(optimizer=optimizer, samples=24, batch_size=6)
    one, other = start(windows, 4).finish(), start(batches, 4).finish()
    assert one.model.weights == other.model.weights
    assert one.optimizer.state == other.optimizer.state
    assert one.global_step == other.global_step == 16


@pytest.mark.req("RW-ACC-001", "RW-SGD-001")
def test_a_short_window_is_divided_like_any_other() -> None:
    """One batch in windows of four has a quarter of its gradients, which a fourfold rate makes up for exactly."""
    whole = start(Settings(batch_size=22, lr=0.05), 5).finish()
    short = start(Settings(batch_size=22, lr=0.2, accumulate=4), 5).finish()
    assert whole.model.weights == short.model.weights


@pytest.mark.req("RW-ACC-002")
def test_the_gradients_of_a_window_are_its_own() -> None:
    settings = Settings(accumulate=2)
    training = start(settings, 2)
    state = training.dropout.state
    for _ in training.boundaries():
        if training.gradients is not None:
            alone = zeros(settings)
            batch = [
                training.samples[number]
                for number in batches_of_epoch(settings, training.epoch)[training.batch_in_epoch - 1]
            ]
            Model(settings, training.model.weights).train_batch(batch, alone, Generator(state))
            assert training.gradients == alone
        state = training.dropout.state


@pytest.mark.req("RW-OPT-001", "RW-OPT-002", "RW-SGD-001")
def test_sgd_moves_each_weight_by_rate_and_momentum_of_the_moment() -> None:
    settings = Settings(scheduler="warmup_step", warmup=4, step_size=2)
    training = start(settings, 2)
    weights, rate, steps = training.model.weights, training.optimizer.lr, 0
    before = {name: list(values) for name, values in weights.items()}
    assert training.optimizer.state == {}
    for _ in training.boundaries():
        if training.global_step > steps:
            v = training.optimizer.state["momentum_buffer"]
            moved = {name: [w - rate * one for w, one in zip(before[name], v[name], strict=True)] for name in v}
            assert weights == moved
        before = {name: list(values) for name, values in weights.items()}
        rate, steps = training.optimizer.lr, training.global_step


@pytest.mark.req("RW-SGD-001")
def test_momentum_sums_a_steady_gradient_to_its_limit() -> None:
    """With momentum 1/2 the sum after t updates is 2 - 2^(1-t), exactly."""
    w, v = 0.0, 0.0
    for t in range(1, 40):
        before = w
        w, v = optimizers.sgd(w, 1.0, v, 0.25, 0.5)
        assert v == 2.0 - 2.0 ** (1 - t)
        assert w == before - 0.25 * v


@pytest.mark.req("RW-ADAM-001")
def test_adam_without_betas_follows_the_sign_of_the_gradient() -> None:
    """Exactly: the averages are gradient and square, the powers 0.0."""
    settings = Settings(optimizer="adam", beta1=0.0, beta2=0.0, accumulate=2, epsilon=1e-3)
    training = start(settings, 2)
    steps = 0
    for _ in training.boundaries():
        if training.gradients is not None:
            before = {name: list(values) for name, values in training.model.weights.items()}
        if training.global_step > steps:
            g = training.optimizer.state["exp_avg"]
            expected = {
                name: [
                    w - (0.05 * one) / (math.sqrt(one * one) + 1e-3)
                    for w, one in zip(before[name], g[name], strict=True)
                ]
                for name in PARAMETERS
            }
            assert training.model.weights == expected
            assert isinstance(training.optimizer, Adam)
            assert (training.optimizer.beta1_power, training.optimizer.beta2_power) == (0.0, 0.0)
        steps = training.global_step


@pytest.mark.req("RW-ADAM-001", "RW-OPT-002")
def test_the_first_update_of_adam_is_as_large_as_the_rate() -> None:
    settings = Settings(optimizer="adam", epsilon=1e-3)
    training = start(settings, 1)
    before = {name: list(values) for name, values in training.model.weights.items()}
    next(training.boundaries())
    for name, averages in training.optimizer.state["exp_avg"].items():
        for w, moved, a in zip(before[name], training.model.weights[name], averages, strict=True):
            g = a / (1 - 0.9)
            assert moved - w == pytest.approx(-0.05 * g / (abs(g) + 1e-3), rel=1e-9)


@pytest.mark.req("RW-ADAM-001")
def test_the_powers_of_adam_count_updates() -> None:
    training = start(Settings(optimizer="adam", accumulate=3), 4)
    for _ in training.boundaries():
        assert isinstance(training.optimizer, Adam)
        assert training.optimizer.beta1_power == pytest.approx(0.9**training.global_step)
        assert training.optimizer.beta2_power == pytest.approx(0.999**training.global_step)


def rates(settings: Settings, epochs: int) -> dict[int, float]:
    """The learning rate after each number of updates."""
    training = start(settings, epochs)
    found = {0: training.optimizer.lr}
    for _ in training.boundaries():
        assert found.setdefault(training.global_step, training.optimizer.lr) == training.optimizer.lr
    return found


@pytest.mark.req("RW-SCHED-001")
def test_without_a_scheduler_the_rate_stays() -> None:
    assert set(rates(Settings(lr=0.125), 2).values()) == {0.125}


@pytest.mark.req("RW-SCHED-002")
@pytest.mark.parametrize(("warmup", "step_size"), [(0, 3), (4, 3), (1, 1), (100, 1)])
def test_warmup_step_climbs_and_then_halves(warmup: int, step_size: int) -> None:
    settings = Settings(scheduler="warmup_step", warmup=warmup, step_size=step_size, accumulate=2)
    found = rates(settings, 5)
    assert len(found) == 16
    for steps, rate in found.items():
        if steps < warmup:
            assert rate == pytest.approx(0.05 * (steps + 1) / warmup, rel=1e-15)
        else:
            assert rate == 0.05 * 0.5 ** ((steps - warmup) // step_size)


def reductions(settings: Settings, losses: list[float]) -> list[int]:
    """The epochs, counted from 1, at whose end the rate was lowered."""
    plateau, rate, found = Plateau(settings), 1.0, []
    for epoch, loss in enumerate(losses, start=1):
        lower = plateau.after_epoch(rate, loss)
        found += [epoch] if lower < rate else []
        rate = lower
    return found


@pytest.mark.req("RW-SCHED-003")
@pytest.mark.parametrize(("patience", "cooldown"), [(0, 0), (1, 1), (3, 0), (0, 2), (2, 4)])
def test_a_loss_that_stays_is_borne_and_reductions_cool_down(patience: int, cooldown: int) -> None:
    """The first epoch is the best; then `patience` epochs are borne, and after a reduction `cooldown` more."""
    settings = Settings(patience=patience, cooldown=cooldown)
    expected = list(range(patience + 2, 41, cooldown + patience + 1))
    assert reductions(settings, [1.0] * 40) == expected
    assert reductions(settings, [1.0] + [nan] * 39) == expected
    assert reductions(settings, [nan] * 40) == list(range(patience + 1, 41, cooldown + patience + 1))
    assert reductions(settings, [inf] * 40) == expected
    assert reductions(settings, [float(-epoch) for epoch in range(40)]) == []


@pytest.mark.req("RW-SCHED-003")
def test_an_improvement_below_the_threshold_is_none() -> None:
    losses = [8.0, 7.5, 7.0, 6.5, 6.0, 5.5]
    assert reductions(Settings(patience=0, cooldown=0, threshold=0.5), losses) == [2, 4, 6]
    assert reductions(Settings(patience=0, cooldown=0, threshold=0.25), losses) == []


@pytest.mark.req("RW-SCHED-003")
def test_the_rate_falls_by_the_factor_to_the_least_and_no_lower() -> None:
    plateau = Plateau(Settings(patience=0, cooldown=0, factor=0.5, min_lr=0.3))
    found = [1.0]
    for _ in range(4):
        found.append(plateau.after_epoch(found[-1], 1.0))
    assert found == [1.0, 1.0, 0.5, 0.3, 0.3]


@pytest.mark.req("RW-SCHED-003")
@pytest.mark.parametrize("every", [1, 2])
def test_plateau_follows_the_validation_of_the_epoch_that_ends(every: int) -> None:
    training = start(Settings(scheduler="plateau"), 6, every)
    best = inf
    for _ in training.boundaries():
        assert isinstance(training.scheduler, Plateau)
        if training.batch_in_epoch == 0 and training.epoch % every == 0:
            best = min(best, training.metrics["val_loss"][0])
        assert training.scheduler.best == (None if best == inf else best)


@pytest.mark.req("RW-SCHED-003")
def test_an_epoch_without_validation_is_no_epoch_for_plateau() -> None:
    """Steps come from validation alone, so twice the epochs make the same reductions."""
    settings = Settings(scheduler="plateau", threshold=10.0, patience=0, cooldown=0)
    often, rare = start(settings, 5, 1).finish(), start(settings, 10, 2).finish()
    assert often.optimizer.lr == rare.optimizer.lr == 0.05 * 0.5**4
    assert start(settings, 2, 3).finish().metrics.keys() == {"train_loss_step", "train_loss"}
