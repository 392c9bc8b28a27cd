"""The ranges of all settings.

Spec: section 1 of 50-reference-workload.md and of 20-checkpoint-callback.md, section 6 of 10-callbacks.md.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import TypeAlias

from tenuto.conformance_tests.oracle.tree import Tree

Check: TypeAlias = Callable[[Tree], bool]


def _integer(least: int, greatest: int | None = None) -> Check:
    return lambda value: (
        isinstance(value, int)
        and not isinstance(value, bool)
        and value >= least
        and (greatest is None or value <= greatest)
    )


def _real(holds: Callable[[float], bool]) -> Check:
    return lambda value: isinstance(value, float) and isfinite(value) and holds(value)


def _number(holds: Callable[[float], bool]) -> Check:
    """As `_real`, and an integer is taken for a float64."""
    real = _real(holds)
    return lambda value: real(float(value) if _integer(-(1 << 63))(value) and isinstance(value, int) else value)


def _one_of(*words: str) -> Check:
    return lambda value: isinstance(value, str) and value in words


def _or_nil(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _is_bool(value: Tree) -> bool:
    return isinstance(value, bool)


def _is_text(value: Tree) -> bool:
    return isinstance(value, str) and value != ""


_SHARE = _real(lambda value: 0.0 <= value < 1.0)
_POSITIVE = _real(lambda value: value > 0.0)
_NOT_NEGATIVE = _real(lambda value: value >= 0.0)
AT_LEAST_ONE = _integer(1)

WORKLOAD: Mapping[str, Check] = {
    "seed": _integer(0, (1 << 63) - 1),
    "samples": _integer(1, 65536),
    "validation_samples": _integer(0, 65536),
    "features": _integer(1, 64),
    "hidden": _integer(1, 64),
    "batch_size": _integer(1, 65536),
    "accumulate": _integer(1, 65536),
    "dropout": _SHARE,
    "optimizer": _one_of("sgd", "adam"),
    "lr": _POSITIVE,
    "momentum": _SHARE,
    "beta1": _SHARE,
    "beta2": _SHARE,
    "epsilon": _POSITIVE,
    "scheduler": _one_of("none", "warmup_step", "plateau"),
    "warmup": _integer(0, 65536),
    "step_size": _integer(1, 65536),
    "gamma": _POSITIVE,
    "factor": _POSITIVE,
    "patience": _integer(0, 65536),
    "cooldown": _integer(0, 65536),
    "threshold": _NOT_NEGATIVE,
    "min_lr": _NOT_NEGATIVE,
}
MONITOR: Mapping[str, Check] = {
    "monitor": _is_text,
    "mode": _one_of("min", "max"),
    "min_delta": _number(lambda value: value >= 0.0),
    "save_top_k": _or_nil(AT_LEAST_ONE),
    "overwrite": _is_bool,
}
SAVING: Mapping[str, Check] = {
    **MONITOR,
    "save_frequency": _or_nil(AT_LEAST_ONE),
    "save_every_steps": _or_nil(AT_LEAST_ONE),
    "save_best": _is_bool,
    "keep_last_n": _or_nil(AT_LEAST_ONE),
    "keep_best_latest": _is_bool,
    "latest": _one_of("auto", "symlink", "copy", "none"),
    "verify": _one_of("readback", "none"),
    "max_save_failures": AT_LEAST_ONE,
    "save_on_exception": _is_bool,
    "save_on_train_end": _is_bool,
    "strict_monitor": _is_bool,
    "async_save": _is_bool,
    "save_every_seconds": _or_nil(_number(lambda value: value > 0.0)),
    "save_final_weights": _is_bool,
    "layout": _one_of("flat", "epoch_dirs"),
    "monitors": lambda value: value is None or (isinstance(value, list) and value != []),
}
EARLY: Mapping[str, Check] = {
    "monitor": _is_text,
    "mode": _one_of("min", "max"),
    "patience": AT_LEAST_ONE,
    "min_delta": _number(lambda value: value >= 0.0),
    "state_key": _is_text,
}
TRAINER: Mapping[str, Check] = {
    "max_epochs": AT_LEAST_ONE,
    "validate_every": AT_LEAST_ONE,
    "max_steps": _or_nil(AT_LEAST_ONE),
    "max_seconds": _or_nil(_number(lambda value: value > 0.0)),
    "require_exact": _is_bool,
    "on_unusable_checkpoint": _one_of("error", "fresh"),
}
NOT_COVERED = {"checkpoint_dir", "save_policy", "retention", "compression"}
