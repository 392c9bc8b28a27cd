"""A running adapter of the Python port, and scenarios for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PORT = Path(__file__).parents[1] / "ports/python"
NAN, HALF, ONE, TWO = "f64:7ff8000000000000", "f64:3fe0000000000000", "f64:3ff0000000000000", "f64:4000000000000000"


class Adapter:
    """A running adapter."""

    def __init__(self):
        command = [sys.executable, str(PORT / "adapter.py")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.communicate()

    def ask(self, op, **members):
        """Asks one thing and returns the reply, without its id."""
        return self.ask_line(json.dumps({"id": "7", "op": op, **members}), "7")

    def ask_line(self, line, identity):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        reply = json.loads(self.process.stdout.readline().removeprefix(b"@tenuto "))
        assert reply.pop("id") == identity
        return reply

    def carry(self, scenario, folder, resume="never"):
        """Has a scenario carried out; returns the reply and the events."""
        folder.parent.mkdir(exist_ok=True)
        script, events = folder.with_name(f"{folder.name}.json"), folder.with_name(f"{folder.name}.events")
        script.write_text(json.dumps(scenario))
        members = {"scenario": str(script), "folder": str(folder), "events": str(events)}
        reply = self.ask("run", **members) if resume == "never" else self.ask("restore", **members, resume=resume)
        told = events.read_text().splitlines() if events.exists() else None
        return reply, told and [json.loads(line) for line in told]


def scenario(*callbacks, epochs=1, **members):
    """Returns a scenario with two batches an epoch."""
    workload = {"samples": "i:8", "validation_samples": "i:2"}
    return {"workload": workload, "max_epochs": f"i:{epochs}", "callbacks": list(callbacks), **members}


def observer(name="A", *actions, **members):
    return {"name": name, **({"actions": list(actions)} if actions else {}), **members}


def saver(**settings):
    return {"name": "S", "checkpoint": settings}


def action(do, hook, call=1, **further):
    return {"hook": hook, "call": f"i:{call}", "do": do, **further}


def ending(reply):
    return reply["reply"], reply.get("outcome", reply.get("code")), reply.get("detail", reply.get("phase"))


def lines(events, *hooks):
    return [(event["hook"], event["name"]) for event in events if not hooks or event["hook"] in hooks]


def names(folder):
    return sorted(path.name for path in folder.iterdir())
