"""What a process is asked to do: train a job, and where to stop it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from attrs import asdict, evolve, field, frozen

from tenuto.verify_resume.record import Moment

__all__ = ["Request", "Suspect"]


class Suspect(StrEnum):
    """What may make two uninterrupted runs differ; a run can be made without it."""

    GENERATORS = "generators"
    CLOCK = "clock"
    KERNELS = "kernels"

    def environment(self) -> dict[str, str]:
        """Returns the variables with which a process without it has to be started."""
        if self is Suspect.CLOCK:
            return {"PYTHONHASHSEED": "0"}  # the order of sets of text
        return {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"} if self is Suspect.KERNELS else {}


@frozen
class Request:
    """One run of a job.

    Attributes:
        job: The Python file.
        folder: Where it saves.
        record: Where the record is written.
        seed: `config.seed`.
        epochs: `config.max_epochs`, or None.
        settings: `config.settings`.
        is_resumed: Whether it continues from what lies in its folder.
        stop: The boundary at which it is stopped, or None.
        signal: What stops it: `SIGTERM` there, or `SIGKILL` once a checkpoint of it or a later one is durable.
        steps_max: After so many steps training is ended as if by a callback, or None.
        suspect: What is taken out of the run, or None.
    """

    job: str
    folder: str
    record: str
    seed: int = 0
    epochs: int | None = None
    settings: Mapping[str, str] = field(factory=dict)
    is_resumed: bool = False
    stop: Moment | None = None
    signal: str = "SIGTERM"
    steps_max: int | None = None
    suspect: Suspect | None = None

    def write(self, path: Path) -> None:
        """Writes it for the process that is started."""
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Request:
        """Reads what `write` has written."""
        made = cls(**json.loads(path.read_text()))
        stop = Moment(**made.stop) if isinstance(made.stop, dict) else None
        return evolve(made, stop=stop, suspect=Suspect(made.suspect) if made.suspect else None)
