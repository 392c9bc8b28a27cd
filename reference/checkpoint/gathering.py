"""Gathered writes: many pieces in few system calls, however little of them each call takes."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from typing import Final

from tenuto.reference.checkpoint.storage import StorageOps

__all__ = ["write_pieces"]

_GATHER_PIECES: Final = 256  # well under the system's limit for one gathered write
_GATHER_BYTES: Final = 8 << 20


def write_pieces(ops: StorageOps, file: int, pieces: Iterable[bytes | memoryview]) -> None:
    """Writes every byte of all pieces, in their order.

    Args:
        ops: The storage.
        file: Open for writing.
        pieces: Borrowed; each is asked for when it is to be written.

    Raises:
        OSError: What the system refused.

    Spec: STORE-SAVE-003.
    """
    for batch in _batches(pieces):
        _write_all(ops, file, batch)


def _batches(pieces: Iterable[bytes | memoryview]) -> Iterator[list[memoryview]]:
    """Groups small pieces, so that a file of many small tensors takes few system calls."""
    batch: list[memoryview] = []
    size = 0
    for piece in pieces:
        view = memoryview(piece)
        if view.nbytes:
            batch.append(view)
            size += view.nbytes
        if len(batch) >= _GATHER_PIECES or size >= _GATHER_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _write_all(ops: StorageOps, file: int, batch: list[memoryview]) -> None:
    """Writes every byte of a batch, however little each call takes.

    Spec: STORE-SAVE-003.
    """
    while batch:
        taken = ops.write(file, batch)
        if not taken:
            raise OSError(errno.EIO, "no byte was written")  # asked again, it might say so for ever
        while batch and taken >= batch[0].nbytes:
            taken -= batch.pop(0).nbytes
        if taken:
            batch[0] = batch[0][taken:]
