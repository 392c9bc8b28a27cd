"""Reads a checkpoint with the stock msgpack library and the frame of the oracle; knows nothing of any port.

Spec: CKPT-FILE-001, CKPT-CANON-001, CKPT-SEG-003, CKPT-VAL-003.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgpack
from attrs import define, field, frozen

from tenuto.conformance_tests.oracle.encoder import Encoder
from tenuto.conformance_tests.oracle.frame import Frame, file
from tenuto.conformance_tests.oracle.tree import Document, Tensor, Tree

_FRAME_KEYS = ("segments", "segment_table", "trailer")
_NO_ORIGIN = b"\xa6origin\x80"
_WRONG = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)


class NoCheckpointError(Exception):
    """Bytes that are no checkpoint in canonical form; the message says why."""


@frozen
class _Reference:
    """A tensor before its segments are known."""

    dtype: str
    shape: tuple[int, ...]
    segments: tuple[int, ...]


def read(data: bytes) -> Document:
    """Returns the document of a file.

    That encoding it again gives the same bytes proves the frame, every digest and the form of the head at once.

    Raises:
        NoCheckpointError: The bytes are not the canonical form of what they hold. Which keys that has is not looked at:
            a document that is foretold has the right ones.

    Spec: CKPT-CANON-001, CKPT-CANON-005.
    """
    document = read_unproven(data)
    if document.get("requires") != []:
        raise NoCheckpointError(f"requires: {document.get('requires')!r}; expected none (CKPT-VER-003)")
    try:
        encoded = file(document)
    except _WRONG as error:
        raise _refusal(error) from error
    if encoded != data:
        pairs = zip(encoded, data, strict=False)
        at = next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(encoded), len(data)))
        raise NoCheckpointError(f"byte {at} is not that of the canonical form of its document")
    return document


def read_unproven(data: bytes) -> Document:
    """Returns what bytes hold, be their form canonical or not: the caller knows that it is, or proves it.

    Raises:
        NoCheckpointError: They hold no document.
    """
    try:
        return _Builder(msgpack.unpackb(data, ext_hook=_reference, strict_map_key=True)).document()
    except _WRONG as error:
        raise _refusal(error) from error


def read_stored(data: bytes, segments: Sequence[bytes]) -> Document:
    """Returns what bytes hold, with other data in their segments: those that come out of compressed ones.

    Raises:
        NoCheckpointError: They hold no document.
    """
    try:
        top = msgpack.unpackb(data, ext_hook=_reference, strict_map_key=True)
        return _Builder(
            {**top, "segments": list(segments), "segment_table": [[0, len(one)] for one in segments]}
        ).document()
    except _WRONG as error:
        raise _refusal(error) from error


def is_foretold(expected: bytes, actual: bytes) -> bool:
    """Returns whether a file is the foretold one with an origin of its own.

    Where the place of the empty origin is plain, the origin of the file is put there, and all bytes are compared: that
    proves the frame, every digest, the form of the head and all that it holds at once, without building a document.

    Args:
        expected: The canonical bytes with an empty origin.
        actual: Those of the file.

    Spec: CKPT-CANON-001, CKPT-CANON-006.
    """
    head_length = int.from_bytes(expected[-40:-32], "little")
    before, place, after = expected[:head_length].partition(_NO_ORIGIN)
    if not place or _NO_ORIGIN in after:
        return False
    try:
        origin = msgpack.unpackb(actual, ext_hook=_reference, strict_map_key=True)["metadata"]["origin"]
        head = before + _NO_ORIGIN[:-1] + Encoder().value(origin) + after
    except _WRONG:
        return False
    top = msgpack.unpackb(expected, ext_hook=_reference, strict_map_key=True)
    rows = zip(top["segments"], top["segment_table"], strict=True)
    return Frame(head, tuple(data[-row[1] :] for data, row in rows)).build() == actual


def _refusal(error: Exception) -> NoCheckpointError:
    return NoCheckpointError(f"{type(error).__name__}: {error}; expected a checkpoint")


def _reference(kind: int, payload: bytes) -> _Reference:
    if kind != 1:
        raise ValueError(f"ext type {kind}; expected 1")
    dtype, shape, segments = msgpack.unpackb(payload)
    return _Reference(dtype, tuple(shape), tuple(segments))


@define
class _Builder:
    """Builds a document; tensors that name the same segments are one object.

    Attributes:
        top: The top level as the library reads it.
    """

    top: Mapping[str, object]
    _tensors: dict[tuple[int, ...], Tensor] = field(factory=dict)

    def document(self) -> Document:
        """Returns everything but the frame."""
        return {key: self._tree(value) for key, value in self.top.items() if key not in _FRAME_KEYS}

    def _tree(self, value: object) -> Tree:
        if isinstance(value, dict):
            return {key: self._tree(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._tree(item) for item in value]
        if isinstance(value, _Reference):
            return self._tensor(value)
        if value is None or isinstance(value, bool | int | float | str | bytes):
            return value
        raise TypeError(f"value of type {type(value).__name__}; expected a kind of CKPT-VAL-001")

    def _tensor(self, reference: _Reference) -> Tensor:
        if not reference.segments:
            return Tensor(reference.dtype, reference.shape, b"")
        if reference.segments not in self._tensors:
            data = b"".join(self._segment(number) for number in reference.segments)
            self._tensors[reference.segments] = Tensor(reference.dtype, reference.shape, data)
        return self._tensors[reference.segments]

    def _segment(self, number: int) -> bytes:
        """Returns the data of a segment: its last bytes, as many as the table says are stored."""
        segments, table = self.top["segments"], self.top["segment_table"]
        if not isinstance(segments, list) or not isinstance(table, list):
            raise TypeError("segments; expected arrays")
        return bytes(segments[number][-table[number][1] :])
