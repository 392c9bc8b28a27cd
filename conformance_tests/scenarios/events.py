"""The events of an attempt: reading what a port wrote, and comparing it line by line with what was foretold.

Spec: SCN-EVENT-001, SCN-EVENT-002.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from tenuto.conformance_tests.judge import Judgement, fail
from tenuto.conformance_tests.oracle.document import Json, MalformedError
from tenuto.conformance_tests.protocol import parse_json
from tenuto.conformance_tests.written import written

Event = Mapping[str, Json]

EVENTS_LIMIT = 1 << 26
_CLAUSES = {
    "hook": "CB-HOOK-007",
    "name": "CB-ORDER-001",
    "progress": "CB-HOOK-013",
    "metrics": "CB-METRIC-009",
    "names": "CPC-NAME-013",
    "reasons": "TR-STATE-004",
    "file": "CB-HOOK-010",
    "code": "TR-FAIL-013",
    "exact": "TR-FAIL-007",
}
_FLOAT = re.compile(r"f64:[0-9a-f]{16}", re.ASCII)


def read_events(path: Path) -> list[Event] | Judgement:
    """Returns the events in a file, or the judgement of one that is not there or too large.

    Raises:
        MalformedError: A line is no JSON object of the restricted kind.

    Spec: SCN-EVENT-001, SCN-EVENT-002, CONF-VERDICT-007.
    """
    data = written(path, EVENTS_LIMIT)
    if data is None:
        return fail("the events (SCN-EVENT-002)", f"a file of at most {EVENTS_LIMIT} bytes", "no such file")
    if data and not data.endswith(b"\n"):
        return fail("the events end in mid-line (SCN-EVENT-002)", "a line feed at the end", ascii(data[-40:]))
    found: list[Event] = []
    for number, line in enumerate(data.splitlines(), start=1):
        event = parse_json(line)
        if not isinstance(event, dict):
            raise MalformedError(f"events, line {number}: {line[:80]!a}; expected a JSON object")
        found.append(event)
    return found


def judge_events(expected: Sequence[Event], actual: Sequence[Event]) -> Judgement | None:
    """Returns the first difference, None if there is none; further members of an event are the port's own matter.

    Spec: SCN-EVENT-001, and section 4 of 95-scenarios.md.
    """
    for number, (one, other) in enumerate(zip(expected, actual, strict=False), start=1):
        if (member := _difference(one, other)) is not None:
            clause = _CLAUSES.get(member, "SCN-EVENT-001")
            where = f"events, line {number}: {member} differs ({clause})"
            return fail(where, _text(one, member), _text(other, member))
    if len(expected) == len(actual):
        return None
    at = min(len(expected), len(actual))
    texts = [_line(events[at]) if at < len(events) else "no further event" for events in (expected, actual)]
    return fail(f"events, line {at + 1}: {len(actual)} events, expected {len(expected)} (CB-HOOK-007)", *texts)


def _difference(expected: Event, actual: Event) -> str | None:
    """Returns the first member that differs; what was called comes before what it was told."""
    for member, value in expected.items():
        if member not in actual:
            return member
        found = actual[member]
        if found != value and _plain(found) != _plain(value):  # few differ at all, and plain forms cost
            return member
    return None


def _plain(value: Json) -> Json:
    """Returns a value with one form of NaN: its sign and payload in memory are free.

    Spec: section 11 of 50-reference-workload.md.
    """
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str) and _FLOAT.fullmatch(value) and math.isnan(number(value)):
        return "f64:7ff8000000000000"
    return value


def number(tagged: str) -> float:
    """Returns the float64 of a tagged scalar that is known to be one."""
    found: float = struct.unpack(">d", bytes.fromhex(tagged[4:]))[0]
    return found


def _text(event: Event, member: str) -> str:
    value = event.get(member, "absent")
    if isinstance(value, dict):
        value = {name: _readable(pair) for name, pair in sorted(value.items())}
    return f"{_line(event)} {member} {value}"


def _readable(pair: Json) -> Json:
    """Returns a measured value with the number that its bits stand for."""
    if isinstance(pair, list) and pair and isinstance(pair[0], str) and _FLOAT.fullmatch(pair[0]):
        return [f"{pair[0]} = {number(pair[0])!r}", *pair[1:]]
    return pair


def _line(event: Event) -> str:
    return f"{event.get('hook')} {position(event)} {event.get('name')}"


def position(event: Event) -> str:
    """Returns the progress of an event as `epoch/batch_in_epoch/global_step`."""
    parts = event.get("progress")
    return "/".join(str(part).removeprefix("i:") for part in parts) if isinstance(parts, list) else str(parts)


def log_lines(events: Sequence[Event]) -> list[str]:
    """Returns a log of the form of section 1.1 of 10-callbacks.md."""
    lines: list[str] = []
    last, called = "", set[Json]()
    for event in events:
        head = f"{event.get('hook')} {position(event)}"
        name = event.get("name", "")
        if head != last or name in called:
            lines.append(head)
            called = set()
        lines[-1] += f" {name}"
        called.add(name)
        last = head
    return lines


def told(events: Sequence[Event], hook: str) -> list[str]:
    """Returns what the calls of `on_checkpoint_saved` or `on_checkpoint_deleted` told, each once."""
    first = next((event.get("name") for event in events if event.get("hook") == hook), None)
    mine = [event for event in events if event.get("hook") == hook and event.get("name") == first]
    if hook == "on_checkpoint_deleted":
        return [str(event.get("file")) for event in mine]
    return [f"{_joined(event.get('names'))}: {_joined(event.get('reasons'))}" for event in mine]


def _joined(value: Json | None) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
