"""Where every byte of a file lies, known before the first one is written; only the digests are missing. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from attrs import frozen

from tenuto.reference.checkpoint import table
from tenuto.reference.checkpoint.canonical import encode_head
from tenuto.reference.checkpoint.constants import CODEC_NONE, SEGMENT_BYTES
from tenuto.reference.checkpoint.packing import Piece, pack_tensors
from tenuto.reference.checkpoint.tree import Document, Tensor, refuse
from tenuto.reference.checkpoint.uncollected import Uncollected

__all__ = ["PART_BYTES", "Layout", "Part", "Segment", "lay_out", "parts", "tail"]

PART_BYTES: Final = 4 << 20


class Segment(NamedTuple):
    """One segment; its data are borrowed.

    Attributes:
        at: File offset of its bin32 header.
        header: That header and the padding.
        data: What is stored behind it.
        raw_bytes: For how many bytes of its tensor.
        codec: How.
    """

    at: int
    header: bytes
    data: memoryview
    raw_bytes: int
    codec: int


@frozen
class Layout:
    """A file but for its last keys.

    Attributes:
        head: Every byte before the value of `segments`.
        array_header: Of that value.
        segments: In the order of the file.
        end: File offset of the key `segment_table`.
    """

    head: bytes
    array_header: bytes
    segments: tuple[Segment, ...]
    end: int


@frozen
class Part:
    """A piece of work on a file that any thread can do at any time.

    Attributes:
        offset: Where the pieces go.
        pieces: Follow one another in the file; none where there is only something to hash.
        hashed: Numbers of the segments of which the digest is to be taken.
    """

    offset: int
    pieces: list[bytes | memoryview]
    hashed: range


def lay_out(document: Document, *, is_compressing: bool = False) -> Layout:
    """Encodes the head and finds the place of every segment.

    Args:
        document: Its tensors are borrowed.
        is_compressing: Whether tensors are compressed for which that pays; what has to be refused is refused before.

    Raises:
        CheckpointError: Whatever `encode_head` and `pack_tensors` refuse, phase `encode`.

    Spec: CKPT-SEG-001 to CKPT-SEG-003, CKPT-ZSTD-005.
    """
    with Uncollected():
        head, tensors = encode_head(document)
        packed = pack_tensors(map(_in_memory, tensors)) if is_compressing else {}
        if packed:
            head, tensors = encode_head(document, {key: len(pieces) for key, pieces in packed.items()})
        # Nothing is looked up where nothing is packed: there may be many tensors.
        pieces = [piece for one in tensors for piece in (packed and packed.get(id(one))) or _cut(_in_memory(one).data)]
        array_header = table.array_header(len(pieces))
        at = len(head) + len(array_header)
        segments = []
        for piece in pieces:
            data, raw_bytes, codec = piece if isinstance(piece, Piece) else (piece, piece.nbytes, CODEC_NONE)
            header = table.segment_header(at, data.nbytes)
            segments.append(Segment(at, header, data, raw_bytes, codec))
            at += len(header) + data.nbytes
        return Layout(head, array_header, tuple(segments), at)


def parts(layout: Layout) -> Iterator[Part]:
    """Yields the work on a file in its order, in parts of about `PART_BYTES`.

    Small segments go together; of a large one the digest is a part of its own, so that it overlaps with writing.
    """
    yield Part(0, [layout.head, layout.array_header], range(0))
    first, size = 0, 0
    for number, segment in enumerate(layout.segments):
        length = len(segment.header) + segment.data.nbytes
        if size and size + length > PART_BYTES:
            yield _together(layout, range(first, number))
            size = 0
        if not size:
            first = number
        if length > PART_BYTES:
            yield from _alone(number, segment)
        else:
            size += length
    if size:
        yield _together(layout, range(first, len(layout.segments)))


def _together(layout: Layout, numbers: range) -> Part:
    pieces: list[bytes | memoryview] = []
    for segment in layout.segments[numbers.start : numbers.stop]:
        pieces += (segment.header, segment.data)
    return Part(layout.segments[numbers.start].at, pieces, numbers)


def _alone(number: int, segment: Segment) -> Iterator[Part]:
    yield Part(segment.at, [segment.header], range(number, number + 1))
    start = segment.at + len(segment.header)
    for at in range(0, segment.data.nbytes, PART_BYTES):
        yield Part(start + at, [segment.data[at : at + PART_BYTES]], range(0))


def tail(layout: Layout, digests: Sequence[int]) -> bytes:
    """Returns what follows the segments: the table and the trailer, with their keys.

    Args:
        layout: Of the file.
        digests: The xxh64 of each segment.

    Spec: CKPT-SEG-004, CKPT-SEG-005, CKPT-FRAME-001 to CKPT-FRAME-003.
    """
    rows = [
        table.Row(segment.at + len(segment.header), segment.data.nbytes, segment.raw_bytes, segment.codec, digest)
        for segment, digest in zip(layout.segments, digests, strict=True)
    ]
    packed = table.pack_table(rows)
    trailer = _trailer(layout.head, packed, layout.end + len(table.TABLE_KEY))
    return table.TABLE_KEY + packed + table.TRAILER_KEY_AND_HEADER + trailer.pack()


def _in_memory(tensor: object) -> Tensor:
    if not isinstance(tensor, Tensor):
        raise refuse(
            "unserializable_value",
            "tensor of an opened file; expected one whose data are loaded",
            phase="encode",
        )
    return tensor


def _cut(data: memoryview) -> Iterable[memoryview]:
    if data.nbytes <= SEGMENT_BYTES:
        return (data,)  # nearly always, and there may be many: no view of a view, no generator
    return (data[start : start + SEGMENT_BYTES] for start in range(0, data.nbytes, SEGMENT_BYTES))


def _trailer(head: bytes, packed: bytes, table_offset: int) -> table.Trailer:
    length = table_offset + len(packed) + len(table.TRAILER_KEY_AND_HEADER) + len(table.Trailer(0, 0, 0, 0).pack())
    unsigned = table.Trailer(len(head), table_offset, length, 0)
    return table.Trailer(len(head), table_offset, length, table.frame_digest(head, packed, unsigned))
