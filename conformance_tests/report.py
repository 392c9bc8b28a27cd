"""What a person sees of a run: progress on a terminal, each failure explained, a table at the end.

Spec: CONF-VERDICT-002, CONF-VERDICT-004, CONF-PROF-002, CONF-LINE-003.
"""

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from attrs import define, field
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from tenuto.conformance_tests.awards import Summary, is_failure
from tenuto.conformance_tests.baseline import NAME as BASELINE
from tenuto.conformance_tests.cases import Case
from tenuto.conformance_tests.clauses import explain
from tenuto.conformance_tests.judge import Verdict
from tenuto.conformance_tests.port import Port, included
from tenuto.conformance_tests.results import Result, repro

SHOWN_FAILURES = 20


def failure_text(port: Port, result: Result) -> str:
    """A failure with the clauses that it breaks, what was expected, and the command that shows it again."""
    judgement = result.judgement
    lines = [f"{result.verdict} {result.case.id}: {result.case.title}", _indented("", judgement.detail)]
    lines += [_indented("expected: ", judgement.expected)] if judgement.expected else []
    lines += [_indented("got:      ", judgement.actual)] if judgement.actual else []
    lines += [f"  {line}" for line in explain(result.case.req)]
    return "\n".join([*lines, f"  again: {repro(port.path, result.case.id)}"])


def _indented(label: str, text: str) -> str:
    """A text under its label, however many lines it has."""
    return textwrap.indent(label + text.replace("\n", "\n" + " " * len(label)), "  ")


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
    _failing: int = 0
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
        failing = is_failure(result.verdict)
        self._failing += failing
        told = f"{self.port.name}, {self._failing} failing" if self._failing else self.port.name
        self._progress.update(self._task, advance=1, description=told)
        if not failing:
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

    def close(self, results: Sequence[Result], summary: Summary, path: Path, seed: int | None) -> None:
        """The table, what keeps a profile from being awarded, and where the rest is to be found."""
        if self._uncovered:
            cases = "1 case was" if self._uncovered == 1 else f"{self._uncovered} cases were"
            self._say(f"UNCOVERED: {cases} not run, for the reason above")
        if self._hidden:
            self._say(f"{self._hidden} more failures are in {path}")
        self.console.print(verdict_table(self.port, results, summary))
        for pattern in summary.idle:
            self._say(f"{BASELINE}, {pattern}: no case that this port is judged by; expected one, or no such entry")
        planned = {case.profile for case in self.plan}
        others = [profile for profile in summary.awards if profile not in planned]
        self._say(f"claimed, and no case of it was run: {', '.join(others)}" if others else "")
        for line in holes(summary):
            self._say(line)
        self._say(f"noise: {summary.noise} lines on stdout were no replies" if summary.noise else "")
        self._say("" if seed is None else f"order: --seed {seed}")
        self._say(f"results: {path}")

    def _say(self, text: str) -> None:
        if text:
            self.console.print(Text(text), soft_wrap=True)


def verdict_table(port: Port, results: Sequence[Result], summary: Summary) -> Table:
    """Counts for each profile that has cases in the plan."""
    table = Table(title=f"{port.name} {port.version} ({port.language})", title_justify="left")
    for heading in ("profile", "passed", "failed", "not claimed", "awarded"):
        table.add_column(heading, justify="right" if heading in {"passed", "not claimed"} else "left")
    profiles = {result.case.profile for result in results}
    for profile in sorted(profiles, key=lambda name: (len(included(name)), name)):
        own = [result for result in results if result.case.profile in included(profile)]
        counts = Counter(str(result.verdict) for result in own)
        wrong = sum(is_failure(result.verdict) for result in own)
        others = sorted(set(counts) - {Verdict.PASS, Verdict.NOT_CLAIMED})
        words = f"{wrong}: {', '.join(f'{verdict} {counts[verdict]}' for verdict in others)}" if others else "0"
        row = (str(counts[Verdict.PASS]), words, str(counts[Verdict.NOT_CLAIMED]))
        table.add_row(profile, *row, str(summary.awards.get(profile, "not claimed")))
    return table


def holes(summary: Summary) -> Iterator[str]:
    """The requirements without a case of profiles of which all was run, each under the least profile.

    Spec: CONF-PROF-002.
    """
    named: set[str] = set()
    for profile, award in summary.awards.items():
        new = [identity for identity in award.without if identity not in named]
        if new and award.complete:
            yield f"without a case, {profile}: {', '.join(new)}"
        named.update(new)
