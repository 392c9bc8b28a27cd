"""Faults of windows, optimizers and schedulers, and of arithmetic inside of them.

Spec: RW-NUM-002, RW-ACC-001, RW-ACC-002, RW-OPT-001, RW-OPT-002, RW-SGD-001, RW-ADAM-001, RW-SCHED-001,
RW-SCHED-002, RW-SCHED-003.
"""

from functools import cache
from math import inf, isnan, nextafter, sqrt

from attrs import evolve

from tenuto.conformance_tests.oracle.workload import optimizers, training
from tenuto.conformance_tests.oracle.workload.faults.fault import Fault, fused
from tenuto.conformance_tests.oracle.workload.network import Values, zeros
from tenuto.conformance_tests.oracle.workload.optimizers import Adam, Optimizer, Sgd
from tenuto.conformance_tests.oracle.workload.schedulers import Constant, Plateau, WarmupStep
from tenuto.conformance_tests.oracle.workload.settings import Settings


def _window_across_epochs(settings: Settings, batch: int, batches: int) -> bool:  # noqa: ARG001 - the fault
    return (batch + 1) % settings.accumulate == 0


def _window_of_one(settings: Settings, batch: int, batches: int) -> bool:  # noqa: ARG001 - the fault
    return True


@cache
def _one_window(settings: Settings) -> Values:
    """The same lists again and again, so what they hold stays."""
    return zeros(settings)


def _kept_gradients(settings: Settings) -> Values:
    return _one_window(settings)


def _sgd_fused(w: float, g: float, v: float, lr: float, momentum: float) -> tuple[float, float]:
    v = fused(momentum, v, g)
    return fused(-lr, v, w), v


def _sgd_flushed(w: float, g: float, v: float, lr: float, momentum: float) -> tuple[float, float]:
    """Subnormal numbers become zero."""
    w, v = _sgd(w, g, v, lr, momentum)
    return (0.0 if abs(w) < 2.0**-1022 else w), v


def _sgd_nesterov(w: float, g: float, v: float, lr: float, momentum: float) -> tuple[float, float]:
    v = momentum * v + g
    return w - lr * (momentum * v + g), v


def _sgd_damped(w: float, g: float, v: float, lr: float, momentum: float) -> tuple[float, float]:
    v = momentum * v + (1.0 - momentum) * g
    return w - lr * v, v


def _sgd_with_rate_inside(w: float, g: float, v: float, lr: float, momentum: float) -> tuple[float, float]:
    v = momentum * v + lr * g
    return w - v, v


def _rate_of_settings(optimizer: Sgd, weights: Values, gradients: Values) -> None:
    moment, optimizer.lr = optimizer.lr, optimizer.settings.lr
    _update(optimizer, weights, gradients)
    optimizer.lr = moment


def _state_from_the_start(settings: Settings, lr: float) -> Optimizer:
    built = _make_optimizer(settings, lr)
    names = ("momentum_buffer",) if isinstance(built, Sgd) else ("exp_avg", "exp_avg_sq")
    built.state.update({name: zeros(settings) for name in names})
    return built


def _adam_formula(adam: Adam, w: float, g: float, a: float, s: float, **kinds: bool) -> tuple[float, float, float]:
    """The update of the text, with one change for each name that is given."""
    beta1, beta2, epsilon = adam.settings.beta1, adam.settings.beta2, adam.settings.epsilon
    a = beta1 * a + (1.0 - beta1) * g
    s = beta2 * s + ((1.0 - beta2) * (g * g) if "square" in kinds else ((1.0 - beta2) * g) * g)
    mean, square = (a, s) if "plain" in kinds else (a / (1.0 - adam.beta1_power), s / (1.0 - adam.beta2_power))
    root = sqrt(square + epsilon) if "inside" in kinds else sqrt(square) + epsilon
    return (w - adam.lr * (mean / root), a, s) if "late" in kinds else (w - (adam.lr * mean) / root, a, s)


def _adam_uncorrected(adam: Adam, w: float, g: float, a: float, s: float) -> tuple[float, float, float]:
    return _adam_formula(adam, w, g, a, s, plain=True)


def _adam_epsilon_inside(adam: Adam, w: float, g: float, a: float, s: float) -> tuple[float, float, float]:
    return _adam_formula(adam, w, g, a, s, inside=True)


def _adam_squared_first(adam: Adam, w: float, g: float, a: float, s: float) -> tuple[float, float, float]:
    return _adam_formula(adam, w, g, a, s, square=True)


def _adam_rate_last(adam: Adam, w: float, g: float, a: float, s: float) -> tuple[float, float, float]:
    return _adam_formula(adam, w, g, a, s, late=True)


def _adam_power_by_weight(adam: Adam, w: float, g: float, a: float, s: float) -> tuple[float, float, float]:
    found = _adam(adam, w, g, a, s)
    adam.beta1_power = adam.beta1_power * adam.settings.beta1
    return found


def _constant_decay(constant: Constant, rate: float) -> float:  # noqa: ARG001 - one form for all
    return rate * 0.5


def _warmup_late(warmup: WarmupStep, rate: float) -> float:
    """One update behind."""
    found = _after_update(warmup, rate)
    settings = warmup.settings
    return (settings.lr * float(warmup.steps)) / float(settings.warmup) if warmup.steps < settings.warmup else found


def _warmup_fraction_first(warmup: WarmupStep, rate: float) -> float:
    found = _after_update(warmup, rate)
    settings = warmup.settings
    fraction = float(warmup.steps + 1) / float(settings.warmup or 1)
    return settings.lr * fraction if warmup.steps < settings.warmup else found


def _warmup_from_zero(warmup: WarmupStep) -> float:
    return 0.0 if warmup.settings.warmup else warmup.settings.lr


def _steps_from_the_start(warmup: WarmupStep, rate: float) -> float:
    """Reductions count the updates of the warm-up too."""
    found = _after_update(warmup, rate)
    settings = warmup.settings
    if warmup.steps <= settings.warmup:
        return found
    return rate * settings.gamma if warmup.steps % settings.step_size == 0 else rate


def _plateau_with(plateau: Plateau, rate: float, v: float, other: Settings) -> float:
    settings, plateau.settings = plateau.settings, other
    found = _after_epoch(plateau, rate, v)
    plateau.settings = settings
    return found


def _plateau_without_threshold(plateau: Plateau, rate: float, v: float) -> float:
    return _plateau_with(plateau, rate, v, evolve(plateau.settings, threshold=0.0))


def _plateau_by_share(plateau: Plateau, rate: float, v: float) -> float:
    best, threshold = plateau.best, plateau.settings.threshold
    asked = 0.0 if best is None else best * threshold
    return _plateau_with(plateau, rate, v, evolve(plateau.settings, threshold=asked))


def _plateau_without_least(plateau: Plateau, rate: float, v: float) -> float:
    return _plateau_with(plateau, rate, v, evolve(plateau.settings, min_lr=0.0))


def _plateau_without_cooldown(plateau: Plateau, rate: float, v: float) -> float:
    return _plateau_with(plateau, rate, v, evolve(plateau.settings, cooldown=0))


def _plateau_impatient(plateau: Plateau, rate: float, v: float) -> float:
    return _plateau_with(plateau, rate, v, evolve(plateau.settings, patience=plateau.settings.patience - 1))


def _plateau_taking_equal(plateau: Plateau, rate: float, v: float) -> float:
    best = plateau.best
    plateau.best = None if best is None else nextafter(best, inf)
    found = _after_epoch(plateau, rate, v)
    plateau.best = v if plateau.best == v else best
    return found


def _plateau_taking_nan(plateau: Plateau, rate: float, v: float) -> float:
    return _after_epoch(plateau, rate, -inf if isnan(v) else v)


_sgd, _adam = optimizers.sgd, Adam.adam
_update, _make_optimizer = Sgd.update, optimizers.make_optimizer
_after_update, _after_epoch = WarmupStep.after_update, Plateau.after_epoch

FAULTS = [
    Fault("fused multiply-add", "RW-NUM-002", optimizers, "sgd", _sgd_fused),
    Fault("subnormal numbers flushed", "RW-NUM-002", optimizers, "sgd", _sgd_flushed),
    Fault("window across epochs", "RW-ACC-001", training, "ends_window", _window_across_epochs),
    Fault("window of one batch", "RW-ACC-001", training, "ends_window", _window_of_one),
    Fault("gradients kept after the update", "RW-ACC-002", training, "zeros", _kept_gradients),
    Fault("rate of the settings", "RW-OPT-001", Sgd, "update", _rate_of_settings),
    Fault("optimizer state from the start", "RW-OPT-002", training, "make_optimizer", _state_from_the_start),
    Fault("Nesterov", "RW-SGD-001", optimizers, "sgd", _sgd_nesterov),
    Fault("momentum damped", "RW-SGD-001", optimizers, "sgd", _sgd_damped),
    Fault("rate inside the momentum", "RW-SGD-001", optimizers, "sgd", _sgd_with_rate_inside),
    Fault("no bias correction", "RW-ADAM-001", Adam, "adam", _adam_uncorrected),
    Fault("epsilon inside the root", "RW-ADAM-001", Adam, "adam", _adam_epsilon_inside),
    Fault("gradient squared first", "RW-ADAM-001", Adam, "adam", _adam_squared_first),
    Fault("learning rate multiplied last", "RW-ADAM-001", Adam, "adam", _adam_rate_last),
    Fault("power for each weight", "RW-ADAM-001", Adam, "adam", _adam_power_by_weight),
    Fault("rate that decays", "RW-SCHED-001", Constant, "after_update", _constant_decay),
    Fault("warm-up one update late", "RW-SCHED-002", WarmupStep, "after_update", _warmup_late),
    Fault("warm-up from zero", "RW-SCHED-002", WarmupStep, "initial", _warmup_from_zero),
    Fault("warm-up by a fraction", "RW-SCHED-002", WarmupStep, "after_update", _warmup_fraction_first),
    Fault("reductions from the start", "RW-SCHED-002", WarmupStep, "after_update", _steps_from_the_start),
    Fault("no threshold", "RW-SCHED-003", Plateau, "after_epoch", _plateau_without_threshold),
    Fault("threshold as a share", "RW-SCHED-003", Plateau, "after_epoch", _plateau_by_share),
    Fault("no lowest rate", "RW-SCHED-003", Plateau, "after_epoch", _plateau_without_least),
    Fault("no cooldown", "RW-SCHED-003", Plateau, "after_epoch", _plateau_without_cooldown),
    Fault("less patience", "RW-SCHED-003", Plateau, "after_epoch", _plateau_impatient),
    Fault("equal improves", "RW-SCHED-003", Plateau, "after_epoch", _plateau_taking_equal),
    Fault("NaN improves", "RW-SCHED-003", Plateau, "after_epoch", _plateau_taking_nan),
]
