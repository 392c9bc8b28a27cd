# generated from spec/v1/interfaces/base_callback.yaml by `make spec`; do not edit
"""The hooks of the contract: the only list of their names."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Hook"]


class Hook(StrEnum):
    """A hook; the value is the name of the method.

    Spec: CB-HOOK-001.
    """

    TRAIN_START = "on_train_start"  # CB-HOOK-001
    EPOCH_START = "on_epoch_start"  # CB-HOOK-006
    BATCH_START = "on_batch_start"  # CB-HOOK-001
    BATCH_END = "on_batch_end"  # CB-HOOK-013
    VALIDATION_START = "on_validation_start"  # CB-HOOK-007
    VALIDATION_END = "on_validation_end"  # CB-HOOK-007
    EPOCH_END = "on_epoch_end"  # CB-ORDER-003
    CHECKPOINT_SAVED = "on_checkpoint_saved"  # CB-HOOK-004
    CHECKPOINT_DELETED = "on_checkpoint_deleted"  # CB-HOOK-010
    TRAIN_END = "on_train_end"  # TR-FAIL-002
    EXCEPTION = "on_exception"  # TR-FAIL-001
    TEARDOWN = "on_teardown"  # CB-HOOK-005
