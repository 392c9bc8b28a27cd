"""Lane D: whatever operation fails, in whatever way, a save survives, or an error says that it was not made."""

import multiprocessing
import random
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import pytest

from crash import faults
from crash.record import Lane, conclude, is_long, sized

FLOOR = sized(800, 15_000)
PROCESSES = sized(1, 2)
OF_EACH = sized(12, 215)  # of each workload


def chosen(scenario):
    """Returns faults of a workload: of each kind and mode in turn, at operations drawn by chance."""
    planned = faults.cases(*scenario)
    random.Random(str(scenario)).shuffle(planned)
    seen = Counter()
    ranked = []
    for one in planned:
        seen[one.kind, one.mode] += 1
        ranked.append((seen[one.kind, one.mode], one))
    return [one for _, one in sorted(ranked, key=lambda item: item[0])[:OF_EACH]], len(planned)


def tried(scenario):
    cases, planned = chosen(scenario)
    return len(cases), planned, Counter(one.kind for one in cases), faults.run(*scenario, cases)


@pytest.mark.req(
    "STORE-SAVE-003", "STORE-SAVE-005", "STORE-SAVE-008", "STORE-SAVE-010", "STORE-SAVE-014", "TR-FAIL-023"
)
def test_a_fault_leads_to_a_save_that_survives_or_to_a_typed_error(record_property):
    if is_long():
        with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("fork")) as pool:
            results = list(pool.map(tried, faults.SCENARIOS))
    else:
        results = [tried(scenario) for scenario in faults.SCENARIOS]
    breaches = [breach for *_, found in results for breach in found]
    executed, planned = (sum(one[at] for one in results) for at in (0, 1))
    kinds = sum((one[2] for one in results), Counter())
    reason = "a sample of each workload, of each kind in turn"
    assert breaches == []
    lane = Lane("D faults", executed, executed, planned - executed, len(breaches), FLOOR, reason, dict(kinds))
    conclude(lane, record_property)
    assert set(kinds) >= {*faults.ERRORS, *faults.UNSUPPORTED, faults.SHORT, *faults.LIES}


@pytest.mark.parametrize("mode", faults.MODES)
def test_a_planted_fault_strikes_as_often_as_it_says(tmp_path, mode):
    storage = faults.FaultyStorage()
    (tmp_path / "a").write_text("")
    storage.arm(faults.Fault(1, "EIO", mode))
    outcomes = []
    for name in ("names", "identity", "names", "identity", "identity", "identity"):
        try:
            getattr(storage, name)(str(tmp_path / "a") if name == "identity" else str(tmp_path))
            outcomes.append("done")
        except OSError as error:
            outcomes.append(error.errno)
    expected = {
        "once": ["done", 5, "done", "done", "done", "done"],
        "heals": ["done", 5, "done", 5, 5, "done"],
        "for ever": ["done", 5, 5, 5, 5, 5],
    }
    assert outcomes == expected[mode]


@pytest.mark.parametrize("kind", [faults.SHORT, *faults.LIES])
def test_a_write_that_lies_says_that_all_is_well(tmp_path, kind):
    storage, data = faults.FaultyStorage(), bytes(60) + faults.WEIGHT * 9
    storage.arm(faults.Fault(1, kind, "once"))
    file = storage.create(str(tmp_path / "a"))
    taken = storage.write(file, [data[:20], data[20:]])
    assert taken == (len(data) // 2 if kind == faults.SHORT else len(data))
    is_hidden = kind == faults.LIES[2]
    assert ((tmp_path / "a").read_bytes() == data[:taken]) == (kind == faults.SHORT or is_hidden)
    storage.drop_cache(file)
    stored = (tmp_path / "a").read_bytes()
    assert (stored == data[:taken]) == (kind == faults.SHORT)
    assert sum(one != other for one, other in zip(stored, data, strict=False)) == (kind != faults.SHORT)
    storage.close(file)
