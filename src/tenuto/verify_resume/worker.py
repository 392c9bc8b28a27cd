"""The process that trains: `python -m tenuto.verify_resume.worker REQUEST.json`."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path

from tenuto.reference.errors import ConfigError, TenutoError, TrainingInterrupted
from tenuto.reference.trainer.job import TrainingConfig, build_trainer, load_job
from tenuto.verify_resume.record import RecordWriter
from tenuto.verify_resume.request import Request
from tenuto.verify_resume.torch_probe import Probe, attached
from tenuto.verify_resume.torch_suspects import take_out

__all__ = ["main"]


def run(request: Request) -> None:
    """Trains the job as `tenuto train` does, watched.

    Raises:
        TenutoError: Whatever the trainer refuses; `no_checkpoint_dir` for a job that saves nothing.
    """
    take_out(request.suspect, request.seed)
    config = TrainingConfig(request.folder, request.epochs, request.seed, request.settings)
    with Path(request.record).open("w") as file:
        probe = Probe(request, RecordWriter(file))
        build = load_job(request.job)
        with attached(probe):
            trainer = build_trainer(build, config, is_folder_given=True)
        if trainer.checkpoint_folder is None:
            message = "job: no callback saves checkpoints; expected a tenuto.CheckpointCallback(config.checkpoint_dir)"
            raise ConfigError("no_checkpoint_dir", message)
        trainer.fit("auto" if request.is_resumed else "never")


def main() -> int:
    """Runs the request and returns the exit code of the failure contract."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        run(Request.read(Path(sys.argv[1])))
    except TrainingInterrupted as error:
        return error.exit_code
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except TenutoError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (Exception, SystemExit):  # noqa: BLE001 - whatever the job's own code does; SystemExit(0) is no success
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
