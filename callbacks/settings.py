"""The settings of the checkpoint callback; each refuses what is out of range with `invalid_setting` and its name.

Spec: CPC-SET-001.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from attrs import define, field

from tenuto.callbacks.base import BaseCallback
from tenuto.callbacks.policies.memory import Trigger
from tenuto.callbacks.policies.monitors import MonitorSettings, read_monitors, refuse_equal_names
from tenuto.callbacks.policies.naming import Layout
from tenuto.callbacks.policies.ranges import check_method, check_name, check_number
from tenuto.callbacks.policies.ranking import Mode
from tenuto.callbacks.policies.retention import KeepAll, KeepBestAndLatest, KeepLast, RetentionPolicy
from tenuto.callbacks.policies.save import SaveRules
from tenuto.callbacks.policies.schedule import SaveEvery, SavePolicy
from tenuto.callbacks.repository import LatestMode
from tenuto.reference.checkpoint.compression import MISSING, is_available
from tenuto.reference.errors import ConfigError, refuse_setting
from tenuto.reference.ranges import check_amount, check_count, check_count_or_none, check_switch, one_of

__all__ = ["CheckpointSettings"]


def _folder(value: Any) -> str:  # noqa: ANN401 - a path of any kind
    """Fixes where a relative path leads: a job may change its working folder later.

    Spec: CPC-SET-005.
    """
    if not isinstance(value, str | os.PathLike) or not isinstance(os.fspath(value), str):
        raise refuse_setting("checkpoint_dir", value, "a path")
    return os.path.abspath(value)


@define(eq=False, slots=False)
class CheckpointSettings(BaseCallback):
    """What can be set. The short settings stand for policies: see `save_rules` and `retention_policy`.

    Attributes:
        checkpoint_dir: The folder, made when first needed.
        save_frequency: Every so many epochs; None for not by epochs.
        save_every_steps: Every so many steps; None for not by steps.
        save_every_seconds: Every so many seconds; None for not by seconds.
        save_policy: A save policy of the user's, beside the three before it.
        save_best: Whether the best by `monitor` is kept.
        monitor: Name of the metric.
        mode: `min` or `max`.
        min_delta: By how much the best has to be improved, with one slot.
        save_top_k: How many of the best to keep; None for 1.
        overwrite: Whether the file of the best replaces the one before it.
        monitors: Several metrics, instead of the five settings before it; each a `MonitorSettings`, or a map.
        keep_last_n: How many periodic checkpoints to keep; None for all.
        keep_best_latest: Whether the best and the latest are kept, and nothing else.
        retention: A retention policy, instead of the two settings before it.
        async_save: Whether files are written in the background; the state is copied first.
        latest: How `latest.ckpt` is made.
        layout: `epoch_dirs` gives each checkpoint at the end of an epoch a folder.
        compression: `zstd` compresses the tensors for which that pays; needs the extra `tenuto[zstd]`.
        verify: `readback` reads each file from the device and checks it before it gets its name.
        max_save_failures: Failures in a row after which the run fails.
        save_on_exception: Whether a failure or a signal leads to an emergency save.
        save_on_train_end: Whether the last state is saved if it is not already.
        save_final_weights: Whether the weights alone are saved at the end, as `final_model.ckpt`.
        strict_monitor: Whether a missing metric fails the run.
        monitored: Follows from the settings: the metrics of which the best are kept, in their order.

    Raises:
        ConfigError: `invalid_setting`, `duplicate_file_name` or `unsupported_setting`.

    Spec: CPC-SET-001 to CPC-SET-006.
    """

    checkpoint_dir: str = field(default="./checkpoints", converter=_folder)
    save_frequency: int | None = field(default=1, validator=check_count_or_none)
    save_every_steps: int | None = field(default=None, validator=check_count_or_none)
    save_every_seconds: float | None = field(default=None, validator=check_amount)
    save_policy: SavePolicy | None = field(default=None, validator=check_method("should_save"))
    save_best: bool = field(default=True, validator=check_switch)
    monitor: str = field(default="val_loss", validator=check_name)
    mode: Mode = field(default="min", validator=one_of("min", "max"))
    min_delta: float = field(default=0.0, validator=check_number)
    save_top_k: int | None = field(default=None, validator=check_count_or_none)
    overwrite: bool = field(default=True, validator=check_switch)
    monitors: Sequence[MonitorSettings | Mapping[str, Any]] | None = field(default=None)
    keep_last_n: int | None = field(default=None, validator=check_count_or_none)
    keep_best_latest: bool = field(default=False, validator=check_switch)
    retention: RetentionPolicy | None = field(default=None, validator=check_method("names_to_keep"))
    async_save: bool = field(default=False, validator=check_switch)
    latest: LatestMode = field(default="auto", validator=one_of("auto", "symlink", "copy", "none"))
    layout: Layout = field(default="flat", validator=one_of("flat", "epoch_dirs"))
    compression: Literal["zstd"] | None = field(default=None, validator=one_of("zstd", None))
    verify: Literal["readback", "none"] = field(default="readback", validator=one_of("readback", "none"))
    max_save_failures: int = field(default=3, validator=check_count)
    save_on_exception: bool = field(default=True, validator=check_switch)
    save_on_train_end: bool = field(default=True, validator=check_switch)
    save_final_weights: bool = field(default=False, validator=check_switch)
    strict_monitor: bool = field(default=False, validator=check_switch)
    monitored: tuple[MonitorSettings, ...] = field(default=(), init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        if self.compression is not None and not is_available():
            raise ConfigError("unsupported_setting", f"compression: {self.compression!r}; {MISSING}")
        self._refuse_contradictions()
        self.monitored = self._monitored()
        refuse_equal_names(self.monitored)

    def _refuse_contradictions(self) -> None:
        """Refuses two ways to say one thing.

        Spec: CPC-SET-003.
        """
        keeps_last, keeps_best = self.keep_last_n is not None, self.keep_best_latest
        if self.retention is not None and (keeps_last or keeps_best):
            raise refuse_setting("retention", self.retention, "None beside keep_last_n or keep_best_latest")
        if keeps_last and keeps_best:
            raise refuse_setting("keep_best_latest", self.keep_best_latest, "False beside keep_last_n")
        one = (self.monitor, self.mode, self.min_delta, self.save_top_k, self.overwrite)
        if self.monitors is not None and one != ("val_loss", "min", 0.0, None, True):
            rule = "None beside monitor, mode, min_delta, save_top_k and overwrite"
            raise refuse_setting("monitors", self.monitors, rule)

    def _monitored(self) -> tuple[MonitorSettings, ...]:
        """Returns the metrics of which the best are kept, in their order."""
        one = MonitorSettings(self.monitor, self.mode, self.min_delta, self.save_top_k, self.overwrite)
        given = (one,) if self.monitors is None else read_monitors(self.monitors)
        return given if self.save_best else ()

    def save_rules(self) -> SaveRules:
        """Returns when to save, as policies.

        Spec: CPC-WHEN-001, CPC-WHEN-002, CPC-WHEN-008, CPC-WHEN-011.
        """
        periods: dict[Trigger, dict[str, Any]] = {
            "epochs": {"epochs": self.save_frequency},
            "steps": {"steps": self.save_every_steps},
            "seconds": {"seconds": self.save_every_seconds},
        }
        triggers: dict[Trigger, SavePolicy] = {
            name: SaveEvery(**period) for name, period in periods.items() if None not in period.values()
        }
        if self.save_policy is not None:
            triggers["policy"] = self.save_policy
        return SaveRules(
            triggers=triggers, monitors=self.monitored, at_train_end=self.save_on_train_end, layout=self.layout
        )

    def retention_policy(self) -> RetentionPolicy:
        """Returns what to keep, as a policy."""
        if self.keep_last_n is not None:
            return KeepLast(self.keep_last_n)
        return KeepBestAndLatest() if self.keep_best_latest else self.retention or KeepAll()
