"""From a document to the bytes of a file, front to back in one pass. Pure: yields pieces, opens nothing."""

from __future__ import annotations

from collections.abc import Iterator

import xxhash

from tenuto.reference.checkpoint import table
from tenuto.reference.checkpoint.canonical import encode_head
from tenuto.reference.checkpoint.constants import CODEC_NONE, SEGMENT_BYTES
from tenuto.reference.checkpoint.tree import Document, Tensor, refuse

__all__ = ["encode", "strip_origin"]


def encode(document: Document) -> Iterator[bytes | memoryview]:
    """Yields the canonical file in pieces, in order.

    Args:
        document: Its tensors are borrowed until the last piece has been taken; they must not change before that.

    Yields:
        Small pieces as bytes, tensor data as views without a copy.

    Raises:
        CheckpointError: Whatever `encode_head` refuses, before the first piece.

    Spec: CKPT-FRAME-005, CKPT-SEG-001 to CKPT-SEG-005, CKPT-CANON-001.
    """
    head, tensors = encode_head(document)
    pieces = [piece for tensor in tensors for piece in _cut(_in_memory(tensor))]
    yield head
    header = table.array_header(len(pieces))
    yield header
    at = len(head) + len(header)
    rows = []
    for piece in pieces:
        yield table.segment_header(at, piece.nbytes)
        yield piece
        start = table.segment_start(at)
        rows.append(table.Row(start, piece.nbytes, piece.nbytes, CODEC_NONE, xxhash.xxh64_intdigest(piece)))
        at = start + piece.nbytes
    packed = table.pack_table(rows)
    yield table.TABLE_KEY + packed
    yield table.TRAILER_KEY_AND_HEADER + _trailer(head, packed, at + len(table.TABLE_KEY)).pack()


def strip_origin(document: Document) -> Document:
    """Returns the document with an empty `metadata.origin`: what remains when two files are compared.

    Spec: CKPT-CANON-006.
    """
    metadata = document.head["metadata"]
    assert isinstance(metadata, dict)  # noqa: S101 - the reader has checked it
    return Document({**document.head, "metadata": {**metadata, "origin": {}}}, document.canonical)


def _in_memory(tensor: object) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise refuse(
            "unserializable_value",
            "tensor of an opened file; expected one whose data are loaded",
            phase="encode",
        )
    return tensor


def _cut(tensor: Tensor) -> Iterator[memoryview]:
    for start in range(0, tensor.size_bytes, SEGMENT_BYTES):
        yield tensor.data[start : start + SEGMENT_BYTES]


def _trailer(head: bytes, packed: bytes, table_offset: int) -> table.Trailer:
    length = table_offset + len(packed) + len(table.TRAILER_KEY_AND_HEADER) + len(table.Trailer(0, 0, 0, 0).pack())
    unsigned = table.Trailer(len(head), table_offset, length, 0)
    return table.Trailer(len(head), table_offset, length, table.frame_digest(head, packed, unsigned))
