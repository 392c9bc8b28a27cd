"""The catalogue of the schema: what the keys, tensors, tables and trailers of a file may not be."""

import itertools

from attrs import evolve

from tenuto.conformance_tests.oracle import opcodes as op
from tenuto.conformance_tests.oracle.encoder import Encoder, shortest_ext
from tenuto.conformance_tests.oracle.frame import Frame, Row, frame
from tenuto.conformance_tests.oracle.tree import DTYPE_BYTES, HEAD_KEYS, Raw, Tensor, filled, make

KINDS = {
    "nil": None,
    "bool": True,
    "int": 1,
    "float": 0.5,
    "str": "1.0",
    "bin": b"1.0",
    "array": [],
    "map": {},
    "tensor": Tensor("int8", (0,), b""),
}
EXPECTED = {"requires": "array", "metadata": "map"}
EXPECTED |= dict.fromkeys(("optimizer_state", "scheduler_state", "rng_state", "callback_state"), "map")
BASE = frame(make(model_state=[filled("uint8", 9), filled("uint8", 70, seed=5)]))


def heads():
    """Keys that are missing, have values of another kind, or are out of place."""
    for key, (kind, value) in itertools.product(HEAD_KEYS, KINDS.items()):
        if key == "version":
            yield frame(make(version=value)), None if kind == "str" else "not_a_checkpoint"
        elif key == "metadata" and kind == "map":
            yield frame(make(metadata={})), "missing_key"
        else:
            wrong = EXPECTED.get(key, kind) != kind
            yield frame(make(**{key: value})), "wrong_type" if wrong else None
    for kind, value in KINDS.items():
        yield frame(make(metadata={"origin": value})), None if kind == "map" else "wrong_type"
        yield frame(make(requires=[value])), "unsupported_feature" if kind == "str" else "wrong_type"
        yield frame(make(extra=value)), None
    for absent in HEAD_KEYS[1:]:
        yield Frame(Encoder().head(make(), [key for key in HEAD_KEYS if key != absent])), "missing_key"
    for early in ("segments", "segment_table", "trailer"):
        yield frame(make(**{early: []})), "misplaced_key" if early != "segments" else "duplicate_key"
    for feature in ("zst", "sharded", "pool", "", "a\0"):
        yield frame(make(requires=[feature])), "unsupported_feature"


def versions():
    """Versions that are none, and those of other layouts."""
    none = (
        "",
        "1",
        "1.",
        ".0",
        "01.0",
        "1.00",
        "1.0.0",
        "1.0 ",
        " 1.0",
        "1,0",
        "-1.0",
        "1.-0",
        "one",
        "1.0\0",
        "\u0661.0",
    )
    yield from ((frame(make(version=text)), "not_a_checkpoint") for text in (*none, "1." + "9" * 31))
    for major in ("0", "2", "3", "10", "11", "100", str(2**64)):
        yield frame(make(version=f"{major}.0")), "unsupported_version"
    yield from ((frame(make(version=f"1.{minor}")), None) for minor in (0, 1, 2, 9, 10, 2**31, 2**64))


def _tensor(dtype, shape, segments, data=(bytes(8),)):
    """A file with one tensor value, in encoded parts."""
    head = Encoder().head(make(model_state=Raw(shortest_ext(1, b"\x93" + dtype + shape + segments))))
    return Frame(head, tuple(data))


def _array(*items):
    return op.fixarray(len(items)) + b"".join(items) if len(items) < 16 else op.array16(len(items)) + b"".join(items)


EIGHT, ZERO, GOOD = _array(op.fixint(8)), _array(op.fixint(0)), op.fixstr(b"uint8")


def payloads():
    """Payloads of tensors whose dtype, shape or segments are of a kind that they may not be."""
    for name in ("", "Bool", "V20", "V2000000000", "<f4", "float", "object", "O", "bool8", "uint8\0", "bfloat", "../x"):
        yield _tensor(op.fixstr(name.encode()), EIGHT, ZERO), "unknown_dtype"
    for code in (op.NIL, op.fixint(1), op.bin8(b"uint8"), op.fixarray(0), op.fixstr(b"\xff"), op.RESERVED):
        yield _tensor(code, EIGHT, ZERO), "bad_tensor"
    odd = (op.NIL, op.TRUE, op.fixint(-1), op.int64(-(2**63)), op.float64_bits(0), op.fixstr(b"8"), op.uint64(2**63))
    for code in (*odd, op.uint64(2**64 - 1), op.fixarray(0), op.fixmap(0)):
        yield _tensor(GOOD, _array(code), ZERO), "bad_tensor"
        yield _tensor(GOOD, code, ZERO), "bad_tensor" if code != op.fixarray(0) else "size_mismatch"
    for code in odd[:6]:
        yield _tensor(GOOD, EIGHT, _array(code)), "bad_tensor"


def sizes():
    """Tensors whose shape, size and segments do not fit one another."""
    for count in (1, 2, 31, 32, 33, 40):
        code = "rank_limit" if count > 32 else None
        yield _tensor(GOOD, _array(*[op.fixint(1)] * (count - 1), op.fixint(8)), ZERO), code
    large = [op.uint64(2**exponent) for exponent in (31, 32, 61, 62)]
    for one, other in itertools.product(large, large):
        yield _tensor(GOOD, _array(one, other), ZERO), "size_mismatch"  # 2^63 and 2^64 among them: nothing wraps
        yield _tensor(GOOD, _array(one, other, op.fixint(0)), op.fixarray(0), ()), None
    for number in (1, 2, 127, 2**32 - 1, 2**32, 2**63, 2**64 - 1):
        yield _tensor(GOOD, EIGHT, _array(op.uint64(number))), "bad_segment_ref"
    yield _tensor(GOOD, _array(op.fixint(16)), _array(op.fixint(0), op.fixint(0))), "bad_segment_ref"
    yield _tensor(GOOD, _array(op.fixint(0)), op.fixarray(0)), "unreferenced_segment"
    for dtype, size in DTYPE_BYTES.items():
        for count, surplus in itertools.product((1, 2, 3), (-1, 0, 1)):
            data = bytes(size * count + surplus)
            if data:
                shape = _array(op.fixint(count))
                yield _tensor(op.fixstr(dtype.encode()), shape, ZERO, (data,)), "size_mismatch" if surplus else None


def tables():
    """Rows and trailers whose numbers are off by one, or as great as can be."""
    data = BASE.build()
    start = len(BASE.head) + 6
    row = Row(start + -start % 64, 9, 9, 0, 1)
    odd = (0, 2**32 - 4095, 2**32, 2**63, 2**64 - 1)
    for field, value in itertools.product(("stored", "raw"), odd):
        yield evolve(BASE, rows={0: evolve(row, **{field: value})}), "bad_segment_table"
    yield from (
        (evolve(BASE, rows={0: evolve(row, codec=codec)}), "unsupported_codec") for codec in (1, 2, 255, 2**64 - 1)
    )
    for step in (-64, -1, 1, 64, 2**40):
        yield evolve(BASE, rows={0: evolve(row, offset=row.offset + step)}), "bad_framing"
    for step in (-1, 1):
        both = evolve(row, stored=9 + step, raw=9 + step)
        yield evolve(BASE, rows={0: both}), "size_mismatch"
        yield evolve(BASE, rows={0: evolve(row, stored=9 + step)}), "bad_segment_table"
    for length in {*range(-2, 3), 2**32, 2**63, 2**64 - 1 - len(data)} - {0}:
        yield evolve(BASE, file_length=len(data) + length), "wrong_length"
    for length in (0, 12, len(data), 2**32, 2**63, 2**64 - 1):
        yield evolve(BASE, head_length=length), "bad_trailer"
        if length > len(BASE.head):
            yield evolve(BASE, table_offset=length), "bad_trailer"
    for step in (-14, -1, 1):
        yield evolve(BASE, head_length=len(BASE.head) + step), "length_overrun" if step < 0 else "misplaced_key"


def files():
    """Yields every case: a frame, and the code of its refusal or None."""
    for family in (heads, versions, payloads, sizes, tables):
        yield from family()
