"""The payload of a tensor value: `[dtype, shape, segments]`, read with bounds and checked against the segment table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgpack
from attrs import define

from tenuto.reference.checkpoint.canonical import pack
from tenuto.reference.checkpoint.constants import DIMENSION_MAX, DTYPES, RANK_LIMIT
from tenuto.reference.checkpoint.table import Row
from tenuto.reference.checkpoint.tree import StoredTensor, refuse
from tenuto.reference.errors import CheckpointError

__all__ = ["check_references", "parse_common", "parse_tensor"]

_COMMON: Final = re.compile(  # a known dtype and at most 15 extents and 15 segments, none above 2^32
    rb"\x93(?:%b)[\x90-\x9f](?:%b)*+[\x90-\x9f](?:%b)*+"
    % (b"|".join(pack(name) for name in DTYPES), *[rb"[\x00-\x7f]|\xcc.|\xcd..|\xce.{4}"] * 2),
    re.DOTALL,
)
_UNSIGNED = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_SIGNED = {0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}


def _bad(what: str) -> CheckpointError:
    return refuse("bad_tensor", f"tensor payload: {what}; expected [dtype, shape, segments]")


@define
class _Payload:
    data: bytes
    at: int = 0

    def take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise _bad("too short")
        taken = self.data[self.at : self.at + count]
        self.at += count
        return taken

    def length(self, fix: int, mask: int, forms: dict[int, int], what: str) -> int:
        first = self.take(1)[0]
        if first & ~mask == fix:
            return first & mask
        if first in forms:
            return int.from_bytes(self.take(forms[first]), "big")
        raise _bad(f"no {what}")

    def unsigned(self) -> int:
        first = self.take(1)[0]
        if first < 0x80:
            return first
        if first in _UNSIGNED:
            return int.from_bytes(self.take(_UNSIGNED[first]), "big")
        value = int.from_bytes(self.take(_SIGNED[first]), "big", signed=True) if first in _SIGNED else -1
        if value < 0:
            raise _bad("no non-negative integer")
        return value

    def array(self, what: str) -> int:
        count = self.length(0x90, 0x0F, {0xDC: 2, 0xDD: 4}, what)
        if count > len(self.data) - self.at:
            raise _bad(f"{what} longer than the payload")
        return count


def parse_tensor(data: bytes) -> StoredTensor:
    """Parses the payload of an ext value of type 1.

    Raises:
        CheckpointError: `bad_tensor`, `unknown_dtype` or `rank_limit`.

    Spec: CKPT-VAL-003, CKPT-VAL-004, CKPT-LIM-001.
    """
    return parse_common(data) or _any(data)


def parse_common(data: bytes) -> StoredTensor | None:
    """Reads a payload of the usual forms; None for one that has to be looked at more closely."""
    if not _COMMON.fullmatch(data):
        return None
    try:
        dtype, shape, segments = msgpack.unpackb(data, use_list=False)
    except ValueError:  # another number of items than a header says
        return None
    return StoredTensor(dtype, shape, segments) if type(segments) is tuple else None


def _any(data: bytes) -> StoredTensor:
    payload = _Payload(data)
    if payload.array("array of three") != 3:
        raise _bad("another number of items")
    raw = payload.take(payload.length(0xA0, 0x1F, {0xD9: 1, 0xDA: 2, 0xDB: 4}, "str for the dtype"))
    shape = [payload.unsigned() for _ in range(payload.array("shape"))]
    segments = [payload.unsigned() for _ in range(payload.array("segments"))]
    if payload.at != len(data):
        raise _bad(f"{len(data) - payload.at} bytes too many")
    if any(size > DIMENSION_MAX for size in shape):
        raise _bad("a dimension of 2^63 or more")
    try:
        dtype = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad("dtype is not UTF-8") from error
    if dtype not in DTYPES:
        raise refuse("unknown_dtype", f"dtype of a tensor: {dtype!r}; expected one of {', '.join(DTYPES)}")
    if len(shape) > RANK_LIMIT:
        raise refuse("rank_limit", f"rank of a tensor: {len(shape)}; expected at most {RANK_LIMIT}")
    return StoredTensor(dtype, tuple(shape), tuple(segments))


def check_references(tensors: Iterable[tuple[str, StoredTensor]], rows: tuple[Row, ...]) -> None:
    """Checks what the tensors name against the segment table.

    Raises:
        CheckpointError: `bad_segment_ref`, `size_mismatch` or `unreferenced_segment`.

    Spec: CKPT-VAL-006, CKPT-VAL-007, CKPT-VAL-010, CKPT-VAL-011.
    """
    owners: dict[int, StoredTensor] = {}
    for path, tensor in tensors:
        if _fits(tensor, owners, rows):
            owners[tensor.segments[0]] = tensor
            continue
        for number in tensor.segments:
            if number >= len(rows):
                raise refuse("bad_segment_ref", f"{path}: segment {number}; expected less than {len(rows)}")
        if len(set(tensor.segments)) != len(tensor.segments):
            raise refuse("bad_segment_ref", f"{path}: names a segment twice; expected each once")
        for number in tensor.segments:
            _check_owner(path, tensor, owners.setdefault(number, tensor))
        size = sum(rows[number].raw_bytes for number in tensor.segments)
        if size != tensor.size_bytes:
            raise refuse("size_mismatch", f"{path}: {size} bytes in its segments; expected {tensor.size_bytes}")
    if len(owners) != len(rows):
        lost = next(number for number in range(len(rows)) if number not in owners)
        raise refuse("unreferenced_segment", f"segment {lost}: named by no tensor; expected at least one")


def _fits(tensor: StoredTensor, owners: dict[int, StoredTensor], rows: tuple[Row, ...]) -> bool:
    """Whether a tensor of one segment is the first to name it, and of its size."""
    number = tensor.segments[0] if len(tensor.segments) == 1 else len(rows)
    return number < len(rows) and number not in owners and rows[number].raw_bytes == tensor.size_bytes


def _check_owner(path: str, tensor: StoredTensor, owner: StoredTensor) -> None:
    same = (tensor.dtype, tensor.shape, tensor.segments) == (owner.dtype, owner.shape, owner.segments)
    if not same:
        raise refuse("bad_segment_ref", f"{path}: shares a segment with a tensor that differs; expected equal tensors")
