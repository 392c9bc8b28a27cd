"""What the Python port refuses of a scenario: settings, what the reference lacks, and members of no known form."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
from python_adapter import HALF, ONE, Adapter, action, ending, names, observer, saver, scenario

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def adapter():
    with Adapter() as running:
        yield running


@pytest.mark.req("SCN-OP-004")
@pytest.mark.parametrize(
    "change",
    [
        {"max_epochs": "i:0"},
        {"max_epochs": "f64:3ff0000000000000"},
        {"validate_every": "i:0"},
        {"workload": {"lr": "i:1"}},
        {"workload": {"unheard_of": "i:1"}},
        {"callbacks": [observer(), saver(keep_last="i:1")]},
        {"callbacks": [observer(), saver(monitor="s:")]},
        {"callbacks": [observer(), {"name": "E", "early_stopping": {"wait": "i:1"}}]},
        {"trainer": {"max_steps": "i:0"}},
        {"trainer": {"require_exact": "i:1"}},
    ],
)
def test_a_refused_setting_is_an_error_without_events(change, adapter, tmp_path):
    reply, events = adapter.carry({**scenario(observer()), **change}, tmp_path / "f")
    assert reply == {"reply": "error", "code": "invalid_setting", "phase": "config"}
    assert events == []
    assert not (tmp_path / "f").exists()


@pytest.mark.req("SCN-OP-004", "CONF-REPLY-004")
def test_a_refused_restore_is_an_error_that_names_what_differs(adapter, tmp_path):
    given = scenario(observer(), saver())
    adapter.carry(given, tmp_path / "f")
    reply, events = adapter.carry(given, tmp_path / "f")
    assert (reply, events) == ({"reply": "error", "code": "directory_in_use", "phase": "config"}, [])
    other = {**given, "workload": {**given["workload"], "seed": "i:1", "dropout": HALF}}
    with Adapter() as fresh:
        reply, events = fresh.carry(other, tmp_path / "f", "auto")
    paths = ["metadata.config.dropout", "metadata.config.seed"]
    assert reply == {"reply": "error", "code": "state_mismatch", "phase": "restore", "mismatches": paths}
    assert events == []


# -- what is refused

FULL = scenario(
    observer("A", *(action("save", "on_batch_end", callback="S", metrics={"a": ONE}), action("break", "on_batch_end"))),
    saver(),
    validate_every="i:1",
    metrics={"val_loss": [ONE]},
    then=[{"save": "S", "metrics": {}}],
)


def spoiled():
    """Yields a whole scenario with one thing wrong: an unknown or missing member, or a value of no known form."""
    changes = [
        *([(), "unknown", 1], [("callbacks", 0), "unknown", 1], [("callbacks", 0, "actions", 0), "unknown", 1]),
        *([("callbacks", 0, "actions", 1), "reason", "x"], [("then", 0), "unknown", 1], [(), "trainer", {"lr": "i:1"}]),
        *(
            [(), "max_epochs", None],
            [("callbacks", 0), "name", None],
            [("callbacks", 0, "actions", 0), "metrics", None],
        ),
        *([(), "max_epochs", 1], [("callbacks", 0), "counts", "true"], [("callbacks", 1), "counts", True]),
        *([("callbacks", 0), "phase", "late"], [("callbacks", 0, "actions", 0), "hook", "on_saved"]),
        *([("callbacks", 0, "actions", 0), "hook", "on_checkpoint_saved"], [("then", 0), "save", "A"]),
        *([("callbacks", 0, "actions", 0), "do", "sleep"], [("callbacks", 0, "actions", 0), "callback", "A"]),
        *([("metrics",), "loss", [ONE]], [("metrics",), "val_loss", ["i:1"]], [("then", 0, "metrics"), "a", "nil"]),
        [("callbacks", 0, "actions"), 1, action("raise", "on_batch_end", code="io_error")],
        [("callbacks", 0, "actions"), 1, action("signal", "on_batch_end", signal="SIGKILL")],
    ]
    for path, name, value in changes:
        whole = part = deepcopy(FULL)
        for step in path:
            part = part[step]
        if value is None:
            del part[name]
        else:
            part[name] = value
        yield pytest.param(whole, id=f"{'.'.join(map(str, path))}:{name}={value}"[:60])


@pytest.mark.parametrize("whole", list(spoiled()))
def test_a_scenario_of_no_known_form_is_a_fault_before_anything_is_done(whole, adapter, tmp_path):
    reply, events = adapter.carry(whole, tmp_path / "f")
    assert reply["reply"] == "internal"
    assert (names(tmp_path), events) == (["f.json"], None)


def test_the_scenario_that_is_spoiled_above_is_whole(adapter, tmp_path):
    whole = deepcopy(FULL)
    del whole["callbacks"][0]["actions"][1]
    reply, _ = adapter.carry(whole, tmp_path / "f")
    assert ending(reply) == ("ok", "finished", "")
