"""`tenuto verify-resume`: proves exact resume on the user's own job."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tenuto.cli.train import SEED_MAX, parse_settings

if TYPE_CHECKING:
    from rich.console import Console

    from tenuto.verify_resume.verdict import PointResult, Report

__all__ = ["progress", "register"]

_WIDTH = 120  # of what goes to a pipe


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command("verify-resume")(verify_resume)


def verify_resume(
    job: Annotated[
        Path, typer.Argument(metavar="JOB.py", help="A Python file with `build(config) -> tenuto.Trainer`.")
    ],
    points: Annotated[int, typer.Option(min=1, help="At how many save points to stop, spread over the run.")] = 4,
    at: Annotated[
        list[int] | None,
        typer.Option(metavar="STEP", help="Stop at this step; again for several. Instead of --points."),
    ] = None,
    signal: Annotated[
        Literal["SIGTERM", "SIGKILL"],
        typer.Option(help="SIGTERM: an emergency save at the point. SIGKILL: once the job has saved there or later."),
    ] = "SIGTERM",
    epochs: Annotated[int | None, typer.Option(min=1, help="How many epochs: config.max_epochs.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=SEED_MAX, help="Of everything random: config.seed.")] = 0,
    output: Annotated[
        Path | None, typer.Option(help="Keep every run in this folder.", show_default="a folder that is deleted")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="For config.setting(KEY, default).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Proves that a job resumes exactly: trains it whole, stops and resumes it at several points, and compares.

    Each run is a fresh process in a folder of its own; the job and its files stay as they are. A second uninterrupted
    run tells a job that never repeats itself from one that resumes wrongly. For a difference the first step, the first
    value and the first tensor are named, and the likely cause.

    Example:    tenuto verify-resume examples/digits.py --epochs 2

    Exit code: 0 every resumed run is the uninterrupted one, 1 one is not or the job fails, 2 wrong usage.

    Spec: TR-VER-001 to TR-VER-007.
    """
    from rich.console import Console  # noqa: PLC0415 - loaded when it is needed

    from tenuto.verify_resume.processes import JobFailed  # noqa: PLC0415 - as above
    from tenuto.verify_resume.verification import Plan, verify_resume  # noqa: PLC0415 - as above

    with ExitStack() as stack:
        folder = output or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tenuto-")))
        plan = Plan(job, folder, points, at or (), signal, seed, epochs, parse_settings(set_ or []))
        watch = stack.enter_context(progress(Console(stderr=True)))
        try:
            report = verify_resume(plan, watch)
        except JobFailed as error:
            typer.echo(f"tenuto: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        _show(report, Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False))
    raise typer.Exit(0 if report.is_exact else 1)


@contextmanager
def progress(console: Console) -> Iterator[Callable[[str, int | None], Callable[[int], None]]]:
    """Shows a bar for each run on a terminal, and nothing elsewhere.

    Yields:
        A function of the name of a run and about how many boundaries it has, or None; it returns what is called with
        the number of boundaries so far.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - as above

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:

        def watch(name: str, boundaries: int | None) -> Callable[[int], None]:
            for task in bar.task_ids:
                bar.remove_task(task)
            shown = bar.add_task(name, total=boundaries)
            return lambda count: bar.update(shown, completed=count)

        yield watch


def _show(report: Report, console: Console) -> None:
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    from tenuto.verify_resume.verdict import ADVICE  # noqa: PLC0415 - as above

    if report.points:
        table = Table("stopped at", "resumed from", "result", "first step that differs", "first tensor that differs")
        for point in report.points:
            table.add_row(*(Text(cell) for cell in _cells(point)))
        console.print(table)
    if report.unrepeatable is not None:
        console.print(Text("two uninterrupted runs differ, so that no resume can be judged:"))
    shown = report.unrepeatable or next((point.difference for point in report.points if point.difference), None)
    if shown is not None:
        tensor = f"  first tensor: {shown.tensor}, {shown.tensor_moment}" if shown.tensor else ""
        values = f"  uninterrupted: {shown.one}\n  other:         {shown.other}"
        console.print(
            Text(f"first difference: {shown.path}, {shown.moment} ({shown.count} values)\n{values}\n{tensor}")
        )
    if report.cause is not None:
        console.print(Text(f"likely cause: {report.cause}: {ADVICE[report.cause]}", style="bold"))
        console.print(Text(f"  seen: {report.evidence or 'nothing that tells'}"))
    if report.is_exact:
        console.print(
            Text(f"exact: {len(report.points)} of {len(report.points)} resumed runs are the uninterrupted one")
        )


def _cells(result: PointResult) -> tuple[str, ...]:
    point, difference = str(result.point), result.difference
    if result.resumed_from is None:
        return point, "nothing", "nothing saved", "", ""
    resumed = f"step {result.resumed_from.step}"
    if result.is_identical:
        return point, resumed, "identical", "", ""
    if difference is None:
        return point, resumed, "differs", "the final checkpoint", str(result.final)
    return point, resumed, "differs", str(difference.moment), difference.tensor or difference.path
