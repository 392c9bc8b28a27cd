"""Schedulers of the learning rate: when each is stepped, captured, restored."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Literal

from attrs import Attribute, field, frozen
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.errors import ConfigError
from tenuto.reference.events.contexts import Metric
from tenuto.reference.trainer.torch_tree import TreeMaker, like

__all__ = ["Interval", "Schedule", "Schedulers"]

Interval = Literal["epoch", "step"]


def _interval(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401 - attrs' signature
    if value not in ("epoch", "step"):
        raise ConfigError("invalid_setting", f"scheduler_{attribute.name}: {value!r}; expected 'epoch' or 'step'")
    if value == "step" and isinstance(getattr(instance, "scheduler", None), ReduceLROnPlateau):
        message = "'step' with ReduceLROnPlateau; expected 'epoch', where a metric is known"
        raise ConfigError("invalid_setting", f"scheduler_{attribute.name}: {message}")


@frozen
class Schedule:
    """A scheduler and when it is stepped.

    Attributes:
        scheduler: Of an optimizer of the trainer.
        interval: `epoch`, or `step` for once an update.
        monitor: For ReduceLROnPlateau, the metric to watch.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: TR-LOOP-008.
    """

    scheduler: LRScheduler
    interval: Interval = field(default="epoch", validator=_interval)
    monitor: str = "val_loss"


class Schedulers:
    """The schedulers of a training.

    Args:
        schedules: By name, stepped in this order.

    Spec: TR-LOOP-012, TR-LOOP-013.
    """

    def __init__(self, schedules: Mapping[str, Schedule]) -> None:
        self._schedules = dict(schedules)
        self._each_step = [one.scheduler for one in schedules.values() if one.interval == "step"]
        self._each_epoch = [one for one in schedules.values() if one.interval == "epoch"]

    @property
    def classes(self) -> dict[str, str]:
        """The name of the class of each."""
        return {name: type(one.scheduler).__name__ for name, one in self._schedules.items()}

    @property
    def follows_epochs(self) -> bool:
        """Whether any is stepped once an epoch."""
        return bool(self._each_epoch)

    def after_update(self) -> None:
        """Steps what is stepped once an update."""
        for scheduler in self._each_step:
            scheduler.step()

    def after_epoch(self, metrics: Mapping[str, Metric], *, step: int, is_measured: bool) -> None:
        """Steps what is stepped once an epoch; what follows a metric, only if it was measured in this epoch.

        Args:
            metrics: Every metric so far.
            step: `global_step`.
            is_measured: Whether a metric that is not there yet is never going to be.

        Raises:
            ConfigError: `monitor_missing`.
        """
        for one in self._each_epoch:
            if not isinstance(one.scheduler, ReduceLROnPlateau):
                one.scheduler.step()
            elif one.monitor in metrics:
                if metrics[one.monitor].step == step:
                    one.scheduler.step(metrics[one.monitor].value)
            elif is_measured:
                raise _missing(one.monitor, metrics)

    def capture(self, maker: TreeMaker) -> dict[str, Tree]:
        """Returns the states by name.

        Spec: TR-STATE-005, TR-STATE-017.
        """
        named = self._schedules.items()
        return {name: maker.tree(one.scheduler.state_dict(), f"scheduler_state.{name}") for name, one in named}

    def mismatches(self, saved: Mapping[str, Tree]) -> Iterator[str]:
        """Yields what of a saved state is no map; names are compared elsewhere."""
        yield from (
            f"scheduler_state.{name}: no map in the file" for name, one in saved.items() if type(one) is not dict
        )

    def restore(self, saved: Mapping[str, Tree], undo: ExitStack) -> None:
        """Takes over states; `undo` gets what gives each its former state back."""
        for name, one in self._schedules.items():
            if name not in saved:
                continue
            former = copy.deepcopy(one.scheduler.state_dict())
            undo.callback(one.scheduler.load_state_dict, former)
            one.scheduler.load_state_dict(like(former, saved[name]))


def _missing(monitor: str, metrics: Iterable[str]) -> ConfigError:
    known = ", ".join(sorted(metrics))
    return ConfigError("monitor_missing", f"scheduler_monitor: {monitor!r}; expected one of {known}")
