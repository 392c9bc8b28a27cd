"""Lane M: a save protocol with one fault is found out, each by the lane that is to find it. This tests the lanes."""

import pytest

from crash.hunt import by_crashes, hunt
from crash.mutants import MUTANTS
from crash.record import Lane, conclude
from crash.workloads import SETTINGS

FLOOR = 30


def test_each_fault_of_the_protocol_is_found_by_its_lane(record_property):
    missed, found = [], {}
    for mutant in MUTANTS:
        breach = hunt(mutant)
        found[f"{mutant.id} (lane {mutant.lane})"] = breach or "NOT FOUND"
        if breach is None:
            missed.append(mutant.id)
    assert missed == []
    distinct = len({mutant.id for mutant in MUTANTS})
    conclude(Lane("M protocol mutants", len(MUTANTS), distinct, 0, len(missed), FLOOR, detail=found), record_property)


@pytest.mark.parametrize("settings", SETTINGS)
def test_without_a_fault_nothing_is_found(settings):
    assert by_crashes(settings) is None
