"""Pure decisions: what is best, when to save, under which names, what to delete. No clock, no disk, no tensor."""

from tenuto.callbacks.policies.monitors import MonitorSettings
from tenuto.callbacks.policies.retention import (
    KeepAll,
    KeepBest,
    KeepBestAndLatest,
    KeepEvery,
    KeepLast,
    KeepUnion,
    RetentionPolicy,
    StoredCheckpoint,
)
from tenuto.callbacks.policies.schedule import AnyOf, SaveEvery, SaveMoment, SaveOnImprovement, SavePolicy

__all__ = [
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
]
