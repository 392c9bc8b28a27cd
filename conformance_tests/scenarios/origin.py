"""The origin of a checkpoint: its form, and how it fits the rest of the file and its folder.

What is in it differs from run to run, so it is no part of a file that is foretold.

Spec: TR-STATE-003, TR-STATE-012, TR-STATE-016, TR-STATE-020, GEN-NAME-001.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from tenuto.conformance_tests.judge import Judgement, fail
from tenuto.conformance_tests.oracle.tree import Document, Tree

REASONS = ("periodic", "best", "manual", "train_end", "exception", "signal")

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?[Zz]", re.ASCII)
_OPTIONAL = {"trigger", "files"}


def _is_id(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[0-9a-fA-F]{32}", value, re.ASCII) is not None


def _is_run(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value, re.ASCII) is not None


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_lineage(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, list) and len(row) == 4 and all(map(_is_count, row)) for row in value
    )


def _is_producer(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"name", "version", "language"}
        and all(isinstance(item, str) for item in value.values())
    )


def _are_reasons(value: object) -> bool:
    return isinstance(value, list) and bool(value) and value == [one for one in REASONS if one in value]


_FORMS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "checkpoint_id": (_is_id, "32 hex digits (TR-STATE-003)"),
    "run_id": (_is_run, "1 to 64 characters of A-Z a-z 0-9 . _ - (TR-STATE-020)"),
    "attempt": (_is_count, "an integer (TR-STATE-003)"),
    "parent": (lambda value: value is None or _is_id(value), "an id or nil (TR-STATE-003)"),
    "lineage": (_is_lineage, "an array of four integers each (TR-STATE-003)"),
    "timestamp": (
        lambda value: isinstance(value, str) and _TIME.fullmatch(value) is not None,
        "RFC 3339 in UTC (TR-STATE-003)",
    ),
    "producer": (_is_producer, "a map of name, version and language (TR-STATE-003)"),
    "reasons": (_are_reasons, "reasons in their order (TR-STATE-004)"),
    "elapsed_seconds": (lambda value: isinstance(value, float) and value >= 0.0, "a float64 (TR-STATE-016)"),
}


def judge_origin(name: str, document: Document) -> Judgement | None:
    """Returns what is wrong with the origin of a file, None if nothing is.

    Spec: TR-STATE-003, TR-STATE-012, GEN-NAME-001.
    """
    origin = _map(_map(document.get("metadata")).get("origin"))
    for key, (holds, rule) in _FORMS.items():
        if key not in origin or not holds(origin[key]):
            return fail(f"{name}: metadata.origin.{key}", rule, repr(origin.get(key, "absent")))
    for key in sorted(origin.keys() - _FORMS.keys() - _OPTIONAL):
        if not key.startswith("x_"):
            return fail(f"{name}: metadata.origin has the key {key}", "a key that starts with x_ (GEN-NAME-001)", key)
    return _judge_trigger(name, document, origin)


def _judge_trigger(name: str, document: Document, origin: Mapping[str, Tree]) -> Judgement | None:
    """Compares the trigger of a save with the lists in the same file.

    Spec: TR-STATE-012, CPC-BEST-013.
    """
    where = f"{name}: metadata.origin.trigger"
    reasons, trigger = origin.get("reasons"), origin.get("trigger")
    if not isinstance(reasons, list) or "best" not in reasons:
        return None if "trigger" not in origin else fail(where, "absent: no metric caused the save", repr(trigger))
    entered = _entered(document)
    if not isinstance(trigger, dict) or not entered:
        return fail(where, "a map, and an entry of the file itself in a list", f"{trigger!r}, entries {entered}")
    monitor = str(trigger.get("monitor"))
    expected = {"value": entered.get(monitor), "strategy": "best", "mode": _mode(document, monitor)}
    keys = {"monitor", "value", "mode", "strategy", "previous_best"}
    found = {key: trigger.get(key) for key in expected}
    previous = trigger.get("previous_best")
    if found != expected or trigger.keys() != keys or not (previous is None or isinstance(previous, float)):
        return fail(where, f"{sorted(keys)} with {expected}", repr(trigger))
    return None


def _entered(document: Document) -> dict[str, float]:
    """Returns the monitors whose list has an entry with the progress of the file itself, with its value."""
    metadata = _map(document.get("metadata"))
    progress = _map(metadata.get("progress"))
    state = (progress.get("epoch"), progress.get("global_step"))
    found = {}
    for monitor, entries in _map(metadata.get("best")).items():
        for entry in entries if isinstance(entries, list) else ():
            fields = _map(entry)
            if (fields.get("epoch"), fields.get("step")) == state and isinstance(value := fields.get("value"), float):
                found[monitor] = value
    return found


def _mode(document: Document, monitor: str) -> Tree:
    saving = _map(_map(document.get("callback_state")).get("CheckpointCallback"))
    return _map(_map(saving.get("best")).get(monitor)).get("mode")


def _map(value: object) -> Mapping[str, Tree]:
    return value if isinstance(value, dict) else {}
