"""The best lists of all monitors: what enters, what leaves, and their form in a file.

Spec: section 3 and CPC-STATE-001 of 20-checkpoint-callback.md.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from attrs import asdict, evolve, frozen

from tenuto.conformance_tests.oracle.model.naming import entry_name
from tenuto.conformance_tests.oracle.model.ranking import Entry, admit
from tenuto.conformance_tests.oracle.model.retention import Progress
from tenuto.conformance_tests.oracle.model.settings import Monitor
from tenuto.conformance_tests.oracle.tree import Tree

Lists: TypeAlias = dict[str, tuple[Entry, ...]]


@frozen
class Update:
    """What an event does to the lists.

    Attributes:
        lists: after it.
        entered: monitor -> the new entry.
        left: monitor -> the entry that left, where K > 1.
    """

    lists: Lists
    entered: Mapping[str, Entry]
    left: Mapping[str, Entry]


def empty(monitors: Sequence[Monitor]) -> Lists:
    """An empty list for each monitor.

    Spec: CPC-STATE-003.
    """
    return {one.monitor: () for one in monitors}


def enter(
    monitors: Sequence[Monitor], lists: Lists, metrics: Mapping[str, tuple[float, int]], progress: Progress
) -> Update:
    """The lists after the metrics of an event, each on its own.

    Args:
        monitors: in their order.
        lists: before.
        metrics: name -> value and step.
        progress: of the state.

    Spec: CPC-BEST-006, CPC-BEST-011, CPC-BEST-012.
    """
    update = Update(dict(lists), {}, {})
    entered, left = dict[str, Entry](), dict[str, Entry]()
    for one in monitors:
        value, step = metrics.get(one.monitor, (0.0, -1))
        if step != progress[2]:
            continue
        before = lists[one.monitor]
        new = Entry(value, progress[0], step, entry_name(one.monitor, one.slots, progress))
        after = admit(before, new, one.mode, one.slots, one.min_delta)
        if any(entry is new for entry in after):
            update.lists[one.monitor] = after
            entered[one.monitor] = new
            if 1 < one.slots == len(before):
                left[one.monitor] = before[-1]
    return Update(update.lists, entered, left)


def as_tree(entries: Sequence[Entry]) -> list[Tree]:
    """A list as it stands in a file.

    Spec: CPC-STATE-001.
    """
    return [asdict(one) for one in entries]


def restored(monitors: Sequence[Monitor], saved: Mapping[str, Any]) -> Lists:
    """The lists of a saved state, as far as they are those of the present monitors.

    Spec: CPC-BEST-008, CPC-BEST-014.
    """
    lists = empty(monitors)
    for one in monitors:
        kept = saved.get(one.monitor)
        if kept is None or kept["mode"] != one.mode:
            continue
        entries = tuple(Entry(**entry) for entry in kept["entries"])
        lists[one.monitor] = tuple(_renamed(entry, one) for entry in entries[: one.slots])
    return lists


def _renamed(entry: Entry, monitor: Monitor) -> Entry:
    """An entry with a name for the present K.

    Spec: CPC-BEST-014.
    """
    names = {entry_name(monitor.monitor, monitor.slots, (entry.epoch, inside, entry.step)) for inside in (0, 1)}
    at_end = entry_name(monitor.monitor, monitor.slots, (entry.epoch, 0, entry.step))
    return entry if entry.file in names else evolve(entry, file=at_end)
