"""From compressed segments to tensors. Pure; on several threads where there is much to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from tenuto.reference.checkpoint.compression import decompressed
from tenuto.reference.checkpoint.constants import CODEC_ZSTD
from tenuto.reference.checkpoint.source import Source
from tenuto.reference.checkpoint.table import Row
from tenuto.reference.checkpoint.tree import StoredTensor
from tenuto.reference.checkpoint.workers import PARALLEL_BYTES, THREADS, run_tasks

__all__ = ["check_contents", "unpack"]


def check_contents(source: Source, rows: Sequence[Row]) -> None:
    """Decodes every compressed segment and keeps none of it.

    Raises:
        CheckpointError: `bad_compressed_segment`.

    Spec: CKPT-ZSTD-006.
    """
    numbers = [number for number, row in enumerate(rows) if row.codec == CODEC_ZSTD]
    _run((partial(_raw, source, rows[number], number) for number in numbers), (rows[number] for number in numbers))


def unpack(source: Source, rows: Sequence[Row], tensors: Iterable[StoredTensor]) -> dict[int, memoryview]:
    """Returns the data of those tensors that have a compressed segment, by their id; each in memory of its own.

    Raises:
        CheckpointError: `bad_compressed_segment`.

    Spec: CKPT-ZSTD-005, CKPT-ZSTD-006.
    """
    made: dict[int, memoryview] = {}
    tasks: list[Callable[[], object]] = []
    taken: list[Row] = []
    for tensor in tensors:
        own = [rows[number] for number in tensor.segments]
        if id(tensor) in made or all(row.codec != CODEC_ZSTD for row in own):
            continue
        made[id(tensor)] = target = memoryview(bytearray(tensor.size_bytes))
        at = 0
        for number, row in zip(tensor.segments, own, strict=True):
            tasks.append(partial(_place, source, row, number, target[at : at + row.raw_bytes]))
            at += row.raw_bytes
        taken += own
    _run(tasks, taken)
    return made


def _run(tasks: Iterable[Callable[[], object]], rows: Iterable[Row]) -> None:
    run_tasks(tasks, THREADS if sum(row.raw_bytes for row in rows) >= PARALLEL_BYTES else 1)


def _place(source: Source, row: Row, number: int, target: memoryview) -> None:
    target[:] = _raw(source, row, number)


def _raw(source: Source, row: Row, number: int) -> bytes | memoryview:
    stored = source.read(row.offset, row.stored_bytes)
    return decompressed(number, stored, row.raw_bytes) if row.codec == CODEC_ZSTD else stored
