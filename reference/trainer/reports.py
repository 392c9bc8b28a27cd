"""What a training and a restore tell their caller."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from tenuto.reference.events.contexts import Progress, RunIdentity

__all__ = ["RestoreReport", "TrainResult"]


@frozen
class TrainResult:
    """How a training ended.

    Attributes:
        progress: At the end.
        metrics: Last values by name.
        run: Which run and attempt it was.
        stop_reason: What a callback gave when it asked to stop, or None.
    """

    progress: Progress
    metrics: Mapping[str, float]
    run: RunIdentity
    stop_reason: str | None


@frozen
class RestoreReport:
    """What a restore did.

    Attributes:
        progress: The state that training continues from.
        exact: Whether it continues as if never interrupted.
        notes: What is missing for that.
    """

    progress: Progress
    exact: bool
    notes: tuple[str, ...]
