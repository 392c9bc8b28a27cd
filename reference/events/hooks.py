"""The hooks of the contract: the only list of their names."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Hook"]


class Hook(StrEnum):
    """A hook; the value is the name of the method.

    Spec: CB-HOOK-001.
    """

    TRAIN_START = "on_train_start"
    EPOCH_START = "on_epoch_start"
    BATCH_START = "on_batch_start"
    BATCH_END = "on_batch_end"
    VALIDATION_START = "on_validation_start"
    VALIDATION_END = "on_validation_end"
    EPOCH_END = "on_epoch_end"
    CHECKPOINT_SAVED = "on_checkpoint_saved"
    CHECKPOINT_DELETED = "on_checkpoint_deleted"
    TRAIN_END = "on_train_end"
    EXCEPTION = "on_exception"
    TEARDOWN = "on_teardown"
