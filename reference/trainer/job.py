"""A training script as a job: `JOB.py` with `build(config) -> Trainer`."""

from __future__ import annotations

import importlib.util
import inspect
import logging
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

from attrs import Attribute, field, frozen

from tenuto.reference.errors import ConfigError
from tenuto.reference.trainer.loop import Trainer

__all__ = ["TrainingConfig", "build_trainer", "load_job"]

_log = logging.getLogger("tenuto")

Build = Callable[["TrainingConfig"], Trainer]


def _positive(instance: object, attribute: Attribute[int | None], value: int | None) -> None:  # noqa: ARG001 - attrs
    if value is not None and value < 1:
        raise ConfigError("invalid_setting", f"{attribute.name}: {value}; expected a whole number of at least 1")


@frozen
class TrainingConfig:
    """What a job is built from.

    Attributes:
        checkpoint_dir: Where the run saves.
        max_epochs: How many epochs; None for what the job itself says.
        seed: Of everything random.
        settings: Further values of the job's own, as text, from `--set key=value`.
    """

    checkpoint_dir: str = field(default="./checkpoints", converter=os.fspath)
    max_epochs: int | None = field(default=None, validator=_positive)
    seed: int = 0
    settings: Mapping[str, str] = field(factory=dict)
    _asked: set[str] = field(factory=set, init=False, repr=False, eq=False)

    def setting(self, name: str, default: str) -> str:
        """Returns a value of the job's own."""
        self._asked.add(name)
        return self.settings.get(name, default)

    def unused_settings(self) -> list[str]:
        """Returns the settings that nobody has asked for."""
        return sorted(self.settings.keys() - self._asked)


def load_job(path: str | os.PathLike[str]) -> Build:
    """Imports a job and returns its `build`.

    Raises:
        ConfigError: `job_not_found` or `not_a_job`.
    """
    file = Path(path)
    if not file.is_file():
        raise ConfigError("job_not_found", f"job {file}: no such file; expected a Python file with build(config)")
    build = getattr(_import(file), "build", None)
    if not callable(build):
        message = f"job {file}: no function build; expected `def build(config): return tenuto.Trainer(...)`"
        raise ConfigError("not_a_job", message)
    try:
        inspect.signature(build).bind(object())
    except TypeError as error:
        message = f"job {file}: build{inspect.signature(build)}; expected `def build(config)`"
        raise ConfigError("not_a_job", message) from error
    made: Build = build
    return made


def build_trainer(build: Build, config: TrainingConfig, *, is_folder_given: bool) -> Trainer:
    """Lets a job build its trainer and checks that the job heeds what it was given.

    Args:
        build: Of the job.
        config: What it is given.
        is_folder_given: Whether the folder was asked for, and is not only the default.

    Raises:
        ConfigError: `not_a_job` or `option_ignored`.
    """
    trainer = build(config)
    if not isinstance(trainer, Trainer):
        raise ConfigError("not_a_job", f"build(config): returned {type(trainer).__name__}; expected a tenuto.Trainer")
    folder = os.path.abspath(config.checkpoint_dir)
    if is_folder_given and trainer.checkpoint_folder not in {None, folder}:
        message = (
            f"output folder: the job saves in {trainer.checkpoint_folder}; expected {folder} (config.checkpoint_dir)"
        )
        raise ConfigError("option_ignored", message)
    if config.max_epochs is not None and trainer.max_epochs != config.max_epochs:
        message = f"epochs: the job trains {trainer.max_epochs}; expected {config.max_epochs} (config.max_epochs)"
        raise ConfigError("option_ignored", message)
    for name in config.unused_settings():
        _log.warning("setting %s: the job does not use it", name)
    return trainer


def _import(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tenuto_job_{file.stem}", file.absolute())
    if spec is None or spec.loader is None:
        raise ConfigError("not_a_job", f"job {file}: cannot be imported; expected a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.absolute().parent))  # as for a script: a job imports what lies beside it
    sys.modules[spec.name] = module  # worker processes find the job's classes by it
    spec.loader.exec_module(module)
    return module
