"""Which values are best: the order, and what a new value does to a best list. Pure.

Spec: section 3 of 20-checkpoint-callback.md.
"""

from collections.abc import Sequence
from math import isnan

from attrs import frozen


@frozen
class Entry:
    """An entry of a best list.

    Attributes:
        value: of the metric.
        epoch, step: of the state, completed epochs and `global_step`.
        file: its name in the folder.

    Spec: CPC-STATE-001.
    """

    value: float
    epoch: int
    step: int
    file: str = ""


def rank(entries: Sequence[Entry], mode: str) -> tuple[Entry, ...]:
    """The entries, best first.

    Spec: CPC-BEST-001, CPC-BEST-002.
    """
    sign = 1.0 if mode == "min" else -1.0
    return tuple(sorted(entries, key=lambda one: (sign * one.value, one.epoch, one.step)))


def improves(value: float, best: float, mode: str, min_delta: float) -> bool:
    """Whether a value is better than the best one by more than `min_delta`.

    Spec: CPC-BEST-010, CPC-BEST-003.
    """
    ahead, behind = (value, best) if mode == "min" else (best, value)
    return ahead < behind if min_delta == 0.0 else behind - ahead > min_delta


def admit(entries: Sequence[Entry], new: Entry, mode: str, slots: int, min_delta: float) -> tuple[Entry, ...]:
    """The best list after a new value: as it was, or with the new entry in it.

    Args:
        entries: the list before, best first.
        new: the value with its state.
        mode: `min` or `max`.
        slots: K, at least 1.
        min_delta: by how much rank 1 has to improve, where K is 1.

    Spec: CPC-BEST-003, CPC-BEST-004, CPC-BEST-005, CPC-BEST-009.
    """
    known = any((one.epoch, one.step) == (new.epoch, new.step) for one in entries)
    if isnan(new.value) or known:
        return tuple(entries)
    if slots == 1 and entries:
        return (new,) if improves(new.value, entries[0].value, mode, min_delta) else tuple(entries)
    return rank([*entries, new], mode)[:slots]
