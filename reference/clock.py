"""The clock: what measures a span of time that a decision depends on.

Spec: GEN-TIME-001.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Clock", "steady_clock"]

Clock: TypeAlias = Callable[[], float]
"""Returns seconds since some moment; it is never set, so that it does not jump."""


def steady_clock() -> float:
    """The clock of the system that is never set."""
    return time.monotonic()
