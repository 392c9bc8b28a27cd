"""From a document to the bytes of a file, front to back in one pass. Pure: yields pieces, opens nothing."""

from __future__ import annotations

from collections.abc import Iterator

import xxhash

from tenuto.reference.checkpoint.layout import Layout, lay_out, tail
from tenuto.reference.checkpoint.tree import Document

__all__ = ["encode", "pieces_of", "strip_origin"]


def encode(document: Document) -> Iterator[bytes | memoryview]:
    """Yields the canonical file in pieces, in order.

    Args:
        document: Its tensors are borrowed until the last piece has been taken; they must not change before that.

    Yields:
        Small pieces as bytes, tensor data as views without a copy.

    Raises:
        CheckpointError: Whatever `encode_head` refuses, before the first piece.

    Spec: CKPT-FRAME-005, CKPT-CANON-001.
    """
    yield from pieces_of(lay_out(document))


def pieces_of(layout: Layout) -> Iterator[bytes | memoryview]:
    """Yields the file of a layout in pieces, in order; hashes each segment when it has been taken."""
    yield layout.head
    yield layout.array_header
    digests = []
    for segment in layout.segments:
        yield segment.header
        yield segment.data
        digests.append(xxhash.xxh64_intdigest(segment.data))
    yield tail(layout, digests)


def strip_origin(document: Document) -> Document:
    """Returns the document with an empty `metadata.origin`: what remains when two files are compared.

    Spec: CKPT-CANON-006.
    """
    metadata = document.head["metadata"]
    assert isinstance(metadata, dict)  # noqa: S101 - the reader has checked it
    return Document({**document.head, "metadata": {**metadata, "origin": {}}}, document.canonical)
