"""Explicit msgpack opcodes: one function for each form, so a stream says exactly which bytes it has.

Nothing here chooses a form or checks that a value fits it well; a caller can therefore write canonical,
non-canonical and malformed streams alike. Functions named after arrays and maps write only the header.

Spec: CKPT-FILE-001, CKPT-CANON-001.
"""

import struct

NIL = b"\xc0"
RESERVED = b"\xc1"
FALSE = b"\xc2"
TRUE = b"\xc3"


def fixint(value: int) -> bytes:
    """Positive fixint 0 to 127 or negative fixint -32 to -1."""
    return struct.pack(">b", value)


def uint8(value: int) -> bytes:
    """Form cc."""
    return struct.pack(">BB", 0xCC, value)


def uint16(value: int) -> bytes:
    """Form cd."""
    return struct.pack(">BH", 0xCD, value)


def uint32(value: int) -> bytes:
    """Form ce."""
    return struct.pack(">BI", 0xCE, value)


def uint64(value: int) -> bytes:
    """Form cf."""
    return struct.pack(">BQ", 0xCF, value)


def int8(value: int) -> bytes:
    """Form d0."""
    return struct.pack(">Bb", 0xD0, value)


def int16(value: int) -> bytes:
    """Form d1."""
    return struct.pack(">Bh", 0xD1, value)


def int32(value: int) -> bytes:
    """Form d2."""
    return struct.pack(">Bi", 0xD2, value)


def int64(value: int) -> bytes:
    """Form d3."""
    return struct.pack(">Bq", 0xD3, value)


def float32(value: float) -> bytes:
    """Form ca, from a number that a float32 holds."""
    return struct.pack(">Bf", 0xCA, value)


def float32_bits(bits: int) -> bytes:
    """Form ca, from the bits."""
    return struct.pack(">BI", 0xCA, bits)


def float64_bits(bits: int) -> bytes:
    """Form cb, from the bits."""
    return struct.pack(">BQ", 0xCB, bits)


def fixstr(text: bytes) -> bytes:
    """Forms a0 to bf."""
    return bytes([0xA0 | len(text)]) + text


def str8(text: bytes, length: int | None = None) -> bytes:
    """Form d9; `length` declares another length than the text has."""
    return struct.pack(">BB", 0xD9, len(text) if length is None else length) + text


def str16(text: bytes, length: int | None = None) -> bytes:
    """Form da; `length` declares another length than the text has."""
    return struct.pack(">BH", 0xDA, len(text) if length is None else length) + text


def str32(text: bytes, length: int | None = None) -> bytes:
    """Form db; `length` declares another length than the text has."""
    return struct.pack(">BI", 0xDB, len(text) if length is None else length) + text


def bin8(data: bytes, length: int | None = None) -> bytes:
    """Form c4; `length` declares another length than the data has."""
    return struct.pack(">BB", 0xC4, len(data) if length is None else length) + data


def bin16(data: bytes, length: int | None = None) -> bytes:
    """Form c5; `length` declares another length than the data has."""
    return struct.pack(">BH", 0xC5, len(data) if length is None else length) + data


def bin32(data: bytes, length: int | None = None) -> bytes:
    """Form c6; `length` declares another length than the data has."""
    return struct.pack(">BI", 0xC6, len(data) if length is None else length) + data


def fixarray(count: int) -> bytes:
    """Header 90 to 9f."""
    return bytes([0x90 | count])


def array16(count: int) -> bytes:
    """Header dc."""
    return struct.pack(">BH", 0xDC, count)


def array32(count: int) -> bytes:
    """Header dd."""
    return struct.pack(">BI", 0xDD, count)


def fixmap(count: int) -> bytes:
    """Header 80 to 8f."""
    return bytes([0x80 | count])


def map16(count: int) -> bytes:
    """Header de."""
    return struct.pack(">BH", 0xDE, count)


def map32(count: int) -> bytes:
    """Header df."""
    return struct.pack(">BI", 0xDF, count)


def fixext(kind: int, payload: bytes) -> bytes:
    """Forms d4 to d8, for payloads of 1, 2, 4, 8 or 16 bytes."""
    code = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}[len(payload)]
    return struct.pack(">Bb", code, kind) + payload


def ext8(kind: int, payload: bytes, length: int | None = None) -> bytes:
    """Form c7; `length` declares another length than the payload has."""
    return struct.pack(">BBb", 0xC7, len(payload) if length is None else length, kind) + payload


def ext16(kind: int, payload: bytes, length: int | None = None) -> bytes:
    """Form c8; `length` declares another length than the payload has."""
    return struct.pack(">BHb", 0xC8, len(payload) if length is None else length, kind) + payload


def ext32(kind: int, payload: bytes, length: int | None = None) -> bytes:
    """Form c9; `length` declares another length than the payload has."""
    return struct.pack(">BIb", 0xC9, len(payload) if length is None else length, kind) + payload
