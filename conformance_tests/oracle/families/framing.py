"""Invalid files whose head is sound: the table, the references, the frame, the data.

Spec: CKPT-READ-001 steps 14 to 17, CKPT-VAL-006 to CKPT-VAL-011, CKPT-SEG-003 to CKPT-SEG-008, CKPT-FRAME-004.
"""

from collections.abc import Iterable

import xxhash
from attrs import evolve

from tenuto.conformance_tests.oracle import opcodes as op
from tenuto.conformance_tests.oracle.encoder import Encoder, shortest_ext, shortest_int
from tenuto.conformance_tests.oracle.frame import Frame, Row, frame
from tenuto.conformance_tests.oracle.tree import Raw, Tensor, Tree, filled, make
from tenuto.conformance_tests.oracle.vector import Vector, flip, invalid

ONE, TWO = filled("uint8", 9), filled("uint8", 70, seed=5)
BASE = frame(make(model_state=[ONE, TWO]))
DATA = BASE.build()
START = len(BASE.head) + 6  # the first byte after the header of the first segment
FIRST = START + -START % 64
SECOND = FIRST + 9 + 5 + -(FIRST + 9 + 5) % 64
ROW = Row(FIRST, 9, 9, 0, xxhash.xxh64_intdigest(ONE.data))
ROW2 = Row(SECOND, 70, 70, 0, xxhash.xxh64_intdigest(TWO.data))


def _numbered(first: int, code: str, reqs: str, files: Iterable[tuple[str, bytes | Frame]]) -> list[Vector]:
    return [invalid(first + index, code, title, reqs, data) for index, (title, data) in enumerate(files)]


def _row(*fields: bytes, header: bytes = op.fixarray(5)) -> Frame:
    """The base with its first row made of encoded fields."""
    table = op.fixarray(2) + header + b"".join(fields) + ROW2.encode()
    return evolve(BASE, table=table)


def tables() -> list[Vector]:
    """Tables that are not in form."""
    one, two = ROW.encode(), ROW2.encode()
    off, size, codec, digest = map(shortest_int, (ROW.offset, ROW.stored, ROW.codec, ROW.xxh64))
    limit = 4294963201
    files: list[tuple[str, bytes | Frame]] = [
        ("nil in place of the table", evolve(BASE, table=op.NIL)),
        ("a map in place of the table", evolve(BASE, table=op.fixmap(1) + one + two)),
        ("a row that is an integer", evolve(BASE, table=op.fixarray(2) + op.fixint(1) + two)),
        ("a row of four", _row(off, size, size, codec, header=op.fixarray(4))),
        ("a row of six", _row(off, size, size, codec, digest, op.NIL, header=op.fixarray(6))),
        ("an offset that is a float", _row(op.float64_bits(0), size, size, codec, digest)),
        ("an offset that is nil", _row(op.NIL, size, size, codec, digest)),
        ("a hash that is a bin", _row(off, size, size, codec, op.bin8(ROW.xxh64.to_bytes(8, "big")))),
        ("a size in a longer form", _row(off, op.uint8(9), size, codec, digest)),
        ("a size in a signed form", _row(off, op.int8(9), size, codec, digest)),
        ("the table as array16", evolve(BASE, table=op.array16(2) + one + two)),
        ("a row as array16", _row(off, size, size, codec, digest, header=op.array16(5))),
        ("a byte after the rows", evolve(BASE, table=op.fixarray(2) + one + two + op.NIL)),
        ("a row less than declared", evolve(BASE, table=op.fixarray(3) + one + two)),
        ("the last row cut short", evolve(BASE, table=op.fixarray(2) + one + two[:-1])),
        ("stored_bytes and raw_bytes 0", evolve(BASE, rows={0: evolve(ROW, stored=0, raw=0)})),
        ("sizes beyond the greatest segment", evolve(BASE, rows={0: evolve(ROW, stored=limit, raw=limit)})),
        ("codec 0 with stored_bytes other than raw_bytes", evolve(BASE, rows={0: evolve(ROW, stored=8)})),
        ("table_offset one too great", evolve(BASE, table_offset=_table_offset() + 1)),
        ("table_offset one too small", evolve(BASE, table_offset=_table_offset() - 1)),
    ]
    found = _numbered(300, "bad_segment_table", "SEG-007 SEG-004 SEG-005", files)
    bomb = evolve(frame(make()), table=op.array32(2**32 - 1))
    found.append(invalid(325, "segment_limit", "a table of 2^32-1 rows in five bytes", "LIM-001 LIM-003", bomb))
    codecs = [(f"codec {codec}", evolve(BASE, rows={0: evolve(ROW, codec=codec)})) for codec in (1, 2, 255, 2**64 - 1)]
    return found + _numbered(327, "unsupported_codec", "SEG-006", codecs)


def _table_offset() -> int:
    return DATA.rindex(op.fixstr(b"segment_table")) + 14


def _tensor(dtype: str, shape: list[Tree], *numbers: int) -> Raw:
    return Raw(shortest_ext(1, Encoder().value([dtype, shape, list(numbers)])))


def _refers(segments: tuple[bytes, ...], *tensors: Raw) -> Frame:
    """A file with these segments and with tensors that name them as they please."""
    return Frame(Encoder().head(make(model_state=list(tensors))), segments)


def references() -> list[Vector]:
    """Segment numbers that are out of range, repeated or shared by different tensors."""
    eight = bytes(range(8))
    pair = (eight, eight[::-1])
    files = [
        ("the number of segments", _refers((eight,), _tensor("uint8", [8], 0), _tensor("uint8", [8], 1))),
        ("a number without any segment", _refers((), _tensor("uint8", [8], 0))),
        ("the number 2^32", _refers((eight,), _tensor("uint8", [8], 0), _tensor("uint8", [8], 2**32))),
        ("the number 2^64-1", _refers((eight,), _tensor("uint8", [8], 0), _tensor("uint8", [8], 2**64 - 1))),
        ("one number twice in a tensor", _refers((eight,), _tensor("uint8", [16], 0, 0))),
        ("shared with another dtype", _refers((eight,), _tensor("int32", [2], 0), _tensor("float32", [2], 0))),
        ("shared with another shape", _refers((eight,), _tensor("uint8", [8], 0), _tensor("uint8", [2, 4], 0))),
        ("a part shared", _refers(pair, _tensor("uint8", [16], 0, 1), _tensor("uint8", [8], 1))),
        ("shared in another order", _refers(pair, _tensor("uint8", [16], 0, 1), _tensor("uint8", [16], 1, 0))),
        ("a chain of overlaps", _refers((*pair, eight), _tensor("int8", [16], 0, 1), _tensor("int8", [16], 1, 2))),
    ]
    found = _numbered(335, "bad_segment_ref", "VAL-010", files)
    unnamed = [
        ("a segment without any tensor", _refers((eight,))),
        ("the last of two segments", _refers(pair, _tensor("uint8", [8], 0))),
        ("the first of two segments", _refers(pair, _tensor("uint8", [8], 1))),
        ("a segment beside an empty tensor", _refers((eight,), _tensor("uint8", [0]))),
    ]
    return found + _numbered(365, "unreferenced_segment", "VAL-011", unnamed)


def sizes() -> list[Vector]:
    """Shapes that do not fit the bytes, some only when nothing wraps."""
    eight = (bytes(range(8)),)
    files = [
        ("an element too many", _refers(eight, _tensor("uint8", [9], 0))),
        ("an element too few", _refers(eight, _tensor("uint8", [7], 0))),
        ("the shape alone fits", _refers(eight, _tensor("float32", [8], 0))),
        ("rank 0 has one element", _refers(eight, _tensor("uint8", [], 0))),
        ("an empty tensor with a segment", _refers(eight, _tensor("uint8", [0, 8], 0))),
        ("elements without a segment", _refers((), _tensor("uint8", [8]))),
        ("rank 0 without a segment", _refers((), _tensor("uint8", []))),
        ("a product of 2^64", _refers((), _tensor("uint8", [2**32, 2**32]))),
        ("a product of 2^64 through the dtype", _refers((), _tensor("float64", [2**61]))),
        ("2^64+8 bytes, 8 when it wraps", _refers(eight, _tensor("float64", [2**61 + 1], 0))),
        ("a product of 2^63", _refers((), _tensor("uint8", [2**62, 2]))),
        ("a product that overflows twice", _refers((), _tensor("int16", [2**62] * 8))),
        ("a tensor of two segments, one byte too many", _refers(eight * 2, _tensor("uint8", [17], 0, 1))),
    ]
    return _numbered(348, "size_mismatch", "VAL-006 VAL-007", files)


def frames() -> list[Vector]:
    """Bytes that no hash covers."""
    key = DATA.rindex(op.fixstr(b"segment_table"))
    files: list[tuple[str, bytes | Frame]] = [
        ("the array header of segments as array16", evolve(BASE, opening=op.array16(2))),
        ("the array header of segments declares one more", evolve(BASE, opening=op.fixarray(3))),
        ("the array header of segments declares one less", evolve(BASE, opening=op.fixarray(1))),
        ("an array header of one without segments", evolve(frame(make()), opening=op.fixarray(1))),
        ("a map header in place of the array header", evolve(BASE, opening=op.fixmap(2))),
        ("a bin32 header turned into str32", DATA[: START - 5] + b"\xdb" + DATA[START - 4 :]),
        ("the length of a bin32 one too great", flip(DATA, START - 1)),
        ("the length of a bin32 with its high bit set", flip(DATA, START - 4, 7)),
        ("the length of the second bin32", flip(DATA, FIRST + 9 + 4)),
        ("bin8 in place of bin32", evolve(BASE, openings={0: op.bin8(b"", 9 + -(START - 3) % 64)})),
        ("bin16 in place of bin32", evolve(BASE, openings={0: op.bin16(b"", 9 + -(START - 2) % 64)})),
        ("the first byte of the padding", flip(DATA, START)),
        ("the last byte of the padding", flip(DATA, FIRST - 1, 7)),
        ("a byte of the second padding", flip(DATA, SECOND - 1)),
        ("64 bytes of padding too many", evolve(BASE, padding={0: bytes(FIRST - START + 64)})),
        ("no padding", evolve(BASE, padding={0: b""})),
        ("one byte of padding too few", evolve(BASE, padding={1: bytes(SECOND - FIRST - 15)})),
        ("a byte between the segments and the table", evolve(BASE, gap=op.NIL)),
        ("another key between the segments and the table", evolve(BASE, gap=op.fixstr(b"x") + op.NIL)),
        ("a segment that no row describes", evolve(BASE, opening=op.fixarray(3), gap=op.bin32(b"secret"))),
        ("a bit of the key segment_table", flip(DATA, key + 5)),
        ("the header of the key segment_table", flip(DATA, key)),
        ("the key segment_table as str8", evolve(BASE, table_key=op.str8(b"segment_table"))),
        ("a bit of the key trailer", flip(DATA, -45)),
        ("the header of the key trailer", flip(DATA, -50)),
        ("other words for both keys", evolve(BASE, table_key=op.fixstr(b"table"), trailer_key=op.fixstr(b"TRAILER"))),
        ("the bin8 header of the trailer", flip(DATA, -42)),
        ("the length of the trailer", flip(DATA, -41)),
        ("an offset one too great", evolve(BASE, rows={0: evolve(ROW, offset=FIRST + 1)})),
        ("an offset 64 too small", evolve(BASE, rows={0: evolve(ROW, offset=FIRST - 64)})),
        ("an offset of 2^64-1", evolve(BASE, rows={1: evolve(ROW2, offset=2**64 - 1)})),
        ("two offsets exchanged", _exchanged_rows()),
        ("a row and a tensor longer than the segment", _longer()),
    ]
    return _numbered(370, "bad_framing", "FRAME-004", files)


def _exchanged_rows() -> Frame:
    """Two segments of the same bytes, so that only the offsets tell the rows apart."""
    equal = frame(make(model_state=[ONE, Tensor("uint8", (9,), ONE.data)]))
    return evolve(equal, rows={0: evolve(ROW, offset=SECOND), 1: evolve(ROW, offset=FIRST)})


def _longer() -> Frame:
    """The row takes a byte more than the bin holds, and the tensor with it."""
    head = Encoder().head(make(model_state=[_tensor("uint8", [9], 0)]))
    start = len(head) + 6
    offset = start + -start % 64
    padded = ONE.data[:8] + op.fixstr(b"segment_table")[:1]
    return Frame(head, (ONE.data[:8],), rows={0: Row(offset, 9, 9, 0, xxhash.xxh64_intdigest(padded))})


def digests() -> list[Vector]:
    """Data that is not what was written."""
    swapped = {0: evolve(ROW, xxh64=ROW2.xxh64), 1: evolve(ROW2, xxh64=ROW.xxh64)}
    big = int.from_bytes(ROW.xxh64.to_bytes(8, "little"), "big")
    seeded = xxhash.xxh64_intdigest(ONE.data, seed=1)
    files: list[tuple[str, bytes | Frame]] = [
        ("the first bit of the first segment", flip(DATA, FIRST, 7)),
        ("the last bit of the first segment", flip(DATA, FIRST + 8)),
        ("a bit in the middle of the second segment", flip(DATA, SECOND + 33, 4)),
        ("the last bit of the second segment", flip(DATA, SECOND + 69)),
        ("two hashes exchanged", evolve(BASE, rows=swapped)),
        ("a hash in the other byte order", evolve(BASE, rows={0: evolve(ROW, xxh64=big)})),
        ("a hash with seed 1", evolve(BASE, rows={0: evolve(ROW, xxh64=seeded)})),
        ("a hash of 0", evolve(BASE, rows={1: evolve(ROW2, xxh64=0)})),
    ]
    return _numbered(410, "segment_digest_mismatch", "SEG-008", files)


def vectors() -> list[Vector]:
    """All vectors of this family."""
    return tables() + references() + sizes() + frames() + digests()
