"""The interpreter of scenarios in the Python port: through a real adapter, one process after the other."""

from __future__ import annotations

import pytest
from python_adapter import HALF, NAN, ONE, TWO, Adapter, action, ending, lines, names, observer, saver, scenario
from spec_examples import traces
from spec_examples.source import items
from spec_examples.trace_form import parse_trace

from tenuto.reference.checkpoint import read_checkpoint
from tenuto.reference.events.hooks import Hook

TRACES = [item for item in items() if item.example.kind == "trace"]


@pytest.fixture(scope="module")
def adapter():
    with Adapter() as running:
        yield running


# -- the events -------------------------------------------------------------------------------------------------------


@pytest.mark.req("SCN-OP-002", "SCN-EVENT-001", "SCN-DATA-002", "SCN-DATA-003")
def test_every_hook_of_every_callback_is_an_event_with_the_members_of_the_table(adapter, tmp_path):
    fails = action("raise", "on_epoch_end", 2, code="x_late")
    keep = saver(keep_last_n="i:1", save_best=False, save_every_steps="i:1")
    reply, events = adapter.carry(scenario(keep, observer("A", fails), epochs=2), tmp_path / "f")
    assert ending(reply) == ("ok", "raised", "x_late")
    assert {event["hook"] for event in events} == {*Hook} - {Hook.TRAIN_END}
    always = {"hook", "name", "progress", "metrics"}
    more = {
        "on_train_start": {"resumed"},
        "on_checkpoint_saved": {"names", "reasons"},
        "on_checkpoint_deleted": {"file"},
        "on_exception": {"code", "exact", "is_signal"},
    }
    assert [event.keys() - always for event in events] == [more.get(event["hook"], set()) for event in events]
    assert lines(events)[:4] == [(hook, name) for hook in ("on_train_start", "on_epoch_start") for name in "AS"]
    deleted = [event["file"] for event in events if event["hook"] == "on_checkpoint_deleted" and event["name"] == "A"]
    assert deleted[:2] == ["checkpoint_epoch_0000_step_00000001.ckpt", "checkpoint_epoch_0000_step_00000002.ckpt"]
    failed = [event for event in events if event["hook"] == "on_exception"]
    assert [(event["code"], event["exact"], event["is_signal"]) for event in failed] == [("x_late", False, False)] * 2


@pytest.mark.req("SCN-DATA-001")
def test_scripted_metrics_take_the_place_of_what_validation_measures(adapter, tmp_path):
    metrics = {"val_loss": [NAN, TWO], "val_parts.abs": ["missing"], "val_new": [ONE, "missing", HALF, TWO]}
    given = scenario(observer(), epochs=4, metrics=metrics, validate_every="i:2")
    _, events = adapter.carry(given, tmp_path / "f")
    _, plain = adapter.carry(scenario(observer(), epochs=4, validate_every="i:2"), tmp_path / "g")
    ends, measured = ([event["metrics"] for event in one if event["hook"] == "on_epoch_end"] for one in (events, plain))
    assert not [name for name in ends[0] if name.startswith("val_")]  # no validation, and so no value of the script
    assert ends[1]["val_loss"] == [TWO, "i:4"]
    assert "val_new" not in ends[1]
    assert ends[1]["val_parts.abs"] == measured[1]["val_parts.abs"]  # beyond the end of its array: as measured
    assert ends[3]["val_new"] == [TWO, "i:8"]
    assert ends[3]["val_loss"] == measured[3]["val_loss"] != [TWO, "i:8"]


@pytest.mark.req("SCN-DATA-001")
def test_a_missing_metric_is_taken_away_before_the_scheduler_reads_it(adapter, tmp_path):
    workload = {"samples": "i:4", "validation_samples": "i:2", "scheduler": "s:plateau", "patience": "i:0"}
    given = {**scenario(observer(), saver(), epochs=2), "workload": workload, "metrics": {"val_loss": [HALF, TWO]}}
    adapter.carry(given, tmp_path / "f")
    best = [read_checkpoint(tmp_path / f"f/checkpoint_epoch_000{n}.ckpt").head["scheduler_state"] for n in (1, 2)]
    assert [state["scheduler"]["best"] for state in best] == [0.5, 0.5]
    assert best[1]["scheduler"]["cooldown_left"] == 1  # the worse value has lowered the learning rate


@pytest.mark.parametrize("item", TRACES, ids=lambda item: item.id)
@pytest.mark.req("SCN-OP-002", "SCN-OP-003", "SCN-OP-004")
def test_a_trace_of_the_specification_is_a_scenario_with_the_same_log(item, adapter, tmp_path):
    def carry(given, folder, resume):
        if resume == "never":
            return adapter.carry(given, folder)
        with Adapter() as fresh:
            return fresh.carry(given, folder, resume)

    verdict = traces.compare(trace := parse_trace(item.example.body), traces.observe(trace, tmp_path, carry))
    assert verdict.found == verdict.stated


# -- what ends it -----------------------------------------------------------------------------------------------------


@pytest.mark.req("SCN-OP-004", "SCN-EVENT-002")
@pytest.mark.parametrize(
    ("one", "outcome", "detail", "place"),
    [
        (None, "finished", "", ("i:1", "i:0", "i:2")),
        (action("stop", "on_batch_end", reason="no more"), "stopped", "no more", ("i:0", "i:1", "i:1")),
        (action("raise", "on_batch_start", 2, code="x_a"), "raised", "x_a", ("i:0", "i:1", "i:1")),
        (action("raise", "on_train_start", code="x_b"), "raised", "x_b", ("i:0", "i:0", "i:0")),
        (action("signal", "on_batch_start", signal="SIGTERM"), "interrupted", "SIGTERM", ("i:0", "i:1", "i:1")),
        (action("signal", "on_batch_start", signal="SIGINT"), "interrupted", "SIGINT", ("i:0", "i:1", "i:1")),
    ],
)
def test_each_ending_has_its_outcome_and_the_events_up_to_it(one, outcome, detail, place, adapter, tmp_path):
    reply, events = adapter.carry(scenario(observer("A", *filter(None, [one]))), tmp_path / "f")
    progress = dict(zip(("epoch", "batch_in_epoch", "global_step"), place, strict=True))
    assert reply == {"reply": "ok", "outcome": outcome, "detail": detail, "progress": progress}
    assert events[-1] == {**events[-1], "hook": "on_teardown", "name": "A", "progress": list(place)}
    told = [(event["code"], event["is_signal"]) for event in events if event["hook"] == "on_exception"]
    assert told == ([(detail, outcome == "interrupted")] if outcome in {"raised", "interrupted"} else [])


# -- what is done -----------------------------------------------------------------------------------------------------


def test_a_folder_that_is_broken_fails_the_save_and_a_mended_one_takes_the_next(adapter, tmp_path):
    acts = [action("break", "on_epoch_end"), action("mend", "on_batch_start", 3)]
    reply, events = adapter.carry(scenario(observer("A", *acts), saver(), epochs=2), tmp_path / "f")
    assert ending(reply) == ("ok", "finished", "")
    assert [event["names"][0] for event in events if event["hook"] == "on_checkpoint_saved"] == [
        "checkpoint_epoch_0002.ckpt"
    ] * 2
    assert names(tmp_path) == ["f", "f.events", "f.json"]
    assert names(tmp_path / "f") == ["best_model_val_loss.ckpt", "checkpoint_epoch_0002.ckpt", "latest.ckpt"]


def test_a_folder_that_stays_broken_is_left_as_it_is(adapter, tmp_path):
    reply, _ = adapter.carry(scenario(observer("A", action("break", "on_epoch_end")), saver()), tmp_path / "f")
    assert ending(reply) == ("ok", "raised", "not_a_folder")
    assert (tmp_path / "f").read_bytes() == b""
    assert names(tmp_path / "f.away") == []


def test_the_news_of_a_manual_save_wait_for_a_hook_at_which_the_callback_acts(adapter, tmp_path):
    saves = action("save", "on_batch_start", callback="S", metrics={"val_loss": HALF})
    _, events = adapter.carry(scenario(observer("A", saves), saver(save_frequency="nil")), tmp_path / "f")
    news = [event for event in events if event["hook"] == "on_checkpoint_saved" and event["name"] == "A"]
    assert sorted(news[0]["reasons"]) == ["best", "manual"]
    assert news[0]["progress"] == ["i:1", "i:0", "i:2"]  # not at the end of the batch: nothing is saved by steps


def test_a_manual_save_that_fails_in_a_hook_is_dropped_and_one_after_the_training_is_the_outcome(adapter, tmp_path):
    saves = action("save", "on_batch_end", callback="S", metrics={})
    acts = [action("break", "on_batch_start"), saves, action("mend", "on_batch_start", 2)]
    reply, _ = adapter.carry(scenario(observer("A", *acts), saver()), tmp_path / "f")
    assert ending(reply) == ("ok", "finished", "")
    then = [{"save": "S", "metrics": {}}]
    acts = [action("break", "on_teardown")]
    reply, _ = adapter.carry(scenario(observer("A", *acts), saver(), then=then), tmp_path / "g")
    assert ending(reply) == ("ok", "raised", "not_a_folder")
    acts = [action("raise", "on_epoch_end", code="x_first")]
    reply, _ = adapter.carry(scenario(observer("A", *acts), saver(), then=then), tmp_path / "h")
    assert ending(reply) == ("ok", "raised", "x_first")
    assert names(tmp_path / "h") == ["emergency_epoch_0001_step_00000002.ckpt"]  # no result, and so nothing then


def test_actions_of_one_call_are_done_in_order_also_those_of_the_checkpoint_callback(adapter, tmp_path):
    acts = [action("stop", "on_batch_end", reason=reason) for reason in ("first", "second")]
    reply, _ = adapter.carry(scenario(observer("A", *acts)), tmp_path / "f")
    assert ending(reply) == ("ok", "stopped", "first")
    fails = action("raise", "on_epoch_end", code="x_own")
    reply, events = adapter.carry(scenario({**saver(save_on_exception=False), "actions": [fails]}), tmp_path / "g")
    assert ending(reply) == ("ok", "raised", "x_own")
    assert names(tmp_path / "g") == []  # it failed before it saved
    assert lines(events, "on_epoch_end") == [("on_epoch_end", "S")]


@pytest.mark.req("SCN-OP-003")
def test_an_observer_that_counts_goes_on_counting_in_another_process(adapter, tmp_path):
    stops = action("stop", "on_batch_end", reason="enough")
    adapter.carry(scenario(observer("A", stops, counts=True), observer("B"), saver()), tmp_path / "f")
    state = read_checkpoint(tmp_path / "f/latest.ckpt").head["callback_state"]
    assert state.keys() == {"A", "CheckpointCallback"}
    with Adapter() as fresh:
        reply, events = fresh.carry(scenario(observer("A", counts=True), saver()), tmp_path / "f", "auto")
    assert ending(reply) == ("ok", "finished", "")
    assert events[0] == {**events[0], "hook": "on_train_start", "progress": ["i:0", "i:1", "i:1"], "resumed": True}
    state = read_checkpoint(tmp_path / "f/latest.ckpt").head["callback_state"]
    assert state["A"] == {"batches": 2}


def test_a_run_is_continued_from_a_path(adapter, tmp_path):
    given = scenario(observer(), saver(save_every_steps="i:1"), epochs=2)
    adapter.carry(given, tmp_path / "f")
    path = tmp_path / "f/checkpoint_epoch_0000_step_00000001.ckpt"
    with Adapter() as fresh:
        _, events = fresh.carry(given, tmp_path / "f", str(path))
        reply, _ = fresh.carry(given, tmp_path / "f", str(path.with_name("no.ckpt")))
    assert events[0]["progress"] == ["i:0", "i:1", "i:1"]
    assert reply == {"reply": "error", "code": "file_not_found", "phase": "io"}
