"""Invalid files whose head parses but does not mean a document: keys, kinds, features, ext values.

Spec: CKPT-READ-001 steps 10 to 13, CKPT-READ-003, CKPT-FILE-006 to CKPT-FILE-009, CKPT-VAL-003, CKPT-VAL-004.
"""

from collections.abc import Iterable

from attrs import evolve

from tenuto.conformance_tests.oracle import opcodes as op
from tenuto.conformance_tests.oracle.encoder import SEGMENTS_KEY, Encoder, shortest_ext
from tenuto.conformance_tests.oracle.frame import Frame, Row, frame
from tenuto.conformance_tests.oracle.tree import HEAD_KEYS, Raw, Tree, filled, make
from tenuto.conformance_tests.oracle.vector import Vector, invalid


def _numbered(first: int, code: str, reqs: str, files: Iterable[tuple[str, bytes | Frame]]) -> list[Vector]:
    return [invalid(first + index, code, title, reqs, data) for index, (title, data) in enumerate(files)]


def missing() -> list[Vector]:
    """Keys that are not there."""
    found: list[tuple[str, bytes | Frame]] = []
    for absent in HEAD_KEYS[1:]:
        head = Encoder().head(make(), [key for key in HEAD_KEYS if key != absent])
        found.append((f"no {absent}", Frame(head)))
    found.append(("metadata without origin", frame(make(metadata={"Origin": {}}))))
    found.append(("a near miss of a name", Frame(_renamed())))
    vectors = _numbered(200, "missing_key", "FILE-006 FILE-008", found)
    # The declared count is at fault; what follows the version is the same in all of them.
    few = [(f"{n} pairs at the top level", Frame(Encoder().head(make(), header=op.fixmap(n)))) for n in (1, 2, 3)]
    return vectors + _numbered(212, "missing_key", "READ-003 FILE-006", few)


def _renamed() -> bytes:
    document = make(rng_states={})
    return Encoder().head(document, [key if key != "rng_state" else "rng_states" for key in HEAD_KEYS])


def misplaced() -> list[Vector]:
    """The key `segments` elsewhere or under another name."""
    base = frame(make(model_state=filled("uint8", 3)))
    whole = Encoder().head
    extra = make(trailer=1)
    files: list[tuple[str, bytes | Frame]] = [
        ("segments is called segment", Frame(whole(make(), segments_key=op.fixstr(b"segment")))),
        ("segments is called Segments", Frame(whole(make(), segments_key=op.fixstr(b"Segments")))),
        ("the head ends after an unknown key", Frame(whole(make(), segments_key=op.fixstr(b"zzz")))),
        ("head_length one too great", evolve(base, head_length=len(base.head) + 1)),
        ("a byte between the key and head_length", Frame(whole(make(), segments_key=SEGMENTS_KEY + op.NIL))),
        ("one pair more than declared", Frame(whole(make(zzz=1), header=op.fixmap(12)))),
        ("the key trailer in the head", Frame(whole(extra))),
        ("the key segment_table in the head", Frame(whole(make(segment_table=[])))),
    ]
    return _numbered(216, "misplaced_key", "FILE-007", files)


def wrong_types() -> list[Vector]:
    """Values of another kind than the table of section 2 gives."""
    cases: list[tuple[str, str, Tree]] = [
        ("requires", "a str", "zstd"),
        ("requires", "nil", None),
        ("requires", "an array with an integer", [1]),
        ("requires", "an array with a bin", [b"zstd"]),
        ("metadata", "nil", None),
        ("metadata", "an array", []),
        ("metadata", "a map whose origin is nil", {"origin": None}),
        ("metadata", "a map whose origin is an array", {"origin": []}),
        ("optimizer_state", "an array", []),
        ("optimizer_state", "a tensor", filled("uint8", 2)),
        ("scheduler_state", "nil", None),
        ("rng_state", "an integer", 7),
        ("callback_state", "a str", "none"),
    ]
    files = [(f"{key} is {title}", frame(make(**{key: value}))) for key, title, value in cases]
    return _numbered(230, "wrong_type", "FILE-008 FILE-002", files)


def features() -> list[Vector]:
    """Features that version 1.0 does not have, with what they will be used for."""
    document = make(requires=["sharded"], model_state=Raw(op.fixext(2, b"\x90\x90")))
    zstd = frame(make(requires=["zstd"], model_state=filled("uint8", 4)))
    row = Row(_first_offset(zstd), 4, 4, 1, 1)
    files = [
        ("zstd, with a segment of codec 1", evolve(zstd, rows={0: row})),
        ("sharded, with an ext of type 2", frame(document)),
        ("pool", frame(make(requires=["pool"]))),
        ("a feature that nobody has heard of", frame(make(requires=["warp-drive"]))),
        ("the empty feature", frame(make(requires=[""]))),
        ("two features", frame(make(requires=["pool", "zstd"]))),
    ]
    found = _numbered(245, "unsupported_feature", "FILE-009", [(f"requires {title}", data) for title, data in files])
    # The first is what a port without the extension says to a file that has it.
    return [evolve(found[0], lacks=("zstd",)), *found[1:]]


def _first_offset(base: Frame) -> int:
    length = len(base.head) + 6
    return length + -length % 64


def ext_types() -> list[Vector]:
    """Ext values of other types than 1, in every form."""
    codes = [
        ("type 0", op.fixext(0, b"\x00")),
        ("type 2", op.fixext(2, b"\x00\x00")),
        ("type 15", op.fixext(15, bytes(4))),
        ("type 16", op.fixext(16, bytes(8))),
        ("type -1, a timestamp", op.fixext(-1, bytes(4))),
        ("type -128", op.fixext(-128, bytes(16))),
        ("type 127 as ext8", op.ext8(127, bytes(3))),
        ("type 3 without a payload", op.ext8(3, b"")),
        ("type 3 as ext16", op.ext16(3, bytes(300))),
        ("type 17 with the payload of a tensor", shortest_ext(17, b"\x93\xa4bool\x91\x00\x90")),
    ]
    return _numbered(
        252, "unsupported_ext", "VAL-012", [(title, frame(make(model_state=[Raw(code)]))) for title, code in codes]
    )


def bad_tensors() -> list[Vector]:
    """Payloads of ext type 1 that are not a tensor."""
    dtype, shape, none = op.fixstr(b"bool"), op.fixarray(1) + op.fixint(0), op.fixarray(0)
    three = op.fixarray(3)
    payloads = [
        ("an empty payload", b""),
        ("nil", op.NIL),
        ("a map", op.fixmap(0)),
        ("two elements", op.fixarray(2) + dtype + shape),
        ("four elements", op.fixarray(4) + dtype + shape + none + op.NIL),
        ("a byte after the array", three + dtype + shape + none + op.NIL),
        ("the array cut short", three + dtype + shape),
        ("dtype nil", three + op.NIL + shape + none),
        ("dtype a bin", three + op.bin8(b"bool") + shape + none),
        ("shape an integer", three + dtype + op.fixint(0) + none),
        ("shape a map", three + dtype + op.fixmap(0) + none),
        ("a negative extent", three + dtype + op.fixarray(2) + op.fixint(-1) + op.fixint(0) + none),
        ("an extent of 2^63", three + dtype + op.fixarray(2) + op.uint64(2**63) + op.fixint(0) + none),
        ("an extent that is a float", three + dtype + op.fixarray(1) + op.float64_bits(0) + none),
        ("an extent that is a bool", three + dtype + op.fixarray(1) + op.FALSE + none),
        ("an extent that is nil", three + dtype + op.fixarray(1) + op.NIL + none),
        ("segments nil", three + dtype + shape + op.NIL),
        ("segments an integer", three + dtype + shape + op.fixint(0)),
        ("a segment number that is a str", three + dtype + shape + op.fixarray(1) + op.fixstr(b"0")),
        ("a segment number that is a bool", three + dtype + shape + op.fixarray(1) + op.FALSE),
        ("a shape of 2^32-1 extents", three + dtype + op.array32(2**32 - 1) + none),
        ("a tensor inside of a tensor", op.ext8(1, three + dtype + shape + none)),
        ("the reserved byte", three + dtype + op.RESERVED + none),
        ("a negative segment number", three + dtype + shape + op.fixarray(1) + op.fixint(-1)),
    ]
    files = [(title, frame(make(model_state=Raw(shortest_ext(1, payload))))) for title, payload in payloads]
    return _numbered(263, "bad_tensor", "VAL-003", files)


def dtypes_and_ranks() -> list[Vector]:
    """Names that are no dtype, and too many extents."""
    names = ["float128", "Float32", "", "int4", "torch.float32", "bool\0", "f4"]
    files = [(f"dtype {name!a}", frame(make(model_state=_empty(name, 1)))) for name in names]
    found = _numbered(287, "unknown_dtype", "VAL-004", files)
    ranks = [(f"rank {rank}", frame(make(model_state=_empty("bool", rank)))) for rank in (33, 300)]
    found += _numbered(295, "rank_limit", "LIM-001", ranks)
    surrogate = Raw(shortest_ext(1, op.fixarray(3) + op.fixstr(b"\xed\xa0\x80") + b"\x91\x00\x90"))
    text = [("a dtype that is not UTF-8", frame(make(model_state=surrogate)))]
    return found + _numbered(297, "bad_tensor", "VAL-003", text)


def _empty(dtype: str, rank: int) -> Raw:
    dims: list[Tree] = [0] * rank
    return Raw(shortest_ext(1, Encoder().value([dtype, dims, []])))


def vectors() -> list[Vector]:
    """All vectors of this family."""
    keys = missing() + misplaced() + wrong_types() + features()
    return keys + ext_types() + bad_tensors() + dtypes_and_ranks()
