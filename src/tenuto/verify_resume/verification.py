"""Trains a job whole and again, stops and resumes it at several points, compares, and looks for a cause."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from attrs import evolve, field, frozen

from tenuto.reference.checkpoint import read_checkpoint
from tenuto.reference.checkpoint.compare import first_difference
from tenuto.reference.checkpoint.ledger import read_ledger
from tenuto.reference.errors import ConfigError
from tenuto.verify_resume.comparison import Difference, first_difference_of_resumed, first_difference_of_runs
from tenuto.verify_resume.points import chosen_points, points_at
from tenuto.verify_resume.processes import Follow, Run, run
from tenuto.verify_resume.record import Moment
from tenuto.verify_resume.request import Request, Suspect
from tenuto.verify_resume.verdict import Cause, PointResult, Report, cause_of_resume

__all__ = ["Plan", "Watch", "verify_resume"]

Watch = Callable[[str, int | None], Follow]
_SIGNAL_CODES = {"SIGTERM": 143, "SIGKILL": -9}
_SUSPECTS = {
    Suspect.GENERATORS: Cause.UNSEEDED_GENERATOR,
    Suspect.CLOCK: Cause.TIME_OR_ORDER,
    Suspect.KERNELS: Cause.NONDETERMINISTIC_KERNEL,
}
_WARNS = "does not have a deterministic implementation"


@frozen
class Plan:
    """What is asked for.

    Attributes:
        job: The Python file.
        folder: For everything that is written; made if it is not there.
        count: How many save points.
        at: The steps to stop at, instead of `count` spread over the run.
        signal: `SIGTERM`, or `SIGKILL` once a checkpoint of the point or a later one is durable.
        seed: `config.seed`.
        epochs: `config.max_epochs`, or None.
        settings: `config.settings`.
    """

    job: Path
    folder: Path
    count: int = 4
    at: Sequence[int] = ()
    signal: str = "SIGTERM"
    seed: int = 0
    epochs: int | None = None
    settings: Mapping[str, str] = field(factory=dict)


def verify_resume(plan: Plan, watch: Watch) -> Report:
    """Returns whether the job resumes exactly, and if not, where it differs and why.

    Args:
        plan: What to try.
        watch: Called with what is done next and about how many boundaries it has; returns what follows it.

    Raises:
        ConfigError: `invalid_setting`, for a step that the run does not have.
        JobFailed: The job was refused, or has failed.

    Spec: TR-VER-001 to TR-VER-007.
    """
    return _Verification(plan, watch).report()


class _Verification:
    def __init__(self, plan: Plan, watch: Watch) -> None:
        self._plan, self._watch = plan, watch
        self._boundaries: int | None = None
        plan.folder.mkdir(parents=True, exist_ok=True)

    def report(self) -> Report:
        plan = self._plan
        whole = self._train("uninterrupted")
        self._boundaries = len(whole.records)
        moments = [record.moment for record in whole.records]
        points = points_at(moments, plan.at) if plan.at else chosen_points(moments, plan.count)
        if not points:
            raise ConfigError("invalid_setting", f"job: trains {moments[-1].step} steps; expected at least 2")
        report = Report(str(plan.job), moments[-1].step, ())
        again = self._train("uninterrupted again")
        difference = first_difference_of_runs(whole.records, again.records)
        if difference is not None:
            return self._unrepeatable(report, difference)
        report = evolve(report, points=[self._try(point, whole) for point in points])
        return report if report.is_exact else self._explained(report, whole)

    # -- the runs -----------------------------------------------------------------------------------------------------

    def _try(self, point: Moment, whole: Run, name: str = "stopped") -> PointResult:
        """Stops a run at a point, goes on in a fresh process, and compares."""
        place = f"{name} at step {point.step}" + ("" if point.batch else f", end of epoch {point.epoch}")
        code = _SIGNAL_CODES[self._plan.signal]
        stopped = self._train(place, (0, code), stop=point, signal=self._plan.signal)
        if stopped.exit_code != code:
            return PointResult(point)  # it never saved anything from the point on
        resumed = self._train(f"{place}, resumed", folder=stopped.folder, is_resumed=True)
        start = resumed.records[0].moment
        if not start.step:
            return PointResult(point)
        difference = first_difference_of_resumed(whole.records, resumed.records)
        return PointResult(point, start, difference, self._final_difference(whole, resumed))

    def _train(
        self,
        name: str,
        expected: tuple[int, ...] = (0,),
        *,
        folder: str | None = None,
        stop: Moment | None = None,
        signal: str = "SIGTERM",
        is_resumed: bool = False,
        steps_max: int | None = None,
        suspect: Suspect | None = None,
    ) -> Run:
        plan, words = self._plan, "_".join(name.replace(",", "").split())
        base = plan.folder / words
        request = Request(
            job=os.path.abspath(plan.job),
            folder=folder or str(base),
            record=f"{base}.jsonl",
            seed=plan.seed,
            epochs=plan.epochs,
            settings=dict(plan.settings),
            is_resumed=is_resumed,
            stop=stop,
            signal=signal,
            steps_max=steps_max,
            suspect=suspect,
        )
        if not is_resumed:
            shutil.rmtree(request.folder, ignore_errors=True)  # of a verification before this one
        return run(request, expected, self._watch(name, self._boundaries))

    def _final_difference(self, whole: Run, resumed: Run) -> str | None:
        """Compares the checkpoints of the end, where the job saves one.

        Spec: TR-VER-001.
        """
        last = whole.records[-1].moment
        position = (last.epoch, last.batch, last.step)
        found = [
            [entry for entry in read_ledger(one.folder).newest_first() if entry.position == position]
            for one in (whole, resumed)
        ]
        if not found[0]:
            return None
        if not found[1]:
            return f"no checkpoint of {last} in the resumed run"
        one, other = (
            read_checkpoint(os.path.join(where.folder, entries[0].name))
            for where, entries in zip((whole, resumed), found, strict=True)
        )
        return first_difference(one, other) or "identical"

    # -- the cause ----------------------------------------------------------------------------------------------------

    def _explained(self, report: Report, whole: Run) -> Report:
        """Resumes at the first point that failed once more: what differs from time to time is no fault of a resume.

        Spec: TR-VER-003.
        """
        failed = next(point for point in report.points if not point.is_identical)
        if failed.difference is not None:
            again = self._try(failed.point, whole, "stopped again")
            if again.difference != failed.difference:
                return self._unrepeatable(report, failed.difference)
        cause, evidence = cause_of_resume(failed)
        return evolve(report, cause=cause, evidence=evidence)

    def _unrepeatable(self, report: Report, difference: Difference) -> Report:
        """Takes one suspect after the other out of two runs, until the two agree.

        Spec: TR-VER-003, TR-VER-005.
        """
        report = evolve(report, unrepeatable=difference)
        for suspect, cause in _SUSPECTS.items():
            runs = [
                self._train(
                    f"without {suspect} {number}", suspect=suspect, steps_max=2 * max(difference.moment.step, 1)
                )
                for number in (1, 2)
            ]
            warned = next((line for line in runs[0].output.splitlines() if _WARNS in line), None)
            if suspect is Suspect.KERNELS and warned is not None:
                return evolve(report, cause=cause, evidence=warned.strip())
            if first_difference_of_runs(runs[0].records, runs[1].records) is None:
                evidence = f"two runs agree up to step {runs[0].records[-1].moment.step}"
                return evolve(report, cause=cause, evidence=evidence)
        return evolve(report, cause=Cause.UNKNOWN)
