"""Non-canonical files: the documents of valid vectors in every other encoding that a reader accepts.

Spec: CKPT-CANON-003, CKPT-CANON-004, CKPT-VAL-014, CKPT-SEG-001.
"""

import math
from collections.abc import Callable, Iterable

from tenuto.conformance_tests.oracle import opcodes as op
from tenuto.conformance_tests.oracle.encoder import (
    Encoder,
    by_utf8,
    shortest_bin,
    shortest_float,
    shortest_int,
    shortest_str,
)
from tenuto.conformance_tests.oracle.families import containers, scalars, tensors, toplevel
from tenuto.conformance_tests.oracle.frame import Frame
from tenuto.conformance_tests.oracle.tree import Tensor, head_order
from tenuto.conformance_tests.oracle.vector import Vector, alternative

_FAMILIES: tuple[Callable[[], list[Vector]], ...] = (
    scalars.vectors,
    containers.vectors,
    tensors.vectors,
    toplevel.vectors,
)
_TWINS = {vector.id: vector for family in _FAMILIES for vector in family()}


def _twin(number: int) -> Vector:
    return _TWINS[f"CKPT-V-{number:03}"]


def integers() -> list[Vector]:
    """Wider forms, and signed forms of non-negative integers; the number gives the twin."""
    forms: list[tuple[int, int, str, Callable[[int], bytes]]] = [
        (1, 10, "fixints as uint8", op.uint8),
        (2, 10, "fixints as uint16", op.uint16),
        (3, 10, "fixints as uint32", op.uint32),
        (4, 10, "fixints as uint64", op.uint64),
        (5, 10, "fixints as int8", op.int8),
        (6, 10, "fixints as int16", op.int16),
        (7, 10, "fixints as int32", op.int32),
        (8, 10, "fixints as int64", op.int64),
        (9, 11, "128 and 255 as int16", op.int16),
        (10, 12, "256 and 65535 as int32", op.int32),
        (11, 13, "65536 and 2^32-1 as int64", op.int64),
        (12, 14, "2^32 and 2^63-1 as int64", op.int64),
        (13, 13, "65536 and 2^32-1 as uint64", op.uint64),
        (14, 16, "negative fixints as int8", op.int8),
        (15, 16, "negative fixints as int64", op.int64),
        (16, 17, "int8 as int16", op.int16),
        (17, 18, "int16 as int32", op.int32),
        (18, 19, "int32 as int64", op.int64),
    ]
    return [
        alternative(number, title, "CANON-001", _twin(twin), Encoder(integer=form))
        for number, twin, title, form in forms
    ]


def floats() -> list[Vector]:
    """float32 in place of float64, and NaN with other bits."""
    found = [alternative(20, "floats as float32", "VAL-014 VAL-013", _twin(35), Encoder(real=op.float32))]
    doubles = (0xFFF8000000000000, 0x7FF0000000000001, 0x7FF8000000000001, 0x7FFFFFFFFFFFFFFF, 0xFFF0000000000001)
    singles = (0x7FC00000, 0xFFC00001, 0x7F800001)
    codes = [op.float64_bits(bits) for bits in doubles] + [op.float32_bits(bits) for bits in singles]
    for index, code in enumerate(codes):
        title = f"NaN as {code.hex()}"
        found.append(alternative(21 + index, title, "VAL-014", _twin(34), Encoder(real=_always(code))))
    return found


def _always(code: bytes) -> Callable[[float], bytes]:
    return lambda _: code


def _str8(text: bytes) -> bytes:
    return op.str8(text) if len(text) < 256 else shortest_str(text)


def _bin16(data: bytes) -> bytes:
    return op.bin16(data) if data else shortest_bin(data)


def lengths() -> list[Vector]:
    """Longer headers of str, bin, array, map and ext."""
    scalar_float32 = _twin(135)
    return [
        alternative(40, "every str as str8, the key version too", "CANON-001", _twin(40), Encoder(text=_str8)),
        alternative(41, "every str as str16", "CANON-001", _twin(40), Encoder(text=op.str16)),
        alternative(42, "every str as str32", "CANON-001", _twin(40), Encoder(text=op.str32)),
        alternative(43, "bin as bin16, one empty as bin8", "CANON-001", _twin(50), Encoder(binary=_bin16)),
        alternative(44, "every bin as bin32", "CANON-001", _twin(50), Encoder(binary=op.bin32)),
        alternative(45, "every array as array16", "CANON-001", _twin(60), Encoder(array=op.array16)),
        alternative(46, "every array as array32", "CANON-001", _twin(60), Encoder(array=op.array32)),
        alternative(47, "every map as map16, the top level too", "CANON-001", _twin(61), Encoder(map=op.map16)),
        alternative(48, "every map as map32, the top level too", "CANON-001", _twin(61), Encoder(map=op.map32)),
        alternative(49, "a payload of 16 bytes as ext8", "VAL-003", scalar_float32, Encoder(ext=op.ext8)),
        alternative(50, "a payload of 16 bytes as ext16", "VAL-003", scalar_float32, Encoder(ext=op.ext16)),
        alternative(51, "every ext as ext32", "VAL-003", _twin(2), Encoder(ext=op.ext32)),
    ]


def payloads() -> list[Vector]:
    """Other forms inside of an ext value."""
    forms = [
        ("dtype as str8", Encoder(text=op.str8)),
        ("dtype as str32", Encoder(text=op.str32)),
        ("arrays as array16", Encoder(array=op.array16)),
        ("arrays as array32", Encoder(array=op.array32)),
        ("extents and numbers as uint64", Encoder(integer=op.uint64)),
        ("extents and numbers as int64", Encoder(integer=op.int64)),
    ]
    return [
        alternative(60 + index, f"inside ext: {title}", "VAL-003", _twin(2), Encoder(payload=inner))
        for index, (title, inner) in enumerate(forms)
    ]


def _backwards(keys: Iterable[str]) -> list[str]:
    return by_utf8(keys)[::-1]


def _utf16(keys: Iterable[str]) -> list[str]:
    return sorted(keys, key=lambda key: key.encode("utf-16-be"))


def _short_first(keys: Iterable[str]) -> list[str]:
    return sorted(keys, key=lambda key: (len(key.encode()), key.encode()))


def _reordered(number: int, title: str, twin: Vector, change: Callable[[list[str]], list[str]]) -> Vector:
    """The top level in another order, with tensors numbered as they are then met."""
    encoder = Encoder()
    document = twin.document or {}
    order = head_order(document)
    head = encoder.head(document, ["version", *change(order[1:])])
    data = Frame(head, tuple(encoder.segments)).build()
    return alternative(number, title, "FILE-003 SEG-002", twin, data)


def orders() -> list[Vector]:
    """Other orders of keys."""
    return [
        alternative(70, "keys in UTF-16 order", "CANON-002", _twin(70), Encoder(order=_utf16)),
        alternative(71, "shorter keys first", "CANON-002", _twin(71), Encoder(order=_short_first)),
        alternative(72, "keys backwards", "CANON-002", _twin(72), Encoder(order=_backwards)),
        alternative(73, "names of optimizers backwards", "CANON-002", _twin(73), Encoder(order=_backwards)),
        alternative(74, "keys backwards, tensors renumbered", "SEG-002", _twin(142), Encoder(order=_backwards)),
        _reordered(75, "head keys backwards after version", _twin(1), lambda keys: keys[::-1]),
        _reordered(76, "head keys backwards, tensors renumbered", _twin(143), lambda keys: keys[::-1]),
        _reordered(77, "unknown keys first", _twin(142), lambda keys: keys[-1:] + keys[:-1]),
        _reordered(78, "unknown keys out of order", _twin(161), lambda keys: keys[:8] + keys[8:][::-1]),
    ]


def _cut(twin: Vector, cuts: Callable[[int], list[int]], *, backwards: bool = False) -> Encoder:
    """An encoder that cuts the data of every tensor into pieces of the given lengths.

    With `backwards` the pieces are numbered from the end of the file's order.
    """
    found: list[Tensor] = []
    _collect(twin.document, found)
    encoder = Encoder()
    pieces = [_pieces(tensor.data, cuts(len(tensor.data))) for tensor in found]
    number = 0
    for tensor, parts in zip(found, pieces, strict=True):
        encoder.numbers[id(tensor)] = list(range(number, number + len(parts)))
        encoder.segments.extend(parts)
        number += len(parts)
    if backwards:
        encoder.segments.reverse()
        for numbers in encoder.numbers.values():
            numbers[:] = [len(encoder.segments) - 1 - index for index in numbers]
    return encoder


def _collect(tree: object, found: list[Tensor]) -> None:
    if isinstance(tree, Tensor) and tree not in found:
        found.append(tree)
    elif isinstance(tree, dict):
        for key in head_order(tree) if "version" in tree else by_utf8(tree):
            _collect(tree[key], found)
    elif isinstance(tree, list):
        for item in tree:
            _collect(item, found)


def _pieces(data: bytes, lengths_of: list[int]) -> list[bytes]:
    ends = [sum(lengths_of[: index + 1]) for index in range(len(lengths_of))]
    return [data[end - length : end] for end, length in zip(ends, lengths_of, strict=True)]


def segments() -> list[Vector]:
    """Other numberings and other cuts of segments."""
    whole, halves = (lambda size: [size]), (lambda size: [size // 2, size - size // 2])
    ones, uneven = (lambda size: [1] * size), (lambda size: [3, size - 3])
    reqs = "SEG-001 SEG-002"
    return [
        alternative(80, "segments numbered backwards", reqs, _twin(2), _cut(_twin(2), whole, backwards=True)),
        alternative(81, "tensors cut in halves", reqs, _twin(2), _cut(_twin(2), halves)),
        alternative(82, "a tensor cut into single bytes", reqs, _twin(130), _cut(_twin(130), ones)),
        alternative(83, "a cut inside of an element", reqs, _twin(2), _cut(_twin(2), uneven)),
        alternative(84, "halves numbered backwards", reqs, _twin(2), _cut(_twin(2), halves, backwards=True)),
        alternative(85, "tied weights cut in halves", f"{reqs} VAL-009", _twin(140), _cut(_twin(140), halves)),
    ]


def mixtures() -> list[Vector]:
    """Several differences at once."""

    def wide_int(value: int) -> bytes:
        return op.int64(value) if value < 2**63 else shortest_int(value)

    def narrow(value: float) -> bytes:
        return op.float32(value) if math.isinf(value) or value == 0.25 else shortest_float(value)

    everything = Encoder(wide_int, narrow, op.str32, op.bin32, op.array32, op.map32, op.ext32, _backwards)
    return [
        alternative(90, "everything in its longest form, keys backwards", "CANON-001 CANON-002", _twin(2), everything),
        alternative(
            91,
            "a newer minor version in another form",
            "VER-001 FILE-005",
            _twin(162),
            Encoder(text=op.str16, map=op.map16),
        ),
    ]


def vectors() -> list[Vector]:
    """All vectors of this family."""
    return integers() + floats() + lengths() + payloads() + orders() + segments() + mixtures()
