"""Which tensors are compressed, and into what. Pure; on several threads where there is much to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final, NamedTuple, TypeAlias

from tenuto.reference.checkpoint.compression import MISSING, compressed, is_available
from tenuto.reference.checkpoint.constants import CODEC_NONE, CODEC_ZSTD, COMPRESSED_BYTES
from tenuto.reference.checkpoint.tree import Tensor, refuse
from tenuto.reference.checkpoint.workers import PARALLEL_BYTES, THREADS, run_tasks

__all__ = ["Packed", "Piece", "pack_tensors"]

_BYTES_MIN: Final = 1024  # the rows and paddings of smaller ones take what they spare
_SAMPLE_BYTES: Final = 64 << 10


class Piece(NamedTuple):
    """What one segment stores, and for how many raw bytes; borrowed where it is not compressed."""

    data: memoryview
    raw_bytes: int
    codec: int


Packed: TypeAlias = "dict[int, list[Piece]]"  # by the id of a tensor; of those alone that are compressed


def pack_tensors(tensors: Iterable[Tensor]) -> Packed:
    """Compresses the tensors for which it pays.

    Whether it does is tried on a sample of each large segment: noise is left as it is, quickly, and can still be
    mapped.

    Args:
        tensors: Borrowed; each once.

    Returns:
        Their segments, by the id of the tensor. They are all in memory until the file is written.

    Raises:
        CheckpointError: `unsupported_feature`, phase `encode`: the extra is not installed.

    Spec: CKPT-ZSTD-003 to CKPT-ZSTD-005.
    """
    if not is_available():
        raise refuse("unsupported_feature", f"compression: no zstd here; {MISSING}", phase="encode")
    large = [one for one in tensors if one.size_bytes >= _BYTES_MIN]
    made: Packed = {id(one): [Piece(raw, raw.nbytes, CODEC_NONE) for raw in _cut(one.data)] for one in large}
    tasks = (partial(_pack, pieces, at) for pieces in made.values() for at in range(len(pieces)))
    run_tasks(tasks, THREADS if sum(one.size_bytes for one in large) >= PARALLEL_BYTES else 1)
    return {key: pieces for key, pieces in made.items() if any(piece.codec == CODEC_ZSTD for piece in pieces)}


def _cut(data: memoryview) -> Iterator[memoryview]:
    return (data[at : at + COMPRESSED_BYTES] for at in range(0, data.nbytes, COMPRESSED_BYTES))


def _may_pay(data: memoryview) -> bool:
    if data.nbytes <= 4 * _SAMPLE_BYTES:
        return True
    middle = data.nbytes // 2
    return compressed(data[middle : middle + _SAMPLE_BYTES]) is not None


def _pack(pieces: list[Piece], at: int) -> None:
    raw = pieces[at].data
    stored = compressed(raw) if _may_pay(raw) else None
    if stored is not None:
        pieces[at] = Piece(memoryview(stored), raw.nbytes, CODEC_ZSTD)
