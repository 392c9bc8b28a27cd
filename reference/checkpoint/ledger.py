"""What checkpoints lie in a folder: read from their heads, never from names, times or links."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any, Final, TypeVar

from tenuto.reference.checkpoint import files
from tenuto.reference.checkpoint.entries import DamagedFile, Entry, Ledger, is_run_id
from tenuto.reference.checkpoint.refusals import IoRefusals
from tenuto.reference.checkpoint.storage import PosixStorage, StorageOps
from tenuto.reference.checkpoint.tree import refuse
from tenuto.reference.errors import CheckpointError

_T = TypeVar("_T")
_EPOCH: Final = re.compile(r"epoch_(0|[1-9]\d*)", re.ASCII)
_IN_EPOCH: Final = "checkpoint.ckpt"

__all__ = ["entry_of", "read_entry", "read_ledger"]


def read_ledger(folder: str, ops: StorageOps | None = None) -> Ledger:
    """Reads the head of every checkpoint in a folder; a missing folder has none.

    Raises:
        CheckpointError: `io_error`, phase `io`, if the folder is there and cannot be listed.

    Spec: STORE-NAME-004, TR-RES-022, TR-RES-024.
    """
    ops = ops or PosixStorage()
    try:
        names = [name for present in ops.names(folder) if (name := _checkpoint_name(present)) is not None]
    except (FileNotFoundError, NotADirectoryError):
        names = []
    except OSError as error:
        message = f"folder {folder}: {error.strerror or error}; expected to list it"
        raise refuse("io_error", message, phase="io") from error
    found = [_read(folder, name, ops) for name in names]
    return Ledger(_only(found, Entry), _only(found, DamagedFile))


def _checkpoint_name(present: str) -> str | None:
    """Returns under which name a checkpoint may lie that belongs to a name in a folder; None for any other name.

    Spec: STORE-DIR-001.
    """
    if _EPOCH.fullmatch(present):
        return f"{present}/{_IN_EPOCH}"
    return present if present.endswith(".ckpt") and not present.startswith(".") else None


def _only(items: Iterable[Any], kind: type[_T]) -> tuple[_T, ...]:
    return tuple(item for item in items if isinstance(item, kind))


def _read(folder: str, name: str, ops: StorageOps) -> Entry | DamagedFile | None:
    """Returns what is known of a name; None for what is no file of this folder.

    Spec: STORE-DIR-001.
    """
    try:
        with IoRefusals(os.path.join(folder, name)):
            return read_entry(folder, name, ops) if _lies_in(folder, name, ops) else None
    except CheckpointError as error:
        if error.code in {"file_not_found", "not_a_file"}:
            return None
        return DamagedFile(name, error.code, str(error))


def _lies_in(folder: str, name: str, ops: StorageOps) -> bool:
    """Returns whether a name is a regular file of a folder, or a link that leads to one, or to that of an epoch.

    What a folder inside of it holds counts only where that folder is no link: it might lead anywhere.
    """
    path, inner = os.path.join(folder, name), os.path.dirname(name)
    if inner and ops.resolve(os.path.join(folder, inner)) != os.path.join(ops.resolve(folder), inner):
        return False
    if ops.identity(path) is not None:
        return True
    parent, last = os.path.split(os.path.relpath(ops.resolve(path), ops.resolve(folder)))
    return parent == "" or (last == _IN_EPOCH and _EPOCH.fullmatch(parent) is not None)


def read_entry(folder: str, name: str, ops: StorageOps | None = None) -> Entry:
    """Reads one head.

    Raises:
        CheckpointError: What opening refuses; `not_resumable` if the metadata are not those of a training state.
    """
    ops, path = ops or PosixStorage(), os.path.join(folder, name)
    with files.open_file(path, ops) as opened:
        metadata: Any = opened.head["metadata"]
    with IoRefusals(path):
        identity = ops.identity(path)
    try:
        return entry_of(name, metadata, identity)
    except (KeyError, TypeError, ValueError) as error:
        message = f"{path}: metadata of no training state ({error!r}); expected progress, exact, kind and origin"
        raise CheckpointError("not_resumable", message, phase="restore") from error


def entry_of(name: str, metadata: Any, identity: tuple[int, int] | None) -> Entry:  # noqa: ANN401 - a checked tree
    """Returns what the metadata of a training state tell of its file.

    Args:
        name: Of the file, in its folder.
        metadata: Of the document.
        identity: See `Entry`.

    Raises:
        KeyError, TypeError, ValueError: They are not those of a training state.
        CheckpointError: `not_resumable` for a run that no file name can have.
    """
    origin, progress = metadata["origin"], metadata["progress"]
    if not is_run_id(origin["run_id"]):
        message = f"{name}: metadata.origin.run_id: {origin['run_id']!r}; expected 1 to 64 of A-Z a-z 0-9 . _ -"
        raise CheckpointError("not_resumable", message, phase="restore")
    return Entry(
        name=name,
        checkpoint_id=str(origin["checkpoint_id"]),
        run_id=origin["run_id"],
        attempt=int(origin["attempt"]),
        position=_position(progress["epoch"], progress["batch_in_epoch"], progress["global_step"]),
        is_exact=metadata["exact"] is True,
        is_full=metadata["kind"] == "full",
        reasons=tuple(str(reason) for reason in origin["reasons"]),
        parent=origin["parent"],
        lineage=tuple((int(attempt), _position(*position)) for attempt, *position in origin["lineage"]),
        identity=identity,
        timestamp=str(origin.get("timestamp", "")),
    )


def _position(epoch: object, batch_in_epoch: object, global_step: object) -> tuple[int, int, int]:
    return int(str(epoch)), int(str(batch_in_epoch)), int(str(global_step))
