"""From what a user gives to a workload: settings checked, optimizers and schedulers named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeVar

import torch
from attrs import Attribute, field, frozen
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.errors import refuse_setting
from tenuto.reference.ranges import check_amount, check_count, check_count_or_none
from tenuto.reference.trainer.torch_checks import check_model
from tenuto.reference.trainer.torch_iterable import make_loader
from tenuto.reference.trainer.torch_schedulers import Interval, Schedule, Schedulers
from tenuto.reference.trainer.torch_update import Updater
from tenuto.reference.trainer.torch_workload import Step, TorchData, TorchWorkload

__all__ = ["Precision", "TorchSettings", "build_workload", "schedules"]

Precision = Literal["float32", "bfloat16", "float16"]
_DTYPES: Final = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}
_OPTIMIZER, _SCHEDULER = "optimizer", "scheduler"
_T = TypeVar("_T")


def _precision(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    if not isinstance(value, str) or value not in _DTYPES:
        raise refuse_setting(attribute.name, value, f"one of {', '.join(_DTYPES)}")


@frozen(kw_only=True)
class TorchSettings:
    """The settings of the torch workload that change what is computed; see `Trainer`.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: TR-SET-001, TR-STATE-013.
    """

    accumulate: int = field(default=1, validator=check_count)
    clip_norm: float | None = field(default=None, validator=check_amount)
    precision: Precision = field(default="float32", validator=_precision)
    scaler: torch.amp.GradScaler | None = None
    limit_batches: int | None = field(default=None, validator=check_count_or_none)
    limit_validation_batches: int | None = field(default=None, validator=check_count_or_none)
    seed: int = 0

    def config(self) -> dict[str, Tree]:
        """Returns them for a file."""
        return {
            "seed": self.seed,
            "accumulate": self.accumulate,
            "clip_norm": None if self.clip_norm is None else float(self.clip_norm),
            "precision": self.precision,
            "limit_batches": self.limit_batches,
            "limit_validation_batches": self.limit_validation_batches,
        }

    def make_scaler(self, model: nn.Module) -> torch.amp.GradScaler | None:
        """Returns the scaler given, or one for float16; None where nothing is scaled."""
        if self.scaler is None and self.precision == "float16":
            return torch.amp.GradScaler(next(model.parameters()).device.type)
        return self.scaler if self.scaler is not None and self.scaler.is_enabled() else None


def schedules(
    scheduler: LRScheduler | Schedule | Mapping[str, LRScheduler | Schedule] | None, interval: Interval, monitor: str
) -> dict[str, Schedule]:
    """Returns the schedulers by name, each with when it is stepped.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: TR-STATE-017.
    """
    if scheduler is None:
        return {}
    given: dict[str, LRScheduler | Schedule] = _named(_SCHEDULER, scheduler)
    return {name: one if isinstance(one, Schedule) else Schedule(one, interval, monitor) for name, one in given.items()}


def _named(name: str, given: _T | Mapping[str, _T]) -> dict[str, _T]:
    """Returns a map as it is, and a single object under its one name."""
    if not isinstance(given, Mapping):
        return {name: given}
    if not given or not all(isinstance(key, str) and key for key in given):
        raise refuse_setting(name, list(given), "names that are text, at least one")
    return dict(given)


def build_workload(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | Mapping[str, torch.optim.Optimizer],
    schedules: Mapping[str, Schedule],
    *,
    step: Step,
    train_data: Any,  # noqa: ANN401 - what it may be is for the loader to say
    validation_data: Any,  # noqa: ANN401 - as above
    settings: TorchSettings,
) -> TorchWorkload:
    """Puts the parts of a training together.

    Raises:
        ConfigError: `invalid_setting`, `unsupported_loader` or `unsupported_model`.

    Spec: TR-STATE-006, TR-STATE-013, TR-STATE-017.
    """
    optimizers, seed = _named(_OPTIMIZER, optimizer), settings.seed
    updater = Updater(
        model,
        optimizers,
        accumulate=settings.accumulate,
        clip_norm=settings.clip_norm,
        scaler=settings.make_scaler(model),
    )
    check_model(model, optimizers.values())
    train = make_loader(train_data, seed, limit=settings.limit_batches, looks_ahead=settings.accumulate > 1)
    limit = settings.limit_validation_batches
    validation = None if validation_data is None else make_loader(validation_data, seed, limit=limit, looks_ahead=False)
    schedulers = Schedulers(schedules)
    config: dict[str, Tree] = {
        "batch_size": train.batch_size,
        "optimizer": {name: type(one).__name__ for name, one in optimizers.items()},
        "scheduler": dict(schedulers.classes),
    }
    return TorchWorkload(
        model,
        step=step,
        data=TorchData(train, validation),
        updater=updater,
        schedulers=schedulers,
        precision=_DTYPES[settings.precision],
        config={**settings.config(), **config},
    )
