"""The catalogue of msgpack: what a value, a key and a tensor may be written as, and what each is refused with.

Every case is a value in encoded form with the code that the specification gives it, None for one that is read.
"""

import struct

from tenuto.conformance_tests.oracle import opcodes as op

HUGE = (0xFF, 0xFFFF, 0xFFFFFFFF)
BAD_TEXT = (
    b"\x80",
    b"\xbf",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xc2",
    b"\xe0\x80\x80",
    b"\xe0\x9f\xbf",
    b"\xe2\x82",
    b"\xed\xa0\x80",
    b"\xed\xaf\xbf",
    b"\xed\xb0\x80",
    b"\xed\xbf\xbf",
    b"\xf0\x80\x80\x80",
    b"\xf0\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xfe",
    b"\xff",
)
TEXTS = (b"", b"\0", b"a\0b", "é".encode(), "e\u0301".encode(), "\u202e".encode(), b"../x", "\U0010ffff".encode())


def integers():
    """Every form of integers around the ends of every form, the shortest and all longer ones."""
    ends = {
        0,
        *(sign * (1 << bits) + step for bits in (5, 7, 8, 15, 16, 31, 32, 63) for sign in (1, -1) for step in (-1, 0)),
        2**64 - 1,
    }
    for value in sorted(ends):
        if -32 <= value <= 127:
            yield op.fixint(value), None
        for bits, form in ((8, op.uint8), (16, op.uint16), (32, op.uint32), (64, op.uint64)):
            if 0 <= value < 1 << bits:
                yield form(value), None
        for bits, form in ((8, op.int8), (16, op.int16), (32, op.int32), (64, op.int64)):
            if -(1 << bits - 1) <= value < 1 << bits - 1:
                yield form(value), None


def plain():
    """Values that hold no other: all of them are read, NaN with any bits too."""
    yield from ((code, None) for code in (op.NIL, op.TRUE, op.FALSE))
    for bits in (0, 1, 0x7FF0000000000000, 0xFFF0000000000000, 0x8000000000000000, 0x7FF8000000000001, 2**64 - 1):
        yield op.float64_bits(bits), None
    for bits in (0, 1, 0x7F800000, 0xFF800000, 0x80000000, 0x7FC00001, 2**32 - 1):
        yield op.float32_bits(bits), None
    yield op.RESERVED, "reserved_byte"


def texts():
    """Text in every form, good and bad, and bytes, that may be anything."""
    for form in (op.fixstr, op.str8, op.str16, op.str32):
        yield from ((form(text), None) for text in TEXTS)
        for bad in BAD_TEXT:
            yield from ((form(text), "invalid_utf8") for text in (bad, b"a" + bad, bad + b"a", b"a" * 20 + bad))
    for form, sizes in ((op.str8, (31, 32, 255)), (op.str16, (255, 256, 65535)), (op.str32, (65535, 65536))):
        yield from ((form(b"a" * size), None) for size in sizes)
    for form in (op.bin8, op.bin16, op.bin32):
        yield from ((form(data), None) for data in (b"", *BAD_TEXT, bytes(200)))


def overruns():
    """Lengths and counts that no head of this size holds."""
    strings = [(op.str8, 0), (op.str16, 1), (op.str32, 2), (op.bin8, 0), (op.bin16, 1), (op.bin32, 2)]
    yield from ((form(b"abc", HUGE[size]), "length_overrun") for form, size in strings)
    yield from (
        (form(1, b"abc", HUGE[size]), "length_overrun") for form, size in ((op.ext8, 0), (op.ext16, 1), (op.ext32, 2))
    )
    for form, size in ((op.array16, 1), (op.array32, 2), (op.map16, 1), (op.map32, 2)):
        yield from ((form(HUGE[size] >> shift), "length_overrun") for shift in range(3))
        yield op.fixarray(1) * 8 + form(HUGE[size]), "length_overrun"
        yield (op.fixarray(2) + form(HUGE[size])) * 4, "length_overrun"
    yield from ((op.array32(size) * 20, "length_overrun") for size in (2**16, 2**20, 2**31, 2**32 - 1))


def ext_values():
    """Every type of ext values with payloads of 0 to 17 bytes; only type 1 is looked into, and these are no tensors."""
    for kind in range(-128, 128):
        for size in range(18):
            code = "bad_tensor" if kind == 1 else "unsupported_ext"
            yield op.ext8(kind, bytes(size)), code
            if size in {1, 2, 4, 8, 16}:
                yield op.fixext(kind, b"\xff" * size), code
    for data in (struct.pack(">IQ", 10**9, 0), struct.pack(">Iq", 2**32 - 1, -1)):  # times that are none
        yield op.ext8(-1, data), "unsupported_ext"


def containers():
    """Arrays and maps in every form, and how deep they may lie: the place of a value is three levels deep."""
    for form in (op.fixarray, op.array16, op.array32):
        yield from ((form(count) + op.NIL * count, None) for count in (0, 1, 15))
    for form in (op.fixmap, op.map16, op.map32):
        pairs = [op.fixstr(bytes([97 + number])) + op.NIL for number in range(15)]
        yield from ((form(count) + b"".join(pairs[:count]), None) for count in (0, 1, 15))
    for levels in (1, 28, 29, 30, 31, 32, 33, 100, 1000, 20000):
        for code in (
            b"\x91" * levels + op.NIL,
            b"\x91" * (levels - 1) + op.fixarray(0),
            b"\x81\xa1k" * levels + op.NIL,
        ):
            yield code, None if levels <= 29 else "depth_limit"


def keys():
    """What a map may have as keys, and how often."""
    kinds = (
        op.NIL,
        op.TRUE,
        op.fixint(0),
        op.fixint(-1),
        op.uint8(1),
        op.int64(-1),
        op.float64_bits(0),
        op.float32_bits(0),
    )
    kinds += (op.bin8(b"a"), op.fixarray(0), op.fixmap(0), op.fixext(1, b"a"), op.fixext(-1, bytes(4)))
    for form, key in ((form, key) for form in (op.fixmap, op.map16, op.map32) for key in kinds):
        yield form(1) + key + op.NIL, "key_not_string"
        yield form(2) + op.fixstr(b"a") + op.NIL + key + op.NIL, "key_not_string"
    forms = (op.fixstr, op.str8, op.str16, op.str32)
    for text in TEXTS:
        for one, other in ((one, other) for one in forms for other in forms):
            yield op.fixmap(2) + one(text) + op.NIL + other(text) + op.NIL, "duplicate_key"
            yield op.fixmap(3) + one(text) + op.NIL + op.fixstr(b"z") + op.NIL + other(text) + op.NIL, "duplicate_key"
            yield op.fixmap(2) + one(text) + op.NIL + other(text + b"_") + op.NIL, None
    yield from ((op.fixmap(1) + op.fixstr(bad) + op.NIL, "invalid_utf8") for bad in BAD_TEXT)
    yield op.fixmap(2) + op.fixstr("é".encode()) + op.NIL + op.fixstr("e\u0301".encode()) + op.NIL, None


def values():
    """Yields every case once."""
    seen = set()
    for family in (integers, plain, texts, overruns, ext_values, containers, keys):
        for code, refusal in family():
            if code not in seen:
                seen.add(code)
                yield code, refusal
