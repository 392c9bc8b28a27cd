"""Lane H, catalogues: files whose digests are right and whose contents are not, each with the code of its refusal."""

from collections import Counter

import msgpack
import pytest

from crash.decoding import code_of
from crash.grammar import values
from crash.record import Lane, conclude
from crash.schema import files
from tenuto.conformance_tests.oracle.frame import file
from tenuto.conformance_tests.oracle.make_vectors import all_vectors
from tenuto.conformance_tests.oracle.tree import Raw, make

PLACES = {
    "in an array": lambda value: make(model_state=[[value]]),
    "in a map": lambda value: make(optimizer_state={"a": {"b": value}}),
    "last in the head": lambda value: make(trainer_state=[[value]]),
    "under a key of a later version": lambda value: make(later=[[value]]),
    "in the metadata": lambda value: make(metadata={"origin": {"a": value}}),
}


def stock(data):
    """Reads with the plain library, as it comes; ext values of its own kind stay bytes."""
    return msgpack.unpackb(data, strict_map_key=False, timestamp=0, max_ext_len=1 << 20)


def found(cases):
    """Returns how many cases there were, and those that came out otherwise than expected."""
    wrong, different = [], set()
    for name, data, expected in cases:
        different.add(data)
        code = code_of(data)
        if code != expected:
            wrong.append((name, code, expected))
    return len(different), wrong


@pytest.mark.req("CKPT-READ-002", "CKPT-READ-001", "CKPT-VAL-012", "CKPT-LIM-001", "CKPT-LIM-003", "CKPT-CANON-003")
def test_every_form_of_msgpack_in_every_place(record_property):
    cases = [
        (f"{place}: {code[:40].hex()}", file(build(Raw(code))), refusal)
        for code, refusal in values()
        for place, build in PLACES.items()
    ]
    executed, wrong = found(cases)
    assert wrong[:10] == []
    conclude(Lane("H grammar", len(cases), executed, 0, len(wrong), 20_000), record_property)


@pytest.mark.req("CKPT-FILE-001")
def test_what_is_read_a_stock_library_reads_too():
    accepted = [code for code, refusal in values() if refusal is None]
    assert len(accepted) > 400
    for code in accepted:
        stock(file(make(model_state=[Raw(code)])))


@pytest.mark.req("CKPT-FILE-006", "CKPT-FILE-008", "CKPT-VAL-003", "CKPT-VAL-006", "CKPT-VAL-010", "CKPT-SEG-007")
def test_every_field_missing_mistyped_and_off_by_one(record_property):
    cases = [(str(number), frame.build(), code) for number, (frame, code) in enumerate(files())]
    cases += [(vector.id, vector.data, vector.code) for vector in all_vectors() if "zstd" not in vector.lacks]
    executed, wrong = found(cases)
    assert wrong[:10] == []
    codes = Counter(code for *_, code in cases)
    assert len(codes) > 25
    conclude(Lane("H schema", len(cases), executed, 0, len(wrong), 800), record_property)
