"""Which metrics are monitored, and their best lists: each list is as if it were alone. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

from attrs import evolve, field, fields_dict, frozen

from tenuto.callbacks.policies import naming
from tenuto.callbacks.policies.ranges import check_name, check_number
from tenuto.callbacks.policies.ranking import Admission, BestEntry, Mode, admit
from tenuto.reference.errors import ConfigError, refuse_setting
from tenuto.reference.events.contexts import Metric, Progress
from tenuto.reference.ranges import check_count_or_none, check_switch, one_of

__all__ = [
    "BestLists",
    "Entrance",
    "MonitorSettings",
    "adapt_lists",
    "enter_lists",
    "read_monitors",
    "refuse_equal_names",
]

BestLists: TypeAlias = Mapping[str, tuple[BestEntry, ...]]
"""Name of a monitor -> its best list, best first; a monitor without an entry may be missing."""


@frozen
class MonitorSettings:
    """One metric of which the best are kept.

    Attributes:
        monitor: Name of the metric.
        mode: `min` or `max`.
        min_delta: By how much rank 1 has to improve, with one slot.
        save_top_k: How many of the best to keep; None for 1.
        overwrite: Whether the file of rank 1 replaces the one before it.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: CPC-BEST-011, CPC-SET-003.
    """

    monitor: str = field(validator=check_name)
    mode: Mode = field(default="min", validator=one_of("min", "max"))
    min_delta: float = field(default=0.0, validator=check_number)
    save_top_k: int | None = field(default=None, validator=check_count_or_none)
    overwrite: bool = field(default=True, validator=check_switch)

    def __attrs_post_init__(self) -> None:
        if not self.overwrite and self.slots > 1:
            raise refuse_setting("overwrite", self.overwrite, f"True with save_top_k {self.slots}")

    @property
    def slots(self) -> int:
        """Length of the full list."""
        return self.save_top_k or 1

    def entry_name(self, progress: Progress) -> str:
        """Returns the name of an entry.

        Spec: CPC-NAME-003, CPC-STATE-004, CPC-NAME-014.
        """
        several = self.slots > 1
        return naming.best_entry_name(self.monitor, progress) if several else naming.best_name(self.monitor)


def read_monitors(given: object) -> tuple[MonitorSettings, ...]:
    """Reads the setting `monitors`.

    Args:
        given: A list of `MonitorSettings` or of maps with their fields.

    Raises:
        ConfigError: `invalid_setting`, with the path of what is wrong.

    Spec: CPC-SET-001, CPC-SET-002.
    """
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise refuse_setting("monitors", given, "a list with at least one monitor, or None")
    return tuple(_read_monitor(f"monitors[{at}]", one) for at, one in enumerate(given))


def _read_monitor(path: str, given: Any) -> MonitorSettings:  # noqa: ANN401 - whatever the user gave
    if isinstance(given, MonitorSettings):
        return given
    known = fields_dict(MonitorSettings).keys()
    if not isinstance(given, Mapping) or given.keys() - known or "monitor" not in given:
        raise refuse_setting(path, given, f"a map with monitor and any of {', '.join(known)}")
    try:
        return MonitorSettings(**given)
    except ConfigError as error:
        raise ConfigError(error.code, f"{path}.{error.message}") from error


# What may follow the name of the metric in the names of its files, and an example of each.
_ENTRY: Final = re.compile(r"(_epoch_\d{4,}(_step_\d{8,})?)?", re.IGNORECASE)
_STAMP: Final = re.compile(r"(_\d{8}T\d{6}Z(_\d+)?)?", re.IGNORECASE)
_NOTHING: Final = re.compile("")
_ENTRY_EXAMPLES: Final = ("", "_epoch_0001", "_epoch_0001_step_00000001")
_STAMP_EXAMPLES: Final = ("", "_20000101T000000Z", "_20000101T000000Z_2")


def refuse_equal_names(monitors: Iterable[MonitorSettings]) -> None:
    """Refuses two monitors that could ever have one file name, on a file system that folds case.

    Raises:
        ConfigError: `duplicate_file_name`.

    Spec: CPC-SET-004.
    """
    by_stem = sorted(((naming.escape(one.monitor).lower(), one) for one in monitors), key=itemgetter(0))
    for at, (stem, one) in enumerate(by_stem):
        for longer, other in by_stem[at + 1 :]:
            if not longer.startswith(stem):
                break
            if _may_meet(one, other, longer[len(stem) :]):
                message = f"monitors {one.monitor!r} and {other.monitor!r}: may have a file name in common"
                raise ConfigError("duplicate_file_name", f"{message}; expected names of metrics that keep them apart")


def _may_meet(short: MonitorSettings, long: MonitorSettings, rest: str) -> bool:
    """Whether a name of the second is one of the first, the stem of the second being that of the first and a rest."""
    (tail, _), (_, examples) = _tails(short), _tails(long)
    return any(tail.fullmatch(rest + end) for end in examples)


def _tails(monitor: MonitorSettings) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """Returns what may follow the name of a metric, and examples of it; an entry has the plain name in any case."""
    if monitor.slots > 1:
        return _ENTRY, _ENTRY_EXAMPLES
    return (_NOTHING, ("",)) if monitor.overwrite else (_STAMP, _STAMP_EXAMPLES)


@frozen
class Entrance:
    """A value that enters the list of a monitor.

    Attributes:
        monitor: Whose list.
        before: The list before, best first.
        entry: The new entry.
        admission: What becomes of the list.
    """

    monitor: MonitorSettings
    before: tuple[BestEntry, ...]
    entry: BestEntry
    admission: Admission


def enter_lists(
    monitors: Iterable[MonitorSettings], lists: BestLists, metrics: Mapping[str, Metric], progress: Progress
) -> Iterator[Entrance]:
    """Yields what enters the best lists at an event, in the order of the monitors.

    Args:
        monitors: All of them.
        lists: Before the event.
        metrics: Every metric so far.
        progress: Of the state.

    Spec: CPC-BEST-006, CPC-BEST-011.
    """
    for one in monitors:
        metric, entries = metrics.get(one.monitor), lists.get(one.monitor, ())
        if metric is None or metric.step != progress.global_step:
            continue  # a value measured earlier belongs to other weights (CPC-BEST-006)
        candidate = BestEntry(metric.value, progress.epoch, metric.step, one.entry_name(progress))
        admission = admit(entries, candidate, mode=one.mode, slots=one.slots, min_delta=one.min_delta)
        if admission is not None:
            yield Entrance(one, entries, candidate, admission)


def adapt_lists(monitors: Iterable[MonitorSettings], lists: BestLists) -> BestLists:
    """Returns the lists that the present monitors ask for, where an earlier attempt had other slots.

    Spec: CPC-NAME-003, CPC-BEST-008, CPC-BEST-014.
    """
    return {one.monitor: tuple(_renamed(one, lists.get(one.monitor, ()))) for one in monitors}


def _renamed(monitor: MonitorSettings, entries: tuple[BestEntry, ...]) -> Iterator[BestEntry]:
    for entry in entries[: monitor.slots]:
        at_end, inside = (monitor.entry_name(Progress(entry.epoch, batch, entry.step)) for batch in (0, 1))
        yield entry if entry.file in {at_end, inside} else evolve(entry, file=at_end)
