"""What a checkpoint manager is to save: one configuration for each metric, checked when the manager is made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from attrs import fields_dict, frozen

from tenuto.callbacks.policies.naming import escape
from tenuto.callbacks.policies.ranking import Mode
from tenuto.reference.checkpoint.entries import numbered
from tenuto.reference.errors import ConfigError, refuse_setting

__all__ = ["EXPORTS", "CheckpointConfig", "SaveRule", "has_known_suffix", "read_configs", "stamped_name"]

EXPORTS: Final = (".pt", ".pth")  # suffixes of what is written in the format of the framework
_METRIC: Final = "{metric}"  # stands in a file name for the name of the metric
_NAME_BYTES_MAX: Final = 180  # as for a monitor of the checkpoint callback: with a time behind it the name still fits
_BARE: Final = re.compile(r"[^/\\\0.][^/\\\0]*\.(ckpt|pt|pth)")


@frozen
class CheckpointConfig:
    """A file that is saved when a metric is better than ever.

    Attributes:
        metric_name: Name of the metric, nested names with `.`.
        monitor: The same by another key; one of the two is given.
        mode: Which values are better.
        filename: A bare name; `{metric}` in it stands for the name of the metric.
        overwrite: Whether a file of that name is replaced; otherwise each file gets the time into its name.

    Spec: CPC-MAN-001.
    """

    metric_name: str | None = None
    monitor: str | None = None
    mode: Mode = "min"
    filename: str = "best_{metric}.ckpt"
    overwrite: bool = True


@frozen
class SaveRule:
    """A configuration that has been checked.

    Attributes:
        metric: Flat name of the metric.
        mode: Which values are better.
        name: Of the file in the folder.
        overwrite: Whether a file of that name is replaced.
    """

    metric: str
    mode: Mode
    name: str
    overwrite: bool


def read_configs(configs: Iterable[CheckpointConfig | Mapping[str, Any]]) -> tuple[SaveRule, ...]:
    """Checks configurations.

    Raises:
        ConfigError: `invalid_setting` with the path to the key, or `duplicate_file_name`.

    Spec: CPC-MAN-001, CPC-MAN-010.
    """
    if isinstance(configs, str | Mapping) or not isinstance(configs, Iterable):
        raise refuse_setting("checkpoint_configs", configs, "a list of configurations")
    rules: list[SaveRule] = []
    for number, config in enumerate(configs):
        path = f"checkpoint_configs[{number}]"
        rule = _rule(path, _config(path, config))
        if any(rule.metric == other.metric for other in rules):
            raise refuse_setting(f"{path}.metric_name", rule.metric, "a metric that no other configuration has")
        if any(rule.name.lower() == other.name.lower() for other in rules):
            message = f"{path}.filename: {rule.name!r}; expected a name that no other configuration has, in any case"
            raise ConfigError("duplicate_file_name", message)
        rules.append(rule)
    return tuple(rules)


def _config(path: str, config: CheckpointConfig | Mapping[str, Any]) -> CheckpointConfig:
    if isinstance(config, CheckpointConfig):
        return config
    if not isinstance(config, Mapping):
        raise refuse_setting(path, config, "a map")
    known = fields_dict(CheckpointConfig)
    for key in config:
        if key not in known:
            raise refuse_setting(f"{path}.{key}", config[key], f"no other key than {', '.join(known)}")
    return CheckpointConfig(**config)


def _rule(path: str, config: CheckpointConfig) -> SaveRule:
    given = [name for name in ("metric_name", "monitor") if getattr(config, name) is not None]
    if len(given) != 1:
        raise refuse_setting(f"{path}.metric_name", " and ".join(given) or None, "one of metric_name and monitor")
    metric = getattr(config, given[0])
    if not isinstance(metric, str) or not metric:
        raise refuse_setting(f"{path}.{given[0]}", metric, "the name of a metric")
    if config.mode not in ("min", "max"):
        raise refuse_setting(f"{path}.mode", config.mode, "one of min, max")
    if not isinstance(config.overwrite, bool):
        raise refuse_setting(f"{path}.overwrite", config.overwrite, "True or False")
    return SaveRule(metric, config.mode, _name(path, config.filename, metric), config.overwrite)


def _name(path: str, filename: object, metric: str) -> str:
    name = filename.replace(_METRIC, escape(metric)) if isinstance(filename, str) else ""
    if not _BARE.fullmatch(name) or len(name.encode()) > _NAME_BYTES_MAX:
        rule = f"a bare name of at most {_NAME_BYTES_MAX} bytes that ends in .ckpt, .pt or .pth"
        raise refuse_setting(f"{path}.filename", filename, rule)
    return name


def has_known_suffix(name: str) -> bool:
    """Returns whether a bare name is one that a manager saves under."""
    return _BARE.fullmatch(name) is not None


def stamped_name(name: str, moment: datetime, taken: Iterable[str]) -> str:
    """Returns a name with the time of a save in it that no file has.

    Args:
        name: With its suffix.
        moment: In UTC.
        taken: Names that files have.

    Spec: CPC-NAME-009.
    """
    stem, dot, suffix = name.rpartition(".")
    used = set(taken)
    return next(free for free in numbered(f"{stem}_{moment:%Y%m%dT%H%M%S}Z{dot}{suffix}") if free not in used)
