"""`tenuto spec`: the specification linter, and looking up a requirement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from tenuto.conformance_tests.registry import Specification

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Check the specification, or look up one of its requirements.")

_Root = Annotated[
    Path | None, typer.Option(metavar="DIR", help="A checkout; without it the one that this program was started from.")
]


@app.command()
def lint(
    root: _Root = None,
    fix_pending: Annotated[
        bool, typer.Option("--fix-pending", help="First remove `pending` from entries that have a test now.")
    ] = False,
) -> None:
    """Check prose, registry and tests against each other: one line per breach, exit code 1 if there is any.

    Example: tenuto spec lint --fix-pending
    """
    from tenuto.conformance_tests import spec_lint  # noqa: PLC0415 - yaml is needed by these commands only
    from tenuto.conformance_tests.registry import REGISTRY  # noqa: PLC0415 - as above

    root = root or _default_root()
    specification = _load(root)
    stale = spec_lint.stale_pending(specification) if fix_pending else set()
    if stale:
        registry = root / REGISTRY
        registry.write_text(spec_lint.without_pending(registry.read_text(), stale))
        typer.echo(f"removed `pending` from {len(stale)}: {', '.join(sorted(stale))}")
        specification = _load(root)
    breaches = spec_lint.lint(specification)
    for breach in breaches:
        typer.echo(str(breach))
    _print_summary(spec_lint.summary(specification), len(breaches))
    if breaches:
        raise typer.Exit(1)


@app.command()
def show(
    clause: Annotated[str, typer.Argument(help="The id of a requirement, such as CKPT-SEG-003.")],
    root: _Root = None,
) -> None:
    """Print a requirement: its text, level and profile, how it is observed, and which tests show it.

    Example: tenuto spec show CKPT-CANON-006
    """
    specification = _load(root or _default_root())
    wanted = clause.upper()
    entry = next((entry for entry in specification.entries if entry.id == wanted), None)
    if entry is None:
        topic = wanted.rpartition("-")[0]
        near = [other.id for other in specification.entries if topic and other.id.startswith(topic)]
        typer.echo(f"{clause}: no such requirement{'; there are ' + ', '.join(near) if near else ''}", err=True)
        raise typer.Exit(1)
    prose = next((str(one.place) for one in specification.requirements if one.id == wanted), "not in the prose")
    typer.echo(f"{wanted}  {prose}\n\n{entry.fields.get('text', '')}\n")
    for name in ("level", "profile", "since", "observe", "excluded", "pending"):
        if name in entry.fields:
            typer.echo(f"{name + ':':10}{entry.fields[name]}")
    tests = specification.tests_of(wanted)
    typer.echo(f"{'tests:':10}{len(tests) or 'none'}")
    for test in tests:
        typer.echo(f"  {test.place} {test.name}".rstrip())


def _default_root() -> Path:
    """The folder that holds `spec/`: the checkout of an editable install, or the package of an installed one."""
    import tenuto  # noqa: PLC0415 - not needed where --root is given

    return (Path(str(tenuto.__file__)).parent / "spec").resolve().parent


def _load(root: Path) -> Specification:
    try:
        from tenuto.conformance_tests import registry  # noqa: PLC0415 - needs yaml, which an extra installs
    except ModuleNotFoundError as error:
        typer.echo(f"{error.name} is not installed; run: pip install 'tenuto[conformance]'", err=True)
        raise typer.Exit(2) from error
    try:
        return registry.load(root)
    except FileNotFoundError as error:
        typer.echo(f"{error.filename}: no such file; expected a specification under {root}", err=True)
        raise typer.Exit(2) from error


def _print_summary(counts: dict[str, Any], breaches: int) -> None:
    for area, levels in counts["areas"].items():
        told = ", ".join(f"{count} {level}" for level, count in sorted(levels.items()))
        typer.echo(f"{area:6}{sum(levels.values()):4}  {told}")
    pending = ", ".join(f"{part} {count}" for part, count in sorted(counts["pending"].items())) or "none"
    typer.echo(f"{counts['requirements']} requirements: {counts['tested']} tested, {counts['excluded']} excluded")
    typer.echo(f"pending: {pending}")
    typer.echo(f"{breaches} breaches" if breaches else "no breaches")
