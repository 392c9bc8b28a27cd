"""The pure decisions: best, due, names, retention."""

import math

import pytest

from tenuto.callbacks.policies import naming
from tenuto.callbacks.policies.memory import Memory
from tenuto.callbacks.policies.monitors import MonitorSettings
from tenuto.callbacks.policies.ranking import BestEntry, admit
from tenuto.callbacks.policies.retention import KeepAll, KeepLast, plan_retention, stored_checkpoints
from tenuto.callbacks.policies.save import SaveFacts, SaveRules, plan_save
from tenuto.callbacks.policies.schedule import SaveEvery
from tenuto.reference.checkpoint.entries import Entry
from tenuto.reference.events.contexts import Metric, Progress, RunIdentity

NAN, INF = math.nan, math.inf


def best_of(values, mode="min", slots=1, min_delta=0.0):
    """Feeds one value an epoch and returns the epochs of the final list, best first."""
    entries = ()
    for epoch, value in enumerate(values, 1):
        change = admit(entries, BestEntry(value, epoch, epoch, f"{epoch}"), mode=mode, slots=slots, min_delta=min_delta)
        entries = change.entries if change else entries
    return [entry.epoch for entry in entries]


@pytest.mark.req("CPC-BEST-001", "CPC-BEST-002", "CPC-BEST-003", "CPC-BEST-004")
@pytest.mark.parametrize(
    ("values", "mode", "slots", "expected"),
    [
        ([3, 1, 2], "min", 1, [2]),
        ([3, 1, 2], "max", 1, [1]),
        ([1, 1], "min", 1, [1]),  # a tie: the earlier epoch
        ([1, 1], "max", 1, [1]),
        ([0.0, -0.0], "min", 1, [1]),  # equal
        ([-0.0, 0.0], "max", 1, [1]),
        ([NAN, 2], "min", 1, [2]),
        ([2, NAN], "max", 1, [1]),
        ([NAN, NAN], "min", 3, []),
        ([INF, 5], "min", 1, [2]),
        ([-INF, -INF, 5], "min", 2, [1, 2]),
        ([INF, 5], "max", 1, [1]),
        ([0.5, 0.5, 0.4], "min", 2, [3, 1]),  # of two tied the later is evicted
        ([0.9, NAN, 0.1, 0.8], "min", 2, [3, 4]),
        ([5, 4, 3, 2, 1, 9, 8, 7, 6, 10], "min", 3, [5, 4, 3]),
        ([1, 2, 2, 2], "max", 3, [2, 3, 4]),
        ([1, 1, 1, 1], "max", 2, [1, 2]),
        ([0.0], "min", 1, [1]),  # zero is a value, not "no metric"
    ],
)
def test_ranking_table(values, mode, slots, expected):
    assert best_of(values, mode, slots) == expected


@pytest.mark.req("CPC-BEST-001")
def test_maximizing_is_minimizing_the_negative():
    import itertools

    for values in itertools.product([0.0, -0.0, 1.0, INF, NAN], repeat=4):
        for slots in (1, 2, 3):
            assert best_of(values, "min", slots) == best_of([-value for value in values], "max", slots)


@pytest.mark.req("CPC-BEST-005")
@pytest.mark.parametrize(
    ("values", "slots", "expected"),
    [
        ([1.0, 0.9375], 1, [1]),
        ([1.0, 0.875], 1, [1]),
        ([1.0, 0.75], 1, [2]),
        ([1.0, 0.9375], 2, [2, 1]),
        ([INF, INF], 1, [1]),
    ],
)
def test_min_delta_decides_about_rank_one_alone(values, slots, expected):
    assert best_of(values, slots=slots, min_delta=0.125) == expected


RULES = SaveRules(
    triggers={"epochs": SaveEvery(epochs=2), "steps": SaveEvery(steps=5)},
    monitors=(MonitorSettings("val_loss"),),
    at_train_end=True,
)


def plan(event, progress, memory=None, value=None, measured_at=None, saved_at=None, rules=RULES, **more):
    step = progress.global_step if measured_at is None else measured_at
    metrics = {} if value is None else {"val_loss": Metric(value, step)}
    return plan_save(rules, memory or Memory(), SaveFacts(event, progress, metrics, saved_at, **more))


def last_of(made):
    """The epoch of the last save by epochs and the step of the last save by steps, as they are saved."""
    tree = made.memory.to_tree((), has_policy=False)
    return tree["last_epoch"], tree["last_step"]


@pytest.mark.req("CPC-WHEN-001", "CPC-WHEN-002", "CPC-WHEN-007")
def test_due_counts_from_the_last_save_of_its_own_kind():
    assert plan("epoch", Progress(1, 0, 4)) is None
    due = plan("epoch", Progress(2, 0, 8))
    assert due.reasons == ("periodic",)
    assert last_of(due) == (2, 0)
    assert plan("epoch", Progress(3, 0, 12), due.memory) is None
    assert last_of(plan("epoch", Progress(5, 0, 20), due.memory)) == (5, 0)  # a missed moment loses nothing
    assert plan("batch", Progress(0, 4, 4)) is None
    by_steps = plan("batch", Progress(1, 2, 6))
    assert last_of(by_steps) == (0, 6)
    assert plan("batch", Progress(2, 2, 10), by_steps.memory) is None


@pytest.mark.req("CPC-WHEN-003", "CPC-WHEN-005", "CPC-NAME-001", "CPC-NAME-003")
def test_periodic_and_best_of_one_event_are_one_save():
    both = plan("epoch", Progress(2, 0, 8), value=0.5)
    assert both.reasons == ("periodic", "best")
    assert both.names == ("checkpoint_epoch_0002.ckpt", "best_model_val_loss.ckpt")
    assert plan("epoch", Progress(1, 0, 4), value=0.5).names == ("best_model_val_loss.ckpt",)


@pytest.mark.req("CPC-BEST-006")
def test_a_stale_value_is_not_eligible():
    assert plan("epoch", Progress(1, 0, 8), value=0.5, measured_at=4) is None


@pytest.mark.req("CPC-WHEN-004")
def test_the_last_state_is_saved_once():
    end = Progress(3, 0, 12)
    assert plan("train_end", end).reasons == ("train_end",)
    assert plan("train_end", end, saved_at=end) is None


@pytest.mark.req("CPC-WHEN-006")
def test_a_manual_save_moves_no_trigger():
    made = plan("manual", Progress(0, 3, 3))
    assert made.reasons == ("manual",)
    assert last_of(made) == (0, 0)


@pytest.mark.req("CPC-NAME-003")
def test_several_slots_have_names_of_their_own_and_the_evicted_is_dropped():
    rules = SaveRules(monitors=(MonitorSettings("val_loss", save_top_k=2),))
    memory = Memory()
    for epoch, value in ((1, 3.0), (2, 1.0), (3, 2.0)):
        made = plan("epoch", Progress(epoch, 0, epoch), memory, value, rules=rules)
        memory = made.memory
    assert made.names == ("best_model_val_loss_epoch_0003.ckpt",)
    assert made.dropped == ("best_model_val_loss_epoch_0001.ckpt",)


@pytest.mark.req("CPC-NAME-001", "CPC-NAME-002", "CPC-NAME-004")
def test_names():
    assert naming.periodic_name(Progress(0, 3, 3)) == "checkpoint_epoch_0000_step_00000003.ckpt"
    assert naming.periodic_name(Progress(12345, 0, 7)) == "checkpoint_epoch_12345.ckpt"
    assert naming.emergency_name(Progress(2, 0, 9)) == "emergency_epoch_0002_step_00000009.ckpt"
    assert naming.best_name("loss_components.concordance") == "best_model_loss_components.concordance.ckpt"
    assert naming.best_name("val/äß x%") == "best_model_val%2F%C3%A4%C3%9F%20x%25.ckpt"


RUN = RunIdentity("me", attempt=2, parent="p", lineage=((1, (2, 2, 8)),))


def entry(name, position, attempt=2, run_id="me", reasons=("periodic",), checkpoint_id=None):
    return Entry(name, checkpoint_id or name, run_id, attempt, position, True, True, reasons, None, (), (1, 1))


def periodic(epoch, **more):
    return entry(f"checkpoint_epoch_{epoch:04d}.ckpt", (epoch, 0, epoch), **more)


@pytest.mark.req("CPC-KEEP-001", "CPC-KEEP-003", "CPC-KEEP-004", "CPC-KEEP-005", "STORE-KEEP-001", "TR-RES-008")
def test_retention_keeps_what_it_has_to():
    entries = [
        periodic(1, attempt=1),
        periodic(2, attempt=1, checkpoint_id="p"),  # resumed from
        periodic(9, attempt=1),  # superseded: never deleted by a later attempt
        periodic(3),
        periodic(4),
        periodic(5),
        entry("checkpoint_epoch_0002_step_00000007.ckpt", (2, 1, 7), reasons=("manual",)),
        entry("checkpoint_epoch_0000_step_00000001.ckpt", (0, 1, 1), run_id="another"),
        entry("emergency_epoch_0002_step_00000008.ckpt", (2, 2, 8), attempt=1, reasons=("signal",)),
        entry("emergency_epoch_0005_step_00000006.ckpt", (5, 1, 6), reasons=("signal",)),  # newer than any periodic one
        entry("best_model_val_loss.ckpt", (1, 0, 1)),
        entry("latest.ckpt", (5, 0, 5)),
    ]
    stored = stored_checkpoints(entries, run=RUN, lists={})
    assert plan_retention(stored, KeepLast(2)).delete == (
        "checkpoint_epoch_0001.ckpt",
        "checkpoint_epoch_0003.ckpt",
        "emergency_epoch_0002_step_00000008.ckpt",
    )
    assert plan_retention(stored, KeepAll()).delete == ()
