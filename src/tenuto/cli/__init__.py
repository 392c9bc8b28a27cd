"""The command line: `tenuto COMMAND`. What takes long to import is imported inside the command that needs it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from importlib import metadata
from typing import Annotated

import typer

from tenuto.cli.files import register as register_file_commands
from tenuto.cli.spec import app as spec_app
from tenuto.cli.train import register as register_train
from tenuto.cli.verify_resume import register as register_verify_resume
from tenuto.reference.errors import ConfigError, TenutoError, TrainingInterrupted

__all__ = ["app", "main"]

_HELP = """Training that resumes exactly, and checkpoints whose every byte is checked.

Train, and resume:         tenuto train examples/digits.py --resume auto

Prove that it is exact:     tenuto verify-resume job.py

Look at a checkpoint:      tenuto inspect checkpoints/latest.ckpt

Check a folder of them:    tenuto verify checkpoints/

Compare two trainings:     tenuto diff a/latest.ckpt b/latest.ckpt

Exit codes: 0 done, 1 the thing checked is bad, 2 usage, 3 a fault of tenuto itself, 130 and 143 interrupted.
"""

app = typer.Typer(
    help=_HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tenuto {metadata.version('tenuto')}")
        raise typer.Exit


@app.callback(help=_HELP)
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Takes the options that stand before a command."""


register_train(app)
register_verify_resume(app)
register_file_commands(app)
app.add_typer(spec_app, name="spec")
if importlib.util.find_spec("tenuto.cli.conformance"):
    app.add_typer(importlib.import_module("tenuto.cli.conformance").app, name="conformance")


def main() -> None:
    """Runs the command line and ends the process with an exit code of STORE-CLI.

    A refusal of ours is one line, never a traceback; anything else that a command lets through is a fault of tenuto,
    code 3. A command that runs other people's code turns its failures into an exit code by itself.

    Spec: STORE-CLI-001.
    """
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except TrainingInterrupted as error:
        typer.echo(f"tenuto: {error}", err=True)
        sys.exit(error.exit_code)
    except ConfigError as error:
        typer.echo(f"tenuto: {error}", err=True)
        sys.exit(2)
    except TenutoError as error:
        typer.echo(f"tenuto: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read has seen enough
        sys.exit(0)
    except Exception:  # noqa: BLE001 - the last line of defense: the exit code tells our fault from a bad file
        traceback.print_exc()
        sys.exit(3)
