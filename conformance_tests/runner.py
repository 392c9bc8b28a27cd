"""Runs a plan against a port: builds it, asks case by case, and never lets the port decide when to stop.

Not part of this version: baselines of known failures (XFAIL, XPASS), a second run of failures (FLAKY), and a
limit on the memory of an adapter.

Spec: CONF-VERDICT-003, CONF-VERDICT-005, CONF-OP-002.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tenuto.conformance_tests.cases import Case, Echo, Task
from tenuto.conformance_tests.judge import Judgement, Verdict
from tenuto.conformance_tests.port import Port
from tenuto.conformance_tests.results import Result, ResultsFile, Summary, summarize
from tenuto.conformance_tests.session import Deadlines, Session

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
    deadlines: Deadlines | None = None,
    progress: Callable[[Result], None] = lambda _: None,
) -> tuple[list[Result], Summary]:
    """Run a plan and write its results line by line.

    Args:
        port: the port.
        plan: the cases to be run, in order.
        every_case: all cases of the suite; a profile is awarded only if its cases are among the plan.
        results_path: the file of results.
        deadlines: how long to wait; those of the specification if not given.
        progress: is told every result.

    Spec: CONF-VERDICT-003, CONF-VERDICT-004.
    """
    results = []
    with ResultsFile.create(results_path) as output:
        output.header(port, plan)
        for result in _results(port, plan, (deadlines or Deadlines()).scaled(port.timeout_scale)):
            output.verdict(port, result)
            results.append(result)
            progress(result)
        summary = summarize(port, every_case, results)
        output.footer(summary)
    return results, summary


def _results(port: Port, plan: Sequence[Case], deadlines: Deadlines) -> Iterator[Result]:
    claimed = port.claimed()
    blocked = build(port) if any(case.profile in claimed for case in plan) else None
    sandbox = Path(tempfile.mkdtemp(prefix="tenuto-conformance-"))
    session = Session(port, deadlines, sandbox)
    try:
        for case in plan:
            start = time.monotonic()
            if case.profile not in claimed:
                judgement = Judgement(Verdict.NOT_CLAIMED)
            elif blocked is not None:
                judgement = Judgement(Verdict.UNCOVERED, blocked)
            else:
                judgement = _judge(session, case)
            yield Result(case, judgement, time.monotonic() - start)
            if isinstance(case.task, Echo) and judgement.verdict not in {Verdict.PASS, Verdict.NOT_CLAIMED}:
                blocked = "not run: the adapter did not give back the values that it was sent"
    finally:
        session.stop()
        shutil.rmtree(sandbox, ignore_errors=True)


def judge_one(port: Port, task: Task) -> Judgement:
    """Build a port and ask it a single question, outside any plan."""
    blocked = build(port)
    if blocked is not None:
        return Judgement(Verdict.UNCOVERED, blocked)
    sandbox = Path(tempfile.mkdtemp(prefix="tenuto-conformance-"))
    session = Session(port, Deadlines().scaled(port.timeout_scale), sandbox)
    try:
        return session.run(task)
    finally:
        session.stop()
        shutil.rmtree(sandbox, ignore_errors=True)


def _judge(session: Session, case: Case) -> Judgement:
    """One case; what goes wrong on our side is never blamed on the port."""
    try:
        return session.run(case.task)
    except Exception as error:  # noqa: BLE001 - whatever it is, the next case is still run
        return Judgement(Verdict.SUITE_ERROR, f"{type(error).__name__}: {error}")
