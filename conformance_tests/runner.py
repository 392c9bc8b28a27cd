"""Runs a plan against a port: builds it, asks case by case, and never lets the port decide when to stop.

Spec: CONF-VERDICT-003, CONF-VERDICT-005, CONF-OP-002.
"""

import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from tenuto.conformance_tests import asking
from tenuto.conformance_tests.asking import Terms
from tenuto.conformance_tests.awards import Summary, summarize
from tenuto.conformance_tests.cases import Case, Task
from tenuto.conformance_tests.course import Course, Settings
from tenuto.conformance_tests.coverage import registry
from tenuto.conformance_tests.judge import Judgement, Verdict
from tenuto.conformance_tests.order import arrange, opens
from tenuto.conformance_tests.port import Port
from tenuto.conformance_tests.results import Result, ResultsFile

BUILD_SECONDS = 1800.0


def build(port: Port) -> str | None:
    """Build the port; None if that went well, otherwise what the build said."""
    if not port.build:
        return None
    try:
        done = subprocess.run(
            port.build,
            cwd=port.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=BUILD_SECONDS * port.timeout_scale,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"the build of the port failed: {error}"
    if done.returncode == 0:
        return None
    said = done.stdout[-4000:].decode("utf-8", "backslashreplace").strip()
    return f"the build of the port ended with exit code {done.returncode}:\n{said}"


def run(
    port: Port,
    plan: Sequence[Case],
    every_case: Sequence[Case],
    results_path: Path,
    settings: Settings | None = None,
    progress: Callable[[Result], None] = lambda _: None,
) -> tuple[list[Result], Summary]:
    """Run a plan and write its results line by line.

    Args:
        port: the port.
        plan: the cases to be run.
        every_case: all cases of the suite; a profile is awarded only if its cases are among the plan.
        results_path: the file of results.
        settings: how the run goes.
        progress: is told every result.

    Spec: CONF-VERDICT-003, CONF-VERDICT-004.
    """
    settings = settings or Settings()
    ordered = arrange(plan, settings.seed)
    results = []
    with ResultsFile.create(results_path) as output:
        output.header(port, ordered, settings.seed)
        course = Course(port, settings)
        for result in _results(course, ordered):
            output.verdict(port, result)
            results.append(result)
            progress(result)
        idle = settings.baseline.idle
        summary = summarize(port, every_case, results, registry(), idle=idle, noise=course.noise)
        output.footer(summary.footer())
    return results, summary


def _results(course: Course, plan: Sequence[Case]) -> Iterator[Result]:
    """The results of a plan in its order; the opening cases decide whether the others are asked at all."""
    claimed = [case for case in plan if case.is_claimed(course.port)]
    course.blocked = (build(course.port) if claimed else None) or ""
    for part in ([case for case in plan if opens(case)], [case for case in plan if not opens(case)]):
        wanted = [case for case in part if case.is_claimed(course.port) and not course.blocked]
        with closing(asking.ask_all(course.port, wanted, course.settings.terms)) as answers:
            for case in part:
                yield course.judged(case, lambda: next(answers))


def judge_one(port: Port, task: Task) -> Judgement:
    """Build a port and ask it a single question, outside any plan."""
    blocked = build(port)
    if blocked is not None:
        return Judgement(Verdict.UNCOVERED, blocked)
    return asking.ask_alone(port, Case("", "", (), "", task), Terms())
