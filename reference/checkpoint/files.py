"""Opening and reading checkpoint files: the shell around `reader`."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import xxhash
from attrs import field, frozen

from tenuto.reference.checkpoint.foreign import SNIFF_BYTES, name_foreign
from tenuto.reference.checkpoint.reader import OpenedCheckpoint, open_checkpoint
from tenuto.reference.checkpoint.refusals import IoRefusals
from tenuto.reference.checkpoint.source import BufferSource, Source
from tenuto.reference.checkpoint.storage import PosixStorage, StorageOps
from tenuto.reference.checkpoint.tree import Document, Tensor, refuse
from tenuto.reference.errors import CheckpointError

__all__ = [
    "FileSource",
    "foreign_name",
    "open_file",
    "read_checkpoint",
    "read_tensors",
    "verify_bytes",
    "verify_checkpoint",
]

_BUFFER_BYTES: Final = 1 << 20  # stays in the cache of a processor between reading and hashing
_PHASES_OF_BYTES: Final = ("open", "head", "framing", "segment")


@frozen
class FileSource:
    """A file read in pieces on demand, so that opening a checkpoint reads its head and nothing else."""

    ops: StorageOps
    path: str
    file: int
    length: int
    _own: threading.local = field(factory=threading.local)

    def read(self, offset: int, count: int) -> memoryview:
        """Reads exactly `count` bytes."""
        parts: list[bytes] = []
        got = 0
        while got < count:
            with IoRefusals(self.path):
                part = self.ops.read(self.file, offset + got, count - got)
            if not part:
                raise self._cut_off(offset + got, count - got)
            parts.append(part)
            got += len(part)
        return memoryview(parts[0] if len(parts) == 1 else b"".join(parts))

    def digest(self, offset: int, count: int) -> int:
        """Reads through a buffer that each thread keeps: fresh memory would take longer than the hash."""
        if not hasattr(self._own, "buffer"):
            self._own.buffer = memoryview(bytearray(_BUFFER_BYTES))
        buffer: memoryview = self._own.buffer
        digest, got = xxhash.xxh64(), 0
        while got < count:
            with IoRefusals(self.path):
                taken = self.ops.read_into(self.file, offset + got, buffer[: min(_BUFFER_BYTES, count - got)])
            if not taken:
                raise self._cut_off(offset + got, count - got)
            digest.update(buffer[:taken])
            got += taken
        return digest.intdigest()

    def _cut_off(self, at: int, left: int) -> CheckpointError:
        return refuse("io_error", f"{self.path}: nothing at byte {at}; expected {left} more bytes")


class _Naming:
    """Puts the path in front of what is refused about the bytes of a file. A class for the reason of `IoRefusals`.

    Spec: ERR-CODE-006.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Does nothing."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, CheckpointError) and error.phase in _PHASES_OF_BYTES:
            raise refuse(error.code, f"{self._path}: {error.message}", phase=error.phase) from error


@contextmanager
def open_file(path: str | os.PathLike[str], ops: StorageOps | None = None) -> Iterator[OpenedCheckpoint]:
    """Opens a checkpoint without reading its tensors; they can be read while the context lasts.

    Raises:
        CheckpointError: `file_not_found`, `not_a_file`, `io_error`, or what `open_checkpoint` refuses.

    Spec: CKPT-READ-004, CKPT-READ-006.
    """
    ops, name = ops or PosixStorage(), os.fspath(path)
    with IoRefusals(name):
        file = ops.open(name)
    try:
        with IoRefusals(name):
            source: Source = FileSource(ops, name, file, ops.size(file))
        with _Naming(name):
            yield open_checkpoint(source)
    finally:
        with IoRefusals(name):
            ops.close(file)


def read_checkpoint(path: str | os.PathLike[str], *, verify: bool = True, ops: StorageOps | None = None) -> Document:
    """Reads a checkpoint whole.

    Args:
        path: A file.
        verify: Whether every byte is checked. Without it damaged tensors go unnoticed.
        ops: The storage to read through.

    Returns:
        The document; its tensors are private, writable views of the mapped file: no copy is made, but of what is
        compressed or cut, and writing to one changes no file.

    Raises:
        CheckpointError: The code of the first check that fails.

    Spec: CKPT-READ-001, CKPT-READ-006, CKPT-VAL-009.
    """
    name = os.fspath(path)
    view = _mapped(name, ops or PosixStorage())
    with _Naming(name):
        return open_checkpoint(BufferSource(view)).document(verify=verify)


def read_tensors(
    path: str | os.PathLike[str], names: Iterable[str], *, verify: bool = True, ops: StorageOps | None = None
) -> dict[str, Tensor]:
    """Reads some tensors of a checkpoint and no other.

    Args:
        path: A file.
        names: Dotted paths of tensors, such as `model_state.layers.0.weight`.
        verify: Whether the bytes of these tensors are checked.
        ops: The storage to read through.

    Returns:
        The tensors by name; as for `read_checkpoint` they are views of the mapped file.

    Raises:
        KeyError: No tensor of the file has the name.
        CheckpointError: The code of the first check that fails.

    Spec: CKPT-READ-004, CKPT-SEG-008.
    """
    name = os.fspath(path)
    view = _mapped(name, ops or PosixStorage())
    with _Naming(name):
        return open_checkpoint(BufferSource(view)).tensors(names, verify=verify)


def _mapped(path: str, ops: StorageOps) -> memoryview:
    with IoRefusals(path):
        file = ops.open(path)
        try:
            return ops.map(file) if ops.size(file) else memoryview(b"")  # an empty file cannot be mapped
        finally:
            ops.close(file)


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
    with IoRefusals(path):
        file = ops.open(path)
        try:
            is_same = ops.size(file) == len(data) and (not data or ops.map(file) == data)
        finally:
            ops.close(file)
    if not is_same:
        raise refuse("io_error", f"{path}: other bytes than were written; expected the same")
