"""Invalid files that are refused in phase `open`: the first bytes and the trailer.

Spec: CKPT-READ-001 steps 1 to 8, CKPT-VER-002, CKPT-FRAME-001, CKPT-FRAME-002, CKPT-FRAME-003.
"""

import xxhash
from attrs import evolve

from tenuto.conformance_tests.oracle import opcodes as op
from tenuto.conformance_tests.oracle.encoder import Encoder
from tenuto.conformance_tests.oracle.frame import Frame, file, frame
from tenuto.conformance_tests.oracle.tree import HEAD_KEYS, Raw, filled, make
from tenuto.conformance_tests.oracle.vector import Vector, flip, invalid

BASE = frame(make(model_state=[filled("uint8", 9)]))
DATA = BASE.build()
HEAD = len(BASE.head)


def too_small() -> list[Vector]:
    """Files that are too short to be looked at."""
    return [
        invalid(1, "file_too_small", "no bytes", "READ-001", b""),
        invalid(2, "file_too_small", "one byte", "READ-001", DATA[:1]),
        invalid(3, "file_too_small", "127 bytes of a file", "READ-001", DATA[:127]),
        invalid(4, "file_too_small", "the last 127 bytes of a file", "READ-001", DATA[-127:]),
    ]


def _with_version(code: bytes) -> Frame:
    return frame(make(version=Raw(code)))


def not_a_checkpoint() -> list[Vector]:
    """Files that do not start with a map, `version` and a version."""
    minimal = make()
    other_first = Encoder().head(minimal, [HEAD_KEYS[1], "version", *HEAD_KEYS[2:]])
    found: list[tuple[str, bytes | Frame]] = [
        ("128 bytes of a zip archive", b"PK\x03\x04" + bytes(124)),
        ("an array at the top", op.fixarray(12) + file(minimal)[1:]),
        ("a map of no pairs", op.fixmap(0) + file(minimal)[1:]),
        ("another key first", Frame(other_first)),
        ("the first key is a bin", file(minimal).replace(op.fixstr(b"version"), op.bin8(b"version"), 1)),
        ("the first key is Version", flip(file(minimal), 2, 5)),
        ("a version that is an integer", _with_version(op.fixint(1))),
        ("a version that is a bin", _with_version(op.bin8(b"1.0"))),
        ("a version of 33 bytes", _with_version(op.str8(b"1." + b"9" * 31))),
        ("a version longer than the file", _with_version(op.str32(b"1.0", length=2**32 - 1))),
    ]
    vectors = [invalid(10 + at, "not_a_checkpoint", title, "FILE-002", data) for at, (title, data) in enumerate(found)]
    texts = ["1", "1.0.0", "01.0", "1.00", "1.0\n", "v1.0", "1.", ".0", "+1.0", "1.\u0663", "", "1,0", " 1.0", "1.0\0"]
    for index, text in enumerate(texts):
        data = frame(make(version=text)).build()
        vectors.append(invalid(20 + index, "not_a_checkpoint", f"version {text!a}", "FILE-002", data))
    return vectors


def unsupported_version() -> list[Vector]:
    """Other major versions."""
    texts = ["2.0", "0.1", "10.0", "18446744073709551617.0", "0.0"]
    return [
        invalid(40 + index, "unsupported_version", f"version {text}", "VER-002", frame(make(version=text)))
        for index, text in enumerate(texts)
    ]


def bad_magic() -> list[Vector]:
    """Files that do not end as one of these files does."""
    whole = DATA
    seven_bit = whole[:-8] + bytes(byte & 0x7F for byte in whole[-8:])
    line_ends = whole[:-8] + whole[-8:].replace(b"\n", b"\r\n")
    files = [
        ("seventh bit lost", seven_bit),
        ("line end translated", line_ends),
        ("last bit flipped", flip(whole, -1)),
        ("a byte appended", whole + b"\x00"),
        ("a line feed appended", whole + b"\n"),
        ("last byte cut off", whole[:-1]),
        ("cut inside of the trailer", whole[:-20]),
        ("cut before the trailer", whole[:-50]),
        ("cut after 128 bytes", whole[:128]),
        ("cut at the end of the head", whole[:HEAD]),
    ]
    return [invalid(50 + at, "bad_magic", title, "FRAME-001 FILE-001", data) for at, (title, data) in enumerate(files)]


def wrong_length() -> list[Vector]:
    """Files of another length than their trailer says."""
    length = len(DATA)
    files: list[tuple[str, bytes | Frame]] = [
        ("one more", evolve(BASE, file_length=length + 1)),
        ("one less", evolve(BASE, file_length=length - 1)),
        ("zero", evolve(BASE, file_length=0)),
        ("2^64-1", evolve(BASE, file_length=2**64 - 1)),
        ("the length plus 2^32", evolve(BASE, file_length=length + 2**32)),
        ("a byte inserted", DATA[:HEAD] + b"\x00" + DATA[HEAD:]),
        ("the file twice", DATA + DATA),
    ]
    return [
        invalid(65 + index, "wrong_length", f"file_length: {title}", "FRAME-002 FILE-001", data)
        for index, (title, data) in enumerate(files)
    ]


def bad_trailer() -> list[Vector]:
    """Trailers whose numbers contradict one another, some only when nothing wraps."""
    table = len(DATA) - 50
    files = [
        ("head_length 0", evolve(BASE, head_length=0)),
        ("head_length 12", evolve(BASE, head_length=12)),
        ("head_length 2^64-1", evolve(BASE, head_length=2**64 - 1)),
        ("head_length 2^64-15", evolve(BASE, head_length=2**64 - 15)),
        ("table_offset too near to the head", evolve(BASE, table_offset=HEAD + 14)),
        ("table_offset before the head", evolve(BASE, table_offset=0)),
        ("no room for the table", evolve(BASE, table_offset=table)),
        ("table_offset at the end of the file", evolve(BASE, table_offset=len(DATA))),
        ("table_offset 2^64-51", evolve(BASE, table_offset=2**64 - 51)),
        ("table_offset 2^64-1", evolve(BASE, table_offset=2**64 - 1)),
    ]
    return [invalid(75 + at, "bad_trailer", title, "FRAME-002", data) for at, (title, data) in enumerate(files)]


def head_digest() -> list[Vector]:
    """Bits that the trailer's hash covers."""
    table = DATA.rindex(op.fixstr(b"segment_table")) + 14
    little = int.from_bytes(DATA[-16:-8], "little")
    files: list[tuple[str, bytes | Frame]] = [
        ("a bit of the head", flip(DATA, 40, 3)),
        ("the last bit of the head", flip(DATA, HEAD - 1)),
        ("a bit of the map header", flip(DATA, 0)),
        ("a bit of the table", flip(DATA, table + 4)),
        ("a bit of head_length", flip(DATA, -40)),
        ("a bit of table_offset", flip(DATA, -32)),
        ("a bit of the hash", flip(DATA, -9, 7)),
        ("the hash in big-endian order", evolve(BASE, digest=int.from_bytes(little.to_bytes(8, "little"), "big"))),
        ("the hash zero", evolve(BASE, digest=0)),
        ("the hash over everything before the trailer", evolve(BASE, digest=_over_everything())),
    ]
    return [
        invalid(90 + index, "head_digest_mismatch", title, "FRAME-003", data)
        for index, (title, data) in enumerate(files)
    ]


def _over_everything() -> int:
    return xxhash.xxh64_intdigest(DATA[:-16])


def vectors() -> list[Vector]:
    """All vectors of this family."""
    first = too_small() + not_a_checkpoint() + unsupported_version()
    return first + bad_magic() + wrong_length() + bad_trailer() + head_digest()
