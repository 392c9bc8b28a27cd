"""tenuto: training state held at its full value across interruption, machine and language.

The names below are loaded when first used, so that `import tenuto` is quick and works without torch.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # type checkers know the name and take it for true; importing typing would take most of the time
if TYPE_CHECKING:
    from tenuto.callbacks.base import BaseCallback
    from tenuto.callbacks.checkpoint import CheckpointCallback
    from tenuto.callbacks.csv_logger import CSVLogger
    from tenuto.callbacks.early_stopping import EarlyStopping
    from tenuto.callbacks.learning_rate_monitor import LearningRateMonitor
    from tenuto.callbacks.metric_logger import MetricLogger
    from tenuto.callbacks.notification_ways import Mail
    from tenuto.callbacks.notify_on_end import NotifyOnEnd
    from tenuto.callbacks.own_loop_configs import CheckpointConfig
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
    from tenuto.callbacks.progress_bar import ProgressBar
    from tenuto.callbacks.tensorboard_logger import TensorBoardLogger
    from tenuto.callbacks.torch_based.gradient_monitor import GradientMonitor
    from tenuto.callbacks.torch_based.moving_average import ExponentialMovingAverage
    from tenuto.callbacks.torch_based.own_loop import CheckpointManager
    from tenuto.callbacks.torch_based.own_loop_resume import ResumedLoop, load_checkpoint_into, training_state
    from tenuto.callbacks.wandb_logger import WandbLogger
    from tenuto.reference.checkpoint import read_checkpoint, verify_checkpoint, write_checkpoint
    from tenuto.reference.checkpoint.newest import find_latest_checkpoint
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
    "CheckpointConfig",
    "CheckpointError",
    "CheckpointManager",
    "ConfigError",
    "EarlyStopping",
    "ExponentialMovingAverage",
    "GradientMonitor",
    "KeepAll",
    "KeepBest",
    "KeepBestAndLatest",
    "KeepEvery",
    "KeepLast",
    "KeepUnion",
    "LearningRateMonitor",
    "Mail",
    "MetricLogger",
    "MonitorSettings",
    "NotifyOnEnd",
    "ProgressBar",
    "RestoreError",
    "ResumedLoop",
    "RetentionPolicy",
    "SaveEvery",
    "SaveMoment",
    "SaveOnImprovement",
    "SavePolicy",
    "Schedule",
    "StoredCheckpoint",
    "TensorBoardLogger",
    "TenutoError",
    "TrainResult",
    "Trainer",
    "TrainingConfig",
    "TrainingInterrupted",
    "WandbLogger",
    "find_latest_checkpoint",
    "load_checkpoint_into",
    "read_checkpoint",
    "seed_all",
    "training_state",
    "verify_checkpoint",
    "write_checkpoint",
]

_HOMES = {
    "tenuto.callbacks.base": ("BaseCallback",),
    "tenuto.callbacks.checkpoint": ("CheckpointCallback",),
    "tenuto.callbacks.csv_logger": ("CSVLogger",),
    "tenuto.callbacks.early_stopping": ("EarlyStopping",),
    "tenuto.callbacks.learning_rate_monitor": ("LearningRateMonitor",),
    "tenuto.callbacks.metric_logger": ("MetricLogger",),
    "tenuto.callbacks.notification_ways": ("Mail",),
    "tenuto.callbacks.notify_on_end": ("NotifyOnEnd",),
    "tenuto.callbacks.progress_bar": ("ProgressBar",),
    "tenuto.callbacks.tensorboard_logger": ("TensorBoardLogger",),
    "tenuto.callbacks.torch_based.gradient_monitor": ("GradientMonitor",),
    "tenuto.callbacks.torch_based.moving_average": ("ExponentialMovingAverage",),
    "tenuto.callbacks.torch_based.own_loop": ("CheckpointManager",),
    "tenuto.callbacks.torch_based.own_loop_resume": ("ResumedLoop", "load_checkpoint_into", "training_state"),
    "tenuto.callbacks.wandb_logger": ("WandbLogger",),
    "tenuto.callbacks.own_loop_configs": ("CheckpointConfig",),
    "tenuto.reference.checkpoint.newest": ("find_latest_checkpoint",),
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
