"""Laws of saving: what lies in the folder after one attempt, and what was told of it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product
from math import isnan, nan
from typing import Any

from tenuto.conformance_tests.oracle.model import Attempt, Foretold
from tenuto.conformance_tests.oracle.model.folder import File, Folder
from tenuto.conformance_tests.oracle.model.foretelling import Story
from tenuto.conformance_tests.oracle.model.resuming import Choices
from tenuto.conformance_tests.test_model_loop import TINY, WINDOWS, Plain, attempt, doing, of, position, run

ALPHABET = (1.0, 2.0, nan, None)


def saver(**settings: object) -> dict[str, Any]:
    return {"name": "S", "checkpoint": settings}


def told(attempts: Sequence[Attempt]) -> tuple[list[Foretold], Folder]:
    """What attempts lead to, and the folder with its documents, where no choice is free."""
    story = Story(Choices([], []))
    return [story.carry_out(one) for one in attempts], story.folder


def alone(*callbacks: Plain, **more: Any) -> tuple[Foretold, Folder]:
    (found,), folder = told([attempt(*callbacks, **more)])
    return found, folder


def news(foretold: Foretold, hook: str = "on_checkpoint_saved") -> list[Mapping[str, Any]]:
    """What one callback was told of saves or of deletions."""
    return [event for event in of(foretold, str(foretold.events[0]["name"])) if event["hook"] == hook]


def best(file: File) -> dict[str, Any]:
    metadata: Any = file.document["metadata"]
    found: dict[str, Any] = metadata["best"]
    return found


def state(file: File) -> dict[str, Any]:
    states: Any = file.document["callback_state"]
    found: dict[str, Any] = states
    return found


def newest(folder: Folder) -> File:
    return max(folder.files(), key=lambda one: (one.attempt, one.progress))


SPACE = list(product(ALPHABET, repeat=3))
SAVERS = [
    {"save_top_k": slots, "save_frequency": frequency, "keep_last_n": last, "min_delta": delta}
    for slots, frequency, last, delta in (
        *((1, 1, None, 0.0), (1, 1, 1, 1.5), (1, None, None, 1.5), (1, 1, 2, 0.0)),
        *((2, 1, None, 0.0), (2, 1, 1, 1.5), (2, None, None, 0.0)),
    )
]


@cache
def one_run(number: int, values: Sequence[float | None]) -> tuple[Foretold, Folder]:
    """What a run of the space leads to; who puts a fault into the model clears what is kept."""
    return alone(saver(**SAVERS[number]), workload=TINY, max_epochs=3, metrics={"val_loss": values})


def all_runs() -> Iterator[tuple[Plain, Sequence[float | None], Foretold, Folder]]:
    """The whole space with what it leads to."""
    for (number, settings), values in product(enumerate(SAVERS), SPACE):
        yield settings, values, *one_run(number, values)


def test_what_was_told_is_what_is_there() -> None:
    for settings, values, found, folder in all_runs():
        events = of(found, "S")
        names = set[str]()
        for event in events:
            if event["hook"] == "on_checkpoint_saved":
                names |= set(event["names"])
            if event["hook"] == "on_checkpoint_deleted":
                assert event["file"] in names, (settings, values)
                names.remove(str(event["file"]))
        assert names == folder.names.keys() == found.files.keys(), (settings, values)


def test_best_names_lead_to_the_entries_of_the_list() -> None:
    for settings, values, found, folder in all_runs():
        listed = best(newest(folder))["val_loss"]
        for place, entry in enumerate(listed):
            value = values[entry["epoch"] - 1]
            assert value == entry["value"], (settings, values)
            names = [entry["file"]] + ["best_model_val_loss.ckpt"] * (place == 0)
            assert [folder.names[name].state for name in names] == [(entry["epoch"], entry["step"])] * len(names)
        assert {name for name in found.files if name.startswith("best_")} == {
            *(entry["file"] for entry in listed),
            *(["best_model_val_loss.ckpt"] if listed else []),
        }, (settings, values)


def test_the_lists_are_those_of_the_values_alone() -> None:
    """What is saved beside them, and what is kept, changes no list."""
    lists: dict[object, object] = {}
    for settings, values, _, folder in all_runs():
        key = (settings["save_top_k"], settings["min_delta"], repr(values))
        found = [(one["epoch"], one["file"]) for one in best(newest(folder))["val_loss"]]
        assert lists.setdefault(key, found) == found
    numbers = [one for one in SPACE[-1] if one is not None and not isnan(one)]
    assert numbers == [], "the space ends with values that are none"


def test_every_file_says_that_it_is_in_its_own_lists() -> None:
    for _, values, _, folder in all_runs():
        for file in folder.files():
            entered = [one for one in best(file)["val_loss"] if (one["epoch"], one["step"]) == file.state]
            assert bool(entered) == ("best" in file.reasons), values
            kept = state(file)["CheckpointCallback"]["best"]["val_loss"]
            assert kept == {"mode": "min", "entries": best(file)["val_loss"]}


def test_periodic_names_are_the_last_n() -> None:
    for settings, values, found, _ in all_runs():
        epochs = range(1, len(values) + 1) if settings["save_frequency"] else ()
        periodic = [f"checkpoint_epoch_{epoch:04d}.ckpt" for epoch in epochs]
        there = [name for name in found.files if name.startswith("checkpoint_")]
        if settings["save_frequency"]:
            assert there == periodic[-(settings["keep_last_n"] or 3) :]
        else:
            assert len(there) <= 1, "the final save"


def test_one_event_makes_one_file_and_the_last_state_is_saved_once() -> None:
    for _, values, found, folder in all_runs():
        moments = Counter(position(event) for event in news(found))
        assert set(moments.values()) == {1}, values
        assert newest(folder).progress[0] == len(values)
        assert folder.names.get("latest.ckpt") is newest(folder)


def test_the_greatest_of_negated_values_are_the_least() -> None:
    for values, slots in product(SPACE, (1, 2)):
        negated = [None if one is None else -one for one in values]
        pair = [
            run(saver(mode=mode, save_top_k=slots), workload=TINY, max_epochs=len(values), metrics={"val_loss": given})
            for mode, given in (("min", values), ("max", negated))
        ]
        assert [one.listing for one in pair] == [pair[0].listing] * 2
        assert [list(map(names_of, one.events)) for one in pair] == [list(map(names_of, pair[0].events))] * 2


def names_of(event: Mapping[str, Any]) -> tuple[object, ...]:
    return tuple(repr(event.get(key)) for key in ("hook", "names", "reasons", "file"))


def test_several_monitors_are_as_if_each_were_alone() -> None:
    metrics = {"val_a": [1.0, 3.0, 2.0], "val_b": [1.0, None, 2.0]}
    monitors: list[Plain] = [
        {"monitor": "val_a", "save_top_k": 2},
        {"monitor": "val_b", "mode": "max"},
        {"monitor": "val_none"},
    ]
    _, together = alone(saver(monitors=monitors), workload=TINY, max_epochs=3, metrics=metrics)
    for one in monitors:
        _, single = alone(saver(**one), workload=TINY, max_epochs=3, metrics=metrics)
        name = str(one["monitor"])
        assert best(newest(together))[name] == best(newest(single))[name]
        assert {key for key in together.names if f"_{name}" in key} == {key for key in single.names if "best" in key}
    assert list(together.entries()) == sorted(together.entries())


def test_news_of_one_save_come_in_their_order() -> None:
    metrics = {"val_a": [2.0, 1.0], "val_b": [2.0, 1.0]}
    monitors = [{"monitor": "val_b", "save_top_k": 2}, {"monitor": "val_a", "save_top_k": 2}]
    values = {name: [3.0, *values] for name, values in metrics.items()}
    found = run(saver(monitors=monitors, keep_last_n=1), workload=TINY, max_epochs=3, metrics=values)
    last = [event["file"] for event in news(found, "on_checkpoint_deleted") if position(event) == "3/0/3"]
    assert last == [
        "checkpoint_epoch_0002.ckpt",
        "best_model_val_b_epoch_0001.ckpt",
        "best_model_val_a_epoch_0001.ckpt",
    ]
    final = next(event for event in news(found) if position(event) == "3/0/3")
    assert final["names"][0] == "checkpoint_epoch_0003.ckpt"
    assert [name[:16] for name in final["names"][1:]] == ["best_model_val_b"] * 2 + ["best_model_val_a"] * 2 + [
        "latest.ckpt"
    ]


def test_saves_by_steps_and_by_epochs_count_on_their_own() -> None:
    for frequency, steps in product((None, 1, 2), (None, 1, 2, 3, 4)):
        found = run(saver(save_frequency=frequency, save_every_steps=steps, save_best=False), max_epochs=4)
        periodic = [position(event) for event in news(found) if event["reasons"] == ["periodic"]]
        by_epochs = [f"{epoch}/0/{3 * epoch}" for epoch in range(1, 5) if frequency and epoch % frequency == 0]
        by_steps = [f"{(s - 1) // 3}/{(s - 1) % 3 + 1}/{s}" for s in range(1, 13) if steps and s % steps == 0]
        assert sorted(periodic) == sorted(by_epochs + by_steps)


def test_names_inside_a_window_have_the_number_of_the_batch() -> None:
    stop = doing("on_batch_end", 3, "stop", reason="enough")
    assert list(run(stop, saver(), workload=WINDOWS).files) == [
        "checkpoint_epoch_0000_step_00000001_batch_000003.ckpt",
        "latest.ckpt",
    ]


def test_without_latest_the_name_is_not_made() -> None:
    plain, none, link = (run(saver(latest=latest)) for latest in ("auto", "none", "symlink"))
    assert list(none.files) == [name for name in plain.files if name != "latest.ckpt"]
    assert link.files == plain.files


def test_keeping_the_best_and_the_latest_keeps_no_more() -> None:
    for values, frequency in product(SPACE, (1, 2)):
        settings = {"keep_best_latest": True, "save_frequency": frequency}
        found, folder = alone(saver(**settings), workload=TINY, max_epochs=3, metrics={"val_loss": values})
        listed = [one["epoch"] for one in best(newest(folder))["val_loss"]]
        named = {1, 2, 3} if frequency == 1 else {2, 3} - set(listed[:1] if listed == [3] else [])
        assert [name for name in found.files if name.startswith("checkpoint")] == [
            f"checkpoint_epoch_{epoch:04d}.ckpt" for epoch in sorted(named & {*listed, 3})
        ], (values, frequency)
