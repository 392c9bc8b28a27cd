"""Hashes and writes a file on several threads, each part at its offset; the bytes are those of `encode`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import xxhash

from tenuto.reference.checkpoint.gathering import gathered, write_all
from tenuto.reference.checkpoint.layout import Layout, Part, parts, tail
from tenuto.reference.checkpoint.storage import StorageOps
from tenuto.reference.checkpoint.workers import THREADS, run_tasks

__all__ = ["write_layout"]


def write_layout(ops: StorageOps, file: int, layout: Layout) -> None:
    """Writes a whole file.

    The device is given each part as soon as it is written, so that it works while the rest is hashed and written; the
    caller's sync waits for what is left. Extra memory is one part for each thread, and the table.

    Args:
        ops: The storage.
        file: New and empty, open for writing.
        layout: Of the file; its data must not change before this returns.

    Raises:
        OSError: What the system refused.

    Spec: STORE-SAVE-003, CKPT-CANON-001.
    """
    ops.allocate(file, layout.end)
    digests = [0] * len(layout.segments)
    run_tasks((partial(_do, ops, file, layout, part, digests) for part in parts(layout)), THREADS)
    _write_at(ops, file, layout.end, [tail(layout, digests)])


def _do(ops: StorageOps, file: int, layout: Layout, part: Part, digests: list[int]) -> None:
    for number in part.hashed:
        digests[number] = xxhash.xxh64_intdigest(layout.segments[number].data)
    _write_at(ops, file, part.offset, gathered(part.pieces))


def _write_at(ops: StorageOps, file: int, offset: int, pieces: Sequence[bytes | memoryview]) -> None:
    size = write_all(lambda at, left: ops.write_at(file, offset + at, left), pieces)
    ops.begin_sync(file, offset, size)
