"""What a lane did is kept beside what the others did, and too little of it is a failure."""

import json

import pytest

from crash import record

LANE = {"lane": "X", "executed": 12, "distinct": 10, "skipped": 0, "failed": 0, "floor": 10}


@pytest.fixture
def conclude(tmp_path, monkeypatch):
    """Concludes a lane on a file of its own, and returns what that file holds and what would be printed."""
    monkeypatch.setattr(record, "FILE", tmp_path / "build/torture.json")
    monkeypatch.delenv("TENUTO_TORTURE", raising=False)

    def concluded(**fields):
        printed = {}
        record.conclude(record.Lane(**{**LANE, **fields}), printed.__setitem__)
        return json.loads(record.FILE.read_text()), printed[record.PROPERTY]

    return concluded


def test_lanes_are_kept_beside_each_other_and_each_is_replaced_by_its_next_run(conclude):
    conclude(lane="Y", executed=1)
    conclude(executed=11)
    written, line = conclude()
    assert [(one["lane"], one["executed"]) for one in written] == [("X", 12), ("Y", 1)]
    assert {name: written[0][name] for name in LANE} == LANE
    assert line == "lane X [ci]: 12 executed, 10 distinct (floor 10), 0 skipped, 0 failed"


@pytest.mark.parametrize("wrong", [{"distinct": 9}, {"failed": 1}, {"skipped": 1}], ids=str)
def test_too_few_cases_a_failed_one_and_one_left_out_without_a_reason_fail(conclude, wrong):
    with pytest.raises(AssertionError, match="lane X"):
        conclude(**wrong)
    assert json.loads(record.FILE.read_text()), "what it did is written nonetheless"


def test_the_long_size_is_asked_for_by_a_variable(monkeypatch):
    for value, size in ((None, "ci"), ("0", "ci"), ("", "ci"), ("1", "long")):
        monkeypatch.delenv("TENUTO_TORTURE", raising=False)
        if value is not None:
            monkeypatch.setenv("TENUTO_TORTURE", value)
        assert record.Lane(**LANE).size == size
        assert record.sized(1, 2) == (2 if size == "long" else 1)
