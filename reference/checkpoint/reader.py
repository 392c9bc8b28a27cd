"""From the bytes of a file to a document, with every check of the specification in its order. Pure: see `Source`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Final

import xxhash
from attrs import define

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
from tenuto.reference.checkpoint.source import Source
from tenuto.reference.checkpoint.tree import (
    Document,
    StoredTensor,
    Tensor,
    Tree,
    map_tensors,
    refuse,
    tensors_of,
)
from tenuto.reference.checkpoint.uncollected import Uncollected
from tenuto.reference.checkpoint.unpacking import check_contents, unpack
from tenuto.reference.checkpoint.workers import PARALLEL_BYTES, THREADS, run_tasks

__all__ = ["OpenedCheckpoint", "open_checkpoint"]

_TAIL_BYTES: Final = len(table.TRAILER_KEY_AND_HEADER) + TRAILER_BYTES
_FIRST_KEY: Final = re.compile(
    # a map header of at least one pair, then the str "version" in any of its forms
    rb"(?:[\x81-\x8f]|\xde(?!\x00\x00)..|\xdf(?!\x00\x00\x00\x00)....)"
    rb"(?:\xa7|\xd9\x07|\xda\x00\x07|\xdb\x00\x00\x00\x07)version",
    re.DOTALL,
)
_FIRST_PAIR_MAX_BYTES: Final = 64
_WINDOW_BYTES: Final = 4096  # of small segments it holds several headers
_GROUP_BYTES: Final = 1 << 20


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
        start, window = 0, memoryview(b"")
        for offset, expected in self._frame(self.trailer.head_length):
            if offset + len(expected) > start + len(window):
                start, window = offset, self.source.read(offset, min(_WINDOW_BYTES, self.source.length - offset))
            if window[offset - start : offset - start + len(expected)] != expected:
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
        """Compares every segment with its digest, and decodes compressed ones; call `check_frame` first.

        Raises:
            CheckpointError: `segment_digest_mismatch` or `bad_compressed_segment`.

        Spec: CKPT-SEG-008, CKPT-ZSTD-006.
        """
        self._check_digests(range(len(self.rows)))
        check_contents(self.source, self.rows)

    def _check_digests(self, numbers: Sequence[int]) -> None:
        """Compares segments with their digests, on several threads if they are large."""
        size = sum(self.rows[number].stored_bytes for number in numbers)
        tasks = (partial(self._check_group, group) for group in self._groups(numbers))
        run_tasks(tasks, THREADS if size >= PARALLEL_BYTES else 1)

    def _groups(self, numbers: Sequence[int]) -> Iterator[list[int]]:
        """Yields segments that are read at once: one, or small ones that lie together."""
        group: list[int] = []
        for number in numbers:
            end = self.rows[number].offset + self.rows[number].stored_bytes
            if group and not 0 <= end - self.rows[group[0]].offset <= _GROUP_BYTES:
                yield group
                group = []
            group.append(number)
        if group:
            yield group

    def _check_group(self, numbers: list[int]) -> None:
        if len(numbers) == 1:
            row = self.rows[numbers[0]]
            self._compare(numbers[0], self.source.digest(row.offset, row.stored_bytes))
            return
        first, last = self.rows[numbers[0]], self.rows[numbers[-1]]
        block = self.source.read(first.offset, last.offset + last.stored_bytes - first.offset)
        for number in numbers:
            row = self.rows[number]
            start = row.offset - first.offset
            self._compare(number, xxhash.xxh64_intdigest(block[start : start + row.stored_bytes]))

    def _compare(self, number: int, digest: int) -> None:
        if digest != self.rows[number].xxh64:
            raise refuse(
                "segment_digest_mismatch", f"segment {number}: other bytes than were written; expected its xxh64"
            )

    def _stored(self, number: int) -> memoryview:
        row = self.rows[number]
        return self.source.read(row.offset, row.stored_bytes)

    def document(self, *, verify: bool = True) -> Document:
        """Returns the whole document.

        Args:
            verify: Whether frame and segments are checked; without it damaged tensors go unnoticed.

        Returns:
            Tensors of one segment are views of the source; cut and compressed ones are copies.

        Raises:
            CheckpointError: `bad_framing`, `segment_digest_mismatch` or `bad_compressed_segment`.

        Spec: CKPT-VAL-009, CKPT-READ-004, CKPT-ZSTD-007.
        """
        self.check_frame()
        if verify:
            self._check_digests(range(len(self.rows)))
        plain: dict[str, Tree] = {**self.head, "requires": []}  # compression belongs to the file
        stored = (one for _, one in _stored_in(plain)) if self.head["requires"] else ()
        unpacked = unpack(self.source, self.rows, stored)
        made: dict[int, Tensor] = {}

        def load(stored: Tensor | StoredTensor) -> Tree:
            if not isinstance(stored, StoredTensor):
                return stored
            if id(stored) not in made:
                made[id(stored)] = self._loaded(stored, unpacked)
            return made[id(stored)]

        with Uncollected():
            return Document({key: map_tensors(value, load) for key, value in plain.items()}, self.is_canonical)

    def tensors(self, paths: Iterable[str], *, verify: bool = True) -> dict[str, Tensor]:
        """Returns some tensors, without reading any other.

        Args:
            paths: As `tensors_of` gives them, such as `model_state.layers.0.weight`.
            verify: Whether their segments are checked.

        Raises:
            KeyError: No tensor of the file has the path.
            CheckpointError: `bad_framing`, `segment_digest_mismatch` or `bad_compressed_segment`.

        Spec: CKPT-READ-004, CKPT-SEG-008.
        """
        sum(1 for _ in self._frame(self.trailer.head_length))  # which compares every offset: no segment counts twice
        found = dict(_stored_in(self.head))
        wanted = {path: found[path] for path in paths}
        if verify:
            self._check_digests(sorted({number for one in wanted.values() for number in one.segments}))
        unpacked = unpack(self.source, self.rows, wanted.values())
        return {path: self._loaded(stored, unpacked) for path, stored in wanted.items()}

    def _loaded(self, stored: StoredTensor, unpacked: Mapping[int, memoryview]) -> Tensor:
        data = unpacked.get(id(stored))
        if data is None:
            parts = [self._stored(number) for number in stored.segments]
            data = parts[0] if len(parts) == 1 else memoryview(b"".join(parts))
        return Tensor(stored.dtype, stored.shape, data)

    @cached_property
    def is_canonical(self) -> bool:
        """Whether the file is the canonical form of its document; a compressed one never is.

        Spec: CKPT-CANON-003, CKPT-ZSTD-007.
        """
        cuts = all(_cut_canonically(tensor, self.rows) for _, tensor in _stored_in(self.head))
        return not self.head["requires"] and cuts and encode_head(Document(self.head))[0] == self._head_bytes


def _stored_in(head: dict[str, Tree]) -> Iterator[tuple[str, StoredTensor]]:
    return ((path, one) for path, one in tensors_of(head) if isinstance(one, StoredTensor))


def _cut_canonically(tensor: StoredTensor, rows: tuple[table.Row, ...]) -> bool:
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
    with Uncollected():
        head = parse_head(head_bytes)
        rows = table.parse_table(table_bytes, compressed=bool(head["requires"]))
        tensors.check_references(_stored_in(head), rows)
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
