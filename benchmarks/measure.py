"""What a bar is, how two actions are compared, and how long one takes.

Absolute times mean nothing on a shared machine; both sides run in turn, and each ratio is that of two neighbors.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from attrs import frozen
from rich.progress import track

__all__ = ["Action", "Bar", "Clock", "Goal", "Side", "bar_of", "compare", "durations", "ratios"]

Action = Callable[[], object]
Clock = Callable[[], float]
_BASE: Final = ""


@frozen
class Side:
    """An action, and what comes after it in each round, which is not timed."""

    action: Action
    after: Action = lambda: None


@frozen
class Goal:
    """What is compared with what, and how it is to come out.

    Attributes:
        bar: The two sides.
        most: The ratio is to be at most this; None where a figure is given for comparison alone.
    """

    bar: str
    most: float | None = None


@frozen
class Bar:
    """One ratio of times.

    Attributes:
        bar: What is compared with what.
        value: Median of the ratios; None if a side is not installed.
        goal: At most this; None for no goal.
        holds: Whether the median meets the goal; None without goal or value.
        n: Rounds.
        spread: First and last quartile of the ratios; None without value.
    """

    bar: str
    value: float | None
    goal: float | None
    holds: bool | None
    n: int
    spread: tuple[float, float] | None


def bar_of(goal: Goal, measured: Sequence[float]) -> Bar:
    """Judges the ratios of all rounds; none at all stand for a side that is not installed."""
    if not measured:
        return Bar(goal.bar, None, goal.most, None, 0, None)
    low, median, high = statistics.quantiles(measured, n=4, method="inclusive")
    holds = None if goal.most is None else median <= goal.most
    return Bar(goal.bar, median, goal.most, holds, len(measured), (low, high))


def compare(goal: Goal, ours: Action, theirs: Action, rounds: int) -> Bar:
    """Measures one side against another, by the clock on the wall."""
    return bar_of(goal, ratios(goal.bar, theirs, {goal.bar: ours}, rounds, time.perf_counter)[goal.bar])


def ratios(what: str, base: Action, others: Mapping[str, Action], rounds: int, clock: Clock) -> dict[str, list[float]]:
    """Times all sides in turn, in an order of each round, after one warm-up of each.

    Args:
        what: Shown with the progress.
        base: What the others are divided by.
        others: By name.
        rounds: At least 2.
        clock: In seconds.

    Returns:
        For each of the others its ratio in each round.
    """
    taken = durations(what, {_BASE: Side(base), **{name: Side(one) for name, one in others.items()}}, rounds, clock)
    base_taken = taken.pop(_BASE)
    return {name: [one / other for one, other in zip(mine, base_taken, strict=True)] for name, mine in taken.items()}


def durations(what: str, sides: Mapping[str, Side], rounds: int, clock: Clock) -> dict[str, list[float]]:
    """Times all sides in turn, in an order of each round, after one warm-up of each.

    Args:
        what: Shown with the progress.
        sides: By name.
        rounds: At least 2.
        clock: In seconds.

    Returns:
        For each side how long it took in each round, in seconds.
    """
    for side in sides.values():
        _seconds(side, clock)
    gc.collect()
    gc.freeze()  # what one side has imported and keeps is not to be searched while another is timed
    found: dict[str, list[float]] = {name: [] for name in sides}
    order, chance = list(sides), random.Random(0)  # noqa: S311 - no secret
    for _ in track(range(rounds), what, transient=True):
        chance.shuffle(order)
        for name in order:
            found[name].append(_seconds(sides[name], clock))
    gc.unfreeze()
    return found


def _seconds(side: Side, clock: Clock) -> float:
    start = clock()
    side.action()
    taken = clock() - start
    side.after()
    return taken
