"""What is said in the end: of each point, of the job, and the likely cause of a difference."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

from attrs import asdict, frozen

from tenuto.verify_resume.comparison import Difference
from tenuto.verify_resume.record import Moment

__all__ = ["ADVICE", "Cause", "PointResult", "Report", "cause_of_resume"]


class Cause(StrEnum):
    """A likely cause of a difference.

    Spec: TR-VER-005.
    """

    UNSEEDED_GENERATOR = "unseeded_generator"
    TIME_OR_ORDER = "time_or_order"
    NONDETERMINISTIC_KERNEL = "nondeterministic_kernel"
    LOADER_STATE = "loader_state"
    UNSAVED_STATE = "unsaved_state"
    NOTHING_SAVED = "nothing_saved"
    UNKNOWN = "unknown"


ADVICE: Final = {
    Cause.UNSEEDED_GENERATOR: (
        "two uninterrupted runs agree once every generator has a seed: call tenuto.seed_all(config.seed) first in "
        "build, and give each generator of your own a seed"
    ),
    Cause.TIME_OR_ORDER: (
        "two uninterrupted runs agree once the clock stands still and sets of text have a fixed order: take the time, "
        "and the order of sets, out of what is computed"
    ),
    Cause.NONDETERMINISTIC_KERNEL: (
        "two uninterrupted runs agree on one thread with deterministic kernels: "
        "torch.use_deterministic_algorithms(True) in build"
    ),
    Cause.LOADER_STATE: (
        "the dataset, or what it draws from, remembers earlier samples: let a sample depend on its index and on the "
        "global generators alone"
    ),
    Cause.UNSAVED_STATE: (
        "the job keeps something that no checkpoint holds: make it a buffer of the model, or the state of a callback"
    ),
    Cause.NOTHING_SAVED: "no checkpoint was there to resume from: save_on_exception=True, or save_every_steps=N",
    Cause.UNKNOWN: "two uninterrupted runs differ, with each suspect taken out alone too",
}


@frozen
class PointResult:
    """What came of one save point.

    Attributes:
        point: Where the run was stopped.
        resumed_from: Where the second process went on; None if it started fresh, or was never started.
        difference: The first, or None.
        final: The first difference between the final checkpoints, `identical`, or None if the run has none.
    """

    point: Moment
    resumed_from: Moment | None = None
    difference: Difference | None = None
    final: str | None = None

    @property
    def is_identical(self) -> bool:
        """Whether the resumed run is the uninterrupted one from its start to its end."""
        return self.resumed_from is not None and self.difference is None and self.final in {None, "identical"}


@frozen
class Report:
    """What came of a job.

    Attributes:
        job: The file.
        steps: How many updates a run has.
        points: What was tried.
        unrepeatable: Where two uninterrupted runs differ, or None: then no resume can be judged.
        cause: Of the difference, or None.
        evidence: How the cause was found.
    """

    job: str
    steps: int
    points: Sequence[PointResult]
    unrepeatable: Difference | None = None
    cause: Cause | None = None
    evidence: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether resume is proven exact.

        Spec: TR-VER-002.
        """
        return self.unrepeatable is None and bool(self.points) and all(point.is_identical for point in self.points)

    def to_json(self) -> dict[str, Any]:
        """Returns what JSON can hold."""
        points = [{**asdict(point), "identical": point.is_identical} for point in self.points]
        return {**asdict(self), "exact": self.is_exact, "points": points}


def cause_of_resume(result: PointResult) -> tuple[Cause, str]:
    """Returns the likely cause of a resumed run that differs where two uninterrupted ones do not, and the evidence.

    Spec: TR-VER-005.
    """
    difference = result.difference
    if result.resumed_from is None:
        return Cause.NOTHING_SAVED, f"stopped at {result.point}, there was nothing to resume"
    if difference is None:
        return Cause.UNSAVED_STATE, "every boundary agrees, the final checkpoints do not: look at what saves them"
    if difference.is_of_data:
        return Cause.LOADER_STATE, f"{difference.path} is another one at {difference.moment}; all before it agrees"
    if difference.is_of_restore:
        return Cause.UNSAVED_STATE, f"{difference.path} is another one right after the restore"
    return Cause.UNSAVED_STATE, f"{difference.path} is another one at {difference.moment}; batch and restore agree"
