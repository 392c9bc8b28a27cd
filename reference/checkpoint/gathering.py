"""Gathered writes: many pieces in few system calls, however little of them each call takes."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from tenuto.reference.checkpoint.storage import StorageOps

__all__ = ["gathered", "write_all", "write_pieces"]

_GATHER_PIECES: Final = 256  # well under the system's limit for one gathered write
_GATHER_BYTES: Final = 1 << 20


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
        write_all(lambda _, left: ops.write(file, left), batch)


def _batches(pieces: Iterable[bytes | memoryview]) -> Iterator[list[bytes | memoryview]]:
    """Groups small pieces, so that a file of many small tensors takes few system calls; the smallest are joined."""
    batch: list[bytes | memoryview] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= _GATHER_BYTES:
            yield gathered(batch)
            batch, size = [], 0
    yield gathered(batch)


def gathered(pieces: list[bytes | memoryview]) -> list[bytes | memoryview]:
    """Returns pieces that one gathered write takes: these, or a copy of them in one where they are too many."""
    return pieces if len(pieces) <= _GATHER_PIECES else [b"".join(pieces)]


def write_all(write: Callable[[int, Sequence[memoryview]], int], pieces: Iterable[bytes | memoryview]) -> int:
    """Writes every byte of a batch, however little each call takes.

    Args:
        write: Given how many bytes have been taken and the pieces that are left, returns how many it took.
        pieces: Bytes, or views of bytes.

    Returns:
        How many bytes that were.

    Raises:
        OSError: What the system refused, or that it took nothing: asked again, it might say so for ever.

    Spec: STORE-SAVE-003.
    """
    batch = [memoryview(piece) for piece in pieces if len(piece)]
    done = 0
    while batch:
        taken = write(done, batch)
        if not taken:
            raise OSError(errno.EIO, "no byte was written")
        done += taken
        while batch and taken >= batch[0].nbytes:
            taken -= batch.pop(0).nbytes
        if taken:
            batch[0] = batch[0][taken:]
    return done
