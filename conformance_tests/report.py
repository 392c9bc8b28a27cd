"""What a person sees of a run: progress on a terminal, each failure explained, a table at the end.

Spec: CONF-VERDICT-002, CONF-VERDICT-004.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import define, field
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from tenuto.conformance_tests.cases import Case
from tenuto.conformance_tests.clauses import explain
from tenuto.conformance_tests.judge import Verdict
from tenuto.conformance_tests.port import Port, included
from tenuto.conformance_tests.results import Result, Summary, repro

SHOWN_FAILURES = 20


def failed(result: Result) -> bool:
    """Whether a result counts against the port, or against the suite."""
    return result.verdict not in {Verdict.PASS, Verdict.NOT_CLAIMED}


def failure_text(port: Port, result: Result) -> str:
    """A failure with the clauses that it breaks, what was expected, and the command that shows it again."""
    judgement = result.judgement
    lines = [f"{result.verdict} {result.case.id}: {result.case.title}", f"  {judgement.detail}"]
    lines += [f"  expected: {judgement.expected}"] if judgement.expected else []
    lines += [f"  got:      {judgement.actual}"] if judgement.actual else []
    lines += [f"  {line}" for line in explain(result.case.req)]
    return "\n".join([*lines, f"  again: {repro(port.path, result.case)}"])


@define
class Report:
    """Prints while the run goes on; silent on success where the output is no terminal.

    Attributes:
        console: where to print.
        port: the port that is judged.
        plan: the cases that are run.
    """

    console: Console
    port: Port
    plan: Sequence[Case]
    _shown: int = 0
    _hidden: int = 0
    _uncovered: int = 0
    _progress: Progress = field(init=False)
    _task: TaskID = field(init=False)

    def __attrs_post_init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=self.console, disable=not self.console.is_terminal)
        self._task = self._progress.add_task(self.port.name, total=len(self.plan))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def tell(self, result: Result) -> None:
        """Take note of one result; the first failures are shown in full, of those not run only the reason, once."""
        self._progress.advance(self._task)
        if not failed(result):
            return
        if result.verdict is Verdict.UNCOVERED:
            self._uncovered += 1
            if self._uncovered == 1:
                self.console.print(Text(result.judgement.detail + "\n"), soft_wrap=True)
            return
        if self._shown >= SHOWN_FAILURES:
            self._hidden += 1
            return
        self._shown += 1
        self.console.print(Text(failure_text(self.port, result) + "\n"), soft_wrap=True)

    def close(self, results: Sequence[Result], summary: Summary, path: Path) -> None:
        """The table, and where the rest is to be found."""
        if self._uncovered:
            cases = "1 case was" if self._uncovered == 1 else f"{self._uncovered} cases were"
            self.console.print(Text(f"UNCOVERED: {cases} not run, for the reason above"), soft_wrap=True)
        if self._hidden:
            self.console.print(Text(f"{self._hidden} more failures are in {path}"), soft_wrap=True)
        self.console.print(verdict_table(self.port, results, summary))
        self.console.print(Text(f"results: {path}"), soft_wrap=True)


def verdict_table(port: Port, results: Sequence[Result], summary: Summary) -> Table:
    """Counts for each profile that has cases in the plan or is claimed."""
    table = Table(title=f"{port.name} {port.version} ({port.language})", title_justify="left")
    for heading in ("profile", "passed", "failed", "not claimed", "verdicts", "awarded"):
        table.add_column(heading, justify="right" if heading in {"passed", "failed", "not claimed"} else "left")
    profiles = {result.case.profile for result in results} | set(summary.awarded)
    for profile in sorted(profiles, key=lambda name: (len(included(name)), name)):
        own = [result for result in results if result.case.profile in included(profile)]
        counts = Counter(str(result.verdict) for result in own)
        wrong = sum(failed(result) for result in own)
        words = ", ".join(f"{verdict} {count}" for verdict, count in sorted(counts.items()))
        row = (str(counts[Verdict.PASS]), str(wrong), str(counts[Verdict.NOT_CLAIMED]), words)
        table.add_row(profile, *row, _award(profile, summary, own))
    return table


def _award(profile: str, summary: Summary, results: Sequence[Result]) -> str:
    if profile not in summary.awarded:
        return "not claimed"
    if summary.awarded[profile]:
        return "yes"
    return "no" if any(map(failed, results)) else "no, not all of it was run"
