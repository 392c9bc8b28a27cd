"""The segment table and the frame: everything of a file that is computed from the sizes of its tensors. Pure."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgpack
import xxhash
from attrs import frozen

from tenuto.reference.checkpoint.canonical import pack
from tenuto.reference.checkpoint.constants import (
    ALIGNMENT_BYTES,
    CODEC_NONE,
    CODEC_ZSTD,
    COMPRESSED_BYTES,
    COMPRESSION_RATIO,
    MAGIC,
    SEGMENT_BYTES,
    SEGMENT_LIMIT,
    TAIL_KEYS,
    TRAILER_BYTES,
)
from tenuto.reference.checkpoint.tree import refuse

__all__ = [
    "TABLE_KEY",
    "TRAILER_KEY_AND_HEADER",
    "Row",
    "Trailer",
    "array_header",
    "frame_digest",
    "pack_table",
    "parse_table",
    "segment_header",
    "segment_start",
]

TABLE_KEY = pack(TAIL_KEYS[1])
TRAILER_KEY_AND_HEADER = pack(TAIL_KEYS[2]) + bytes([0xC4, TRAILER_BYTES])
_FIELDS = struct.Struct("<QQQQ8s")
_WELL_FORMED: Final = re.compile(  # possessive: it remembers nothing of what it has passed
    rb"(?:[\x90-\x9f]|\xdc..|\xdd....)(?:\x95(?:[\x00-\x7f]|\xcc.|\xcd..|\xce.{4}|\xcf.{8}){5}+)*+", re.DOTALL
)
_ZEROS: Final = bytes(ALIGNMENT_BYTES)
_ROW_BYTES_MIN = 6  # one array header and five fixints


class Row(NamedTuple):
    """One row of the segment table; offsets and sizes in bytes.

    Spec: CKPT-SEG-004.
    """

    offset: int
    stored_bytes: int
    raw_bytes: int
    codec: int
    xxh64: int


@frozen
class Trailer:
    """The last 40 bytes of a file.

    Spec: CKPT-FRAME-001, CKPT-FRAME-002.
    """

    head_length: int
    table_offset: int
    file_length: int
    xxh64: int
    magic: bytes = MAGIC

    def pack(self) -> bytes:
        """Returns the 40 bytes."""
        return _FIELDS.pack(self.head_length, self.table_offset, self.file_length, self.xxh64, self.magic)

    @classmethod
    def unpack(cls, data: bytes) -> Trailer:
        """Reads the 40 bytes, without any check."""
        return cls(*_FIELDS.unpack(data))


def frame_digest(head: bytes | memoryview, table: bytes | memoryview, trailer: Trailer) -> int:
    """Returns the trailer's own hash: over head, table and the trailer's first three fields.

    Spec: CKPT-FRAME-003.
    """
    digest = xxhash.xxh64(head)
    digest.update(table)
    digest.update(trailer.pack()[:24])
    return digest.intdigest()


def array_header(count: int) -> bytes:
    """Returns the shortest msgpack array header."""
    if count < 16:
        return bytes([0x90 | count])
    return b"\xdc" + count.to_bytes(2, "big") if count < 65536 else b"\xdd" + count.to_bytes(4, "big")


def segment_start(at: int) -> int:
    """Returns where the data of a segment lies whose bin32 header starts at `at`.

    Spec: CKPT-SEG-003.
    """
    return -(-(at + 5) // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def segment_header(at: int, stored_bytes: int) -> bytes:
    """Returns the bin32 header and the padding of a segment whose header starts at `at`.

    Spec: CKPT-SEG-003.
    """
    padding = segment_start(at) - at - 5
    return b"\xc6" + (padding + stored_bytes).to_bytes(4, "big") + _ZEROS[:padding]


def pack_table(rows: Iterable[Row]) -> bytes:
    """Packs the segment table canonically."""
    return pack(list(rows))


def parse_table(data: memoryview, *, compressed: bool = False) -> tuple[Row, ...]:
    """Parses the segment table, which must be canonical.

    Args:
        data: Its bytes.
        compressed: Whether the file says that it has compressed segments.

    Raises:
        CheckpointError: `segment_limit`, `bad_segment_table` or `unsupported_codec`.

    Spec: CKPT-SEG-004 to CKPT-SEG-007, CKPT-ZSTD-001, CKPT-ZSTD-003.
    """
    count, at = _table_count(data)
    if count > SEGMENT_LIMIT:
        raise refuse("segment_limit", f"rows of the segment table: {count}; expected at most {SEGMENT_LIMIT}")
    if count * _ROW_BYTES_MIN > len(data) - at:
        raise refuse("bad_segment_table", f"segment table: {count} rows in {len(data)} bytes; expected room for them")
    rows = _unpacked(data) or tuple(_rows(data, at, count))
    if pack_table(rows) != data:
        raise refuse("bad_segment_table", "segment table: not in canonical form; expected the shortest form")
    for number, row in enumerate(rows):
        if row.codec != CODEC_NONE or not 1 <= row.stored_bytes == row.raw_bytes <= SEGMENT_BYTES:
            _check_row(number, row, compressed=compressed)
    return rows


def _unpacked(data: memoryview) -> tuple[Row, ...]:
    """Reads a table that is built as it has to be, of which a decoder has nothing to fear; and nothing of another."""
    if not _WELL_FORMED.fullmatch(data):
        return ()
    try:
        return tuple([tuple.__new__(Row, fields) for fields in msgpack.unpackb(data)])
    except ValueError:  # another number of rows than the header says
        return ()


def _table_count(data: memoryview) -> tuple[int, int]:
    first = data[0]
    if first & 0xF0 == 0x90:
        return first & 0x0F, 1
    size = {0xDC: 2, 0xDD: 4}.get(first)
    if size is None or len(data) < 1 + size:
        raise refuse("bad_segment_table", f"segment table: starts with {data[:5].hex()}; expected an array")
    return int.from_bytes(data[1 : 1 + size], "big"), 1 + size


_UNSIGNED = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}


def _rows(data: memoryview, at: int, count: int) -> Iterator[Row]:
    """Reads rows of five unsigned integers; other kinds of defects show as a difference of the packed form."""
    raw = bytes(data)
    for number in range(count):
        if raw[at : at + 1] != b"\x95":
            raise refuse("bad_segment_table", f"segment table, row {number}: no array of five; expected one")
        at += 1
        fields = []
        for _ in range(5):
            size = _UNSIGNED.get(raw[at]) if at < len(raw) else 0
            if size == 0 or (size is None and raw[at] >= 0x80) or at + 1 + (size or 0) > len(raw):
                raise refuse("bad_segment_table", f"segment table, row {number}: no unsigned integer; expected five")
            fields.append(raw[at] if size is None else int.from_bytes(raw[at + 1 : at + 1 + size], "big"))
            at += 1 + (size or 0)
        yield Row(*fields)


def _check_row(number: int, row: Row, *, compressed: bool) -> None:
    for size in (row.stored_bytes, row.raw_bytes):
        if not 1 <= size <= SEGMENT_BYTES:
            message = f"segment table, row {number}: size {size}; expected 1 to {SEGMENT_BYTES}"
            raise refuse("bad_segment_table", message)
    sizes = f"{row.stored_bytes} stored of {row.raw_bytes} bytes"
    if row.codec == CODEC_ZSTD and compressed:
        if not row.stored_bytes < row.raw_bytes <= min(COMPRESSED_BYTES, COMPRESSION_RATIO * row.stored_bytes):
            rule = f"fewer, of at most {COMPRESSED_BYTES}, and one for each {COMPRESSION_RATIO}"
            raise refuse("bad_segment_table", f"segment table, row {number}: {sizes}; expected {rule}")
        return
    if row.codec != CODEC_NONE:
        raise refuse("unsupported_codec", f"segment {number}: codec {row.codec}; expected {CODEC_NONE}")
    if row.stored_bytes != row.raw_bytes:
        raise refuse("bad_segment_table", f"segment table, row {number}: {sizes}; expected all, uncompressed")
