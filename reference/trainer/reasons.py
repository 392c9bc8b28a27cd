# generated from spec/v1/interfaces/trainer.yaml by `make spec`; do not edit
"""Why a checkpoint is saved, in the order in which a file lists it.

Spec: TR-STATE-004.
"""

from __future__ import annotations

from typing import Final

__all__ = ["REASONS"]

REASONS: Final = (  # TR-STATE-004
    "periodic",
    "best",
    "manual",
    "train_end",
    "exception",
    "signal",
)
