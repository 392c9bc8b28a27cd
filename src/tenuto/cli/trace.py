"""`tenuto spec trace` and `tenuto spec verdicts`: the page of traceability, and the verdicts that it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tenuto.cli.specification import Root, default_root, load

__all__ = ["register"]

_Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 if the file is not up to date.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(trace)
    app.command()(verdicts)


def trace(root: Root = None, check: _Check = False) -> None:
    """Write docs/reference/traceability.md: each requirement with its tests, its mutants and its state in each port.

    Example: tenuto spec trace --check
    """
    root = root or default_root()
    specification = load(root)
    from tenuto.conformance_tests.citations import TRACE_PAGE  # noqa: PLC0415 - needs yaml, which `load` looked for
    from tenuto.conformance_tests.trace import page  # noqa: PLC0415 - as above

    _put(root / TRACE_PAGE, page(specification), check=check, remedy="run `tenuto spec trace`")


def verdicts(
    port_results: Annotated[Path, typer.Option(help="The results of a full run of a port.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Where to write, ports/NAME/verdicts.json.", show_default=False)],
    check: _Check = False,
) -> None:
    """Write the verdict of a port on each requirement, from the results of a full conformance run.

    Example: tenuto spec verdicts --port-results build/conformance/mojo.jsonl --out ports/mojo/verdicts.json

    Spec: CONF-VERDICT-002.
    """
    from tenuto.conformance_tests.clauses import spec_folder  # noqa: PLC0415 - keeps the command line light
    from tenuto.conformance_tests.plan import all_cases  # noqa: PLC0415 - as above
    from tenuto.conformance_tests.verdicts import VerdictsError, read_verdicts, verdicts_text  # noqa: PLC0415 - as above

    try:
        found = read_verdicts(port_results, [case.id for case in all_cases(spec_folder())])
    except VerdictsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    _put(out, verdicts_text(found), check=check, remedy="run `make verdicts`")


def _put(path: Path, text: str, *, check: bool, remedy: str) -> None:
    """Writes a generated file, or ends with code 1 if it is to be checked and is another."""
    if not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return
    lines, wanted = path.read_text().splitlines() if path.is_file() else [], text.splitlines()
    if lines != wanted:
        same = [one == other for one, other in zip(lines, wanted, strict=False)]
        at = same.index(False) if False in same else len(same)
        now, then = (those[at].strip() if at < len(those) else "the end" for those in (lines, wanted))
        typer.echo(f"{path}:{at + 1}: {now}; expected {then}; {remedy}", err=True)
        raise typer.Exit(1)
