"""The frame around the segments of a file, with a knob for every part that a vector breaks.

Spec: CKPT-SEG-003, CKPT-SEG-004, CKPT-FRAME-001, CKPT-FRAME-002, CKPT-FRAME-003.
"""

import struct

import xxhash
from attrs import Factory, frozen

from tenuto.conformance_tests.oracle import opcodes as op
from tenuto.conformance_tests.oracle.encoder import Encoder, shortest_array, shortest_int
from tenuto.conformance_tests.oracle.tree import Document

MAGIC = bytes.fromhex("8954454e55544f0a")
ALIGNMENT = 64


@frozen
class Row:
    """One row of the segment table, before it is encoded.

    Spec: CKPT-SEG-004.
    """

    offset: int
    stored: int
    raw: int
    codec: int
    xxh64: int

    def encode(self) -> bytes:
        """The row in canonical form."""
        fields = (self.offset, self.stored, self.raw, self.codec, self.xxh64)
        return op.fixarray(5) + b"".join(shortest_int(field) for field in fields)


@frozen
class Frame:
    """A file in parts. What is None or empty is computed as the specification asks; the rest is a fault.

    Attributes:
        head: the head, the key `segments` included.
        segments: the stored bytes of each segment.
        opening: header of the array of segments.
        openings: number of a segment -> its msgpack header, in place of the bin32 header.
        padding: number of a segment -> its padding.
        rows: number of a segment -> its row of the table.
        raw_bytes: number of a compressed segment -> how many bytes come out of it.
        gap: bytes between the last segment and the key `segment_table`.
        table: the encoded table.
        trailer_header: the two bytes before the payload of the trailer.
        head_length, table_offset, file_length, digest, magic: fields of the trailer.
    """

    head: bytes
    segments: tuple[bytes, ...] = ()
    opening: bytes | None = None
    openings: dict[int, bytes] = Factory(dict)
    padding: dict[int, bytes] = Factory(dict)
    rows: dict[int, Row] = Factory(dict)
    raw_bytes: dict[int, int] = Factory(dict)
    gap: bytes = b""
    table_key: bytes = op.fixstr(b"segment_table")
    table: bytes | None = None
    trailer_key: bytes = op.fixstr(b"trailer")
    trailer_header: bytes = b"\xc4\x28"
    head_length: int | None = None
    table_offset: int | None = None
    file_length: int | None = None
    digest: int | None = None
    magic: bytes = MAGIC

    def build(self) -> bytes:
        """The bytes of the file."""
        body, rows = self._segments()
        table_offset = _or(self.table_offset, len(body) + len(self.gap) + len(self.table_key))
        table = shortest_array(len(rows)) + b"".join(rows) if self.table is None else self.table
        out = body + self.gap + self.table_key + table + self.trailer_key + self.trailer_header
        fields = struct.pack(
            "<QQQ",
            _or(self.head_length, len(self.head)),
            table_offset,
            _or(self.file_length, len(out) + 40),
        )
        digest = _or(self.digest, self._digest(out, table_offset, fields))
        return out + fields + struct.pack("<Q", digest) + self.magic

    def _segments(self) -> tuple[bytes, list[bytes]]:
        """The file up to the end of the segments, and the rows that describe them."""
        out = bytearray(self.head)
        out += shortest_array(len(self.segments)) if self.opening is None else self.opening
        rows = []
        for number, data in enumerate(self.segments):
            header_length = len(self.openings.get(number, b"12345"))
            padding = self.padding.get(number, bytes(-(len(out) + header_length) % ALIGNMENT))
            bin32 = op.bin32(b"", length=len(padding) + len(data))
            out += self.openings.get(number, bin32) + padding
            raw = self.raw_bytes.get(number)
            found = Row(len(out), len(data), raw or len(data), int(raw is not None), xxhash.xxh64_intdigest(data))
            rows.append(self.rows.get(number, found).encode())
            out += data
        return bytes(out), rows

    def _digest(self, out: bytes, table_offset: int, fields: bytes) -> int:
        """The digest over what the trailer says is the head and the table, and over its own numbers.

        A reader takes the table to end 50 bytes before the end of the file; `out` lacks the last 40.

        Spec: CKPT-FRAME-003.
        """
        head_length = _or(self.head_length, len(self.head))
        covered = out[:head_length] + out[table_offset : len(out) - 10] + fields
        return xxhash.xxh64_intdigest(covered)


def _or(given: int | None, computed: int) -> int:
    return computed if given is None else given


def frame(document: Document, encoder: Encoder | None = None) -> Frame:
    """The frame of a document, canonical unless the encoder is another one."""
    used = encoder or Encoder()
    head = used.head(document)
    return Frame(head, tuple(used.segments))


def file(document: Document, encoder: Encoder | None = None) -> bytes:
    """The bytes of a document, canonical unless the encoder is another one.

    Spec: CKPT-CANON-001.
    """
    return frame(document, encoder).build()
