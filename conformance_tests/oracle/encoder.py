"""The encoder of a document's head: canonical by default, each kind of value replaceable by another form.

Spec: CKPT-CANON-001, CKPT-CANON-002, CKPT-SEG-002, CKPT-VAL-014.
"""

import math
import struct
from collections.abc import Callable, Iterable
from types import NoneType
from typing import Any

from attrs import Factory, define

from tenuto.conformance_tests.oracle import opcodes as op
from tenuto.conformance_tests.oracle.tree import Document, Pairs, Raw, Tensor, Tree, head_order, utf8

CANONICAL_NAN = 0x7FF8000000000000
SEGMENTS_KEY = op.fixstr(b"segments")


def shortest_int(value: int) -> bytes:
    """The shortest form; non-negative integers in an unsigned one."""
    if -32 <= value <= 127:
        return op.fixint(value)
    unsigned = ((8, op.uint8), (16, op.uint16), (32, op.uint32), (64, op.uint64))
    signed = ((8, op.int8), (16, op.int16), (32, op.int32), (64, op.int64))
    if value >= 0:
        return next(form(value) for bits, form in unsigned if value < 1 << bits)
    return next(form(value) for bits, form in signed if value >= -(1 << bits - 1))


def shortest_float(value: float) -> bytes:
    """Always a float64, with one form of NaN."""
    if math.isnan(value):
        return op.float64_bits(CANONICAL_NAN)
    return b"\xcb" + struct.pack(">d", value)


def shortest_str(text: bytes) -> bytes:
    """The shortest str form."""
    if len(text) < 32:
        return op.fixstr(text)
    if len(text) < 1 << 8:
        return op.str8(text)
    return op.str16(text) if len(text) < 1 << 16 else op.str32(text)


def shortest_bin(data: bytes) -> bytes:
    """The shortest bin form."""
    if len(data) < 1 << 8:
        return op.bin8(data)
    return op.bin16(data) if len(data) < 1 << 16 else op.bin32(data)


def shortest_array(count: int) -> bytes:
    """The shortest array header."""
    if count < 16:
        return op.fixarray(count)
    return op.array16(count) if count < 1 << 16 else op.array32(count)


def shortest_map(count: int) -> bytes:
    """The shortest map header."""
    if count < 16:
        return op.fixmap(count)
    return op.map16(count) if count < 1 << 16 else op.map32(count)


def shortest_ext(kind: int, payload: bytes) -> bytes:
    """The shortest ext form, fixext where the length fits one."""
    if len(payload) in {1, 2, 4, 8, 16}:
        return op.fixext(kind, payload)
    if len(payload) < 1 << 8:
        return op.ext8(kind, payload)
    return op.ext16(kind, payload) if len(payload) < 1 << 16 else op.ext32(kind, payload)


def by_utf8(keys: Iterable[str]) -> list[str]:
    """Keys of a nested map in canonical order."""
    return sorted(keys, key=utf8)


@define
class Encoder:
    """Encodes values and gathers the segments of the tensors that it meets.

    Every field but the last five is the form of one kind of value. `payload` encodes what is inside of an
    ext value, this encoder where it is None. A caller that fills `segments` and `numbers` beforehand decides
    about cuts and numbering.

    Spec: CKPT-CANON-001, CKPT-SEG-002.
    """

    integer: Callable[[int], bytes] = shortest_int
    real: Callable[[float], bytes] = shortest_float
    text: Callable[[bytes], bytes] = shortest_str
    binary: Callable[[bytes], bytes] = shortest_bin
    array: Callable[[int], bytes] = shortest_array
    map: Callable[[int], bytes] = shortest_map
    ext: Callable[[int, bytes], bytes] = shortest_ext
    order: Callable[[Iterable[str]], list[str]] = by_utf8
    payload: "Encoder | None" = None
    segments: list[bytes] = Factory(list)
    numbers: dict[int, list[int]] = Factory(dict)
    _texts: dict[str, bytes] = Factory(dict)  # most of a head are a few keys again and again, and a few sets of them
    _ordered: dict[tuple[str, ...], list[tuple[str, bytes]]] = Factory(dict)

    def value(self, tree: Tree) -> bytes:
        """Encode one tree; tensors are numbered in the order in which they are met."""
        return _FORMS[type(tree)](self, tree)

    def _text(self, value: str) -> bytes:
        found = self._texts.get(value)
        if found is None:
            found = self._texts[value] = self.text(utf8(value))
        return found

    def _array(self, tree: list[Tree]) -> bytes:
        return self.array(len(tree)) + b"".join([self.value(item) for item in tree])

    def _pairs(self, tree: Pairs) -> bytes:
        return tree.header + b"".join([key + self.value(item) for key, item in tree.items])

    def _map(self, tree: dict[str, Tree]) -> bytes:
        keys = self._ordered.get(tuple(tree))
        if keys is None:
            keys = self._ordered[tuple(tree)] = [(key, self._text(key)) for key in self.order(tree)]
        return self.map(len(tree)) + b"".join([encoded + self.value(tree[key]) for key, encoded in keys])

    def tensor(self, tensor: Tensor) -> bytes:
        """Encode a tensor, with a new segment unless it is empty or was met before."""
        if id(tensor) not in self.numbers:
            self.numbers[id(tensor)] = [len(self.segments)] if tensor.data else []
            if tensor.data:
                self.segments.append(tensor.data)
        inner = self.payload or self
        dims: list[Tree] = list(tensor.shape)
        numbers: list[Tree] = list(self.numbers[id(tensor)])
        return self.ext(1, inner.value([tensor.dtype, dims, numbers]))

    def head(
        self,
        document: Document,
        keys: Iterable[str] | None = None,
        header: bytes | None = None,
        segments_key: bytes = SEGMENTS_KEY,
    ) -> bytes:
        """The head of a file; `keys` is another order of its keys, `header` another map header.

        Spec: CKPT-FILE-003.
        """
        order = head_order(document) if keys is None else list(keys)
        parts = [header or self.map(len(order) + 3)]
        parts += [self._text(key) + self.value(document[key]) for key in order]
        return b"".join(parts) + segments_key


_CONSTANTS = {None: op.NIL, True: op.TRUE, False: op.FALSE}
_FORMS: dict[type, Callable[[Encoder, Any], bytes]] = {
    str: Encoder._text,
    dict: Encoder._map,
    list: Encoder._array,
    Pairs: Encoder._pairs,
    Tensor: Encoder.tensor,
    Raw: lambda _, raw: raw.code,
    NoneType: lambda _, value: _CONSTANTS[value],
    bool: lambda _, value: _CONSTANTS[value],
    int: lambda encoder, value: encoder.integer(value),
    float: lambda encoder, value: encoder.real(value),
    bytes: lambda encoder, value: encoder.binary(value),
}
