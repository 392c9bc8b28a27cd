"""The clock: what measures a span of time that a decision depends on.

Spec: GEN-TIME-001.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeAlias

__all__ = ["STEADY_CLOCK", "Clock"]

Clock: TypeAlias = Callable[[], float]
"""Returns seconds since some moment; it is never set, so that it does not jump."""

STEADY_CLOCK: Final[Clock] = time.monotonic
