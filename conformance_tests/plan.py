"""All cases of the suite, in the order in which they are run.

Spec: sections 3 and 6 of 90-conformance.md.
"""

import math
from pathlib import Path

from tenuto.conformance_tests.cases import (
    READ,
    WRITE,
    BadLine,
    BadOut,
    Case,
    Echo,
    End,
    Hello,
    Source,
    SuiteError,
    UnknownOperation,
    generated_source,
    read_source,
    vector_cases,
)
from tenuto.conformance_tests.encoding import encode_cases
from tenuto.conformance_tests.oracle import generated
from tenuto.conformance_tests.oracle.document import Json, Writer, scalar
from tenuto.conformance_tests.oracle.frame import file
from tenuto.conformance_tests.oracle.tree import filled, make
from tenuto.conformance_tests.scenarios.plan import scenario_cases

ESCAPES = '"\\/\b\f\n\r\t\x00\x1f\x7f \xe9\u2028\uffff\U0001f600\U0010ffff'


def adapter_cases() -> list[Case]:
    """Cases about the adapter itself that come first; they are scored with the least profile.

    Spec: CONF-OP-001, CONF-OP-002, CONF-LINE-006, CONF-REPLY-002.
    """
    tied = filled("float32", 2)
    trees = Writer().tree([[], {}, {"b": [1, {"a": None}], "\uffff": [], "\U00010000": {}}, {"": [[True]]}])
    tensors = Writer().tree([tied, {"again": tied}, filled("int64"), filled("bool", 0), filled("bool", 0)])
    echoes: list[tuple[str, str, Json, bool]] = [
        ("SCALARS", "every kind of scalar", _scalars(), False),
        ("TEXT", "every escape of JSON", ["map", [ESCAPES, f"s:{ESCAPES}"]], True),
        ("TREES", "arrays and maps, empty ones among them", trees, False),
        ("TENSORS", "tensors, shared and empty ones among them", tensors, False),
    ]
    greeted = ("CONF-OP-001", "CONF-VERDICT-006", "CONF-LINE-002", "CONF-LINE-004", "CONF-REPLY-001", "GEN-VER-001")
    hello = Case("CONF-HELLO", READ, greeted, "the greeting", Hello())
    req = ("CONF-OP-002", "CONF-LINE-006")
    found = [Case(f"CONF-ECHO-{name}", READ, req, title, Echo(value, slash)) for name, title, value, slash in echoes]
    unknown = Case("CONF-UNKNOWN-OP", READ, ("CONF-REPLY-002",), "an unknown operation", UnknownOperation())
    return [hello, *found, unknown, *fault_cases()]


def fault_cases() -> list[Case]:
    """Requests at fault, after which the adapter is to go on.

    Spec: CONF-REPLY-003.
    """

    def place(path: Path) -> None:
        path.write_bytes(file(make()))

    req = ("CONF-REPLY-003",)
    return [
        Case("CONF-BAD-LINE", READ, req, "a line that is no JSON", BadLine()),
        Case("CONF-BAD-OUT-DECODE", READ, req, "a document that cannot be written", BadOut(place, recode=False)),
        Case("CONF-BAD-OUT-RECODE", WRITE, req, "a file that cannot be written", BadOut(place, recode=True)),
    ]


def _scalars() -> Json:
    integers = [0, 1, -1, -5, 127, 128, -(2**63), 2**63 - 1, 2**63, 2**64 - 1]
    floats = [0.0, -0.0, 1.0, 0.1, 5e-324, math.inf, -math.inf, math.nan]
    texts = ["", "a", "nil", "i:1"]
    blobs = [b"", b"\x00\xff"]
    values: list[Json] = [scalar(value) for group in (integers, floats, texts, blobs) for value in group]
    return ["array", "nil", True, False, *values]


def end_cases() -> list[Case]:
    """Cases about the end of the adapter, which come last.

    Spec: CONF-OP-005.
    """
    req = ("CONF-OP-005",)
    return [
        Case("CONF-END-OF-INPUT", READ, req, "the end of its input ends the adapter", End(bye=False)),
        Case("CONF-BYE", READ, req, "bye ends the adapter", End(bye=True)),
    ]


def vector_sources(spec: Path) -> list[Source]:
    """The vectors, committed ones first; raises `SuiteError` if they are not there."""
    sidecars = sorted((spec / "vectors" / "ckpt").glob("*/*.yaml"), key=lambda path: path.name)
    if not sidecars:
        raise SuiteError(f"vectors of {spec.name}: none; expected the vectors of the specification")
    sources = [read_source(sidecar) for sidecar in sidecars]
    return sources + [generated_source(vector) for vector in generated.vectors()]


def all_cases(spec: Path) -> list[Case]:
    """The whole plan; raises `SuiteError` if the vectors are not there."""
    sources = vector_sources(spec)
    vectors = [case for source in sources for case in vector_cases(source)]
    scripted = [*encode_cases(sources), *scenario_cases(spec / "vectors")]
    return adapter_cases() + vectors + scripted + end_cases()
