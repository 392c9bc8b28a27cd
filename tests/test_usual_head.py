"""The quick way to read a head says nothing else than the scan: what it takes is the same, what it leaves is odd."""

import random
import tracemalloc
from pathlib import Path

import pytest
from crash import grammar

from tenuto.conformance_tests.oracle import opcodes as op
from tenuto.reference.checkpoint.constants import TENSOR_LIMIT
from tenuto.reference.checkpoint.head import _ExtValues, _unpack
from tenuto.reference.checkpoint.scan import scan_head
from tenuto.reference.checkpoint.usual_head import unpack_usual
from tenuto.reference.errors import CheckpointError

VECTORS = sorted((Path(__file__).parents[1] / "spec/v1/vectors/ckpt").glob("*/*.ckpt"))
LAST = op.fixstr(b"segments")


def quickly(head):
    """Returns what the quick way makes of a head, spelled out so that types count; None where it leaves it."""
    usual = unpack_usual(memoryview(head), _ExtValues().keep)
    return None if usual is None else repr(usual)


def by_scan(head):
    try:
        found = scan_head(memoryview(head))
    except CheckpointError:
        return None
    if found.timestamps or found.end != len(head):
        return None  # odd, and refused later
    read = _ExtValues()
    return repr(
        ({key: _unpack(head[start:end], read.keep) for key, (start, end) in found.spans.items()}, found.last_key)
    )


def heads_of_vectors():
    for path in VECTORS:
        data = path.read_bytes()
        length = int.from_bytes(data[-40:-32], "little")
        if data and length and data[0] in range(0x83, 0x90):
            yield data[: min(length, TENSOR_LIMIT)]


def heads_around(values):
    """Each value alone and beside others, with the next byte missing or one too many, and a key that is there again."""
    for value in values:
        start = b"\x85" + op.fixstr(b"a") + value + op.fixstr(b"b") + op.NIL
        yield start + LAST
        yield start + LAST[:-1]
        yield start + LAST + op.NIL
        yield start + op.fixstr(b"a")
        yield b"\x84" + value + op.NIL + LAST


def damaged(heads):
    chance = random.Random(5)
    for head in heads:
        for at in chance.sample(range(1, len(head)), min(len(head) - 1, 25)):
            yield head[:at] + bytes([chance.randrange(256)]) + head[at + 1 :]


SETS = {
    "vectors": heads_of_vectors,
    "vectors, damaged": lambda: damaged(heads_of_vectors()),
    "grammar": lambda: heads_around(value for value, _ in grammar.values()),
    "grammar, damaged": lambda: damaged(heads_around(value for value, _ in grammar.values() if len(value) < 100)),
}


@pytest.mark.req("CKPT-READ-002", "CKPT-LIM-001", "CKPT-LIM-003")
@pytest.mark.parametrize("name", SETS)
def test_the_quick_way_takes_what_the_scan_takes_and_makes_the_same_of_it(name):
    taken = 0
    for head in SETS[name]():
        quick = quickly(head)
        assert quick == by_scan(head), head[:200].hex()
        taken += quick is not None
    assert taken > 100


@pytest.mark.req("CKPT-LIM-001")
def test_a_head_that_might_go_beyond_a_limit_is_left_to_the_scan():
    assert quickly(b"\x84" + op.fixstr(b"a") + op.bin32(bytes(TENSOR_LIMIT)) + LAST) is None


@pytest.mark.req("CKPT-LIM-003")
def test_nothing_is_allocated_for_lengths_that_are_not_true():
    head = memoryview(b"\x84" + op.fixstr(b"a") + op.array16(1000) * 1000 + LAST)
    tracemalloc.start()
    try:
        assert unpack_usual(head, _ExtValues().keep) is None
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2**16
