"""Invalid files with two faults, of which the one that an earlier check finds decides.

Spec: ERR-CODE-004, CKPT-READ-001, CKPT-READ-002.
"""

from attrs import evolve

from tenuto.conformance_tests.oracle import opcodes as op
from tenuto.conformance_tests.oracle.encoder import shortest_ext
from tenuto.conformance_tests.oracle.families.framing import BASE, ONE, ROW, ROW2, TWO
from tenuto.conformance_tests.oracle.frame import Frame, frame
from tenuto.conformance_tests.oracle.tree import Document, Raw, Tensor, Tree, make
from tenuto.conformance_tests.oracle.vector import Vector, flip, invalid

_BAD_TABLE = op.fixarray(2) + ROW.encode() + op.NIL
_BAD_TEXT, _BAD_KEY = op.fixstr(b"\xff"), op.fixmap(1) + op.fixint(1) + op.NIL
_UNKNOWN = Tensor("float128", (1,), b"\x01")


def _frame(**changes: Tree) -> Frame:
    """The frame of a document with two tensors, so that every later check has something to find."""
    return frame(_document(**changes))


def _document(**changes: Tree) -> Document:
    return make(**{"model_state": list[Tree]([ONE, TWO]), **changes})


def _opened() -> list[tuple[str, str, bytes | Frame]]:
    """Code, title and file, in the order of the checks: up to the scan of the head."""
    return [
        ("file_too_small", "too small, and no checkpoint", b"PK\x03\x04"),
        ("not_a_checkpoint", "no checkpoint, and no magic", b"PK\x03\x04" + bytes(200)),
        ("unsupported_version", "another version, and no magic", evolve(_frame(version="2.0"), magic=bytes(8))),
        ("bad_magic", "no magic, and a wrong length", evolve(BASE, magic=bytes(8), file_length=1)),
        (
            "wrong_length",
            "a wrong length, and a head that is too long",
            evolve(BASE, file_length=1, head_length=1 << 40),
        ),
        ("bad_trailer", "sizes that do not fit, and a wrong digest", evolve(BASE, head_length=5, digest=1)),
        ("head_digest_mismatch", "a wrong digest, and a key twice", evolve(_twice(), digest=1)),
        (
            "invalid_utf8",
            "no UTF-8, and then a key that is no text",
            _frame(model_state=[Raw(_BAD_TEXT), Raw(_BAD_KEY)]),
        ),
        (
            "key_not_string",
            "a key that is no text, and then no UTF-8",
            _frame(model_state=[Raw(_BAD_KEY), Raw(_BAD_TEXT)]),
        ),
        ("duplicate_key", "a key twice, and another one missing", _twice(missing="rng_state")),
    ]


def _built() -> list[tuple[str, str, bytes | Frame]]:
    """Those of the later checks."""
    padding = {1: b"\x01" + bytes(63)}
    changed = {1: flip(TWO.data, 3)}
    damaged = evolve(BASE, segments=(ONE.data, changed[1]), rows={1: ROW2})
    return [
        ("missing_key", "a key missing, and another of another kind", _missing("rng_state", requires="zstd")),
        ("wrong_type", "requires of another kind, and metadata too", _frame(requires=[1, "zstd"], metadata=[])),
        ("unsupported_feature", "a feature, and metadata of another kind", _frame(requires=["x_own"], metadata=[])),
        ("wrong_type", "a value of another kind, and an ext type", _frame(rng_state=[], model_state=Raw(_ext(5)))),
        ("unsupported_ext", "an ext type, and then a dtype", _frame(model_state=[Raw(_ext(5)), _UNKNOWN])),
        ("unknown_dtype", "a dtype, and then an ext type", _frame(model_state=[_UNKNOWN, Raw(_ext(5))])),
        ("unknown_dtype", "a dtype, and a malformed table", evolve(_frame(model_state=[_UNKNOWN]), table=op.NIL)),
        (
            "bad_segment_table",
            "a malformed table, and padding that is not zero",
            evolve(BASE, table=_BAD_TABLE, padding=padding),
        ),
        (
            "size_mismatch",
            "a size, and padding that is not zero",
            evolve(_frame(model_state=[_short(), TWO]), padding=padding),
        ),
        ("bad_framing", "padding that is not zero, and a wrong digest of a segment", evolve(damaged, padding=padding)),
    ]


def _ext(kind: int) -> bytes:
    return shortest_ext(kind, b"\x01")


def _short() -> Tensor:
    """A tensor with a byte less than its shape asks for."""
    return Tensor("uint8", (ONE.shape[0] + 1,), ONE.data)


def _twice(missing: str = "") -> Frame:
    """A map in the head that has a key twice, without one key of the top level."""
    pair = op.fixstr(b"a") + op.NIL
    return _missing(missing, trainer_state=Raw(op.fixmap(2) + pair + pair))


def _missing(key: str, **changes: Tree) -> Frame:
    return frame({name: value for name, value in _document(**changes).items() if name != key})


def vectors() -> list[Vector]:
    """All vectors with two faults."""
    return [
        evolve(found, req=(*found.req, "ERR-CODE-004"))
        for found in (
            invalid(450 + at, code, title, "READ-001", data)
            for at, (code, title, data) in enumerate(_opened() + _built())
        )
    ]
