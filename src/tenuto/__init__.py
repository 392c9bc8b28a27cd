"""tenuto: training state held at its full value across interruption, machine and language.

The names below are loaded when first used, so that `import tenuto` is quick and works without torch.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # type checkers know the name and take it for true; importing typing would take most of the time
if TYPE_CHECKING:
    from tenuto.callbacks import BaseCallback, CheckpointCallback, CSVLogger, EarlyStopping, ProgressBar
    from tenuto.callbacks.policies import (
        AnyOf,
        KeepAll,
        KeepBest,
        KeepBestAndLatest,
        KeepEvery,
        KeepLast,
        KeepUnion,
        MonitorSettings,
        RetentionPolicy,
        SaveEvery,
        SaveMoment,
        SaveOnImprovement,
        SavePolicy,
        StoredCheckpoint,
    )
    from tenuto.reference.checkpoint import read_checkpoint, verify_checkpoint, write_checkpoint
    from tenuto.reference.errors import CheckpointError, ConfigError, RestoreError, TenutoError, TrainingInterrupted
    from tenuto.reference.trainer.job import TrainingConfig
    from tenuto.reference.trainer.reports import TrainResult
    from tenuto.reference.trainer.torch_generators import seed_all
    from tenuto.reference.trainer.torch_schedulers import Schedule
    from tenuto.reference.trainer.torch_trainer import Trainer

__all__ = [
    "AnyOf",
    "BaseCallback",
    "CSVLogger",
    "CheckpointCallback",
    "CheckpointError",
    "ConfigError",
    "EarlyStopping",
    "KeepAll",
    "KeepBest",
    "KeepBestAndLatest",
    "KeepEvery",
    "KeepLast",
    "KeepUnion",
    "MonitorSettings",
    "ProgressBar",
    "RestoreError",
    "RetentionPolicy",
    "SaveEvery",
    "SaveMoment",
    "SaveOnImprovement",
    "SavePolicy",
    "Schedule",
    "StoredCheckpoint",
    "TenutoError",
    "TrainResult",
    "Trainer",
    "TrainingConfig",
    "TrainingInterrupted",
    "read_checkpoint",
    "seed_all",
    "verify_checkpoint",
    "write_checkpoint",
]

_HOMES = {
    "tenuto.callbacks": ("BaseCallback", "CSVLogger", "CheckpointCallback", "EarlyStopping", "ProgressBar"),
    "tenuto.callbacks.policies": (
        "AnyOf",
        "KeepAll",
        "KeepBest",
        "KeepBestAndLatest",
        "KeepEvery",
        "KeepLast",
        "KeepUnion",
        "MonitorSettings",
        "RetentionPolicy",
        "SaveEvery",
        "SaveMoment",
        "SaveOnImprovement",
        "SavePolicy",
        "StoredCheckpoint",
    ),
    "tenuto.reference.checkpoint": ("read_checkpoint", "verify_checkpoint", "write_checkpoint"),
    "tenuto.reference.errors": ("CheckpointError", "ConfigError", "RestoreError", "TenutoError", "TrainingInterrupted"),
    "tenuto.reference.trainer.job": ("TrainingConfig",),
    "tenuto.reference.trainer.reports": ("TrainResult",),
    "tenuto.reference.trainer.torch_generators": ("seed_all",),
    "tenuto.reference.trainer.torch_schedulers": ("Schedule",),
    "tenuto.reference.trainer.torch_trainer": ("Trainer",),
}


if not TYPE_CHECKING:  # for a type checker it would make every name exist

    def __getattr__(name: str) -> object:
        """Loads what a name stands for when it is first used."""
        for home, names in _HOMES.items():
            if name in names:
                return getattr(import_module(home), name)
        raise AttributeError(f"module 'tenuto' has no attribute {name!r}")
