"""Faults of the choice of the best, and of early stopping.

Spec: section 3 of 20-checkpoint-callback.md, section 6 of 10-callbacks.md.
"""

from collections.abc import Mapping, Sequence
from math import isnan

from attrs import evolve

from tenuto.conformance_tests.oracle.model import lists, ranking, saving
from tenuto.conformance_tests.oracle.model.lists import Lists, Update
from tenuto.conformance_tests.oracle.model.observing import EarlyStopping
from tenuto.conformance_tests.oracle.model.ranking import Entry
from tenuto.conformance_tests.oracle.model.retention import Progress
from tenuto.conformance_tests.oracle.model.settings import Monitor
from tenuto.conformance_tests.oracle.model.trainer import Trainer
from tenuto.conformance_tests.oracle.workload.faults.fault import Fault


def _always_least(entries: Sequence[Entry], mode: str) -> tuple[Entry, ...]:  # noqa: ARG001 - the fault
    return _rank(entries, "min")


def _later_first(entries: Sequence[Entry], mode: str) -> tuple[Entry, ...]:
    """Of equal values the later one ranks better."""
    sign = 1.0 if mode == "min" else -1.0
    return tuple(sorted(entries, key=lambda one: (sign * one.value, -one.epoch, -one.step)))


def _by_epoch(entries: Sequence[Entry], mode: str) -> tuple[Entry, ...]:  # noqa: ARG001 - the fault
    """The newest stay."""
    return tuple(sorted(entries, key=lambda one: -one.epoch))


def _as_good_is_better(value: float, best: float, mode: str, min_delta: float) -> bool:
    ahead, behind = (value, best) if mode == "min" else (best, value)
    return behind - ahead >= min_delta


def _subtracted_always(value: float, best: float, mode: str, min_delta: float) -> bool:
    """An infinity is never better than another one, nor worse."""
    gain = best - value if mode == "min" else value - best
    return gain > min_delta if abs(gain) != float("inf") else False


def _without_difference(value: float, best: float, mode: str, min_delta: float) -> bool:  # noqa: ARG001 - the fault
    return _improves(value, best, mode, 0.0)


def _nan_as_zero(entries: Sequence[Entry], new: Entry, mode: str, slots: int, min_delta: float) -> tuple[Entry, ...]:
    return _admit(entries, evolve(new, value=0.0) if isnan(new.value) else new, mode, slots, min_delta)


def _difference_for_all(
    entries: Sequence[Entry], new: Entry, mode: str, slots: int, min_delta: float
) -> tuple[Entry, ...]:
    """Looks at `min_delta` with K > 1 too."""
    if entries and not _improves(new.value, entries[0].value, mode, min_delta):
        return tuple(entries)
    return _admit(entries, new, mode, slots, min_delta)


def _one_slot_more(entries: Sequence[Entry], new: Entry, mode: str, slots: int, min_delta: float) -> tuple[Entry, ...]:
    return _admit(entries, new, mode, slots + (slots > 1), min_delta)


def _enters_again(entries: Sequence[Entry], new: Entry, mode: str, slots: int, min_delta: float) -> tuple[Entry, ...]:
    """The same state enters with a better value."""
    others = [one for one in entries if (one.epoch, one.step) != (new.epoch, new.step)]
    return _admit(others, new, mode, slots, min_delta)


def _stale(
    monitors: Sequence[Monitor], before: Lists, metrics: Mapping[str, tuple[float, int]], progress: Progress
) -> Update:
    """Takes a value of an earlier epoch for one of this."""
    return _enter(monitors, before, {name: (value, progress[2]) for name, (value, _) in metrics.items()}, progress)


def _first_monitor_alone(
    monitors: Sequence[Monitor], before: Lists, metrics: Mapping[str, tuple[float, int]], progress: Progress
) -> Update:
    """No other monitor enters at an event at which the first one does."""
    first = _enter(monitors[:1], before, metrics, progress)
    return first if first.entered else _enter(monitors, before, metrics, progress)


def _less_patience(current: EarlyStopping, hook: str, trainer: Trainer) -> None:
    waited = current.waited
    _look(current, hook, trainer)
    if current.waited > waited and current.waited + 1 >= current.settings.patience:
        trainer.request_stop(None)


def _patience_kept(current: EarlyStopping, hook: str, trainer: Trainer) -> None:
    """An improvement does not reset what was waited."""
    waited = current.waited
    _look(current, hook, trainer)
    current.waited = max(current.waited, waited)


def _nan_improves(current: EarlyStopping, value: float) -> bool:
    return isnan(value) or _improved(current, value)


_rank, _improves, _admit, _enter = ranking.rank, ranking.improves, ranking.admit, lists.enter
_look, _improved = EarlyStopping.act, EarlyStopping._improved

FAULTS = [
    Fault("the least with both modes", "CPC-BEST-001", ranking, "rank", _always_least),
    Fault("ties to the later", "CPC-BEST-002", ranking, "rank", _later_first),
    Fault("the newest stay in the list", "CPC-BEST-004", ranking, "rank", _by_epoch),
    Fault("as good counts as better", "CPC-BEST-005", ranking, "improves", _as_good_is_better),
    Fault("infinities subtracted", "CPC-BEST-010", ranking, "improves", _subtracted_always),
    Fault("no least difference", "CPC-BEST-005", ranking, "improves", _without_difference),
    Fault("NaN takes a slot", "CPC-BEST-003", ranking, "admit", _nan_as_zero),
    Fault("least difference with more slots", "CPC-BEST-005", ranking, "admit", _difference_for_all),
    Fault("one slot more", "CPC-BEST-004", ranking, "admit", _one_slot_more),
    Fault("a state enters twice", "CPC-BEST-009", ranking, "admit", _enters_again),
    Fault("stale values enter", "CPC-BEST-006", saving, "enter", _stale),
    Fault("one monitor at an event", "CPC-BEST-011", saving, "enter", _first_monitor_alone),
    Fault("less patience", "CB-EARLY-001", EarlyStopping, "act", _less_patience),
    Fault("patience never reset", "CB-EARLY-001", EarlyStopping, "act", _patience_kept),
    Fault("NaN is an improvement", "CB-EARLY-003", EarlyStopping, "_improved", _nan_improves),
]
