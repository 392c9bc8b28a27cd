"""`tenuto train`: runs a job, fresh or resumed, and ends with the exit code of the failure contract."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]

_EXIT_FAILED = 1
_EXIT_INTERRUPTED = 130


class _Lines(logging.Handler):
    """Writes to the standard error of the moment, which a progress bar replaces while it is drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(self.format(record), err=True)


def register(app: typer.Typer) -> None:
    """Adds the command to the application."""
    app.command()(train)


def train(
    job: Annotated[
        Path, typer.Argument(metavar="JOB.py", help="A Python file with `build(config) -> tenuto.Trainer`.")
    ],
    resume: Annotated[
        str,
        typer.Option(help="never: start fresh. auto: continue the newest usable checkpoint of the folder. Or a path."),
    ] = "never",
    output: Annotated[Path, typer.Option(help="Folder of the checkpoints.")] = Path("checkpoints"),
    epochs: Annotated[
        int | None, typer.Option(min=1, help="How many epochs; the job's own number if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings, errors and the last line.")] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting of the job's own.")
    ] = None,
) -> None:
    """Trains a job, saving checkpoints from which it can be resumed exactly.

    A job is a Python file with a function build(config) that returns a tenuto.Trainer; config has checkpoint_dir,
    max_epochs, seed and setting(name, default).

    Start:      tenuto train examples/digits.py --output runs/a

    Continue:   tenuto train examples/digits.py --output runs/a --resume auto

    Ctrl-C and SIGTERM end the training after the current batch, with an emergency checkpoint; the exit code is then 130
    or 143. Without either, the newest checkpoint is where --resume auto continues.
    """
    from tenuto.reference.errors import TenutoError, TrainingInterrupted  # noqa: PLC0415 - commands load what they need when they run
    from tenuto.reference.trainer.job import TrainingConfig, load_job  # noqa: PLC0415 - as above

    logging.basicConfig(level=logging.WARNING if quiet else logging.INFO, format="%(message)s", handlers=[_Lines()])
    config = TrainingConfig(str(output), epochs, seed, _settings(set_ or []))
    try:
        result = load_job(job)(config).fit(resume)
    except KeyboardInterrupt:
        typer.echo("interrupted by Ctrl-C; --resume auto continues", err=True)
        raise typer.Exit(_EXIT_INTERRUPTED) from None
    except TrainingInterrupted as error:
        typer.echo(f"{error}; --resume auto continues", err=True)
        raise typer.Exit(error.exit_code) from None
    except TenutoError:
        raise
    except Exception:  # noqa: BLE001 - any failure of the job's own code
        traceback.print_exc()  # the user's to read, and not a fault of tenuto
        raise typer.Exit(_EXIT_FAILED) from None
    shown = "  ".join(
        f"{name} {value:.4f}" for name, value in sorted(result.metrics.items()) if not name.endswith("_step")
    )
    typer.echo(f"TRAINING COMPLETE: epoch {result.progress.epoch}, step {result.progress.global_step}  {shown}")


def _settings(pairs: list[str]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise typer.BadParameter(f"--set {pair}: expected KEY=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)
