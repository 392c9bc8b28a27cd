"""The model foretells every example of the specification: the traces, and the tables of decisions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.entries import safe_load
from tenuto.conformance_tests.oracle.document import Json
from tenuto.conformance_tests.oracle.model.folder import File
from tenuto.conformance_tests.oracle.model.foretelling import Attempt, Foretold, Story, foretell
from tenuto.conformance_tests.oracle.model.naming import LATEST, best_name
from tenuto.conformance_tests.oracle.model.resuming import Choices
from tenuto.conformance_tests.oracle.model.writing import write_scenario
from tenuto.conformance_tests.prose import Example, parse

Table = Mapping[str, Any]


def examples() -> list[Example]:
    """Every example of the specification."""
    return [
        one
        for path in sorted(spec_folder().glob("*.md"))
        for one in parse(path.read_text("utf-8"), path.name)
        if isinstance(one, Example)
    ]


EXAMPLES = examples()
TRACES = {one.id: safe_load("\n".join(one.body)) for one in EXAMPLES if one.kind == "trace"}


def test_the_traces_and_tables_are_found() -> None:
    assert len(TRACES) == sum(path.read_text("utf-8").count("\n```trace ") for path in spec_folder().glob("*.md"))
    assert {one.kind for one in EXAMPLES if one.form == "table"} >= {"due", "best", "list", "name", "keep", "newest"}


# From a trace to attempts.


def number(value: object) -> float | None:
    """A value of a metric; YAML reads `nan` as text."""
    return None if value == "missing" else float(str(value))


def callback(given: Table) -> dict[str, Any]:
    made = {key: given[key] for key in ("name", "phase", "checkpoint") if key in given}
    if "at" in given:
        made["actions"] = [
            given["at"] | {key: given[key] for key in ("do", "reason", "code", "signal") if key in given}
        ]
    return made


def scenario(given: Table, then: Table | None = None) -> dict[str, Any]:
    return write_scenario(
        list(map(callback, given["callbacks"])),
        workload=given["workload"],
        max_epochs=given["max_epochs"],
        metrics={name: list(map(number, values)) for name, values in given.get("metrics", {}).items()},
        then=[then] if then else [],
    )


def attempts(trace: Table) -> tuple[list[Attempt], list[Table]]:
    """The attempts of a trace, and what it says of each."""
    stated = trace.get("attempts", [trace])
    given: dict[str, Any] = {}
    made = []
    for one in stated:
        given |= one.get("given", {})
        made.append(Attempt(scenario(given, one.get("then")), one.get("resume", "never")))
    return made, stated


def undisturbed(trace: Table) -> Attempt:
    """One attempt in which no callback does anything."""
    made, _ = attempts(trace)
    alone = {**made[-1].scenario}
    alone["callbacks"] = [{key: one[key] for key in one if key != "actions"} for one in alone["callbacks"]]
    return Attempt(alone)


# From what is foretold to a trace.


def log(events: Sequence[Mapping[str, Json]]) -> list[str]:
    """The lines of a log; an event inside another one has lines of its own."""
    lines: list[str] = []
    for event in events:
        progress = event["progress"]
        assert isinstance(progress, list)
        head = f"{event['hook']} " + "/".join(str(one).removeprefix("i:") for one in progress)
        if lines and lines[-1].startswith(f"{head} ") and str(event["name"]) not in lines[-1].split()[2:]:
            lines[-1] += f" {event['name']}"
        else:
            lines.append(f"{head} {event['name']}")
    return lines


def news(foretold: Foretold, hook: str) -> Iterator[Mapping[str, Any]]:
    """What the first callback was told."""
    told = [event for event in foretold.events if event["hook"] == hook]
    yield from (event for event in told if event["name"] == told[0]["name"])


def outcome(foretold: Foretold) -> str:
    reply = foretold.reply
    if reply["reply"] == "error":
        return f"raised: {reply['code']}"
    return f"{reply['outcome']}: {reply['detail']}".removesuffix(": ")


def order(name: str, monitors: Sequence[str]) -> tuple[int, str]:
    """Where a name stands among those of one file."""
    best = {best_name(one) for one in monitors}
    return (3 if name == LATEST else 2 if name in best else 1 if name.startswith("best_model_") else 0), name


def files(entries: Mapping[str, File], monitors: Sequence[str]) -> list[str]:
    lines = []
    for name, file in entries.items():
        same = sorted((other for other, one in entries.items() if one is file), key=lambda one: order(one, monitors))
        lines.append(name if same[0] == name else f"{name} = {same[0]}")
    return lines


def newest_file(entries: Mapping[str, File]) -> File:
    return max(entries.values(), key=lambda one: (one.attempt, one.progress))


def best_of(file: File) -> dict[str, Any]:
    metadata: Any = file.document["metadata"]
    found: dict[str, Any] = metadata["best"]
    return found


def stated_of(foretold: Foretold, entries: Mapping[str, File]) -> dict[str, Any]:
    """All that a trace may state of an attempt."""
    monitors = list(best_of(newest_file(entries))) if entries else []
    saved = news(foretold, "on_checkpoint_saved")
    return {
        "log": log(foretold.events),
        "outcome": outcome(foretold),
        "saved": [f"{' '.join(one['names'])}: {' '.join(one['reasons'])}" for one in saved],
        "deleted": [one["file"] for one in news(foretold, "on_checkpoint_deleted")],
        "files": files(entries, monitors),
        "best": {monitor: [entry["epoch"] for entry in kept] for monitor, kept in best_of(newest_file(entries)).items()}
        if entries
        else {},
    }


@pytest.mark.parametrize("id_", TRACES)
def test_a_trace(id_: str) -> None:
    made, stated = attempts(TRACES[id_])
    story = Story(Choices([], []))
    for attempt, one in zip(made, stated, strict=True):
        found = stated_of(story.carry_out(attempt), story.folder.entries())
        expected = {key: value for key, value in one.items() if key in found}
        if "log" in expected:
            expected["log"] = expected["log"].splitlines()
        assert {key: found[key] for key in expected} == expected
    assert foretell(made), "no choice that the text leaves free shows"


@pytest.mark.parametrize("id_", [one for one in TRACES if "undisturbed" in TRACES[one]])
def test_a_trace_that_is_undisturbed(id_: str) -> None:
    """Put end to end, the hooks of its attempts and the last checkpoint are those of one attempt."""
    made, _ = attempts(TRACES[id_])
    story, alone = Story(Choices([], [])), Story(Choices([], []))
    parts = [story.carry_out(attempt) for attempt in made]
    whole = alone.carry_out(undisturbed(TRACES[id_]))
    asked = TRACES[id_]["undisturbed"]
    if "log" in asked:
        assert joined(parts) == log(whole.events)
    if "state" in asked:
        last, expected = newest_file(story.folder.entries()), newest_file(alone.folder.entries())
        assert last.data() == expected.data()


def joined(parts: Sequence[Foretold]) -> list[str]:
    """The lines up to the end of each attempt, and on from behind the start of the next."""
    events: list[Mapping[str, Json]] = []
    for at, part in enumerate(parts):
        ends = [n for n, one in enumerate(part.events) if one["hook"] in {"on_exception", "on_train_end"}]
        end = ends[0] if at + 1 < len(parts) else len(part.events)
        events += [one for one in part.events[:end] if at == 0 or one["hook"] != "on_train_start"]
    return log(events)


def test_a_nan_is_read_from_a_trace() -> None:
    given = {"workload": {}, "max_epochs": 1, "metrics": {"val_loss": ["nan"]}, "callbacks": [{"name": "A"}]}
    metrics: Any = foretell([Attempt(scenario(given))])[0].events[-1]["metrics"]
    assert metrics["val_loss"] == ["f64:7ff8000000000000", "i:6"]
