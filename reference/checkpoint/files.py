"""Opening and reading checkpoint files: the shell around `reader`."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from attrs import frozen

from tenuto.reference.checkpoint.foreign import SNIFF_BYTES, name_foreign
from tenuto.reference.checkpoint.reader import BufferSource, OpenedCheckpoint, Source, open_checkpoint
from tenuto.reference.checkpoint.storage import PosixStorage, StorageOps
from tenuto.reference.checkpoint.tree import Document, refuse
from tenuto.reference.errors import CheckpointError

__all__ = [
    "FileSource",
    "foreign_name",
    "io_refusals",
    "open_file",
    "read_checkpoint",
    "verify_bytes",
    "verify_checkpoint",
]

_PHASES_OF_BYTES: Final = ("open", "head", "framing", "segment")


@frozen
class FileSource:
    """A file read in pieces on demand, so that opening a checkpoint reads its head and nothing else."""

    ops: StorageOps
    path: str
    file: int
    length: int

    def read(self, offset: int, count: int) -> memoryview:
        """Reads exactly `count` bytes."""
        parts: list[bytes] = []
        got = 0
        while got < count:
            with io_refusals(self.path):
                part = self.ops.read(self.file, offset + got, count - got)
            if not part:
                message = f"{self.path}: nothing at byte {offset + got}; expected {count - got} more bytes"
                raise refuse("io_error", message)
            parts.append(part)
            got += len(part)
        return memoryview(parts[0] if len(parts) == 1 else b"".join(parts))


@contextmanager
def io_refusals(path: str) -> Iterator[None]:
    """Turns the errors of reading a path into refusals.

    Spec: CKPT-READ-006.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:  # the second: a folder of the path is a file
        raise refuse("file_not_found", f"{path}: no such file; expected a checkpoint") from error
    except IsADirectoryError as error:
        raise refuse("not_a_file", f"{path}: not a regular file; expected a checkpoint") from error
    except OSError as error:
        if error.errno in {errno.ENXIO, errno.ENODEV}:  # a socket, or a device without a driver
            raise refuse("not_a_file", f"{path}: not a regular file; expected a checkpoint") from error
        raise refuse("io_error", f"{path}: {error.strerror or error}; expected to read it") from error


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """Puts the path in front of what is refused about the bytes of a file.

    Spec: ERR-CODE-006.
    """
    try:
        yield
    except CheckpointError as error:
        if error.phase not in _PHASES_OF_BYTES:
            raise
        raise refuse(error.code, f"{path}: {error.message}", phase=error.phase) from error


@contextmanager
def open_file(path: str | os.PathLike[str], ops: StorageOps | None = None) -> Iterator[OpenedCheckpoint]:
    """Opens a checkpoint without reading its tensors; they can be read while the context lasts.

    Raises:
        CheckpointError: `file_not_found`, `not_a_file`, `io_error`, or what `open_checkpoint` refuses.

    Spec: CKPT-READ-004, CKPT-READ-006.
    """
    ops, name = ops or PosixStorage(), os.fspath(path)
    with io_refusals(name):
        file = ops.open(name)
    try:
        with io_refusals(name):
            source: Source = FileSource(ops, name, file, ops.size(file))
        with _naming(name):
            yield open_checkpoint(source)
    finally:
        with io_refusals(name):
            ops.close(file)


def read_checkpoint(path: str | os.PathLike[str], *, verify: bool = True, ops: StorageOps | None = None) -> Document:
    """Reads a checkpoint whole.

    Args:
        path: A file.
        verify: Whether every byte is checked. Without it damaged tensors go unnoticed.
        ops: The storage to read through.

    Returns:
        The document; its tensors are private, writable views of the mapped file: no copy is made, and writing to one
        changes no file.

    Raises:
        CheckpointError: The code of the first check that fails.

    Spec: CKPT-READ-001, CKPT-READ-006, CKPT-VAL-009.
    """
    ops, name = ops or PosixStorage(), os.fspath(path)
    with io_refusals(name):
        file = ops.open(name)
        try:
            view = ops.map(file) if ops.size(file) else memoryview(b"")  # an empty file cannot be mapped
        finally:
            ops.close(file)
    with _naming(name):
        return open_checkpoint(BufferSource(view)).document(verify=verify)


def foreign_name(path: str | os.PathLike[str], ops: StorageOps | None = None) -> str | None:
    """Names what a file is instead of a checkpoint, if its first bytes tell; None if they do not, or cannot be read.

    Spec: STORE-CLI-003.
    """
    ops = ops or PosixStorage()
    try:
        file = ops.open(os.fspath(path))
        try:
            return name_foreign(ops.read(file, 0, SNIFF_BYTES))
        finally:
            ops.close(file)
    except OSError:
        return None  # a hint beside a refusal, which stands without it


def verify_checkpoint(path: str | os.PathLike[str], ops: StorageOps | None = None) -> OpenedCheckpoint:
    """Checks every byte of a file, reading it in pieces of a few MiB.

    Raises:
        CheckpointError: The code of the first check that fails.

    Spec: CKPT-READ-001.
    """
    with open_file(path, ops) as opened:
        opened.check_frame()
        opened.check_segments()
        return opened


def verify_bytes(path: str, data: bytes, ops: StorageOps) -> None:
    """Compares a file that is no checkpoint with what it is to hold.

    Raises:
        CheckpointError: `io_error`.

    Spec: STORE-SAVE-006, CPC-MAN-006.
    """
    with io_refusals(path):
        file = ops.open(path)
        try:
            is_same = ops.size(file) == len(data) and (not data or ops.map(file) == data)
        finally:
            ops.close(file)
    if not is_same:
        raise refuse("io_error", f"{path}: other bytes than were written; expected the same")
