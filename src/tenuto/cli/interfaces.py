"""`tenuto spec generate` and `tenuto spec stub`, and what the interface files add to `lint` and `show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tenuto.cli.specification import Root, default_root

if TYPE_CHECKING:
    from tenuto.interfaces.items import Interfaces

__all__ = ["interface_breaches", "interface_items", "register"]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command()(generate)
    app.command()(stub)


def generate(
    root: Root = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 if a generated file is not up to date.")
    ] = False,
) -> None:
    """Write what follows from spec/v1/interfaces: constants of the reference, docs/reference, the table of error codes.

    Example: tenuto spec generate --check
    """
    root = root or default_root()
    interfaces = _load(root)
    from tenuto.interfaces import generate as generation  # noqa: PLC0415 - needs yaml, which `_load` looked for
    from tenuto.interfaces.prose import load_prose  # noqa: PLC0415 - as above

    files = generation.generated(interfaces, load_prose(root))
    changed = generation.stale(root, files) if check else generation.write(root, files)
    for path in changed:
        typer.echo(f"{path}: not up to date; run `make spec`" if check else path, err=check)
    if check and changed:
        raise typer.Exit(1)


def stub(
    lang: Annotated[Literal["python", "mojo"], typer.Option(help="The language of the port.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where to write; without it everything is printed.")
    ] = None,
    root: Root = None,
) -> None:
    """Write the skeleton of a port: callbacks with all hooks, contexts, settings, error codes, constants of the format.

    Example: tenuto spec stub --lang mojo --out my_port
    """
    interfaces = _load(root or default_root())
    from tenuto.interfaces.stub_mojo import mojo_stub  # noqa: PLC0415 - needs yaml, which `_load` looked for
    from tenuto.interfaces.stub_python import python_stub  # noqa: PLC0415 - as above

    modules = python_stub(interfaces) if lang == "python" else mojo_stub(interfaces)
    if out is None:
        typer.echo("\n".join(f"# ---- {name}\n{text}" for name, text in modules.items()))
        return
    for name in modules:
        if (out / name).exists():
            typer.echo(f"{out / name}: is there; expected a folder without it", err=True)
            raise typer.Exit(2)
    out.mkdir(parents=True, exist_ok=True)
    for name, text in modules.items():
        (out / name).write_text(text)
        typer.echo(f"{out / name}")


def interface_breaches(root: Path) -> tuple[list[str], str]:
    """Checks the interface files, and the reference against them.

    Returns:
        A line for each breach, and one line about the whole.
    """
    from tenuto.interfaces.check import check  # noqa: PLC0415 - needs yaml
    from tenuto.interfaces.load import is_there  # noqa: PLC0415 - as above

    if not is_there(root):
        return [], "interfaces: none here"
    result = check(root)
    waiting = ", ".join(f"{part} {count}" for part, count in sorted(result.pending.items())) or "none"
    return [*map(str, result.findings)], f"interfaces: {result.items} items; pending: {waiting}"


def interface_items(root: Path, clause: str) -> list[str]:
    """Returns a line for each item of the interface files that names a requirement."""
    from tenuto.interfaces.load import is_there  # noqa: PLC0415 - needs yaml

    interfaces = _load(root) if is_there(root) else ()
    return [
        f"{item.place} {item.name}" + (f": {item.text}" if item.text else "")
        for interface in interfaces
        for item in interface.items()
        if item.clause == clause
    ]


def _load(root: Path) -> Interfaces:
    """Loads the interface files; ends the command with a line that says what is wrong if it cannot.

    Raises:
        typer.Exit: Code 2 if a package or a file is missing, 1 if a file is malformed.
    """
    try:
        from tenuto.interfaces.load import InterfaceError, load  # noqa: PLC0415 - needs yaml, which an extra installs
    except ModuleNotFoundError as error:
        typer.echo(f"{error.name} is not installed; run: pip install 'tenuto[conformance]'", err=True)
        raise typer.Exit(2) from error
    try:
        return load(root)
    except FileNotFoundError as error:
        typer.echo(f"{error.filename}: no such file; expected an interface file under {root}", err=True)
        raise typer.Exit(2) from error
    except InterfaceError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
