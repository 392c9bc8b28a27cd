"""Which values of a monitored metric are best: one total order, for selection and for eviction alike. Pure."""

from __future__ import annotations

import math
from typing import Literal

from attrs import frozen

__all__ = ["Admission", "BestEntry", "Mode", "admit", "improves"]

Mode = Literal["min", "max"]


@frozen
class BestEntry:
    """One slot of a best list.

    Attributes:
        value: Of the metric; never NaN.
        epoch: Completed epochs when it was measured.
        step: `global_step` at which it was measured.
        file: Name in the folder of the run.
    """

    value: float
    epoch: int
    step: int
    file: str


@frozen
class Admission:
    """What happens to a best list when a value enters it.

    Attributes:
        entries: The new list, best first.
        evicted: What left it.
        is_first: Whether the new value is rank 1.
    """

    entries: tuple[BestEntry, ...]
    evicted: tuple[BestEntry, ...]
    is_first: bool


def _rank(entry: BestEntry, mode: Mode) -> tuple[float, int, int]:
    return (entry.value if mode == "min" else -entry.value, entry.epoch, entry.step)


def admit(
    entries: tuple[BestEntry, ...], candidate: BestEntry, *, mode: Mode, slots: int, min_delta: float
) -> Admission | None:
    """Decides whether a value enters a best list.

    Args:
        entries: The list, best first.
        candidate: The new value.
        mode: Whether smaller or larger is better.
        slots: Length of the full list, at least 1.
        min_delta: With one slot, by how much rank 1 has to be improved, at least 0.

    Returns:
        The change, or None if the value does not enter.

    Spec: CPC-BEST-001 to CPC-BEST-005, CPC-BEST-009.
    """
    state = (candidate.epoch, candidate.step)
    if math.isnan(candidate.value) or any((entry.epoch, entry.step) == state for entry in entries):
        return None
    if slots == 1 and entries and not improves(candidate.value, entries[0].value, mode, min_delta):
        return None
    ranked = sorted((*entries, candidate), key=lambda entry: _rank(entry, mode))
    kept, evicted = tuple(ranked[:slots]), tuple(ranked[slots:])
    if candidate in evicted:
        return None
    return Admission(kept, evicted, is_first=kept[0] is candidate)


def improves(value: float, best: float, mode: Mode, min_delta: float) -> bool:
    """Returns whether a value is better than another one by more than `min_delta`; NaN is not.

    Spec: CPC-BEST-010.
    """
    better = value < best if mode == "min" else value > best
    return better and (min_delta == 0.0 or abs(value - best) > min_delta)
