"""What `tenuto conformance run` and `file` do once their options are read: every way to end is one of four exit codes.

Spec: CONF-VERDICT-003, CONF-PORT-001.
"""

import json
import random
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen
from rich.console import Console
from rich.text import Text

from tenuto.conformance_tests.asking import Terms
from tenuto.conformance_tests.baseline import BaselineError, read_baseline
from tenuto.conformance_tests.cases import Case, Recode, SuiteError
from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.course import Settings
from tenuto.conformance_tests.judge import Verdict
from tenuto.conformance_tests.limits import GIB, Limits
from tenuto.conformance_tests.plan import all_cases
from tenuto.conformance_tests.port import Port, PortError, read_port
from tenuto.conformance_tests.publish import write_beside
from tenuto.conformance_tests.report import Report
from tenuto.conformance_tests.runner import judge_one, run
from tenuto.conformance_tests.selection import UsageError, choose

RANDOM_SEED = "random"


@frozen
class Options:
    """What was asked for on the command line.

    Attributes:
        port: the `port.toml`.
        profile, filters: which cases; see `choose`.
        results: where the results go; None for a file of `build/conformance`.
        jobs: how many processes of the adapter answer at once.
        seed: of the order, `random` for one that is drawn; None for the order of the suite.
        process_per_test: whether each case is asked of a fresh process as well.
        memory_gib: the address space of one process.
        as_json: whether to print the summary as JSON and nothing else.
    """

    port: Path
    profile: str | None = None
    filters: Sequence[str] = ()
    results: Path | None = None
    jobs: int = 1
    seed: str | None = None
    process_per_test: bool = False
    memory_gib: int = 8
    as_json: bool = False

    @property
    def target(self) -> str:
        """The name of the file of results where none is given: that of a part never replaces that of the whole."""
        return ".part.jsonl" if self.profile or self.filters else ".jsonl"


def judge_port(options: Options) -> int:
    """Judge a port and say what came of it; returns the exit code.

    Spec: CONF-VERDICT-003.
    """
    complaints = Console(stderr=True)
    try:
        port = read_port(options.port)
        every = all_cases(spec_folder())
        plan = choose(every, options.profile, options.filters)
        settings = _settings(options, port, every)
    except (PortError, UsageError, BaselineError) as error:
        complaints.print(Text(str(error)), soft_wrap=True)
        return 2
    except SuiteError as error:
        complaints.print(Text(f"fault of the suite: {error}"), soft_wrap=True)
        return 3
    target = options.results or Path("build", "conformance", f"{port.name}{options.target}")
    console = Console(stderr=True, quiet=True) if options.as_json else Console()
    try:
        with Report(console, port, plan) as report:
            found, summary = run(port, plan, every, target, settings, progress=report.tell)
        if target.is_file():  # not a pipe, and not a device
            write_beside(target)
    except SuiteError as error:
        complaints.print(Text(f"fault of the suite: {error}"), soft_wrap=True)
        return 3
    except OSError as error:
        complaints.print(Text(f"results: {error}; expected a file that can be written"), soft_wrap=True)
        return 2
    report.close(found, summary, target, settings.seed)
    if options.as_json:
        Console(soft_wrap=True).print_json(json.dumps(summary.footer() | {"results": str(target)}))
    return summary.exit_code


def _settings(options: Options, port: Port, every: Sequence[Case]) -> Settings:
    """The settings of a run; raises `UsageError` or `BaselineError` if an option or a known failure breaks a rule."""
    for name, value in (("--jobs", options.jobs), ("--memory-gib", options.memory_gib)):
        if value < 1:
            raise UsageError(f"{name} {value}; expected 1 or more")
    limits = Limits(memory_bytes=options.memory_gib * GIB)
    terms = Terms(limits=limits, jobs=options.jobs, process_per_test=options.process_per_test)
    return Settings(terms, _seed(options.seed), read_baseline(port, every))


def _seed(text: str | None) -> int | None:
    if text == RANDOM_SEED:
        return random.getrandbits(32)
    if text is None or (text.isascii() and text.isdigit()):
        return None if text is None else int(text)
    raise UsageError(f"--seed {text}; expected a number of digits, or {RANDOM_SEED}")


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
