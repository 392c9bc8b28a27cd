"""A port that answers what the oracle foretells, and can be made to spoil one thing of it.

It shows that the judging finds no fault with a right answer, and exactly the fault of a wrong one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field

from tenuto.conformance_tests.oracle.frame import file
from tenuto.conformance_tests.oracle.model import Attempt, Foretold, foretell
from tenuto.conformance_tests.oracle.tree import Tree
from tenuto.conformance_tests.protocol import Reply
from tenuto.conformance_tests.scenarios.witness import read

__all__ = ["Answer", "Puppet", "Spoil"]


@define
class Answer:
    """What the puppet is about to do; a spoil changes it in place.

    Attributes:
        reply: Members of the reply to `run` or `restore`.
        events: Lines of the events.
        files: Name in the folder -> bytes; a name that starts with `../` lies beside it.
        listing: Members of the reply to `list`.
    """

    reply: dict[str, Any]
    events: list[dict[str, Any]]
    files: dict[str, bytes]
    listing: dict[str, Any]


Spoil = Callable[[Answer], None]


@define
class Puppet:
    """A conversation with nobody.

    Attributes:
        root: The folder of the sandbox.
        spoil: Changes the answer to the last attempt asked for.
        spoiled: Which attempt is spoiled, counted from 1.
        restarts: How often a new process was asked for.
    """

    root: Path
    spoil: Spoil = field(default=lambda _: None)
    spoiled: int = 1
    restarts: int = 0
    _attempts: list[Attempt] = field(factory=list)
    _answer: Answer | None = None

    def scratch(self) -> Path:
        """See `Talk`."""
        self._attempts.clear()
        folder = self.root / str(len(list(self.root.iterdir())))
        folder.mkdir()
        return folder

    def restart(self) -> None:
        """See `Talk`."""
        self.restarts += 1

    def ask(self, operation: str, members: Mapping[str, Any]) -> Reply:
        """See `Talk`."""
        if operation == "list":
            assert self._answer is not None
            return Reply("ok", {"reply": "ok", **self._answer.listing})
        self._attempts.append(Attempt(json.loads(Path(members["scenario"]).read_text()), _resume(members)))
        self._answer = answer = _answer(foretell(self._attempts)[-1])
        if len(self._attempts) == self.spoiled:
            self.spoil(answer)
        folder = Path(members["folder"])
        for path in folder.iterdir():
            path.unlink()
        for name, data in answer.files.items():
            (folder / name).write_bytes(data)
        lines = [json.dumps(event) + "\n" for event in answer.events]
        Path(members["events"]).write_text("".join(lines))
        return Reply(answer.reply["reply"], answer.reply)


def _resume(members: Mapping[str, Any]) -> str:
    resume = str(members.get("resume", "never"))
    return resume if resume in {"never", "auto"} else Path(resume).name


def _answer(foretold: Foretold) -> Answer:
    rows = {str(row["name"]): row for row in foretold.listing}
    files = {name: _with_origin(data, rows[name]) for name, data in foretold.files.items()}
    listing = [{**row, "run_id": "run"} for row in foretold.listing]
    told = {"checkpoints": listing, "damaged": list(foretold.damaged), "newest": foretold.newest}
    return Answer(dict(foretold.reply), [dict(event) for event in foretold.events], files, told)


def _with_origin(data: bytes, row: Mapping[str, Any]) -> bytes:
    """Returns a file with the origin that a row of the listing tells of; equal documents have equal ones."""
    document = read(data)
    seed = data + repr((row["attempt"], row["reasons"])).encode()
    origin: dict[str, Tree] = {
        "checkpoint_id": hashlib.md5(seed, usedforsecurity=False).hexdigest(),
        "run_id": "run",
        "attempt": int(row["attempt"][2:]),
        "parent": None,
        "lineage": [],
        "timestamp": "2025-01-01T00:00:00Z",
        "producer": {"name": "puppet", "version": "1", "language": "none"},
        "reasons": list(row["reasons"]),
        "elapsed_seconds": 0.5,
    }
    if "best" in row["reasons"]:
        origin["trigger"] = _trigger(document)
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    return file({**document, "metadata": {**metadata, "origin": origin}})


def _trigger(document: Any) -> dict[str, Tree]:
    """Returns the first monitor whose list the state entered."""
    progress = document["metadata"]["progress"]
    states = document["callback_state"]["CheckpointCallback"]["best"]
    for monitor, state in states.items():
        for entry in state["entries"]:
            if (entry["epoch"], entry["step"]) == (progress["epoch"], progress["global_step"]):
                found = {"monitor": monitor, "value": entry["value"], "mode": state["mode"]}
                return {**found, "strategy": "best", "previous_best": None}
    raise AssertionError("a save for a metric without an entry")
