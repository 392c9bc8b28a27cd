"""A trace as a scenario, carried out by the interpreter of the Python port, and its events as lines of a log."""

from __future__ import annotations

import io
import json

from scenario import carry_out
from scenario_form import read_scenario
from tagged import write_scalar

from tenuto.reference.errors import TenutoError

_WORDS = ("reason", "code", "signal")  # what an action needs beside `do`


def to_scenario(attempt):
    """Returns the scenario that trains as an attempt of a trace says; both stand in the specification."""
    given = attempt.given
    then = [{"save": attempt.then["save"], "metrics": _floats(attempt.then["metrics"])}] if attempt.then else []
    return {
        "workload": _tagged(given.get("workload", {})),
        "max_epochs": write_scalar(given["max_epochs"]),
        "metrics": {name: [_measured(value) for value in values] for name, values in given.get("metrics", {}).items()},
        "callbacks": [_callback(script) for script in given["callbacks"]],
        "then": then,
    }


def _callback(script):
    kept = {name: script[name] for name in ("name", "phase") if name in script}
    if "checkpoint" in script:
        kept["checkpoint"] = _tagged(script["checkpoint"])
    if "do" in script:
        at, words = script["at"], {name: script[name] for name in _WORDS if name in script}
        kept["actions"] = [{"hook": at["hook"], "call": write_scalar(at["call"]), "do": script["do"], **words}]
    return kept


def _tagged(values):
    return {name: write_scalar(value) for name, value in values.items()}


def _floats(values):
    return _tagged({name: float(value) for name, value in values.items()})


def _measured(value):
    return value if value == "missing" else write_scalar(float(value))


def in_process(scenario, folder, resume):
    """Carries out a scenario here; returns the reply and the events."""
    file = io.StringIO()
    try:
        reply = carry_out(read_scenario(scenario), str(folder), file, resume)
    except TenutoError as error:
        reply = {"reply": "error", "code": error.code}
    return reply, [json.loads(line) for line in file.getvalue().splitlines()]


def outcome_of(reply):
    """Returns the outcome in the words of a trace."""
    if reply["reply"] == "error":
        return f"raised: {reply['code']}"
    return reply["outcome"] if reply["outcome"] == "finished" else f"{reply['outcome']}: {reply['detail']}"


def told(events):
    """Returns what events tell, by the keys of a trace.

    A line of the log has the calls of one event, or of a part of one that another event comes inside of.
    """
    lines, saved, deleted = [], [], []
    for event in events:
        position = "/".join(number.removeprefix("i:") for number in event["progress"])
        head = [event["hook"], position]
        if lines and lines[-1][:2] == head and event["name"] not in lines[-1]:
            lines[-1].append(event["name"])
            continue
        lines.append([*head, event["name"]])
        if event["hook"] == "on_checkpoint_saved":
            saved.append(f"{' '.join(event['names'])}: {' '.join(event['reasons'])}")
        elif event["hook"] == "on_checkpoint_deleted":
            deleted.append(event["file"])
    return {"log": [" ".join(line) for line in lines], "saved": saved, "deleted": deleted}
