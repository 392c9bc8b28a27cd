"""Settings: names, defaults and ranges are those of the text; what is refused; and what is not foretold."""

import re
from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest
from attrs import fields

from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.oracle.model import UnforeseenError, foretell, ranges
from tenuto.conformance_tests.oracle.model.foretelling import Attempt
from tenuto.conformance_tests.oracle.model.settings import Asked, EarlyStop, Monitor, Saving
from tenuto.conformance_tests.oracle.workload.settings import Settings
from tenuto.conformance_tests.test_model_loop import SAVER, TINY, Plain, attempt, doing, run
from tenuto.conformance_tests.test_model_saving import saver

ROW = re.compile(r"^\| `(\w+)`[^|]*\|([^|]*)\|([^|]*)\|([^|]*)\|", re.MULTILINE)
OF_FIT = {"resume", "strict"}
OF_A_CLAUSE = {"state_key"}  # CB-EARLY-006 names it, no row of the table


def settings_table(document: str, heading: str) -> dict[str, tuple[str, str, str]]:
    """Name -> type, default and range of a table of the text."""
    text = (spec_folder() / document).read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return {name: (kind.strip(), default.strip(" `"), span.strip()) for name, kind, default, span in ROW.findall(text)}


TABLES: list[tuple[dict[str, tuple[str, str, str]], Any]] = [
    (settings_table("50-reference-workload.md", "1. Settings"), ranges.WORKLOAD),
    (settings_table("20-checkpoint-callback.md", "1. Settings"), ranges.SAVING),
    (settings_table("10-callbacks.md", "6. Early stopping"), ranges.EARLY),
    (settings_table("30-trainer.md", "1. Trainer and workload"), ranges.TRAINER),
]


def test_every_setting_of_the_text_has_its_range() -> None:
    for table, checks in TABLES:
        assert table.keys() - ranges.NOT_COVERED - OF_FIT == checks.keys() - OF_A_CLAUSE


def edges(kind: str, span: str) -> tuple[list[Any], list[Any]]:
    """Values at the ends of a range, in it and out of it."""
    if kind.startswith("list"):
        return [[{}]], [[], "x"]
    words = re.findall(r"`(\w+)`", span)
    if words:
        return list(words), ["other", 1, None]
    numbers: list[int | float] = [
        2**63 - 1 if one == "2^63 - 1" else float(one) for one in re.findall(r"2\^63 - 1|[\d.]+", span)
    ]
    if "integer" in kind:
        least, *most = map(int, numbers)
        return [least, *most], [least - 1, *(one + 1 for one in most), True, float(least), "1"]
    if kind.startswith("float64"):
        inside: list[Any] = [5e-324] if "above" in span else numbers[:1]
        outside = [inf, nan, -1.0, "1", True] + ([0.0] if "above" in span else []) + numbers[1:]
        return inside, outside
    if kind == "bool":
        return [True, False], [0, "true"]
    return (["x"], ["", 1]) if span == "not empty" else ([], [])


def test_ranges_are_those_of_the_text() -> None:
    tried = 0
    for table, checks in TABLES:
        for name in table.keys() & checks.keys():
            kind, _, span = table[name]
            inside, outside = edges(kind, span)
            tried += len(inside) + len(outside)
            assert [one for one in inside if not checks[name](one)] == [], name
            assert [one for one in outside if checks[name](one)] == [], name
            assert checks[name](None) == ("nil" in kind), name
    assert tried > 200


def test_an_integer_is_taken_for_a_float_but_in_the_workload() -> None:
    for table, checks in TABLES:
        for name in table.keys() & checks.keys():
            kind, _, span = table[name]
            if kind.startswith("float64"):
                assert checks[name](1 if "below 1.0" not in span else 0) == (checks is not ranges.WORKLOAD), name


def test_defaults_are_those_of_the_text() -> None:
    """Where the model has a default; the others change nothing that it foretells."""
    read: dict[str, Callable[[str], Any]] = {"integer": int, "float64": float, "bool": lambda text: text == "true"}
    models: tuple[Any, ...] = (Settings(), Saving(monitors=()), EarlyStop(), Asked(max_epochs=1))
    for (table, _), made in zip(TABLES, models, strict=True):
        for name in table.keys() & {one.name for one in fields(type(made))} - {"max_epochs", "monitors"}:
            kind, default, _ = table[name]
            expected = None if default == "nil" else read.get(kind.split()[0], str)(default)
            assert getattr(made, name) == expected, name
            assert type(getattr(made, name)) is type(expected), name
    table = TABLES[1][0]
    for name in ("monitor", "mode", "min_delta"):
        assert str(getattr(Monitor(), name)) == table[name][1]


def refused(*callbacks: Plain, **more: Any) -> str:
    """The code with which an attempt is refused that leaves nothing behind."""
    found = run(*callbacks, **{"workload": TINY, **more})
    assert (found.events, found.files, found.listing) == ([], {}, [])
    assert (found.reply["reply"], found.reply["phase"]) == ("error", "config")
    return str(found.reply["code"])


@pytest.mark.parametrize(
    "settings",
    [
        {"workload": {**TINY, "none": 1}},
        {"workload": {**TINY, "lr": 1}},
        {"workload": {**TINY, "scheduler": "plateau", "validation_samples": 0}},
        {"max_epochs": 0},
        {"validate_every": 0},
        {"max_steps": 0},
    ],
)
def test_a_bad_setting_of_the_training_is_refused(settings: Plain) -> None:
    assert refused({"name": "A"}, **settings) == "invalid_setting"


@pytest.mark.parametrize(
    "settings",
    [
        {"keep_last": 3},
        {"save_top_k": True},
        {"keep_best_latest": True, "keep_last_n": 1},
        {"monitors": []},
        {"monitors": [{"mode": "min"}]},
        {"monitors": [{"monitor": "a", "patience": 1}]},
        {"monitors": [{"monitor": "a"}], "mode": "max"},
        {"overwrite": False, "save_top_k": 2},
        {"monitor": "x" * 181},
        {"monitor": "/" * 61},
    ],
)
def test_a_bad_setting_of_the_checkpoint_callback_is_refused(settings: Plain) -> None:
    assert refused(saver(**settings)) == "invalid_setting"


def test_defaults_that_are_given_contradict_nothing() -> None:
    settings = {"keep_best_latest": False, "keep_last_n": 1, "monitors": None, "mode": "max", "save_top_k": None}
    assert run(saver(**settings), workload=TINY).reply["outcome"] == "finished"
    assert run(saver(monitors=[{"monitor": "a"}], mode="min"), workload=TINY).reply["outcome"] == "finished"
    assert run(saver(monitor="x" * 180), workload=TINY).reply["outcome"] == "finished"


@pytest.mark.parametrize(
    ("names", "slots", "collide"),
    [
        (("a", "a"), 1, True),
        (("a", "A"), 1, True),
        (("a", "b"), 1, False),
        (("a b", "a%20b"), 1, False),
        (("a", "a_epoch_0001"), 1, False),
        (("a", "a_epoch_0001"), 2, True),
        (("a", "a_EPOCH_12345_step_00000001"), 2, True),
        (("a", "a_epoch_001"), 2, False),
    ],
)
def test_two_monitors_with_one_file_name_are_refused(names: tuple[str, str], slots: int, collide: bool) -> None:
    monitors = [{"monitor": name, "save_top_k": slots} for name in names]
    found = run(saver(monitors=monitors), workload=TINY).reply
    assert found.get("code") == ("duplicate_file_name" if collide else None)


def test_callbacks_that_do_not_go_together_are_refused() -> None:
    assert refused(SAVER, {"name": "T", "checkpoint": {}}) == "several_checkpoint_callbacks"
    twice = {"name": "CheckpointCallback", "counts": True}
    assert refused(SAVER, twice) == "duplicate_state_key"
    assert refused({"name": "E", "early_stopping": {"patience": 0}}) == "invalid_setting"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (attempt(saver(save_every_seconds=1.0)), "save_every_seconds"),
        (attempt(saver(save_final_weights=True)), "save_final_weights"),
        (attempt(saver(layout="epoch_dirs")), "layout"),
        (attempt(saver(overwrite=False)), "overwrite"),
        (attempt(saver(retention="x")), "retention"),
        (attempt({"name": "A"}, max_seconds=9.0), "max_seconds"),
        (attempt({"name": "A"}, {"name": "A"}), "one name"),
        (attempt(SAVER, {"name": "T", "checkpoint": {}}, max_epochs=0), "any of"),
        (attempt({"name": "S", "checkpoint": {}, "actions": []}), "what one with"),
        (attempt({"name": "S", "checkpoint": {}, "phase": "observe"}), "phase"),
        (attempt({"name": "A", "color": "red"}), "color"),
        (attempt(doing("on_checkpoint_saved", 1, "save", metrics={}, callback="S"), SAVER), "manual save"),
        (attempt(doing("on_epoch_end", 1, "save", metrics={}, callback="B"), SAVER), "manual save by 'B'"),
        (attempt(doing("on_epoch_end", 1, "mend"), SAVER), "mended"),
        (attempt(doing("on_batch_end", 1, "break"), saver(async_save=True)), "async_save"),
        (Attempt({"max_epochs": "i:1", "callbacks": []}), "workload"),
        (Attempt({"workload": {"seed": 1}, "max_epochs": "i:1", "callbacks": []}), "scenario"),
    ],
)
def test_what_the_text_or_the_model_leaves_open_is_not_foretold(given: Attempt, why: str) -> None:
    with pytest.raises(UnforeseenError, match=re.escape(why)):
        foretell([given])


def test_with_background_saves_the_moment_of_the_news_is_free_and_nothing_else() -> None:
    late, plain = (run(saver(async_save=flag, save_top_k=2), workload=TINY, max_epochs=3) for flag in (True, False))
    assert (late.late_news, plain.late_news) == (True, False)
    assert (late.events, late.files, late.reply) == (plain.events, plain.files, plain.reply)
