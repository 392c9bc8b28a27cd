"""Files with compressed segments, for ports that claim the extension.

Spec: section 14 of 40-ckpt-format.md.
"""

from attrs import evolve

from tenuto.conformance_tests.oracle import zstd_frames as z
from tenuto.conformance_tests.oracle.frame import Frame, Row, frame
from tenuto.conformance_tests.oracle.tree import Document, Tensor, filled, make
from tenuto.conformance_tests.oracle.vector import Vector, alternative, flip, invalid, valid

ZEROS, MANY = Tensor("uint8", (1000,), bytes(1000)), Tensor("uint8", (4096,), bytes(4096))
NOISE, WORDS = filled("uint8", 70, seed=5), Tensor("uint8", (len(z.TEXT),), z.TEXT)
PLAIN = valid(180, "tensors that compress and one that does not", "SEG-002", make(model_state=[ZEROS, NOISE, WORDS]))
TIED = valid(181, "4096 zeros, twice the same tensor", "VAL-008", make(model_state={"a": MANY, "b": MANY}))
SEVEN = Tensor("uint8", (1200,), bytes([7]) * 1200)
SEVENS = valid(182, "1200 sevens", "SEG-002", make(model_state=[SEVEN]))
SHORT = z.zstd(1000, z.repeated(0, 1000))  # 13 bytes: a thousand ask for 10


def compressed(document: Document, stored: dict[int, bytes]) -> Frame:
    """A file with some segments compressed to these bytes."""
    plain = frame({**document, "requires": ["zstd"]})
    segments = tuple(stored.get(number, data) for number, data in enumerate(plain.segments))
    return evolve(plain, segments=segments, raw_bytes={number: len(plain.segments[number]) for number in stored})


def _of(vector: Vector, stored: dict[int, bytes]) -> bytes:
    assert vector.document is not None  # noqa: S101 - it is a valid one
    return compressed(vector.document, stored).build()


def _extension(vectors: list[Vector]) -> list[Vector]:
    return [evolve(one, profile="ext:zstd", needs=("zstd",)) for one in vectors]


def readable() -> list[Vector]:
    """Every form of a frame that a reader has to take."""
    sum_of_zeros = z.checksum(bytes(1000))
    frames = [
        ("one block of repeated zeros", "ZSTD-002 ZSTD-005 ZSTD-007 VER-004", SHORT),
        ("two blocks", "ZSTD-002", z.zstd(1000, z.repeated(0, 900, last=False), z.raw(bytes(100)))),
        ("an empty last block", "ZSTD-002", z.zstd(1000, z.repeated(0, 1000, last=False), z.raw(b""))),
        ("a window of 1 KiB", "ZSTD-002", z.zstd(1000, z.repeated(0, 1000), window=0)),
        ("a window of 16 MiB", "ZSTD-002", z.zstd(1000, z.repeated(0, 1000), window=14 << 3)),
        ("the content size in eight bytes", "ZSTD-002", z.zstd(1000, z.repeated(0, 1000), size_bytes=8)),
        ("a checksum", "ZSTD-002", z.zstd(1000, z.repeated(0, 1000), checksum=sum_of_zeros)),
    ]
    found = [
        alternative(100 + index, f"a zstd frame: {title}", reqs, PLAIN, _of(PLAIN, {0: data}))
        for index, (title, reqs, data) in enumerate(frames)
    ]
    words = _of(PLAIN, {2: z.TEXT_FRAME})
    found.append(alternative(107, "a zstd frame: entropy coding", "ZSTD-002", PLAIN, words))
    found.append(alternative(108, "requires zstd, nothing compressed", "ZSTD-001 ZSTD-007", PLAIN, _of(PLAIN, {})))
    many = z.zstd(4096, z.repeated(0, 4096))  # 13 bytes, where 41 are asked for
    sevens = z.zstd(1200, z.repeated(7, 1200), size_bytes=2)  # 11 bytes, where 12 are asked for
    exactly = z.zstd(1200, z.repeated(7, 1200), size_bytes=2, window=1 << 3)
    padding = [
        ("padded to a hundredth", TIED, {0: z.padded(many, 41)}),
        ("exactly a hundredth", SEVENS, {0: exactly}),
        ("one byte short of a hundredth", SEVENS, {0: z.padded(sevens, 19)}),
    ]
    return found + [
        alternative(109 + index, f"a zstd frame: {title}", "ZSTD-003 ZSTD-004", twin, _of(twin, stored))
        for index, (title, twin, stored) in enumerate(padding)
    ]


def tables() -> list[Vector]:
    """Rows of the table that no compressed segment may have."""
    base = compressed(make(model_state=[ZEROS]), {0: SHORT})
    row = Row(0, 13, 1000, 1, 0)
    rows = [
        ("not smaller than it is uncompressed", evolve(row, stored=1000)),
        ("larger than it is uncompressed", evolve(row, stored=1001)),
        ("a byte more than a hundred times", evolve(row, stored=10, raw=1001)),
        ("a byte more than 16 MiB", evolve(row, stored=200_000, raw=16_777_217)),
    ]
    found = [
        invalid(
            480 + index, "bad_segment_table", f"a compressed segment: {title}", "ZSTD-003 SEG-007", _with(base, one)
        )
        for index, (title, one) in enumerate(rows)
    ]
    unnamed = evolve(frame(make(model_state=[ZEROS])), segments=(SHORT,), raw_bytes={0: 1000})
    return [
        *found,
        invalid(484, "unsupported_codec", "requires zstd, codec 2", "SEG-006", _with(base, evolve(row, codec=2))),
        invalid(485, "unsupported_codec", "a compressed segment, and requires is empty", "ZSTD-001 SEG-006", unnamed),
    ]


def _with(base: Frame, row: Row) -> Frame:
    return evolve(base, rows={0: row})


def frames() -> list[Vector]:
    """Stored bytes that are not what they have to be."""
    zeros, tail = z.repeated(0, 1000), z.repeated(0, 1000, last=False)
    far = [z.repeated(0, 131_072, last=False)] * 40
    data = [
        ("no content size", "ZSTD-002", z.zstd(None, zeros, window=0)),
        ("a content size one too great", "ZSTD-002", z.zstd(1001, z.repeated(0, 1001))),
        ("a content size one too small", "ZSTD-002", z.zstd(999, z.repeated(0, 999))),
        ("less comes out than declared", "ZSTD-006", z.zstd(1000, z.repeated(0, 999))),
        ("more comes out than declared", "ZSTD-006", z.zstd(1000, z.repeated(0, 1001))),
        ("far more comes out than declared", "ZSTD-006", z.zstd(1000, *far, zeros)),
        ("a window above 16 MiB", "ZSTD-002", z.zstd(1000, zeros, window=14 << 3 | 1)),
        ("a dictionary", "ZSTD-002", z.zstd(1000, zeros, dictionary=b"\x07")),
        ("a wrong checksum", "ZSTD-006", z.zstd(1000, zeros, checksum=flip(z.checksum(bytes(1000)), 0))),
        ("the reserved bit", "ZSTD-006", z.zstd(1000, zeros, reserved=1)),
        ("a block of the reserved kind", "ZSTD-006", z.zstd(1000, z.block(z.RESERVED, 1000, b"\x00"))),
        ("no last block", "ZSTD-006", z.zstd(1000, tail)),
        ("cut off", "ZSTD-006", z.zstd(1000, zeros)[:-1]),
        ("the magic of another version", "ZSTD-002", z.zstd(1000, zeros, magic=bytes.fromhex("27b52ffd"))),
        ("no frame", "ZSTD-002", bytes(range(50))),
        ("a byte behind the frame", "ZSTD-002", SHORT + b"\x00"),
        ("a second frame, empty", "ZSTD-002", SHORT + z.zstd(0, z.raw(b""))),
        ("a skippable frame before it", "ZSTD-002", z.SKIPPABLE + bytes(4) + SHORT),
        ("padding without need", "ZSTD-004", z.padded(SHORT, len(SHORT) + 8)),
    ]
    return [
        invalid(490 + index, "bad_compressed_segment", f"compressed: {title}", reqs, _of(PLAIN, {0: stored}))
        for index, (title, reqs, stored) in enumerate(data)
    ]


def paddings() -> list[Vector]:
    """Padding that is not what it has to be, and what only a decoder notices."""
    many = z.zstd(4096, z.repeated(0, 4096))
    padding = [
        ("padding a byte too long", z.padded(many, 42)),
        ("padding not of zeros", z.padded(many, 41, fill=b"\x01")),
        ("padding with another magic", z.padded(many, 41, magic=bytes.fromhex("512a4d18"))),
        ("zeros in place of padding", many + bytes(28)),
    ]
    found = [
        invalid(510 + index, "bad_compressed_segment", f"compressed: {title}", "ZSTD-004", _of(TIED, {0: stored}))
        for index, (title, stored) in enumerate(padding)
    ]
    # Literals by the table of an earlier block, of which there is none.
    tableless = _of(PLAIN, {0: z.zstd(1000, z.block(z.COMPRESSED, 2, b"\xff\xff"))})
    title = "compressed: entropy coding without a table"
    return [*found, invalid(514, "bad_compressed_segment", title, "ZSTD-006", tableless)]


def order() -> list[Vector]:
    """Digests of all segments are compared before anything is decoded."""
    cut_off = z.zstd(1000, z.repeated(0, 1000))[:-1]
    base = compressed(make(model_state=[ZEROS, NOISE]), {0: cut_off})
    last = flip(base.build(), base.build().index(NOISE.data))
    own = compressed(make(model_state=[ZEROS]), {0: SHORT}).build()
    return [
        invalid(520, "segment_digest_mismatch", "bad content, then a bad digest", "ZSTD-006 SEG-008", last),
        invalid(
            521, "segment_digest_mismatch", "a compressed byte changed", "SEG-008", flip(own, own.index(SHORT) + 10)
        ),
    ]


def vectors() -> list[Vector]:
    """All of them; the twins are for every port."""
    return [PLAIN, TIED, SEVENS, *_extension(readable() + tables() + frames() + paddings() + order())]
