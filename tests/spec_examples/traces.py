"""Runs a trace: real trainings of the reference workload, real signals, real files."""

from __future__ import annotations

import re

from spec_examples.scripted import in_process, outcome_of, to_scenario, told
from spec_examples.source import Verdict
from tenuto.reference.checkpoint import read_checkpoint
from tenuto.reference.checkpoint.ledger import read_ledger
from tenuto.reference.checkpoint.writer import encode, strip_origin

_CUT = ("on_exception", "on_train_end")  # where an attempt that is continued is cut off


def observe(trace, folder, carry=in_process):
    """Returns what each attempt came to and, if the trace wants to know, what one comes to that nothing disturbs.

    Args:
        carry: What carries out a scenario in a folder: a function of scenario, folder and `resume`.
    """
    found = [_observe(attempt, folder / "run", carry) for attempt in trace.attempts]
    if trace.undisturbed:
        found.append(_observe(trace.attempts[-1].undisturbed(), folder / "undisturbed", carry))
    return found


def compare(trace, found):
    """Holds what a trace states against what was observed."""
    count = len(trace.attempts)
    stated = [attempt.stated for attempt in trace.attempts]
    seen = [{key: one[key] for key in wanted} for one, wanted in zip(found, stated, strict=False)]
    if trace.undisturbed:
        lines = [line for at, one in enumerate(found[:count]) for line in _part(one["log"], at, count)]
        joined = {"log": lines, "state": found[count - 1]["state"]}
        stated.append({key: found[count][key] for key in trace.undisturbed})
        seen.append({key: joined[key] for key in trace.undisturbed})
    return Verdict(stated, seen)


def _observe(attempt, folder, carry):
    """Trains once and returns everything that a trace may state."""
    reply, events = carry(to_scenario(attempt), folder, attempt.resume)
    return {
        **told(events),
        "outcome": outcome_of(reply),
        "files": _files(folder),
        "best": _best(folder),
        "state": _last_state(folder),
    }


def _part(log, number, count):
    """Returns the lines of an attempt that an undisturbed run has too."""
    is_end = (at for at, line in enumerate(log) if number < count - 1 and line.startswith(_CUT))
    return log[1 if number else 0 : next(is_end, len(log))]


def _last_state(folder):
    """Returns the newest checkpoint without its origin.

    Spec: CKPT-CANON-006.
    """
    newest = read_ledger(str(folder)).newest_first()
    return b"".join(encode(strip_origin(read_checkpoint(folder / newest[0].name)))).hex() if newest else None


def _files(folder):
    """Returns the names in a folder, sorted; a name whose bytes another one has says so.

    Spec: CPC-NAME-013.
    """
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    firsts = {}
    for name in sorted(names, key=_order):
        firsts.setdefault((folder / name).read_bytes(), name)
    same = {name: firsts[(folder / name).read_bytes()] for name in names}
    return [name if first == name else f"{name} = {first}" for name, first in same.items()]


def _order(name):
    """Sorts names in the order in which one save makes them: periodic, entry of a best list, best, latest."""
    kinds = (r"(checkpoint|emergency)_.*", r"best_model_.*_epoch_\d+(_step_\d+)?\.ckpt", r"best_model_.*", r".*")
    return next(at for at, kind in enumerate(kinds) if re.fullmatch(kind, name)), name


def _best(folder):
    """Returns the epochs of the best lists in the newest checkpoint.

    Spec: CPC-BEST-013, CPC-STATE-003.
    """
    newest = read_ledger(str(folder)).newest_first()
    best = read_checkpoint(folder / newest[0].name).head["metadata"]["best"] if newest else {}
    return {monitor: [entry["epoch"] for entry in entries] for monitor, entries in best.items()}
