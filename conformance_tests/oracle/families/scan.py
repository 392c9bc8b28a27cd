"""Invalid files that the scan of the head refuses: lengths, bytes, text, keys, depth.

Spec: CKPT-READ-002, CKPT-LIM-001, CKPT-LIM-003.
"""

from collections.abc import Iterable

from attrs import evolve

from tenuto.conformance_tests.oracle import opcodes as op
from tenuto.conformance_tests.oracle.encoder import SEGMENTS_KEY, Encoder
from tenuto.conformance_tests.oracle.families.containers import arrays, maps
from tenuto.conformance_tests.oracle.frame import Frame, frame
from tenuto.conformance_tests.oracle.tree import HEAD_KEYS, Pairs, Raw, make
from tenuto.conformance_tests.oracle.vector import Vector, invalid


def raw(code: bytes) -> Frame:
    """A file whose `model_state` is an array that holds these bytes."""
    return frame(make(model_state=[Raw(code)]))


def last(code: bytes) -> Frame:
    """A file whose `trainer_state`, the last value of the head, is these bytes."""
    return frame(make(trainer_state=Raw(code)))


def _numbered(first: int, code: str, reqs: str, files: Iterable[tuple[str, bytes | Frame]]) -> list[Vector]:
    return [invalid(first + index, code, title, reqs, data) for index, (title, data) in enumerate(files)]


def overruns() -> list[Vector]:
    """Declared lengths and counts that no head could hold."""
    huge = 2**32 - 1
    rest = len(SEGMENTS_KEY)
    files: list[tuple[str, bytes | Frame]] = [
        ("array16 of 65535", raw(op.array16(65535))),
        ("array32 of 2^32-1", raw(op.array32(huge))),
        ("map16 of 65535", raw(op.map16(65535))),
        ("map32 of 2^32-1", raw(op.map32(huge))),
        ("map32 of 2^31, whose double wraps", raw(op.map32(2**31))),
        ("str8 of 255", raw(op.str8(b"abc", 255))),
        ("str32 of 2^32-1", raw(op.str32(b"abc", huge))),
        ("bin16 of 65535", raw(op.bin16(b"abc", 65535))),
        ("bin32 of 2^32-1", raw(op.bin32(b"abc", huge))),
        ("ext8 of 255", raw(op.ext8(1, b"abc", 255))),
        ("ext32 of 2^32-1", raw(op.ext32(1, b"abc", huge))),
        ("a str one byte longer than the rest of the head", last(op.str8(b"", rest + 1))),
        ("a bin one byte longer than the rest of the head", last(op.bin8(b"", rest + 1))),
        ("an array one longer than the rest of the head", last(op.array16(rest + 1))),
        ("a map of half the rest of the head and one more", last(op.fixmap(rest // 2 + 1))),
        ("a key of 2^32-1 bytes", frame(make(model_state=Pairs(((op.str32(b"k", huge), 1),), op.fixmap(1))))),
        ("the top level declares 65535 pairs", _top(op.map16(65535))),
        ("the top level declares 2^32-1 pairs", _top(op.map32(huge))),
        ("the head ends inside of a uint64", _ending(op.uint64(7)[:5])),
        ("the head ends inside of a float64", _ending(op.float64_bits(0)[:8])),
        ("head_length inside of the key segments", _short_head()),
        ("the top level declares one pair too many", _top(op.fixmap(13))),
        ("the top level declares a pair more than 2n-5 bytes hold", _top(op.map16(_top_limit() + 1))),
        ("the top level declares all pairs that 2n-5 bytes hold", _top(op.map16(_top_limit()))),
    ]
    return _numbered(110, "length_overrun", "READ-002 LIM-003", files)


def _top(header: bytes) -> Frame:
    return Frame(Encoder().head(make(), header=header))


def _top_limit() -> int:
    """The greatest count of a top-level map16 that fits what follows it: 2n - 5 bytes for n pairs."""
    return (len(Encoder().head(make())) - 1 + 5) // 2


def _ending(code: bytes) -> Frame:
    """A head that ends within its last value; there is no key `segments`."""
    return Frame(Encoder().head(make(trainer_state=Raw(code)), segments_key=b""))


def _short_head() -> Frame:
    base = frame(make())
    return evolve(base, head_length=len(base.head) - 1)


def bytes_and_text() -> list[Vector]:
    """The byte c1, and text that is not UTF-8."""
    bad = [
        ("a lone continuation byte", b"a\x80b"),
        ("an overlong NUL", b"\xc0\x80"),
        ("an overlong slash of three bytes", b"\xe0\x80\xaf"),
        ("an overlong form of four bytes", b"\xf0\x80\x80\xaf"),
        ("a sequence cut short", b"ab\xe2\x82"),
        ("a high surrogate", b"\xed\xa0\x80"),
        ("a low surrogate", b"\xed\xbf\xbf"),
        ("a pair of surrogates (CESU-8)", b"\xed\xa0\xbd\xed\xb8\x80"),
        ("beyond U+10FFFF", b"\xf4\x90\x80\x80"),
        ("the byte ff", b"\xff"),
        ("a sequence of five bytes", b"\xf8\x88\x80\x80\x80"),
    ]
    files: list[tuple[str, bytes | Frame]] = [(f"a str with {title}", raw(op.fixstr(text))) for title, text in bad]
    surrogate = op.fixstr(b"\xed\xa0\x80")
    files += [
        ("a key with a surrogate", frame(make(model_state=Pairs(((surrogate, 1),), op.fixmap(1))))),
        ("a long str with its last byte bad", raw(op.str16(b"a" * 299 + b"\xc3"))),
        ("an unknown top-level key with a surrogate", _with_pairs((surrogate, op.NIL))),
    ]
    found = _numbered(140, "invalid_utf8", "READ-002", files)
    reserved = [
        ("as a value", raw(op.RESERVED)),
        ("as the value of a head key", last(op.RESERVED)),
        ("behind another value", raw(op.fixarray(2) + op.NIL + op.RESERVED)),
    ]
    return found + _numbered(135, "reserved_byte", "READ-002", [(f"c1 {where}", data) for where, data in reserved])


def _with_pairs(*pairs: tuple[bytes, bytes]) -> Frame:
    """The smallest file with more pairs, each in encoded form, after the known ones."""
    count = len(HEAD_KEYS) + len(pairs) + 3
    head = Encoder().head(make(), header=op.fixmap(count), segments_key=b"")
    return Frame(head + b"".join(key + value for key, value in pairs) + SEGMENTS_KEY)


def keys() -> list[Vector]:
    """Keys that are not str, and keys that are repeated."""
    kinds = [
        ("an integer", op.fixint(1)),
        ("nil", op.NIL),
        ("a bin", op.bin8(b"key")),
        ("a bool", op.TRUE),
        ("a float", op.float64_bits(0)),
        ("an empty array", op.fixarray(0)),
        ("an ext", op.fixext(1, b"\x00")),
    ]
    files: list[tuple[str, bytes | Frame]] = [
        (f"a key that is {kind}", frame(make(model_state=Pairs(((code, 1),), op.fixmap(1))))) for kind, code in kinds
    ]
    files.append(("a key at the top level that is an integer", _with_pairs((op.fixint(1), op.NIL))))
    found = _numbered(160, "key_not_string", "READ-002 VAL-001", files)
    a, b = op.fixstr(b"a"), op.fixstr(b"b")
    nested = {
        "twice in a row": ((a, 1), (a, 1)),
        "with another key between": ((a, 1), (b, 2), (a, 3)),
        "in two forms": ((a, 1), (op.str8(b"a"), 2)),
    }
    files = [
        (f"a nested key {title}", frame(make(model_state=Pairs(items, op.fixmap(len(items))))))
        for title, items in nested.items()
    ]
    files += [
        ("a key of the head twice", _with_pairs((op.fixstr(b"metadata"), op.fixmap(0)))),
        ("version twice", _with_pairs((op.fixstr(b"version"), op.fixstr(b"1.0")))),
        ("an unknown key twice", _with_pairs((a, op.NIL), (a, op.NIL))),
        ("segments twice", _with_pairs((SEGMENTS_KEY, op.fixarray(0)))),
        ("the empty key twice", _with_pairs((op.fixstr(b""), op.NIL), (op.fixstr(b""), op.TRUE))),
        ("a key of metadata twice", _metadata_twice()),
    ]
    return found + _numbered(170, "duplicate_key", "READ-002", files)


def _metadata_twice() -> Frame:
    origin = op.fixstr(b"origin")
    return frame(make(metadata=Pairs(((origin, {}), (origin, {})), op.fixmap(2))))


def depths() -> list[Vector]:
    """Nesting beyond the limit."""
    files: list[tuple[str, bytes | Frame]] = [
        ("arrays 33 deep", frame(make(model_state=arrays(32)))),
        ("maps 33 deep", frame(make(trainer_state=maps(32)))),
        ("an empty array at depth 33", frame(make(model_state=arrays(31, [])))),
        ("an empty map at depth 33", frame(make(model_state=maps(31, {})))),
        ("an unknown key 33 deep", frame(make(future=arrays(32)))),
        ("arrays 1000 deep", raw(b"\x91" * 1000 + op.NIL)),
        ("maps 1000 deep", raw((op.fixmap(1) + op.fixstr(b"k")) * 1000 + op.NIL)),
        ("arrays 30000 deep", raw(b"\x91" * 30000 + op.NIL)),
    ]
    return _numbered(185, "depth_limit", "READ-002 LIM-001", files)


def vectors() -> list[Vector]:
    """All vectors of this family."""
    return overruns() + bytes_and_text() + keys() + depths()
