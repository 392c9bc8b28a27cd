"""`tenuto train`: runs a job, fresh or resumed, and ends with the exit code of the failure contract."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from tenuto.reference.trainer.loop import Trainer

__all__ = ["SEED_MAX", "parse_settings", "register"]

_EXIT_FAILED = 1
_EXIT_INTERRUPTED = 130
SEED_MAX: Final = 2**63 - 1


class _Lines(logging.Handler):
    """Writes to the standard error of the moment, which a progress bar replaces while it is drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(self.format(record) + "\n")


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
    output: Annotated[
        Path | None, typer.Option(help="Folder of the checkpoints: config.checkpoint_dir.", show_default="checkpoints")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="How many epochs: config.max_epochs.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=SEED_MAX, help="Of everything random: config.seed.")] = 0,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Only the progress bar, warnings, errors and the last line.")
    ] = False,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="For config.setting(KEY, default).")
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
    from tenuto.reference.errors import TenutoError, TrainingInterrupted  # noqa: PLC0415 - loaded when it is needed
    from tenuto.reference.trainer.job import TrainingConfig, build_trainer, load_job  # noqa: PLC0415 - as above

    logging.basicConfig(level=logging.WARNING if quiet else logging.INFO, format="%(message)s", handlers=[_Lines()])
    config = TrainingConfig(str(output or "checkpoints"), epochs, seed, parse_settings(set_ or []))
    trainer = None
    try:
        trainer = build_trainer(load_job(job), config, is_folder_given=output is not None)
        result = trainer.fit(resume)
    except KeyboardInterrupt:
        typer.echo(f"interrupted by Ctrl-C{_advice(trainer)}", err=True)
        raise typer.Exit(_EXIT_INTERRUPTED) from None
    except TrainingInterrupted as error:
        typer.echo(f"{error}{_advice(trainer)}", err=True)
        raise typer.Exit(error.exit_code) from None
    except TenutoError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the job's own code does
        _show_failure(error, job)
        raise typer.Exit(_EXIT_FAILED) from None
    metrics = {name: value for name, value in result.metrics.items() if not name.endswith("_step")}
    shown = "  ".join(f"{name} {value:.4f}" for name, value in sorted(metrics.items()))
    typer.echo(f"TRAINING COMPLETE: epoch {result.progress.epoch}, step {result.progress.global_step}  {shown}")


def _advice(trainer: Trainer | None) -> str:
    """Returns how to go on, if there is something to go on from."""
    from tenuto.reference.checkpoint.ledger import read_ledger  # noqa: PLC0415 - loaded when it is needed

    folder = trainer.checkpoint_folder if trainer is not None else None
    return "; --resume auto continues" if folder and read_ledger(folder).entries else "; nothing was saved"


def _show_failure(error: BaseException, job: Path) -> None:
    """Prints the traceback from the job's own file on: what lies above is tenuto's."""
    trace = error.__traceback__
    while trace is not None and Path(trace.tb_frame.f_code.co_filename) != job.absolute():
        trace = trace.tb_next
    if isinstance(error, SystemExit):
        typer.echo(f"the job ended itself: {error!r}", err=True)
    elif trace is None and not isinstance(error, SyntaxError):
        traceback.print_exception(error)
    else:
        traceback.print_exception(type(error), error, trace)


def parse_settings(pairs: list[str]) -> dict[str, str]:
    """Returns the settings of `--set KEY=VALUE`."""
    for pair in pairs:
        if "=" not in pair[1:]:
            raise typer.BadParameter(f"--set {pair}: expected KEY=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)
