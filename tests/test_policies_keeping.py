"""What is kept: a table for each policy, and laws that hold for all of them."""

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from tenuto.callbacks.policies.ranking import BestEntry
from tenuto.callbacks.policies.retention import (
    KeepAll,
    KeepBest,
    KeepBestAndLatest,
    KeepEvery,
    KeepLast,
    KeepUnion,
    StoredCheckpoint,
    plan_retention,
    stored_checkpoints,
)
from tenuto.reference.checkpoint.entries import Entry
from tenuto.reference.errors import ConfigError
from tenuto.reference.events.contexts import Progress, RunIdentity


def stored(epoch, *places, reasons=("periodic",), batch=0, **more):
    """A checkpoint after some epochs, or some batches later; its places are those in the lists of `a` and `b`."""
    name = f"checkpoint_epoch_{epoch:04d}" + (f"_step_{2 * epoch + batch:08d}" if batch else "")
    if reasons[0] in {"exception", "signal"}:
        name = f"emergency_epoch_{epoch:04d}_step_{2 * epoch + batch:08d}"
    progress = Progress(epoch, batch, 2 * epoch + batch)
    made = {"name": f"{name}.ckpt", "attempt": 1, "progress": progress, "reasons": reasons}
    return StoredCheckpoint(**{**made, "places": dict(zip("ab", places, strict=False)), **more})


def gone(policy, *checkpoints):
    """The epochs whose checkpoints a policy has deleted."""
    deleted = plan_retention(checkpoints, policy).delete
    return [one.progress.epoch for one in checkpoints if one.name in deleted]


# By epoch: the place in the list of `a`, and in that of `b`.
PLACES = [(None, None), (1, None), (0, 1), (None, 0), (2, None), (None, None)]
RUN = [stored(epoch, *places) for epoch, places in enumerate(PLACES, 1)]


@pytest.mark.req("CPC-KEEP-001", "CPC-KEEP-004", "CPC-KEEP-006", "CPC-KEEP-007")
@pytest.mark.parametrize(
    ("policy", "deleted"),
    [
        (KeepAll(), []),
        (KeepLast(1), [1, 2, 3, 4, 5]),
        (KeepLast(4), [1, 2]),
        (KeepLast(9), []),
        (KeepBest(1), [1, 2, 4, 5]),  # the newest stays: its bytes are nowhere else
        (KeepBest(2), [1, 4, 5]),
        (KeepBest(9), [1, 4]),
        (KeepBestAndLatest(), [1, 2, 5]),
        (KeepEvery(2), [1, 3, 5]),
        (KeepEvery(4), [1, 2, 3, 5]),
        (KeepUnion((KeepEvery(5), KeepBest(1))), [1, 2, 4]),
        (KeepUnion((KeepLast(2), KeepAll())), []),
        (KeepUnion([KeepLast(2)]), [1, 2, 3, 4]),
    ],
    ids=str,
)
def test_the_table_of_policies(policy, deleted):
    assert gone(policy, *RUN) == deleted


@pytest.mark.req("CPC-KEEP-008")
def test_keeping_the_best_leaves_the_newest_to_latest_once_its_bytes_stand_there():
    *before, newest = RUN
    assert gone(KeepBest(1), *before, newest) == [1, 2, 4, 5]
    there = evolve(newest, is_latest=True)
    assert gone(KeepBest(1), *before, there) == [1, 2, 4, 5, 6]
    assert gone(KeepUnion((KeepBest(1), KeepBest(2))), *before, there) == [1, 4, 5, 6]
    assert gone(KeepUnion((KeepBest(1), KeepEvery(5))), *before, there) == [1, 2, 4]  # the second would not delete it
    best = evolve(there, places={"a": 0, "b": None})
    assert gone(KeepBest(1), RUN[0], best) == [1]


@pytest.mark.req("CPC-KEEP-004")
@pytest.mark.parametrize(("is_exact", "deleted"), [(False, [1]), (True, [1, 2])])
def test_the_newest_exact_checkpoint_stays_beside_a_newer_one_that_is_not(is_exact, deleted):
    emergency = stored(2, batch=1, reasons=("exception",), is_exact=is_exact)
    assert gone(KeepBestAndLatest(), stored(1), stored(2), emergency) == deleted


@pytest.mark.req("CPC-KEEP-004", "CPC-KEEP-005", "CPC-KEEP-006")
def test_what_is_protected_stays_whatever_a_policy_answers():
    class Nothing:
        def names_to_keep(self, checkpoints):
            return []

    passed, waiting = stored(2, batch=1, reasons=("signal",)), stored(4, batch=1, reasons=("exception",))
    kept = [stored(1, reasons=("best", "manual")), stored(2, is_parent=True), stored(5)]
    assert gone(Nothing(), *kept, stored(3), passed) == [3, 2]
    assert gone(Nothing(), *kept[:2], stored(3), waiting) == [3]  # nothing periodic is newer than the emergency
    assert gone(Nothing(), *kept, stored(3), waiting) == [3, 4]
    by_hand = stored(6, reasons=("best", "manual"))
    assert gone(Nothing(), stored(3), waiting, by_hand) == [3]  # newer, but not periodic
    parent = evolve(passed, is_parent=True)
    assert gone(Nothing(), *kept, parent) == []


@pytest.mark.req("CPC-KEEP-001", "CPC-KEEP-006")
def test_a_final_save_counts_as_periodic_and_one_in_mid_epoch_is_no_multiple():
    entries = [stored(2), stored(3), stored(4, batch=1, reasons=("train_end",))]
    assert gone(KeepLast(1), *entries) == [2, 3]
    assert gone(KeepEvery(2), *entries, stored(5)) == [3, 4]


@pytest.mark.req("CPC-KEEP-006")
def test_a_name_that_is_not_there_is_passed_over_and_an_answer_that_is_none_is_refused():
    class Answers:
        def __init__(self, answer):
            self.answer = answer

        def names_to_keep(self, checkpoints):
            return self.answer

    assert gone(Answers({"checkpoint_epoch_0001.ckpt", "nowhere"}), *RUN) == [2, 3, 4, 5]
    for answer in ("checkpoint_epoch_0001.ckpt", [1], None):
        with pytest.raises(TypeError):
            plan_retention(RUN, Answers(answer))


@pytest.mark.req("CPC-SET-001")
@pytest.mark.parametrize("kind", [KeepLast, KeepBest, KeepEvery])
def test_a_policy_refuses_a_number_below_one(kind):
    for number in (0, -1, 1.5, True, None):
        with pytest.raises(ConfigError) as refused:
            kind(number)
        assert refused.value.code == "invalid_setting"
    with pytest.raises(ConfigError):
        KeepUnion(())


# -- from names to checkpoints ----------------------------------------------------------------------------------------


def name_of(name, position=(1, 0, 2), checkpoint_id="x", identity=(1, 1), **more):
    made = {"run_id": "me", "attempt": 2, "is_exact": True, "is_full": True, "reasons": ("periodic",), "parent": None}
    return Entry(
        **{
            **made,
            "name": name,
            "checkpoint_id": checkpoint_id,
            "position": position,
            "lineage": (),
            "identity": identity,
            **more,
        }
    )


@pytest.mark.req("CPC-KEEP-003", "CPC-KEEP-006", "CPC-KEEP-008")
def test_all_names_of_one_checkpoint_are_one_entry():
    run = RunIdentity("me", attempt=2, parent="p", lineage=((1, (1, 0, 2)),))
    lists = {"a": (BestEntry(0.1, 2, 4, "f"), BestEntry(0.2, 1, 2, "g")), "b": ()}
    found = [
        *(name_of(name) for name in ("best_model_a_epoch_0001.ckpt", "checkpoint_epoch_0001.ckpt", "latest.ckpt")),
        name_of("best_model_a.ckpt", (2, 0, 4), "y"),
        name_of("checkpoint_epoch_0009.ckpt", (9, 0, 18), "old", attempt=1),
        name_of("checkpoint_epoch_0003.ckpt", (3, 0, 6), "other", run_id="other"),
        name_of("final_model.ckpt", (9, 0, 18), "w", is_full=False),
        name_of("epoch_1/checkpoint.ckpt", (1, 0, 2), "p", attempt=1),
    ]
    first, second, parent = stored_checkpoints(found, run=run, lists=lists)
    assert (first.name, first.places, first.is_latest, first.is_parent) == (
        "checkpoint_epoch_0001.ckpt",
        {"a": 1, "b": None},
        True,
        False,
    )
    assert (second.name, second.places, second.is_latest) == ("best_model_a.ckpt", {"a": 0, "b": None}, False)
    assert (parent.name, parent.is_parent) == ("epoch_1/checkpoint.ckpt", True)
    link = name_of("latest.ckpt", identity=None)
    assert not stored_checkpoints([found[1], link], run=run, lists={})[0].is_latest  # a link has no bytes


# -- laws -------------------------------------------------------------------------------------------------------------

REASONS = st.sampled_from([("periodic",), ("periodic", "best"), ("train_end",), ("manual",), ("signal",)])
PLACE = st.none() | st.integers(0, 2)
FOLDERS = st.lists(
    st.builds(
        stored,
        st.integers(0, 6),
        PLACE,
        PLACE,
        reasons=REASONS,
        batch=st.integers(0, 1),
        attempt=st.just(1),
        is_parent=st.booleans(),
        is_latest=st.booleans(),
    ),
    min_size=1,
    max_size=7,
    unique_by=(lambda one: one.name, lambda one: one.progress),
)
COUNTING = (KeepLast, KeepBest, KeepEvery)
POLICIES = st.one_of(
    st.sampled_from([KeepAll(), KeepBestAndLatest()]), *(st.builds(k, st.integers(1, 4)) for k in COUNTING)
)


def kept(policy, checkpoints):
    return set(plan_retention(checkpoints, policy).keep)


@settings(max_examples=300, deadline=None)
@given(FOLDERS, POLICIES, POLICIES)
@pytest.mark.req("CPC-KEEP-004", "CPC-KEEP-005", "CPC-KEEP-007", "STORE-KEEP-001")
def test_the_laws_of_retention(checkpoints, one, other):
    for policy in (one, KeepUnion((one, other))):
        plan = plan_retention(checkpoints, policy)
        assert sorted((*plan.keep, *plan.delete)) == sorted(entry.name for entry in checkpoints)
        newest = max(checkpoints, key=lambda entry: entry.progress)
        assert newest.name in plan.keep or newest.is_latest  # its bytes are never lost
        assert all(entry.name in plan.keep for entry in checkpoints if entry.is_parent or "manual" in entry.reasons)
        rest = [entry for entry in checkpoints if entry.name in plan.keep]
        assert set(plan_retention(rest, policy).delete) <= {newest.name}  # what it left it leaves again
        assert plan_retention(checkpoints[::-1], policy).delete == plan.delete  # the order of a folder is no fact
    assert kept(KeepUnion((one, other)), checkpoints) == kept(one, checkpoints) | kept(other, checkpoints)


@settings(max_examples=200, deadline=None)
@given(FOLDERS, st.integers(1, 4))
@pytest.mark.req("CPC-KEEP-001")
def test_more_that_is_to_be_kept_never_deletes_more(checkpoints, count):
    for kind in (KeepLast, KeepBest):
        assert kept(kind(count), checkpoints) <= kept(kind(count + 1), checkpoints)
    assert kept(KeepEvery(2 * count), checkpoints) <= kept(KeepEvery(count), checkpoints)
