"""The settings of the checkpoint callback; each refuses what is out of range with `invalid_setting` and its name.

Spec: CPC-SET-001.
"""

from __future__ import annotations

import os
from typing import Any, Final, Literal

from attrs import Attribute, define, field

from tenuto.callbacks.base import BaseCallback
from tenuto.callbacks.policies.naming import escape
from tenuto.callbacks.policies.ranking import Mode
from tenuto.callbacks.repository import LatestMode
from tenuto.reference.errors import ConfigError

__all__ = ["CheckpointSettings"]

_NAME_BYTES_MAX: Final = 180


def _invalid(name: str, got: object, rule: str) -> ConfigError:
    return ConfigError("invalid_setting", f"{name}: {got!r}; expected {rule}")


def _count(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - attrs' signature
    """Accepts a whole number of at least 1, or None."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise _invalid(attribute.name, value, "a whole number of at least 1, or None")


def _given(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    """Accepts anything but None."""
    if value is None:
        raise _invalid(attribute.name, value, "a whole number of at least 1")


def _switch(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    """Accepts True and False."""
    if not isinstance(value, bool):
        raise _invalid(attribute.name, value, "True or False")


def _name(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    """Accepts the name of a metric that fits into file names.

    Spec: CPC-NAME-017.
    """
    if not isinstance(value, str) or not value:
        raise _invalid(attribute.name, value, "the name of a metric")
    if len(escape(value)) > _NAME_BYTES_MAX:
        raise _invalid(attribute.name, value, f"a name of at most {_NAME_BYTES_MAX} bytes in a file name")


def _folder(value: Any) -> str:  # noqa: ANN401 - a path of any kind
    """Fixes where a relative path leads: a job may change its working folder later."""
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise _invalid("checkpoint_dir", value, "a path")
    return os.path.abspath(value)


def _one_of(*choices: str) -> Any:  # noqa: ANN401 - an attrs validator
    """Returns a validator that accepts the choices."""

    def check(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
        if value not in choices:
            raise _invalid(attribute.name, value, "one of " + ", ".join(choices))

    return check


def _amount(instance: object, attribute: Attribute[Any], value: Any) -> None:  # noqa: ANN401, ARG001 - as above
    """Accepts a finite number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise _invalid(attribute.name, value, "a number of at least 0")


@define(eq=False, slots=False)
class CheckpointSettings(BaseCallback):
    """What can be set.

    Attributes:
        checkpoint_dir: The folder, made when first needed.
        save_frequency: Every so many epochs; None for not by epochs.
        save_every_steps: Every so many steps; None for not by steps.
        save_best: Whether the best by `monitor` is kept.
        monitor: Name of the metric.
        mode: `min` or `max`.
        min_delta: By how much the best has to be improved, with one slot.
        save_top_k: How many of the best to keep; None for 1.
        keep_last_n: How many periodic checkpoints to keep; None for all.
        async_save: Whether files are written in the background; the state is copied first.
        latest: How `latest.ckpt` is made.
        verify: `readback` reads each file from the device and checks it before it gets its name.
        max_save_failures: Failures in a row after which the run fails.
        save_on_exception: Whether a failure or a signal leads to an emergency save.
        save_on_train_end: Whether the last state is saved if it is not already.
        strict_monitor: Whether a missing metric fails the run.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: CPC-SET-001.
    """

    checkpoint_dir: str = field(default="./checkpoints", converter=_folder)
    save_frequency: int | None = field(default=1, validator=_count)
    save_every_steps: int | None = field(default=None, validator=_count)
    save_best: bool = field(default=True, validator=_switch)
    monitor: str = field(default="val_loss", validator=_name)
    mode: Mode = field(default="min", validator=_one_of("min", "max"))
    min_delta: float = field(default=0.0, validator=_amount)
    save_top_k: int | None = field(default=None, validator=_count)
    keep_last_n: int | None = field(default=None, validator=_count)
    async_save: bool = field(default=False, validator=_switch)
    latest: LatestMode = field(default="auto", validator=_one_of("auto", "symlink", "copy", "none"))
    verify: Literal["readback", "none"] = field(default="readback", validator=_one_of("readback", "none"))
    max_save_failures: int = field(default=3, validator=[_given, _count])
    save_on_exception: bool = field(default=True, validator=_switch)
    save_on_train_end: bool = field(default=True, validator=_switch)
    strict_monitor: bool = field(default=False, validator=_switch)
