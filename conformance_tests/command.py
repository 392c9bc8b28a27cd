"""What `tenuto conformance run` does once its options are read: every way to end is one of four exit codes.

Spec: CONF-VERDICT-003, CONF-PORT-001.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tenuto.conformance_tests.cases import Case, SuiteError, select
from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.plan import all_cases
from tenuto.conformance_tests.port import PROFILE_INCLUDES, PortError, included, read_port
from tenuto.conformance_tests.report import Report
from tenuto.conformance_tests.results import footer
from tenuto.conformance_tests.runner import run


class UsageError(Exception):
    """Options that ask for what there is not."""


def choose(every: Sequence[Case], profile: str | None, only: Sequence[str]) -> list[Case]:
    """The cases that the options ask for; raises `UsageError` if there are none."""
    if profile is not None and profile not in PROFILE_INCLUDES:
        raise UsageError(f"--profile {profile}; expected one of {', '.join(PROFILE_INCLUDES)}")
    wanted = [case for case in every if profile is None or case.profile in included(profile)]
    for one in only:
        if not select(wanted, [one]):
            raise UsageError(f"--only {one}: no such case; expected an id such as CKPT-V-001/decode or CKPT-V-001")
    chosen = select(wanted, only) if only else wanted
    if not chosen:
        raise UsageError(f"--profile {profile}: it has no cases yet; expected codec-read or codec")
    return chosen


def judge_port(path: Path, profile: str | None, only: Sequence[str], results: Path | None, *, as_json: bool) -> int:
    """Judge a port and say what came of it; returns the exit code.

    Spec: CONF-VERDICT-003.
    """
    complaints = Console(stderr=True)
    try:
        port = read_port(path)
        every = all_cases(spec_folder())
        plan = choose(every, profile, only)
    except (PortError, UsageError) as error:
        complaints.print(Text(str(error)), soft_wrap=True)
        return 2
    except SuiteError as error:
        complaints.print(Text(f"fault of the suite: {error}"), soft_wrap=True)
        return 3
    target = results or Path("build", "conformance", f"{port.name}.jsonl")
    console = Console(stderr=True, quiet=True) if as_json else Console()
    try:
        with Report(console, port, plan) as report:
            found, summary = run(port, plan, every, target, progress=report.tell)
    except OSError as error:
        complaints.print(Text(f"results: {error}; expected a file that can be written"), soft_wrap=True)
        return 2
    report.close(found, summary, target)
    if as_json:
        Console(soft_wrap=True).print_json(json.dumps(footer(summary) | {"results": str(target)}))
    return summary.exit_code
