"""A short search by a lane, which stops at the first breach: what a mutant of the protocol has to survive."""

from __future__ import annotations

import itertools

from crash import faults
from crash.recovery import BreachError
from crash.states import Search, quiet, scratch
from crash.trace import trace

WORKLOADS = (
    ("best",),
    ("best", "save"),
    ("save", "retention"),
    ("save", "emergency"),
    ("best", "recovery"),
    ("save", "resume", "save"),
    ("best", "best", "retention"),
    ("save", "retention", "retention"),
    ("recovery", "save"),
    ("emergency", "resume"),
    ("save", "save", "rewind", "save"),
)
LAST = ("emergency", "resume", "async", "best")


def hunt(mutant):
    """Looks for a breach by the lane of a mutant, while it is present; returns the first one, or None."""
    with mutant.present():
        if mutant.lane == "A'":
            return by_trace(mutant)
        if mutant.lane == "A":
            return by_crashes(mutant.settings)
        return by_faults(mutant.settings, (mutant.last,) if mutant.last else LAST)


def by_trace(mutant):
    """Compares what the system sees, in a process in which the mutant is present too."""
    with scratch() as root:
        noted, system = trace(root, mutant.settings, ("best", "save"), mutant.id)
    pairs = itertools.zip_longest(noted, system)
    return next((f"noted {one}, seen {other}" for one, other in pairs if one != other), None)


def by_crashes(settings):
    """Recovers what a crash may leave."""
    with scratch() as root, quiet():
        search = Search(root, double=10, breaches_max=1)
        for verbs in WORKLOADS:
            search.run(settings, verbs)
            if search.is_over:
                return search.findings.breaches[0]
    return None


def by_faults(settings, verbs_last=LAST):
    """Makes single operations fail. Goes through the faults one kind after another, so that no kind comes late."""
    for last in verbs_last:
        verbs = ("best", last)
        try:
            planned = faults.cases(settings, verbs)
        except BreachError as breach:
            return f"{settings}: {', '.join(verbs)} | no fault: {breach}"
        once = [one for one in planned if one.mode == "once" and one.kind in ("EIO", faults.SHORT, *faults.LIES)]
        found = faults.run(settings, verbs, once, breaches_max=1)
        if found:
            return found[0]
    return None
