"""Tries each setting of the reference with values just inside and just outside its range.

The classes are made in a process of their own, from the sources of the checkout that is checked.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from tenuto.interfaces.findings import Finding
from tenuto.interfaces.items import Field, Interfaces
from tenuto.interfaces.types import Range, Type

__all__ = ["Trial", "check_ranges", "trials_of"]

_CLASSES: Final = {
    "CheckpointCallback": "tenuto.callbacks.checkpoint",
    "EarlyStopping": "tenuto.callbacks.early_stopping",
    "Trainer": "tenuto.reference.trainer.loop",
}
# One setting is tried at a time. A trainer needs a workload, which it only keeps, and a number of epochs.
_PROGRAM: Final = """
import json, sys
{imports}

for owner, name, value in json.load(sys.stdin):
    needed = dict(workload=object(), max_epochs=1) if owner == "Trainer" else dict()
    try:
        globals()[owner](**(needed | dict([(name, value)])))
    except Exception as error:
        print(json.dumps(getattr(error, "code", type(error).__name__)))
    else:
        print(json.dumps(None))
"""


@frozen
class Trial:
    """A value for a setting, and whether it is to be taken."""

    setting: Field
    value: Any
    is_inside: bool


def check_ranges(interfaces: Interfaces, root: Path) -> Iterator[Finding]:
    """Yields the settings that take what is out of range, or refuse what is not."""
    trials = [
        (record, trial)
        for record in interfaces.records().values()
        for setting in (*record.settings,) * (record.name in _CLASSES and record.pending is None)
        if setting.pending is None
        for trial in trials_of(setting)
    ]
    answers, trouble = _answers(root, [(record.name, trial.setting.name, trial.value) for record, trial in trials])
    if len(answers) != len(trials):
        record = trials[len(answers)][0]
        yield Finding(record.place.path, record.place.line, "interface-range", record.clause, f"not tried: {trouble}")
    for (_, trial), answer in zip(trials, answers, strict=False):
        if answer not in _right_answers(trial):
            setting, told = trial.setting, "taken" if trial.is_inside else "refused with `invalid_setting`"
            message = f"{setting.name}: {trial.value!r} is {answer or 'taken'}; expected it {told}"
            yield Finding(setting.place.path, setting.place.line, "interface-range", setting.clause, message)


def _right_answers(trial: Trial) -> tuple[str | None, ...]:
    """Returns how a value may be answered; one that needs a capability is refused by a port without it."""
    if not trial.is_inside:
        return ("invalid_setting",)
    return (None, "unsupported_setting") if trial.setting.clause == "CPC-SET-006" else (None,)


def _answers(root: Path, tries: list[tuple[str, str, Any]]) -> tuple[list[Any], str]:
    """Returns, for each value tried, the code with which it was refused or None, and why there are no more of them."""
    classes = dict.fromkeys(owner for owner, _, _ in tries)
    imports = "\n".join(f"from {_CLASSES[name]} import {name}" for name in classes)
    ended = subprocess.run(
        [sys.executable, "-B", "-c", _PROGRAM.format(imports=imports)],
        input=json.dumps(tries),
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    return [json.loads(line) for line in ended.stdout.splitlines()], ended.stderr.strip().rpartition("\n")[2]


def trials_of(setting: Field) -> list[Trial]:
    """Returns values just inside and just outside the range of a setting, and some of another type."""
    inside, outside = _values(setting.type.inner, setting.range)
    if inside:
        (inside if setting.type.is_optional else outside).append(None)
    return [Trial(setting, value, True) for value in inside] + [Trial(setting, value, False) for value in outside]


def _values(kind: Type, allowed: Range) -> tuple[list[Any], list[Any]]:
    """Returns values inside and values outside; none for types whose values cannot be made up."""
    least = allowed.least
    values: tuple[list[Any], list[Any]] = ([], [])
    match kind.name:
        case "int" if least is not None:
            first = int(least) + allowed.is_open
            values = [first, first + 1], [first - 1, first + 0.5, str(first), True]
        case "float64" if least is not None:
            above, below = math.nextafter(least, math.inf), math.nextafter(least, -math.inf)
            inside, outside = ([above], [float(least), below]) if allowed.is_open else ([float(least), above], [below])
            values = [*inside, int(least) + 1], [*outside, "0.5", True, math.nan] + [math.inf] * allowed.is_finite
        case "bool":
            values = [True, False], ["yes", 2]
        case "str":
            values = ["x"], [3, *([""] * allowed.is_filled)]
        case "path":
            values = ["somewhere"], [3]
        case "enum":
            values = [*kind.words], [kind.words[0].upper(), "", 3]
        case _:
            pass
    return values
