"""Lane H, fuzzing: whatever the bytes, reading them ends in a file or in a refusal."""

import random

import pytest

from crash.fuzzing import Fuzzer
from crash.record import Lane, conclude, sized

PIECE = 50_000  # runs with one seed


def campaign(runs, *, fix_up):
    """Returns fuzzers that have made so many runs."""
    made = []
    for seed in range(-(-runs // PIECE)):
        fuzzer = Fuzzer(random.Random(seed), fix_up=fix_up)
        fuzzer.go(PIECE)
        made.append(fuzzer)
    return made


@pytest.mark.req("CKPT-READ-005", "CKPT-READ-001")
@pytest.mark.parametrize("fix_up", [False, True], ids=["raw", "with digests put right"])
def test_only_refusals_come_out(fix_up, record_property):
    runs = sized(50_000, 5_000_000)
    fuzzers = campaign(runs, fix_up=fix_up)
    foreign = [one for fuzzer in fuzzers for one in fuzzer.foreign]
    assert [(data.hex(), repr(error)) for data, error in foreign[:3]] == []
    endings = set().union(*(fuzzer.seen for fuzzer in fuzzers))
    if fix_up:
        assert {"length_overrun", "depth_limit", "duplicate_key", "bad_tensor", "bad_framing"} <= {
            code for code, _ in endings
        }
        assert sum(fuzzer.accepted for fuzzer in fuzzers) > 0
    total, different = (sum(counts) for counts in zip(*((one.runs, len(one.inputs)) for one in fuzzers), strict=True))
    record_property("endings", len(endings))
    lane = f"H fuzzing, {'digests right' if fix_up else 'raw'}"
    conclude(Lane(lane, total, different, 0, len(foreign), runs * 9 // 10), record_property)


def test_the_fuzzer_finds_a_decoder_that_lets_an_error_through(monkeypatch):
    """What it is for: the reference with one check taken out."""
    from tenuto.reference.checkpoint import reader

    def careless(data, **_):
        return b"".join(bytes([byte]) for byte in data)[0:1] and data.tobytes().index(b"\x0b") and ()

    monkeypatch.setattr(reader.table, "parse_table", careless)
    fuzzer = Fuzzer(random.Random(1), fix_up=True)
    fuzzer.go(500)
    assert any(isinstance(error, ValueError) for _, error in fuzzer.foreign)
