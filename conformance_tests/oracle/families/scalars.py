"""Valid files: scalars at the boundaries of every msgpack family.

Spec: CKPT-VAL-001, CKPT-VAL-013, CKPT-VAL-014, CKPT-CANON-001.
"""

import math
import struct

from tenuto.conformance_tests.oracle.tree import Tree, make
from tenuto.conformance_tests.oracle.vector import Vector, valid

INT_REQS = "VAL-001 CANON-001"

SINGLES: list[Tree] = [0.0, 1.0, -1.5, 0.5, 2.0**-149, 2.0**-126, float(2**24), math.inf, -math.inf, -0.0]
"""Numbers that a float32 holds, so a writer that narrows would narrow them."""


def _ints(number: int, title: str, *values: int) -> Vector:
    return valid(number, title, INT_REQS, make(model_state=list(values)))


def integers() -> list[Vector]:
    """Every integer family at both ends."""
    return [
        _ints(10, "positive fixint 0, 1 and 127", 0, 1, 127),
        _ints(11, "uint8 128 and 255", 128, 255),
        _ints(12, "uint16 256 and 65535", 256, 65535),
        _ints(13, "uint32 65536 and 2^32-1", 65536, 2**32 - 1),
        _ints(14, "uint64 2^32 and 2^63-1", 2**32, 2**63 - 1),
        _ints(15, "uint64 beyond the signed range, 2^63 and 2^64-1", 2**63, 2**64 - 1),
        _ints(16, "negative fixint -1 and -32", -1, -32),
        _ints(17, "int8 -33 and -128", -33, -128),
        _ints(18, "int16 -129 and -32768", -129, -32768),
        _ints(19, "int32 -32769 and -2^31", -32769, -(2**31)),
        _ints(20, "int64 -2^31-1 and -2^63", -(2**31) - 1, -(2**63)),
        _ints(21, "integers that a float64 does not hold", 2**53 + 1, -(2**53) - 1, 2**63 - 1025),
        valid(22, "nil, false and true", "VAL-001", make(model_state=[None, False, True], trainer_state=False)),
    ]


def floats() -> list[Vector]:
    """Float specials."""

    def vector(number: int, title: str, *values: float) -> Vector:
        return valid(number, title, "VAL-001 VAL-013 CANON-001", make(model_state=list(values)))

    return [
        vector(30, "ordinary floats, whole ones among them", 0.0, 1.0, -1.0, 0.1, 1 / 3, 1e300, 2.0**53),
        vector(31, "negative zero beside zero", -0.0, 0.0),
        vector(32, "subnormals and the least normal number", 5e-324, -5e-324, 2.2250738585072009e-308, 2.0**-1022),
        vector(33, "infinities and the greatest numbers", math.inf, -math.inf, 1.7976931348623157e308),
        valid(34, "NaN", "VAL-014", make(model_state=[math.nan])),
        valid(35, "floats that a float32 holds stay float64", "VAL-013 CANON-001", make(model_state=SINGLES)),
        vector(36, "neighbors of 1 and a float beside the equal integer", *_neighbors()),
    ]


def _neighbors() -> list[float]:
    near = [0x3FEFFFFFFFFFFFFF, 0x3FF0000000000000, 0x3FF0000000000001]
    return [struct.unpack(">d", bits.to_bytes(8, "big"))[0] for bits in near]


def texts() -> list[Vector]:
    """Lengths and contents of str and bin."""
    edges = "\x00\x7f\x80\u07ff\u0800\ud7ff\ue000\ufdd0\ufffe\uffff\U00010000\U0010ffff"
    return [
        valid(
            40,
            "str of 0, 1, 31, 32, 255 and 256 bytes",
            "VAL-001 CANON-001",
            make(model_state=["", "a", "b" * 31, "c" * 32, "d" * 255, "e" * 256]),
        ),
        valid(
            41,
            "control characters, quotes and backslashes",
            "VAL-001",
            make(model_state=["\x00\x01\x1f\x7f", 'a"b\\c/d', "\b\f\n\r\t", "\u2028\u2029\ufeff"]),
        ),
        valid(
            42, "the ends of every length of UTF-8, noncharacters included", "VAL-001", make(model_state=list(edges))
        ),
        valid(
            43,
            "composed and decomposed text stay apart",
            "VAL-001 CANON-002",
            make(model_state={"\xe9": "\xe9", "e\u0301": "e\u0301"}),
        ),
        valid(44, "the length of a str is in bytes", "CANON-001", make(model_state=["\xe9" * 15, "\xe9" * 16])),
        valid(
            45,
            "text that looks like tags and kinds",
            "VAL-001",
            make(model_state=["nil", "i:1", "s:", "true", "array", ["map", "tensor"], {"array": "b:00"}]),
        ),
        valid(
            50,
            "bin of 0, 1, 255 and 256 bytes",
            "VAL-001 CANON-001",
            make(model_state=[b"", b"\x00", bytes(range(255)), bytes(range(256))]),
        ),
        valid(51, "bin is not str", "VAL-001", make(model_state=[b"abc", "abc", b"\xff\xfe"])),
    ]


def vectors() -> list[Vector]:
    """All vectors of this family."""
    return integers() + floats() + texts()
