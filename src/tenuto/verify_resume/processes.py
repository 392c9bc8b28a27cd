"""Starts the runs, each in a fresh process, and follows how far they have come."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from tenuto.verify_resume.record import Record, read_records
from tenuto.verify_resume.request import Request

__all__ = ["Follow", "JobFailed", "Run", "run"]

Follow = Callable[[int], None]
_POLL_SECONDS = 0.1
_USAGE = 2
_LINES_SHOWN = 20


class JobFailed(Exception):  # noqa: N818 - what happened, as in TrainingInterrupted
    """A job that does not train: refused for usage, with the code in the message, or failed by itself.

    Attributes:
        exit_code: 2 for usage, 1 for a failure, whose last lines are in the message.
    """

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@frozen
class Run:
    """What came of a process.

    Attributes:
        exit_code: Negative for the signal that killed it.
        records: Its boundaries.
        output: What it wrote to both streams.
        folder: Where it saved.
    """

    exit_code: int
    records: list[Record]
    output: str
    folder: str


def run(request: Request, expected: tuple[int, ...], follow: Follow) -> Run:
    """Trains in a fresh process.

    Args:
        request: What to do.
        expected: Exit codes with which it may end.
        follow: Called again and again with the number of boundaries recorded so far.

    Raises:
        JobFailed: It was refused, or has failed.

    Spec: TR-VER-007.
    """
    base = Path(request.record)
    asked, log = base.with_suffix(".request.json"), base.with_suffix(".log")
    request.write(asked)
    command = [sys.executable, "-m", "tenuto.verify_resume.worker", str(asked)]
    environment = {**os.environ, **(request.suspect.environment() if request.suspect else {})}
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        try:
            counted = _Lines(base)
            while process.poll() is None:
                follow(counted.so_far())
                _wait(process)
        finally:
            process.kill()  # whatever ended the wait; nothing, if it has ended by itself
            process.wait()
    text = log.read_text(errors="replace")
    if process.returncode not in expected:
        raise _failure(process.returncode, text)
    return Run(process.returncode, read_records(base), text, request.folder)


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_POLL_SECONDS)
    except subprocess.TimeoutExpired:
        return


class _Lines:
    """Counts the lines of a record while it grows: one for each boundary and a few more."""

    def __init__(self, record: Path) -> None:
        self._record, self._read, self._count = record, 0, 0

    def so_far(self) -> int:
        if self._record.exists():
            with self._record.open("rb") as file:
                file.seek(self._read)
                new = file.read()
            self._read, self._count = self._read + len(new), self._count + new.count(b"\n")
        return self._count


def _failure(exit_code: int, text: str) -> JobFailed:
    lines = text.strip().splitlines()
    if exit_code == _USAGE and lines:
        return JobFailed(lines[-1], exit_code=_USAGE)
    shown = "".join(f"\n  {line}" for line in lines[-_LINES_SHOWN:])
    return JobFailed(f"job: ended with exit code {exit_code}; expected it to train{shown}", exit_code=1)
