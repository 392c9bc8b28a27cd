"""What checkpoints lie in a folder: read from their heads, never from names, times or links."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from attrs import frozen

from tenuto.reference.checkpoint import files
from tenuto.reference.checkpoint.storage import PosixStorage, StorageOps
from tenuto.reference.errors import CheckpointError

_T = TypeVar("_T")

__all__ = ["DamagedFile", "Entry", "Ledger", "read_entry", "read_ledger"]


@frozen
class Entry:
    """One checkpoint file, as its head describes it.

    Attributes:
        name: In the folder.
        position: `(epoch, batch_in_epoch, global_step)`; a later state compares greater.
        parent: `checkpoint_id` of the state that its attempt started from, or None.
        identity: What two names of one file have in common; None for a symbolic link.
    """

    name: str
    checkpoint_id: str
    run_id: str
    attempt: int
    position: tuple[int, int, int]
    is_exact: bool
    is_full: bool
    reasons: tuple[str, ...]
    parent: str | None
    identity: tuple[int, int] | None


@frozen
class DamagedFile:
    """A file that cannot be used, and why."""

    name: str
    code: str
    message: str


@frozen
class Ledger:
    """Everything in a folder that ends in `.ckpt`."""

    entries: tuple[Entry, ...]
    damaged: tuple[DamagedFile, ...]

    def run_ids(self) -> tuple[str, ...]:
        """Returns the runs that have files here, sorted."""
        return tuple(sorted({entry.run_id for entry in self.entries}))

    def last_attempt(self, run_id: str) -> int:
        """Returns the greatest attempt of a run, 0 if it has no file.

        Spec: TR-RES-007.
        """
        return max((entry.attempt for entry in self.entries if entry.run_id == run_id), default=0)

    def newest_first(self) -> list[Entry]:
        """Returns the full checkpoints, each file once, the newest state first.

        Spec: TR-RES-001.
        """
        unique = {entry.checkpoint_id: entry for entry in reversed(self.entries) if entry.is_full}
        return sorted(unique.values(), key=lambda entry: (entry.attempt, entry.position), reverse=True)


def read_ledger(folder: str, ops: StorageOps | None = None) -> Ledger:
    """Reads the head of every checkpoint in a folder; a missing folder has none.

    Spec: STORE-NAME-004.
    """
    ops = ops or PosixStorage()
    try:
        names = [name for name in ops.names(folder) if name.endswith(".ckpt") and not name.startswith(".")]
    except (FileNotFoundError, NotADirectoryError):
        names = []
    found = [_read(folder, name, ops) for name in names]
    return Ledger(_only(found, Entry), _only(found, DamagedFile))


def _only(items: Iterable[Any], kind: type[_T]) -> tuple[_T, ...]:
    return tuple(item for item in items if isinstance(item, kind))


def _read(folder: str, name: str, ops: StorageOps) -> Entry | DamagedFile:
    try:
        return read_entry(folder, name, ops)
    except CheckpointError as error:
        return DamagedFile(name, error.code, str(error))


def read_entry(folder: str, name: str, ops: StorageOps | None = None) -> Entry:
    """Reads one head.

    Raises:
        CheckpointError: What opening refuses; `missing_key` if the trainer's metadata are not there.
    """
    ops, path = ops or PosixStorage(), os.path.join(folder, name)
    with files.open_file(path, ops) as opened:
        metadata: Any = opened.head["metadata"]
    try:
        return _entry(name, metadata, ops.identity(path))
    except (KeyError, TypeError, ValueError) as error:
        message = f"{path}: metadata of no training state ({error!r}); expected progress, exact, kind and origin"
        raise CheckpointError("missing_key", message, phase="head") from error


def _entry(name: str, metadata: Mapping[str, Any], identity: tuple[int, int] | None) -> Entry:
    origin, progress = metadata["origin"], metadata["progress"]
    return Entry(
        name=name,
        checkpoint_id=str(origin["checkpoint_id"]),
        run_id=str(origin["run_id"]),
        attempt=int(origin["attempt"]),
        position=(int(progress["epoch"]), int(progress["batch_in_epoch"]), int(progress["global_step"])),
        is_exact=metadata["exact"] is True,
        is_full=metadata["kind"] == "full",
        reasons=tuple(str(reason) for reason in origin["reasons"]),
        parent=origin["parent"],
        identity=identity,
    )
