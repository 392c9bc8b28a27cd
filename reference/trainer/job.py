"""A training script as a job: `JOB.py` with `build(config) -> Trainer`."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

from attrs import Attribute, field, frozen

from tenuto.reference.errors import ConfigError
from tenuto.reference.trainer.loop import Trainer

__all__ = ["TrainingConfig", "load_job"]

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

    def setting(self, name: str, default: str) -> str:
        """Returns a value of the job's own."""
        return self.settings.get(name, default)


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
    made: Build = build
    return made


def _import(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tenuto_job_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ConfigError("not_a_job", f"job {file}: cannot be imported; expected a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # worker processes find the job's classes by it
    spec.loader.exec_module(module)
    return module
