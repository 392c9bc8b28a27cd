"""From the bytes of a file to a document, with every check of the specification in its order. Pure: see `Source`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Final, Protocol

import xxhash
from attrs import define, frozen

from tenuto.reference.checkpoint import table, tensors
from tenuto.reference.checkpoint.canonical import encode_head, major_version, segment_count
from tenuto.reference.checkpoint.constants import (
    FILE_MIN_BYTES,
    FORMAT_MAJOR,
    HEAD_LIMIT,
    MAGIC,
    SEGMENT_BYTES,
    TRAILER_BYTES,
)
from tenuto.reference.checkpoint.head import parse_head
from tenuto.reference.checkpoint.tree import (
    Document,
    StoredTensor,
    Tensor,
    Tree,
    map_tensors,
    refuse,
    tensors_of,
)

__all__ = ["BufferSource", "OpenedCheckpoint", "Source", "open_checkpoint"]

_TAIL_BYTES: Final = len(table.TRAILER_KEY_AND_HEADER) + TRAILER_BYTES
_FIRST_KEY: Final = re.compile(
    # a map header of at least one pair, then the str "version" in any of its forms
    rb"(?:[\x81-\x8f]|\xde(?!\x00\x00)..|\xdf(?!\x00\x00\x00\x00)....)"
    rb"(?:\xa7|\xd9\x07|\xda\x00\x07|\xdb\x00\x00\x00\x07)version",
    re.DOTALL,
)
_FIRST_PAIR_MAX_BYTES: Final = 64
_PIECE_BYTES: Final = 4 << 20


class Source(Protocol):
    """Random access to the bytes of one file."""

    @property
    def length(self) -> int:
        """Size in bytes."""

    def read(self, offset: int, count: int) -> memoryview:
        """Returns exactly `count` bytes; both are inside the file."""


@frozen
class BufferSource:
    """A file that lies in memory, or is mapped: views, never copies."""

    buffer: memoryview

    @property
    def length(self) -> int:
        """Size in bytes."""
        return self.buffer.nbytes

    def read(self, offset: int, count: int) -> memoryview:
        """Returns a view."""
        return self.buffer[offset : offset + count]


@define(slots=False)
class OpenedCheckpoint:
    """A file whose head and table are checked; the tensors have not been touched.

    Attributes:
        head: The head keys; tensors are `StoredTensor`, shared ones one object.
        rows: The segment table.
        trailer: Sizes and the digest of the frame.
    """

    source: Source
    head: dict[str, Tree]
    rows: tuple[table.Row, ...]
    trailer: table.Trailer
    _head_bytes: memoryview

    def check_frame(self) -> None:
        """Recomputes every byte that no hash covers.

        Raises:
            CheckpointError: `bad_framing`.

        Spec: CKPT-FRAME-004.
        """
        at = self.trailer.head_length
        for offset, expected in self._frame(at):
            inside = offset + len(expected) <= self.source.length
            if not inside or self.source.read(offset, len(expected)) != expected:
                raise refuse(
                    "bad_framing",
                    f"byte {offset}: not what the segment table implies; expected {expected[:16].hex()}",
                )

    def _frame(self, at: int) -> Iterator[tuple[int, bytes]]:
        header = table.array_header(len(self.rows))
        yield at, header
        at += len(header)
        for number, row in enumerate(self.rows):
            start = table.segment_start(at)
            if row.offset != start:
                raise refuse("bad_framing", f"segment {number}: offset {row.offset}; expected {start}")
            yield at, table.segment_header(at, row.stored_bytes)
            at = start + row.stored_bytes
        yield at, table.TABLE_KEY
        if at + len(table.TABLE_KEY) != self.trailer.table_offset:
            expected = at + len(table.TABLE_KEY)
            raise refuse("bad_framing", f"table_offset: {self.trailer.table_offset}; expected {expected}")
        yield self.source.length - _TAIL_BYTES, table.TRAILER_KEY_AND_HEADER

    def check_segments(self) -> None:
        """Compares every segment with its digest. Reads the whole file; call `check_frame` first.

        Raises:
            CheckpointError: `segment_digest_mismatch`.

        Spec: CKPT-SEG-008.
        """
        for number, row in enumerate(self.rows):
            digest = xxhash.xxh64()
            for start in range(0, row.stored_bytes, _PIECE_BYTES):
                digest.update(self.source.read(row.offset + start, min(_PIECE_BYTES, row.stored_bytes - start)))
            self._compare(number, digest.intdigest())

    def _checked(self, number: int) -> memoryview:
        data = self._stored(number)
        self._compare(number, xxhash.xxh64_intdigest(data))
        return data

    def _compare(self, number: int, digest: int) -> None:
        if digest != self.rows[number].xxh64:
            raise refuse(
                "segment_digest_mismatch",
                f"segment {number}: other bytes than were written; expected its xxh64",
            )

    def _stored(self, number: int) -> memoryview:
        row = self.rows[number]
        return self.source.read(row.offset, row.stored_bytes)

    def document(self, *, verify: bool = True) -> Document:
        """Returns the whole document.

        Args:
            verify: Whether frame and segments are checked; without it damaged tensors go unnoticed.

        Returns:
            Tensors of one segment are views of the source; cut ones are copies.

        Raises:
            CheckpointError: `bad_framing` or `segment_digest_mismatch`.

        Spec: CKPT-VAL-009, CKPT-READ-004.
        """
        self.check_frame()
        made: dict[int, Tensor] = {}

        def load(stored: Tensor | StoredTensor) -> Tree:
            if not isinstance(stored, StoredTensor):
                return stored
            if id(stored) not in made:
                fetch = self._checked if verify else self._stored
                parts = [fetch(number) for number in stored.segments]
                data = parts[0] if len(parts) == 1 else memoryview(b"".join(parts))
                made[id(stored)] = Tensor(stored.dtype, stored.shape, data)
            return made[id(stored)]

        return Document({key: map_tensors(value, load) for key, value in self.head.items()}, self.is_canonical)

    @cached_property
    def is_canonical(self) -> bool:
        """Whether the file is the canonical form of its document.

        Spec: CKPT-CANON-003.
        """
        cuts = all(_cut_canonically(tensor, self.rows) for _, tensor in tensors_of(self.head))
        return cuts and encode_head(Document(self.head))[0] == self._head_bytes


def _cut_canonically(tensor: Tensor | StoredTensor, rows: tuple[table.Row, ...]) -> bool:
    if not isinstance(tensor, StoredTensor):
        return True
    full = all(rows[number].raw_bytes == SEGMENT_BYTES for number in tensor.segments[:-1])
    return full and len(tensor.segments) == segment_count(tensor.size_bytes)


def open_checkpoint(source: Source) -> OpenedCheckpoint:
    """Opens a file: steps 1 to 15 of the reading order. Touches the head, the table and the trailer, no tensor.

    Raises:
        CheckpointError: The code of the first check that fails, phase `open`, `head` or `framing`.

    Spec: CKPT-READ-001, CKPT-READ-004.
    """
    trailer = _check_ends(source)
    head_bytes = source.read(0, trailer.head_length)
    table_bytes = source.read(trailer.table_offset, source.length - _TAIL_BYTES - trailer.table_offset)
    if table.frame_digest(head_bytes, table_bytes, trailer) != trailer.xxh64:
        raise refuse(
            "head_digest_mismatch",
            "head or segment table: other bytes than were written; expected the trailer's xxh64",
        )
    head = parse_head(head_bytes)
    rows = table.parse_table(table_bytes)
    tensors.check_references(((path, one) for path, one in tensors_of(head) if isinstance(one, StoredTensor)), rows)
    return OpenedCheckpoint(source, head, rows, trailer, head_bytes)


def _check_ends(source: Source) -> table.Trailer:
    """Steps 1 to 7: size, first pair, magic, sizes in the trailer."""
    length = source.length
    if length < FILE_MIN_BYTES:
        raise refuse("file_too_small", f"size of the file: {length} bytes; expected at least {FILE_MIN_BYTES}")
    _check_version(bytes(source.read(0, _FIRST_PAIR_MAX_BYTES)))
    trailer = table.Trailer.unpack(bytes(source.read(length - TRAILER_BYTES, TRAILER_BYTES)))
    if trailer.magic != MAGIC:
        expected = f"{MAGIC.hex()} (the file was cut off, or something was added)"
        raise refuse("bad_magic", f"last 8 bytes: {trailer.magic.hex()}; expected {expected}")
    if trailer.file_length != length:
        raise refuse("wrong_length", f"size of the file: {length} bytes; expected {trailer.file_length}")
    keys = 1 + len(table.TABLE_KEY)
    ordered = (
        13 <= trailer.head_length <= trailer.table_offset - keys and trailer.table_offset <= length - _TAIL_BYTES - 1
    )
    if not ordered:
        sizes = f"head_length {trailer.head_length}, table_offset {trailer.table_offset}"
        raise refuse("bad_trailer", f"trailer: {sizes}; expected them in order inside {length} bytes")
    if trailer.head_length > HEAD_LIMIT:
        raise refuse("head_limit", f"size of the head: {trailer.head_length} bytes; expected at most {HEAD_LIMIT}")
    return trailer


def _check_version(start: bytes) -> None:
    key = _FIRST_KEY.match(start)
    version = _read_str(start, key.end()) if key else None
    major = major_version(version) if version is not None else None
    if version is None or major is None:
        raise refuse(
            "not_a_checkpoint",
            f"start of the file: {start[:16].hex()}; expected a msgpack map that begins with version",
        )
    if major != FORMAT_MAJOR:
        raise refuse("unsupported_version", f"version: {version.decode()}; expected {FORMAT_MAJOR}.x")


def _read_str(start: bytes, at: int) -> bytes | None:
    """Returns the str at `at`, or None for another kind of value or one that is cut off."""
    first = start[at]
    size = {0xD9: 1, 0xDA: 2, 0xDB: 4}.get(first, 0)
    if not size and first & 0xE0 != 0xA0:
        return None
    length = int.from_bytes(start[at + 1 : at + 1 + size], "big") if size else first & 0x1F
    text = start[at + 1 + size : at + 1 + size + length]
    return text if len(text) == length else None
