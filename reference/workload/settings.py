"""The settings of the reference workload; each refuses what is out of range with `invalid_setting` and its name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

from attrs import Attribute, asdict, field, fields_dict, frozen

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.errors import refuse_setting

__all__ = ["OptimizerKind", "SchedulerKind", "WorkloadSettings"]

OptimizerKind = Literal["sgd", "adam"]
SchedulerKind = Literal["none", "warmup_step", "plateau"]
Validator = Callable[[object, "Attribute[Any]", Any], None]

_LARGEST = 65536
_LARGEST_LAYER = 64


def _check(kind: type, rule: str, is_in_range: Callable[[Any], bool]) -> Validator:
    """Returns a validator. Kinds are exact: a bool is no integer here, and an integer no float64."""

    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - attrs' signature
        if type(value) is not kind or not is_in_range(value):
            raise refuse_setting(attribute.name, value, rule)

    return check


def _integer(low: int, high: int) -> Validator:
    return _check(int, f"an integer of {low} to {high}", lambda value: low <= value <= high)


def _one_of(*choices: str) -> Validator:
    return _check(str, "one of " + ", ".join(choices), lambda value: value in choices)


_FRACTION = _check(float, "a float64 of 0.0 to below 1.0", lambda value: 0.0 <= value < 1.0)
_POSITIVE = _check(float, "a finite float64 above 0.0", lambda value: 0.0 < value < math.inf)
_AMOUNT = _check(float, "a finite float64 of at least 0.0", lambda value: 0.0 <= value < math.inf)


@frozen(kw_only=True)
class WorkloadSettings:
    """What can be set; names, kinds, defaults and ranges are those of the table in `50-reference-workload.md`.

    Attributes:
        seed: Of everything random.
        samples: Training samples.
        validation_samples: Validation samples; 0 for no validation.
        features: Inputs of a sample.
        hidden: Hidden units.
        batch_size: Samples of a batch.
        accumulate: Batches of an accumulation window.
        dropout: Probability with which a hidden unit is dropped.
        optimizer: `sgd` or `adam`.
        lr: Base learning rate.
        momentum: Of `sgd`.
        beta1: Of `adam`.
        beta2: Of `adam`.
        epsilon: Of `adam`.
        scheduler: `none`, `warmup_step` or `plateau`.
        warmup: Updates of the warm-up of `warmup_step`.
        step_size: Updates between two reductions of `warmup_step`.
        gamma: Factor of a reduction of `warmup_step`.
        factor: Factor of a reduction of `plateau`.
        patience: Epochs without improvement that `plateau` bears.
        cooldown: Epochs after a reduction of `plateau` that are not counted.
        threshold: By how much `plateau` wants to see the metric improved.
        min_lr: Lowest learning rate of `plateau`.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: RW-SET-001, RW-SET-002.
    """

    seed: int = field(default=0, validator=_integer(0, 2**63 - 1))
    samples: int = field(default=22, validator=_integer(1, _LARGEST))
    validation_samples: int = field(default=6, validator=_integer(0, _LARGEST))
    features: int = field(default=3, validator=_integer(1, _LARGEST_LAYER))
    hidden: int = field(default=4, validator=_integer(1, _LARGEST_LAYER))
    batch_size: int = field(default=4, validator=_integer(1, _LARGEST))
    accumulate: int = field(default=1, validator=_integer(1, _LARGEST))
    dropout: float = field(default=0.25, validator=_FRACTION)
    optimizer: OptimizerKind = field(default="sgd", validator=_one_of("sgd", "adam"))
    lr: float = field(default=0.05, validator=_POSITIVE)
    momentum: float = field(default=0.9, validator=_FRACTION)
    beta1: float = field(default=0.9, validator=_FRACTION)
    beta2: float = field(default=0.999, validator=_FRACTION)
    epsilon: float = field(default=1e-08, validator=_POSITIVE)
    scheduler: SchedulerKind = field(default="none", validator=_one_of("none", "warmup_step", "plateau"))
    warmup: int = field(default=5, validator=_integer(0, _LARGEST))
    step_size: int = field(default=10, validator=_integer(1, _LARGEST))
    gamma: float = field(default=0.5, validator=_POSITIVE)
    factor: float = field(default=0.5, validator=_POSITIVE)
    patience: int = field(default=1, validator=_integer(0, _LARGEST))
    cooldown: int = field(default=1, validator=_integer(0, _LARGEST))
    threshold: float = field(default=0.0, validator=_AMOUNT)
    min_lr: float = field(default=0.0, validator=_AMOUNT)

    def __attrs_post_init__(self) -> None:
        if self.scheduler == "plateau" and self.validation_samples == 0:
            rule = "at least 1 with scheduler 'plateau', which follows val_loss"
            raise refuse_setting("validation_samples", 0, rule)

    @classmethod
    def from_map(cls, values: Mapping[str, Any]) -> WorkloadSettings:
        """Returns settings made of names and values, such as those of a request; what is left out has its default.

        Raises:
            ConfigError: `invalid_setting`, also for a name that is none of a setting.

        Spec: RW-SET-001.
        """
        known = fields_dict(cls)
        for name, value in values.items():
            if name not in known:
                raise refuse_setting(name, value, f"one of the settings {', '.join(known)}")
        return cls(**values)

    def to_map(self) -> dict[str, Tree]:
        """Returns every setting under its name.

        Spec: RW-STATE-006.
        """
        return asdict(self)
