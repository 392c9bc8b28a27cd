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
        self._waiting: list[tuple[SaveOutcome, bool]] = []

    def add(self, outcome: SaveOutcome, *, by_hand: bool) -> None:
        """Notes an outcome, and whether the save was made by hand."""
        self._waiting.append((outcome, by_hand))

    def tell(self, context: Context, *, tells_manual: bool) -> None:
        """Tells all callbacks once.

        Args:
            context: Of the event.
            tells_manual: Whether what was saved by hand is told; otherwise nobody hears of it.
        """
        news, self._waiting = self._waiting, []
        for outcome in (outcome for outcome, by_hand in news if tells_manual or not by_hand):
            context.announce(outcome.saved)
            for deleted in outcome.deleted:
                context.announce(deleted)
