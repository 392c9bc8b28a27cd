"""Where the commands of `tenuto spec` find the specification, and what they say if they do not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tenuto.conformance_tests.registry import Specification

__all__ = ["Root", "default_root", "load"]

Root = Annotated[
    Path | None, typer.Option(metavar="DIR", help="A checkout; without it the one that this program was started from.")
]


def default_root() -> Path:
    """The folder that holds `spec/`: the checkout of an editable install, or the package of an installed one."""
    import tenuto  # noqa: PLC0415 - not needed where --root is given

    return (Path(str(tenuto.__file__)).parent / "spec").resolve().parent


def load(root: Path) -> Specification:
    """Loads the specification; ends the command with a line that says what is wrong if it cannot.

    Raises:
        typer.Exit: Code 2 if a package or a file is missing, 1 if a file is no YAML or JSON.
    """
    try:
        import yaml  # noqa: PLC0415 - an extra installs it

        from tenuto.conformance_tests import registry  # noqa: PLC0415 - needs yaml
    except ModuleNotFoundError as error:
        typer.echo(f"{error.name} is not installed; run: pip install 'tenuto[conformance]'", err=True)
        raise typer.Exit(2) from error
    try:
        return registry.load(root)
    except FileNotFoundError as error:
        typer.echo(f"{error.filename}: no such file; expected a specification under {root}", err=True)
        raise typer.Exit(2) from error
    except (yaml.YAMLError, ValueError, SyntaxError) as error:
        typer.echo(f"{root}: a file cannot be read: {error}", err=True)
        raise typer.Exit(1) from error
