"""Vectors that are too large to be kept, or that are no file: made in the sandbox while the suite runs.

Spec: CKPT-LIM-001, CKPT-READ-006, CKPT-CANON-001.
"""

import os
from collections.abc import Callable
from pathlib import Path

from attrs import evolve, frozen

from tenuto.conformance_tests.oracle import opcodes as op
from tenuto.conformance_tests.oracle.encoder import Encoder, shortest_ext
from tenuto.conformance_tests.oracle.families.containers import arrays, counted
from tenuto.conformance_tests.oracle.families.tensors import blob
from tenuto.conformance_tests.oracle.frame import Row, file, frame
from tenuto.conformance_tests.oracle.tree import Document, Raw, filled, make

HEAD_LIMIT = 268435456
NODE_LIMIT = 4194304
MINIMAL_NODES = 21  # the map, nine keys and values, and the pair `origin` inside of `metadata`
TENSOR_LIMIT = 1048576
SEGMENT_LIMIT = 1048576


@frozen
class Generated:
    """A vector that is made when it is needed.

    Attributes:
        id, title, req: as in a sidecar.
        place: makes the file at a path; returns another path if that one is to be asked for.
        document: the document of a canonical file; None if the file is to be refused.
        code: the error of a refusal.
    """

    id: str
    title: str
    req: tuple[str, ...]
    place: Callable[[Path], Path | None]
    document: Callable[[], Document] | None = None
    code: str | None = None


def _valid(number: int, title: str, req: str, document: Callable[[], Document]) -> Generated:
    def place(path: Path) -> None:
        path.write_bytes(file(document()))

    return Generated(f"CKPT-V-{number}", title, (req,), place, document)


def _invalid(number: int, code: str, title: str, req: str, place: Callable[[Path], Path | None]) -> Generated:
    return Generated(f"CKPT-I-{number}", title, (req, "CKPT-READ-001", "CKPT-READ-005"), place, code=code)


def large() -> list[Generated]:
    """Lengths and counts at the boundary between 16 and 32 bits.

    Spec: CKPT-CANON-001.
    """
    short, long = 65535, 65536
    return [
        _valid(
            900, "str of 65535 and 65536 bytes", "CKPT-CANON-001", lambda: make(model_state=["a" * short, "b" * long])
        ),
        _valid(
            901, "bin of 65535 and 65536 bytes", "CKPT-CANON-001", lambda: make(model_state=[bytes(short), bytes(long)])
        ),
        _valid(902, "array of 65535", "CKPT-CANON-001", lambda: make(model_state=[None] * short)),
        _valid(903, "array of 65536", "CKPT-CANON-001", lambda: make(model_state=[None] * long)),
        _valid(904, "map of 65535", "CKPT-CANON-001", lambda: make(model_state=counted(short))),
        _valid(905, "map of 65536", "CKPT-CANON-001", lambda: make(model_state=counted(long))),
        _valid(
            906,
            "segments of 65535 and 65536 bytes, offsets beyond 65535",
            "CKPT-SEG-004",
            lambda: make(model_state=[blob(short), blob(long), filled("float32", 3)]),
        ),
    ]


def _head_limit(path: Path) -> None:
    """A sparse file; its head is refused before anything of it is looked at but the first bytes."""
    start = op.fixmap(12) + op.fixstr(b"version") + op.fixstr(b"1.0")
    table = HEAD_LIMIT + 1 + 15
    trailer = evolve(frame(make()), head_length=HEAD_LIMIT + 1, table_offset=table, file_length=table + 51, digest=0)
    with path.open("wb") as stream:
        stream.write(start)
        stream.seek(table)
        stream.write(trailer.build()[-51:])


def _node_limit(path: Path) -> None:
    count = NODE_LIMIT + 1 - MINIMAL_NODES
    path.write_bytes(file(make(model_state=Raw(op.array32(count) + op.NIL * count))))


def _tensor_limit(path: Path) -> None:
    count = TENSOR_LIMIT + 1
    empty = shortest_ext(1, Encoder().value(["bool", [0], []]))
    path.write_bytes(file(make(model_state=Raw(op.array32(count) + empty * count))))


def _segment_limit(path: Path) -> None:
    """The rows all describe one segment: their number is looked at before anything else about them."""
    count = SEGMENT_LIMIT + 1
    base = frame(make(model_state=blob(8)))
    row = Row(len(base.head) + 6 + -(len(base.head) + 6) % 64, 8, 8, 0, 1).encode()
    path.write_bytes(evolve(base, table=op.array32(count) + row * count).build())


def limits() -> list[Generated]:
    """One more than each limit allows.

    Spec: CKPT-LIM-001.
    """
    req = "CKPT-LIM-001"
    deep = file(make(model_state=Raw(b"\x91" * 1_000_000 + op.NIL)))
    return [
        _invalid(900, "head_limit", "a head of one byte too many", req, _head_limit),
        _invalid(901, "node_limit", "one node too many", req, _node_limit),
        _invalid(902, "tensor_limit", "one tensor too many", req, _tensor_limit),
        _invalid(903, "segment_limit", "one row too many", req, _segment_limit),
        _invalid(904, "depth_limit", "arrays a million deep", req, lambda path: _write(path, deep)),
    ]


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def paths() -> list[Generated]:
    """Paths at which there is no file.

    Spec: CKPT-READ-006.
    """
    req = "CKPT-READ-006"
    return [
        _invalid(910, "file_not_found", "a path that does not exist", req, lambda _: None),
        _invalid(911, "not_a_file", "a folder", req, lambda path: path.mkdir()),
        _invalid(912, "file_not_found", "a path through a file", req, _through_a_file),
        _invalid(913, "not_a_file", "a pipe", req, os.mkfifo),
    ]


def _through_a_file(path: Path) -> Path:
    path.write_bytes(b"")
    return path / "x"


def _truncated(length: int) -> Generated:
    data = file(make(model_state=[blob(9), arrays(2)]))[:length]
    code = "file_too_small" if length < 128 else "bad_magic"
    place = lambda path: _write(path, data)  # noqa: E731
    return _invalid(1000 + length, code, f"a file cut after {length} bytes", "CKPT-FILE-001", place)


def truncations() -> list[Generated]:
    """One small file cut at each eighth byte and around its landmarks.

    Spec: CKPT-FILE-001.
    """
    whole = len(file(make(model_state=[blob(9), arrays(2)])))
    lengths = {*range(0, whole, 8), *range(whole - 60, whole)}
    return [_truncated(length) for length in sorted(lengths)]


def vectors() -> list[Generated]:
    """All vectors that are made at run time."""
    return large() + limits() + paths() + truncations()
