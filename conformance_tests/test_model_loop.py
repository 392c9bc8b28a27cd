"""Laws of the loop: which events there are, in which order, and what is trained."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from typing import Any

from tenuto.conformance_tests.oracle.document import Json
from tenuto.conformance_tests.oracle.model import Attempt, Foretold, foretell
from tenuto.conformance_tests.oracle.model.folder import Folder
from tenuto.conformance_tests.oracle.model.foretelling import Story
from tenuto.conformance_tests.oracle.model.resuming import Choices
from tenuto.conformance_tests.oracle.model.training import fresh
from tenuto.conformance_tests.oracle.model.writing import write_scenario
from tenuto.conformance_tests.oracle.workload.settings import Settings
from tenuto.conformance_tests.oracle.workload.state import document
from tenuto.conformance_tests.oracle.workload.training import start

Plain = Mapping[str, Any]

TINY: Plain = {"samples": 1, "validation_samples": 1, "features": 1, "hidden": 1}
SMALL: Plain = {"samples": 12, "validation_samples": 2}
WINDOWS: Plain = {
    "samples": 20,
    "validation_samples": 2,
    "accumulate": 2,
    "scheduler": "warmup_step",
    "optimizer": "adam",
}
PLATEAU: Plain = {"samples": 8, "validation_samples": 2, "scheduler": "plateau", "patience": 0}
LOOP_HOOKS = (
    "on_train_start",
    "on_epoch_start",
    "on_batch_start",
    "on_batch_end",
    "on_validation_start",
    "on_validation_end",
    "on_epoch_end",
)
GRAMMAR = re.compile(r"S(e?(bB)*(vV)?E)*(e?(bB)*)?TD")
LETTERS = {
    "on_train_start": "S",
    "on_epoch_start": "e",
    "on_batch_start": "b",
    "on_batch_end": "B",
    "on_validation_start": "v",
    "on_validation_end": "V",
    "on_epoch_end": "E",
    "on_train_end": "T",
    "on_exception": "x",
    "on_teardown": "D",
}


def doing(hook: str, call: int, do: str, name: str = "A", **more: object) -> dict[str, Any]:
    """An observer that does something in one call of a hook."""
    return {"name": name, "actions": [{"hook": hook, "call": call, "do": do, **more}]}


def attempt(*callbacks: Plain, resume: str = "never", **more: Any) -> Attempt:
    given = {"workload": SMALL, "max_epochs": 2, **more}
    return Attempt(write_scenario(callbacks, **given), resume)


def run(*callbacks: Plain, **more: Any) -> Foretold:
    """What one attempt leads to."""
    return foretell([attempt(*callbacks, **more)])[0]


def of(foretold: Foretold, name: str, *left_out: str) -> list[dict[str, Any]]:
    """The events of one callback, without its name."""
    return [
        {key: value for key, value in event.items() if key != "name"}
        for event in foretold.events
        if event["name"] == name and event["hook"] not in left_out
    ]


def letters(events: Sequence[Mapping[str, Json]]) -> str:
    return "".join(LETTERS.get(str(event["hook"]), "") for event in events)


def position(event: Mapping[str, Json]) -> str:
    progress = event["progress"]
    assert isinstance(progress, list)
    return "/".join(str(one)[2:] for one in progress)


SAVER = {"name": "S", "checkpoint": {}}
STOPS = [("stop", {"reason": "enough"}), ("raise", {"code": "x_user"}), ("signal", {"signal": "SIGTERM"})]


def family() -> list[tuple[str, int, str, dict[str, str]]]:
    """Something that ends the attempt, in each of the first three calls of each hook of the loop."""
    return [(hook, call, do, more) for hook, call, (do, more) in product(LOOP_HOOKS, (1, 2, 3), STOPS)]


def test_the_events_follow_the_grammar() -> None:
    """Any beginning of it, cut at a failure, or all of it."""
    for hook, call, do, more in family():
        for workload in (SMALL, WINDOWS, {**SMALL, "validation_samples": 0}):
            found = letters(of(run(doing(hook, call, do, **more), {"name": "B"}, SAVER, workload=workload), "A"))
            if found.endswith("xD"):
                beginning = found[:-2]
                assert any(GRAMMAR.fullmatch(beginning + end) for end in endings(beginning)), found
            else:
                assert GRAMMAR.fullmatch(found), found


def endings(beginning: str) -> list[str]:
    """What may follow a beginning of the grammar."""
    return ["TD", "BTD", "VETD", "ETD", "D"] + (["STD"] if not beginning else [])


def test_fewer_epochs_are_a_prefix_of_more() -> None:
    for workload in (SMALL, WINDOWS, PLATEAU):
        runs = [of(run({"name": "A"}, workload=workload, max_epochs=epochs), "A") for epochs in (1, 2, 3)]
        for shorter, longer in pairwise(runs):
            assert shorter[:-2] == longer[: len(shorter) - 2]


def test_the_training_is_that_of_the_workload_alone() -> None:
    """Told to go on step by step it reaches the state of a training that is not."""
    for workload in (SMALL, WINDOWS, PLATEAU):
        settings = Settings(**workload)
        stepwise = fresh(settings, 3, 2, {})
        while stepwise.epoch < 3:
            while stepwise.batch_in_epoch < stepwise.batches:
                stepwise.batch()
            if stepwise.validates:
                stepwise.validate()
            stepwise.end_epoch()
        assert repr(document(stepwise)["trainer_state"]) == repr(
            document(start(settings, 3, 2).finish())["trainer_state"]
        )
        ours, theirs = (parts(one) for one in (stepwise, start(settings, 3, 2).finish()))
        assert ours == theirs


def parts(training: Any) -> tuple[object, ...]:
    optimizer = training.optimizer
    return training.model.weights, optimizer.state, optimizer.lr, training.metrics, training.dropout.state


def test_observers_that_do_nothing_change_nothing() -> None:
    alone = run(SAVER)
    for others in ([{"name": "A"}], [{"name": "A"}, {"name": "B", "phase": "checkpoint"}]):
        more = run(*others, SAVER)
        assert (more.files, more.reply, more.listing) == (alone.files, alone.reply, alone.listing)
        assert of(more, "S") == of(alone, "S"), "they add lines of their own and no others"


def test_an_observer_more_adds_its_own_lines_alone() -> None:
    for hook, call, do, more in family():
        before = run(doing(hook, call, do, **more), SAVER)
        after = run(doing(hook, call, do, **more), {"name": "B"}, SAVER)
        assert [one for one in after.events if one["name"] != "B"] == before.events
        assert (after.files, after.reply) == (before.files, before.reply)


def test_names_are_but_names() -> None:
    for hook, call, do, more in family():
        one = run(doing(hook, call, do, "A", **more), {"name": "B"}, SAVER)
        other = run(doing(hook, call, do, "Z", **more), {"name": "A"}, {"name": "first", "checkpoint": {}})
        renamed = {"A": "Z", "B": "A", "S": "first"}
        assert [{**event, "name": renamed[str(event["name"])]} for event in one.events] == other.events
        assert (one.files, one.reply, one.listing) == (other.files, other.reply, other.listing)


def test_the_callback_that_saves_is_called_last_wherever_it_is_given() -> None:
    others = [{"name": "A"}, {"name": "T", "phase": "checkpoint"}, {"name": "B"}]
    runs = [run(*others[:at], SAVER, *others[at:]) for at in range(len(others) + 1)]
    assert [one.events for one in runs] == [runs[0].events] * len(runs)
    assert [event["name"] for event in runs[0].events[:4]] == ["A", "B", "T", "S"]


def test_progress_is_that_of_the_moment() -> None:
    events = of(run({"name": "A"}, workload={"samples": 8, "validation_samples": 2}, max_epochs=1), "A")
    assert [f"{LETTERS[str(one['hook'])]} {position(one)}" for one in events] == [
        *("S 0/0/0", "e 0/0/0", "b 0/0/0", "B 0/1/1", "b 0/1/1", "B 0/2/2"),
        *("v 0/2/2", "V 0/2/2", "E 1/0/2", "T 1/0/2", "D 1/0/2"),
    ]


def test_given_metrics_take_the_place_of_those_that_were_measured() -> None:
    plain = of(run({"name": "A"}, max_epochs=3, validate_every=2), "A")
    given = {"val_loss": [7.0, None, 8.0], "val_more": [1.0, 2.0, 3.0]}
    changed = of(run({"name": "A"}, max_epochs=3, validate_every=2, metrics=given), "A")
    assert letters(plain) == letters(changed) == "SebBbBbBEebBbBbBvVEebBbBbBETD"
    before, after = plain[-1]["metrics"], changed[-1]["metrics"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert "val_loss" not in after, "the first value belongs to an epoch without validation, the second is missing"
    assert after["val_more"] == ["f64:4000000000000000", "i:6"]
    rest = {"val_loss", "val_more"}
    assert {name: one for name, one in before.items() if name not in rest} == {
        name: one for name, one in after.items() if name not in rest
    }


def test_a_plateau_follows_the_given_metric() -> None:
    flat = run(SAVER, workload=PLATEAU, max_epochs=3, metrics={"val_loss": [1.0, 1.0, 1.0]})
    falling = run(SAVER, workload=PLATEAU, max_epochs=3, metrics={"val_loss": [3.0, 2.0, 1.0]})
    steps = [[event["metrics"] for event in of(one, "S") if event["hook"] == "on_batch_end"] for one in (flat, falling)]
    assert [str(one).count("train_loss_step") for one in steps[0]] == [1] * 6
    same = [left["train_loss_step"] == right["train_loss_step"] for left, right in zip(*steps, strict=True)]
    assert same == [True] * 5 + [False], "reduced after the second epoch, for the sixth batch on"
    assert run({"name": "A"}, workload=PLATEAU, metrics={"val_loss": [None]}).reply["detail"] == "monitor_missing"


def test_two_stories_do_not_share_a_folder() -> None:
    one, other = Story(Choices([], [])), Story(Choices([], []))
    one.carry_out(attempt(SAVER))
    assert other.folder == Folder()
