"""At which boundaries a run is stopped. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tenuto.reference.errors import ConfigError
from tenuto.verify_resume.record import Moment

__all__ = ["chosen_points", "points_at"]


def chosen_points(moments: Sequence[Moment], count: int) -> list[Moment]:
    """Spreads save points over a run: three of four in the middle of epochs, the others at the end of one.

    Args:
        moments: Of the uninterrupted run.
        count: How many points, at least 1; fewer are returned where the run has not so many.

    Spec: TR-VER-004.
    """
    candidates = _stoppable(moments)
    ends = [moment for moment in candidates if not moment.batch]
    lasts = {moment.step for moment in ends}  # the last batch of an epoch is no middle
    inside = [moment for moment in candidates if moment.batch and moment.step not in lasts]
    wanted = min(count // 4, len(ends)) if inside else count
    chosen = _spread(inside, count - wanted) + _spread(ends, wanted)
    return sorted(chosen)


def points_at(moments: Sequence[Moment], steps: Sequence[int]) -> list[Moment]:
    """Returns the boundaries that the user asked for: the first at which each step is completed.

    Raises:
        ConfigError: `invalid_setting` for a step after which there is nothing left to train.

    Spec: TR-VER-004.
    """
    candidates = _stoppable(moments)
    first: dict[int, Moment] = {}
    for moment in candidates:
        first.setdefault(moment.step, moment)
    for step in steps:
        if step not in first:
            last = max(first, default=0)
            raise ConfigError("invalid_setting", f"--at: {step}; expected a step of 1 to {last}, before the last one")
    return sorted({first[step] for step in steps})


def _stoppable(moments: Sequence[Moment]) -> list[Moment]:
    """Returns the boundaries after which there is something left to train."""
    last = max((moment.step for moment in moments), default=0)
    hooks = ("on_batch_end", "on_epoch_end")
    return [moment for moment in moments if moment.hook in hooks and 0 < moment.step < last]


def _spread(moments: list[Moment], count: int) -> list[Moment]:
    count = min(count, len(moments))
    return [moments[(2 * index + 1) * len(moments) // (2 * count)] for index in range(count)]
