"""When a save is due, what several monitors do to their lists, and which names may meet."""

import math

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from tenuto.callbacks.policies.memory import Memory, read_memory
from tenuto.callbacks.policies.monitors import MonitorSettings, adapt_lists, read_monitors, refuse_equal_names
from tenuto.callbacks.policies.naming import (
    attempt_name,
    is_periodic,
    is_stamped,
    periodic_name,
    stamped_name,
)
from tenuto.callbacks.policies.ranking import BestEntry
from tenuto.callbacks.policies.save import SaveFacts, SaveRules, plan_save
from tenuto.callbacks.policies.schedule import AnyOf, SaveEvery, SaveMoment, SaveOnImprovement
from tenuto.reference.checkpoint.entries import numbered
from tenuto.reference.errors import ConfigError
from tenuto.reference.events.contexts import Metric, Progress


def moment(event, progress=(0, 0, 0), last=None, **more):
    place = None if last is None else Progress(*last)
    return SaveMoment(event=event, progress=Progress(*progress), metrics={}, last_save=place, **more)


@pytest.mark.req("CPC-WHEN-001", "CPC-WHEN-002", "CPC-WHEN-008", "CPC-WHEN-010")
@pytest.mark.parametrize(
    ("policy", "asked", "due"),
    [
        (SaveEvery(epochs=2), moment("epoch", (1, 0, 4)), False),
        (SaveEvery(epochs=2), moment("epoch", (2, 0, 8)), True),
        (SaveEvery(epochs=2), moment("epoch", (3, 0, 12), (2, 0, 8)), False),
        (SaveEvery(epochs=2), moment("epoch", (7, 0, 28), (2, 0, 8)), True),
        (SaveEvery(epochs=2), moment("batch", (7, 1, 29), (2, 0, 8)), False),
        (SaveEvery(steps=3), moment("batch", (0, 2, 2)), False),
        (SaveEvery(steps=3), moment("batch", (0, 3, 3)), True),
        (SaveEvery(steps=3), moment("batch", (1, 1, 5), (0, 3, 3)), False),
        (SaveEvery(steps=3), moment("epoch", (1, 0, 9), (0, 3, 3)), False),
        (SaveEvery(seconds=2.5), moment("batch", seconds=2.4), False),
        (SaveEvery(seconds=2.5), moment("batch", seconds=2.5), True),
        (SaveEvery(seconds=2.5), moment("epoch", seconds=2.5), True),
        (SaveEvery(epochs=1, steps=100), moment("epoch", (1, 0, 4)), True),
        (SaveEvery(epochs=9, seconds=1), moment("epoch", (1, 0, 4), seconds=1.0), True),
        (SaveOnImprovement("a"), moment("epoch", improved=frozenset({"b"})), False),
        (SaveOnImprovement("a"), moment("epoch", improved=frozenset({"a", "b"})), True),
        (AnyOf((SaveEvery(epochs=9), SaveOnImprovement("a"))), moment("epoch", improved=frozenset({"a"})), True),
        (AnyOf([SaveEvery(epochs=9), SaveOnImprovement("a")]), moment("epoch", (8, 0, 8)), False),
    ],
)
def test_the_table_of_save_policies(policy, asked, due):
    assert policy.should_save(asked) is due


@pytest.mark.req("CPC-SET-001")
def test_a_policy_that_says_nothing_is_refused():
    for made in (SaveEvery, lambda: AnyOf(()), lambda: SaveEvery(epochs=0), lambda: SaveEvery(seconds=math.inf)):
        with pytest.raises(ConfigError) as refused:
            made()
        assert refused.value.code == "invalid_setting"


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 4), st.integers(1, 6), st.lists(st.integers(1, 5), max_size=6))
@pytest.mark.req("CPC-WHEN-001", "CPC-WHEN-002", "CPC-WHEN-007")
def test_saves_by_epochs_and_by_steps_do_not_see_each_other(epochs, steps, batches):
    both = saves({"epochs": SaveEvery(epochs=epochs), "steps": SaveEvery(steps=steps)}, batches)
    alone = saves({"epochs": SaveEvery(epochs=epochs)}, batches) + saves({"steps": SaveEvery(steps=steps)}, batches)
    assert sorted(both) == sorted(alone)
    by_steps = [f"step {n}" for n in range(steps, sum(batches) + 1, steps)]
    assert alone == [*(f"epoch {n}" for n in range(epochs, len(batches) + 1, epochs)), *by_steps]


def saves(triggers, batches):
    """The saves of a training: the epoch, or the step."""
    rules, memory, step, found = SaveRules(triggers=triggers), Memory(), 0, []
    for epoch, count in enumerate(batches):
        moments = [("batch", Progress(epoch, done, step + done)) for done in range(1, count + 1)]
        step += count
        for event, progress in [*moments, ("epoch", Progress(epoch + 1, 0, step))]:
            plan = plan_save(rules, memory, SaveFacts(event, progress, {}))
            if plan:
                memory = plan.memory
                found.append(f"epoch {progress.epoch}" if event == "epoch" else f"step {progress.global_step}")
    return found


@pytest.mark.req("CPC-WHEN-007", "CPC-WHEN-011", "CPC-STATE-006")
def test_a_policy_of_the_user_is_told_of_its_own_last_save():
    asked = []

    class Third:
        def should_save(self, given):
            asked.append(given)
            return given.progress.global_step % 3 == 0

    rules, memory = SaveRules(triggers={"steps": SaveEvery(steps=2), "policy": Third()}), Memory()
    for step in range(1, 7):
        facts = SaveFacts("batch", Progress(0, step, step), {"m": Metric(0.5, step)}, seconds={"policy": 7.0})
        plan = plan_save(rules, memory, facts)
        memory = plan.memory if plan else memory
    assert [one.last_save for one in asked] == [None, None, None, *[Progress(0, 3, 3)] * 3]
    assert {(one.event, one.seconds, one.metrics["m"].value) for one in asked} == {("batch", 7.0, 0.5)}
    assert memory.to_tree((), has_policy=True) == {
        "last_epoch": 0,
        "last_step": 6,
        "best": {},
        "last_policy": {"epoch": 0, "global_step": 6, "batch_in_epoch": 6},
    }
    again, _ = read_memory(memory.to_tree((), has_policy=True), ())
    assert again.last["policy"] == Progress(0, 6, 6)
    assert Memory().to_tree((), has_policy=True)["last_policy"] is None
    assert len(asked) == 6  # a final or a manual save asks nobody
    assert plan_save(rules, memory, SaveFacts("manual", Progress(0, 9, 9), {})).due == ()
    assert len(asked) == 6


# -- several monitors -------------------------------------------------------------------------------------------------

VALUES = st.sampled_from([0.0, -0.0, 0.5, 1.0, math.inf, -math.inf, math.nan, None])
MONITOR = st.builds(
    MonitorSettings, st.just("m"), st.sampled_from(["min", "max"]), st.sampled_from([0.0, 0.5]), st.integers(1, 3)
)


def run_of(monitors, script):
    """Offers values epoch by epoch, each a map of name -> value; returns what is remembered, and all plans."""
    memory, plans, metrics = Memory(), [], {}
    for epoch, values in enumerate(script, 1):
        metrics |= {name: Metric(value, epoch) for name, value in values.items() if value is not None}
        plan = plan_save(SaveRules(monitors=monitors), memory, SaveFacts("epoch", Progress(epoch, 0, epoch), metrics))
        plans.append(plan)
        memory = plan.memory if plan else memory
    return memory, plans


@settings(max_examples=200, deadline=None)
@given(MONITOR, MONITOR, st.lists(st.tuples(VALUES, VALUES), max_size=8))
@pytest.mark.req("CPC-BEST-011", "CPC-NAME-013", "TR-STATE-012")
def test_each_list_is_as_if_it_were_alone(first, second, values):
    a, b = evolve(first, monitor="a"), evolve(second, monitor="b")
    both, plans = run_of((a, b), [dict(zip("ab", pair, strict=True)) for pair in values])
    alone_a, plans_a = run_of((a,), [{"a": pair[0]} for pair in values])
    alone_b, plans_b = run_of((b,), [{"b": pair[1]} for pair in values])
    assert dict(both.lists) == {name: alone.list_of(name) for name, alone in (("a", alone_a), ("b", alone_b))} or not (
        both.lists or alone_a.list_of("a") or alone_b.list_of("b")
    )
    for plan, *alone in zip(plans, plans_a, plans_b, strict=True):
        made = [one for one in alone if one]
        assert (plan.names if plan else ()) == tuple(name for one in made for name in one.names)
        assert (plan.dropped if plan else ()) == tuple(name for one in made for name in one.dropped)
        assert plan is None or plan.trigger == made[0].trigger


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["min", "max"]), st.integers(2, 4), st.lists(VALUES, max_size=9))
@pytest.mark.req("CPC-BEST-001", "CPC-BEST-002", "CPC-BEST-003", "CPC-BEST-004", "CPC-BEST-006")
def test_the_list_holds_the_best_of_all_values(mode, slots, values):
    memory, _ = run_of((MonitorSettings("m", mode, save_top_k=slots),), [{"m": value} for value in values])
    measured = [(value, epoch) for epoch, value in enumerate(values, 1) if value is not None and not math.isnan(value)]
    best = sorted(measured, key=lambda one: (one[0] if mode == "min" else -one[0], one[1]))
    assert [entry.epoch for entry in memory.list_of("m")] == [epoch for _, epoch in best[:slots]]


@pytest.mark.req("CPC-BEST-014", "CPC-BEST-008")
def test_lists_are_named_anew_for_other_slots():
    inside = "best_model_m_epoch_0001_step_00000003.ckpt"
    entries = (BestEntry(0.1, 2, 4, "best_model_m_epoch_0002.ckpt"), BestEntry(0.2, 1, 3, inside))
    one, two = MonitorSettings("m"), MonitorSettings("m", save_top_k=2)
    assert [entry.file for entry in adapt_lists([one], {"m": entries})["m"]] == ["best_model_m.ckpt"]
    assert adapt_lists([two], {"m": entries, "gone": entries}) == {"m": entries}
    single = (BestEntry(0.1, 2, 4, "best_model_m.ckpt"),)
    assert adapt_lists([two], {"m": single})["m"][0].file == "best_model_m_epoch_0002.ckpt"
    assert adapt_lists([one, MonitorSettings("n")], {"m": single}) == {"m": single, "n": ()}


# -- settings of monitors ---------------------------------------------------------------------------------------------


@pytest.mark.req("CPC-SET-001", "CPC-SET-002", "CPC-SET-003")
@pytest.mark.parametrize(
    ("given", "path"),
    [
        ([{"monitor": "a"}, {"monitor": "b", "mode": "less"}], "monitors[1].mode"),
        ([{"monitor": "a", "save_top_k": 0}], "monitors[0].save_top_k"),
        ([{"monitor": "a", "slots": 2}], "monitors[0]"),
        ([{"mode": "max"}], "monitors[0]"),
        (["a"], "monitors[0]"),
        ([{"monitor": "a", "overwrite": False, "save_top_k": 2}], "monitors[0].overwrite"),
        ([], "monitors"),
        ("a", "monitors"),
        ({"monitor": "a"}, "monitors"),
    ],
)
def test_a_bad_monitor_is_refused_with_its_path(given, path):
    with pytest.raises(ConfigError) as refused:
        read_monitors(given)
    assert refused.value.code == "invalid_setting"
    assert refused.value.message.startswith(f"{path}: ")


@pytest.mark.req("CPC-SET-004")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"monitor": "a"}, {"monitor": "a", "mode": "max"}),
        ({"monitor": "Loss"}, {"monitor": "loss"}),
        ({"monitor": "a", "save_top_k": 2}, {"monitor": "A_EPOCH_0001"}),
        ({"monitor": "a", "save_top_k": 2}, {"monitor": "a_epoch_12345_step_00000007"}),
        ({"monitor": "a", "save_top_k": 2}, {"monitor": "a_epoch_0001", "save_top_k": 3}),
        ({"monitor": "a", "overwrite": False}, {"monitor": "a_20000101T000000Z"}),
        ({"monitor": "a", "overwrite": False}, {"monitor": "a_20000101T000000Z_2", "save_top_k": 2}),
        ({"monitor": "a", "overwrite": False}, {"monitor": "a"}),
        ({"monitor": "a b"}, {"monitor": "a b"}),
    ],
)
def test_monitors_that_may_share_a_file_name_are_refused(one, other):
    for pair in ((one, other), (other, one)):
        with pytest.raises(ConfigError) as refused:
            refuse_equal_names(read_monitors(pair))
        assert refused.value.code == "duplicate_file_name"


@pytest.mark.req("CPC-SET-004")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"monitor": "a"}, {"monitor": "a_epoch_0001"}),
        ({"monitor": "a", "save_top_k": 2}, {"monitor": "a_epoch_001"}),
        ({"monitor": "a", "save_top_k": 2}, {"monitor": "a_epoch_0001_step_0000001"}),
        ({"monitor": "a", "save_top_k": 2}, {"monitor": "a_20000101T000000Z"}),
        ({"monitor": "a", "overwrite": False}, {"monitor": "a_epoch_0001"}),
        ({"monitor": "a"}, {"monitor": "ab"}),
        ({"monitor": "ä"}, {"monitor": "Ä"}),  # escaped, they differ in more than case
    ],
)
def test_monitors_whose_names_never_meet_are_taken(one, other):
    refuse_equal_names(read_monitors((one, other)))


# -- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.req("CPC-NAME-009")
def test_a_name_with_the_time_of_the_save():
    name = stamped_name("acc/top 1", "2026-03-04T05:06:07.089Z")
    assert name == "best_model_acc%2Ftop%201_20260304T050607Z.ckpt"
    assert stamped_name("m", "2026-03-04T05:06:07Z") == "best_model_m_20260304T050607Z.ckpt"
    first, second, third = (one for one, _ in zip(numbered(name), range(3), strict=False))
    assert (first, second[-8:], third[-8:]) == (name, "Z_2.ckpt", "Z_3.ckpt")
    assert all(is_stamped(one, "acc/top 1") for one in (first, second, third))
    assert not any(is_stamped(one, "acc/top 1") for one in ("best_model_acc%2Ftop%201.ckpt", "x" + name, name[:-6]))


@pytest.mark.req("STORE-DIR-002")
def test_names_in_folders_of_epochs():
    assert periodic_name(Progress(12, 0, 30), layout="epoch_dirs") == "epoch_12/checkpoint.ckpt"
    assert periodic_name(Progress(12, 1, 31), layout="epoch_dirs") == "checkpoint_epoch_0012_step_00000031.ckpt"
    assert attempt_name("epoch_12/checkpoint.ckpt", "attempt3") == "epoch_12_attempt3.ckpt"
    assert is_periodic("epoch_0/checkpoint.ckpt")
    assert not any(map(is_periodic, ("epoch_01/checkpoint.ckpt", "epoch_1/other.ckpt", "xepoch_1/checkpoint.ckpt")))
