"""Checking files for `tenuto verify`, with a progress bar where somebody watches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

from tenuto.cli.files import describe
from tenuto.reference.checkpoint import PosixStorage, verify_checkpoint
from tenuto.reference.checkpoint.files import foreign_name
from tenuto.reference.errors import CheckpointError

__all__ = ["progress", "verify_file"]

Advance = Callable[[int], None]


class _CountingStorage(PosixStorage):
    """Tells how many bytes were read."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance

    def read(self, file: int, offset: int, count: int) -> bytes:
        """Reads and tells."""
        data = super().read(file, offset, count)
        self._advance(len(data))
        return data

    def read_into(self, file: int, offset: int, buffer: memoryview) -> int:
        """Reads and tells."""
        taken = super().read_into(file, offset, buffer)
        self._advance(taken)
        return taken


def verify_file(path: Path, advance: Advance) -> dict[str, Any]:
    """Checks every byte of one file.

    Returns:
        `file`, `ok`; for a good file `bytes`, `canonical` and `segments`; for a bad one `code`, `phase`, `message` and
        `foreign` (what the file is, if its first bytes tell).

    Spec: STORE-CLI-001, STORE-CLI-003.
    """
    try:
        opened = verify_checkpoint(path, _CountingStorage(advance))
    except CheckpointError as error:
        told = {"code": error.code, "phase": error.phase, "message": describe(path, error)}
        foreign = foreign_name(path) if error.phase == "open" else None
        return {"file": str(path), "ok": False, **told, "foreign": foreign}
    facts = {"bytes": opened.source.length, "canonical": opened.is_canonical, "segments": len(opened.rows)}
    return {"file": str(path), "ok": True, **facts}


@contextmanager
def progress(paths: Sequence[Path]) -> Iterator[Advance]:
    """Shows a bar over all bytes on a terminal, and nothing elsewhere."""
    total = sum(path.stat().st_size for path in paths if path.is_file())
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    hidden = not (console.is_terminal and sys.stdout.isatty())
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("verify", total=total)
        yield lambda count: bar.advance(task, count)
