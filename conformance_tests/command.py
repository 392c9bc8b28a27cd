"""What `tenuto conformance run` does once its options are read: every way to end is one of four exit codes.

Spec: CONF-VERDICT-003, CONF-PORT-001.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tenuto.conformance_tests.cases import Case, Recode, SuiteError, select
from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.judge import Verdict
from tenuto.conformance_tests.plan import all_cases
from tenuto.conformance_tests.port import PROFILE_INCLUDES, PortError, included, read_port
from tenuto.conformance_tests.report import Report
from tenuto.conformance_tests.results import footer
from tenuto.conformance_tests.runner import judge_one, run


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
    target = results or Path("build", "conformance", f"{port.name}.only.jsonl" if only else f"{port.name}.jsonl")
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


def _checkpoint_bytes(path: Path) -> bytes:
    """The bytes of a file; raises `UsageError` if it cannot be read. A pipe would be waited for without end."""
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{path}: not a regular file; expected a checkpoint")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{path}: no such file; expected a checkpoint") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; expected a checkpoint") from error


def judge_file(port_path: Path, checkpoint: Path) -> int:
    """Let a port read a canonical checkpoint of the user's and write it again; the bytes have to be the same.

    Returns:
        0 if they are, 1 if not, 2 if there is no such port or file.

    Spec: CONF-OP-004, CKPT-CANON-005, CONF-VERDICT-007.
    """
    complaints = Console(stderr=True)
    try:
        port, data = read_port(port_path), _checkpoint_bytes(checkpoint)
    except (PortError, UsageError) as error:
        complaints.print(Text(str(error)), soft_wrap=True)
        return 2

    def place(path: Path) -> None:
        path.write_bytes(data)

    task = Recode(place, strip_origin=False, data=lambda: data)
    judgement = judge_one(port, task)
    console = Console()
    said = (
        f"{judgement.verdict}: {checkpoint.name}, {len(data)} bytes, read and written again by the {port.language} port"
    )
    console.print(Text(said), soft_wrap=True)
    if judgement.verdict is Verdict.PASS:
        return 0
    reason = f"{judgement.detail}\nexpected: {judgement.expected}\nactual:   {judgement.actual}"
    console.print(Text(reason), soft_wrap=True)
    return 1
