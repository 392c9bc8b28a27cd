"""How long ago each trigger of saves has led to one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tenuto.callbacks.policies.memory import Trigger
from tenuto.reference.clock import Clock

__all__ = ["Stopwatch"]


class Stopwatch:
    """Measures seconds for each trigger, since its last save or the start of the attempt.

    Args:
        clock: What measures.

    Spec: CPC-WHEN-008, GEN-TIME-001.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started: dict[Trigger, float] = {}

    def start(self, triggers: Iterable[Trigger]) -> None:
        """Starts to count anew for some triggers."""
        self._started.update(dict.fromkeys(triggers, self._clock()))

    def seconds(self) -> Mapping[Trigger, float]:
        """Returns what has passed for each trigger that was started."""
        now = self._clock()
        return {trigger: now - started for trigger, started in self._started.items()}
