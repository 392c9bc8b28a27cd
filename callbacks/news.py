"""What has become of saves, until the callbacks are told."""

from __future__ import annotations

from tenuto.callbacks.repository import SaveOutcome
from tenuto.reference.events.contexts import Context

__all__ = ["News"]


class News:
    """Outcomes of saves in their order.

    Spec: CB-HOOK-010, CPC-CALL-007.
    """

    def __init__(self) -> None:
        self._waiting: list[SaveOutcome] = []

    def add(self, outcome: SaveOutcome) -> None:
        """Notes an outcome."""
        self._waiting.append(outcome)

    def tell(self, context: Context) -> None:
        """Tells all callbacks what is waiting, once."""
        news, self._waiting = self._waiting, []
        for outcome in news:
            context.announce(outcome.saved)
            for deleted in outcome.deleted:
                context.announce(deleted)
