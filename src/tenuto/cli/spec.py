"""`tenuto spec`: the specification linter, and looking up a requirement."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tenuto.cli.interfaces import interface_breaches, interface_items
from tenuto.cli.interfaces import register as register_interfaces
from tenuto.cli.specification import Root, default_root, load
from tenuto.cli.trace import register as register_trace

if TYPE_CHECKING:
    from tenuto.conformance_tests.registry import Specification

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Check the specification, or look up one of its requirements.")

register_trace(app)
register_interfaces(app)


@app.command()
def lint(
    root: Root = None,
    fix_pending: Annotated[
        bool, typer.Option("--fix-pending", help="First remove `pending` from entries that have a test now.")
    ] = False,
    sync: Annotated[
        bool, typer.Option("--sync", help="First write the texts and levels of the prose into the registry.")
    ] = False,
    add_missing: Annotated[
        bool, typer.Option("--add-missing", help="First add a skeleton for each requirement without an entry.")
    ] = False,
    pending: Annotated[
        bool, typer.Option("--pending", help="Name every MUST without a test, under the part that it waits for.")
    ] = False,
    excluded: Annotated[
        bool, typer.Option("--excluded", help="Name every requirement that cannot be seen, with the reason.")
    ] = False,
) -> None:
    """Check prose, registry, interfaces, code and tests against each other: one line per breach, exit code 1 if any.

    Example: tenuto spec lint --fix-pending
    """
    root = root or default_root()
    specification = load(root)
    from tenuto.conformance_tests import counts, spec_lint  # noqa: PLC0415 - need yaml, which `load` looked for

    if fix_pending or sync or add_missing:
        _write_registry(root, specification, fix_pending=fix_pending, sync=sync, add_missing=add_missing)
        specification = load(root)
    of_interfaces, told = interface_breaches(root)
    breaches = [*map(str, spec_lint.lint(specification)), *of_interfaces]
    for breach in breaches:
        typer.echo(breach)
    for line in counts.summary(specification, pending=pending, excluded=excluded):
        typer.echo(line)
    typer.echo(told)
    typer.echo(f"{len(breaches)} breaches" if breaches else "no breaches")
    if breaches:
        raise typer.Exit(1)


@app.command()
def show(
    clause: Annotated[str, typer.Argument(help="The id of a requirement, such as CKPT-SEG-003.")],
    root: Root = None,
) -> None:
    """Print a requirement: explanation, how it is observed, interface items, mutants, and the tests that show it.

    Example: tenuto spec show CKPT-CANON-006
    """
    root = root or default_root()
    specification = load(root)
    wanted = clause.upper()
    entry = next((entry for entry in specification.entries if entry.id == wanted), None)
    if entry is None:
        topic = wanted.rpartition("-")[0]
        near = [other.id for other in specification.entries if topic and other.id.startswith(topic)]
        typer.echo(f"{clause}: no such requirement{'; there are ' + ', '.join(near) if near else ''}", err=True)
        raise typer.Exit(1)
    one = next((one for one in specification.requirements if one.id == wanted), None)
    typer.echo(f"{wanted}  {one.place if one else 'not in the prose'}\n\n{entry.fields.get('text', '')}\n")
    if one and one.explanation:
        typer.echo(f"{one.explanation}\n")
    for name in ("level", "profile", "since", "observe", "excluded", "pending", "retired", "reason"):
        if name in entry.fields:
            typer.echo(f"{name + ':':10}{entry.fields[name]}")
    items = interface_items(root, wanted)
    typer.echo(f"{'items:':10}{len(items) or 'none'}")
    for item in items:
        typer.echo(f"  {item}")
    mutants, tests = specification.mutants_of(wanted), specification.tests_of(wanted)
    typer.echo(f"{'mutants:':10}{', '.join(mutant.entry.id for mutant in mutants) or 'none'}")
    typer.echo(f"{'tests:':10}{len(tests) or 'none'}")
    for test in tests:
        typer.echo(f"  {test.place} {test.name}".rstrip())


def _write_registry(
    root: Path, specification: Specification, *, fix_pending: bool, sync: bool, add_missing: bool
) -> None:
    from tenuto.conformance_tests import registry_text  # noqa: PLC0415 - needs yaml, which `load` looked for
    from tenuto.conformance_tests.registry import REGISTRY  # noqa: PLC0415 - as above

    text = (root / REGISTRY).read_text()
    told: dict[str, list[str]] = {}
    if fix_pending:
        stale = registry_text.stale_pending(specification)
        text, told["removed `pending` from"] = registry_text.without_pending(text, stale), sorted(stale)
    if sync:
        text, told["took the prose into"] = registry_text.with_prose(text, specification)
    if add_missing:
        text, told["added a skeleton for"] = registry_text.with_missing(text, specification)
    (root / REGISTRY).write_text(text)
    for what, ids in told.items():
        if ids:
            typer.echo(f"{what} {len(ids)}: {', '.join(ids)}")
