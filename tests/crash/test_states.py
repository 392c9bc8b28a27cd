"""Lane A: after a crash at any operation, with anything on the disk that may be there, no acknowledged save is lost."""

import itertools
import random
from collections import Counter

import pytest

from crash.disk import Disk
from crash.pool import spread
from crash.record import Lane, conclude, is_long, numbered, sized
from crash.recorder import Operation
from crash.recovery import BreachError, check_end, check_files
from crash.states import Findings, search
from crash.workloads import SETTINGS, VERBS, Given, sequences

FLOOR = sized(5_000, 100_000)
DOUBLE = sized(40, 3)


def plan():
    """Returns (settings, sequences) of every search: in the long size all of up to four verbs."""
    chance = random.Random(4)
    two, three = (list(itertools.product(VERBS, repeat=count)) for count in (2, 3))
    if not is_long():
        return [(name, [*sequences(1), *chance.sample(two, 24), *chance.sample(three, 12)]) for name in SETTINGS]
    searches = {name: list(sequences(4)) for name in SETTINGS}
    return [(name, found[at::16]) for at in range(16) for name, found in searches.items()]


def searched():
    found = Findings()
    for part in spread(search, [(name, verbs, DOUBLE) for name, verbs in plan()]):
        found.add(part)
    return found


@pytest.mark.req("STORE-SAVE-013", "TR-FAIL-023", "CPC-KEEP-002", "STORE-KEEP-002", "STORE-SAVE-004", "STORE-SAVE-007")
def test_after_a_crash_at_any_moment_no_acknowledged_checkpoint_is_lost(record_property):
    found = searched()
    counts = Counter(found.distinct.values())
    detail = {f"last verb {verb}": counts[verb] for verb in (*VERBS, "twice")}
    detail |= {f"enumerated under the {model} model": count for model, count in found.executed.items()}
    executed, distinct = sum(found.executed.values()), len(found.distinct)
    detail |= numbered(found.breaches)
    conclude(Lane("A crash states", executed, distinct, 0, len(found.breaches), FLOOR, detail=detail), record_property)
    assert set(counts) == {*VERBS, "twice"}, "every verb has its states, and a crash in a recovery too"


def disk_after(*operations):
    disk = Disk()
    for operation in operations:
        disk.apply(operation)
    return disk


FILE = (Operation("create", "a", inode=1), Operation("write", inode=1, data=b"x" * 700))
SYNC, NAME, FOLDER = Operation("sync", inode=1), Operation("rename", "a", "b"), Operation("sync_folder", ".")


def states(disk, model):
    return {state.key() for state in disk.states(model)}


def test_what_was_written_and_not_synced_may_be_anything():
    contents = {state.contents[1] for state in disk_after(*FILE, FOLDER).states("weak")}
    assert {b"", b"x" * 700, bytes(700), b"x" * 512, b"x" * 699, bytes(512) + b"x" * 188} < contents
    assert {state.contents[1] for state in disk_after(*FILE, SYNC, FOLDER).states("weak")} == {b"x" * 700}


def test_after_a_sync_that_failed_the_next_one_proves_nothing():
    disk = disk_after(*FILE, Operation("sync failed", inode=1), SYNC, FOLDER)
    assert b"" in {state.contents[1] for state in disk.states("weak")}
    assert disk.worst().contents == {1: b""}


def test_a_name_is_there_for_certain_when_its_folder_was_synced():
    for model, syncs in (("weak", (FOLDER,)), ("ordered", (SYNC,))):
        names = [set(state.names) for state in disk_after(*FILE, SYNC, NAME).states(model)]
        assert {"b"} in names
        assert {"a"} in names
        names = [set(state.names) for state in disk_after(*FILE, SYNC, NAME, *syncs).states(model)]
        assert names == [{"b"}]
    assert set() in [set(state.names) for state in disk_after(*FILE, SYNC, NAME).states("weak")]


def test_a_file_that_moves_to_another_folder_is_never_without_a_name():
    made = (*FILE, SYNC, Operation("mkdir", "f"), FOLDER, Operation("rename", "a", "f/b"))
    assert all(1 in state.contents for state in disk_after(*made).states("weak"))
    both = disk_after(*made, Operation("sync_folder", "f"))
    assert {frozenset(state.names) for state in both.states("weak")} == {
        frozenset({"f", "f/b"}),
        frozenset("a") | {"f", "f/b"},
    }


def test_a_folder_that_is_not_durable_takes_its_files_with_it():
    disk = disk_after(Operation("mkdir", "f"), Operation("create", "f/a", inode=1), Operation("sync_folder", "f"))
    assert set() in [set(state.names) for state in disk.states("weak")]


def test_all_states_of_the_ordered_model_are_states_of_the_weak_one():
    log = (
        *FILE,
        SYNC,
        NAME,
        Operation("link", "b", "c"),
        FOLDER,
        Operation("unlink", "b"),
        Operation("symlink", "d", "c"),
    )
    for count in range(len(log)):
        disk = disk_after(*log[:count])
        assert states(disk, "ordered") <= states(disk, "weak")


def test_the_checks_see_what_is_lost_and_what_was_never_saved():
    acknowledged = Operation("acknowledge", "run/a.ckpt", other=(1, 1, 0, 1))
    made = (Operation("create", "run/a.ckpt", inode=1), Operation("write", inode=1, data=b"whole"))
    given = Given()
    given.files.add(b"whole")
    disk = disk_after(Operation("mkdir", "run"), *made, acknowledged)
    with pytest.raises(BreachError, match="no name left"):
        check_files(disk.worst(), disk, given)
    halves = [state for state in disk.states("weak") if state.contents.get(1, b"whole") != b"whole"]
    with pytest.raises(BreachError, match="nobody saved"):
        check_files(halves[0], disk, given)
    with pytest.raises(BreachError, match="was not told"):
        check_end(disk_after(Operation("mkdir", "run"), *made, acknowledged, Operation("unlink", "run/a.ckpt")))
