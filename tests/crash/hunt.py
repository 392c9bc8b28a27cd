"""A short search by a lane, which stops at the first breach: what a mutant of the protocol has to survive."""

from __future__ import annotations

from crash import faults
from crash.recovery import Breach
from crash.states import Search, quiet, scratch

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


def hunt(lane, settings):
    """Looks for a breach by lane `A` or `D`; returns the first one, or None."""
    return {"A": _by_crashes, "D": _by_faults}[lane](settings)


def _by_crashes(settings):
    with scratch() as root, quiet():
        search = Search(root, double=10, breaches_max=1)
        for verbs in WORKLOADS:
            search.run(settings, verbs)
            if search.is_over:
                return search.findings.breaches[0]
    return None


def _by_faults(settings):
    """Goes through the faults one kind after another, so that no kind comes late."""
    for last in LAST:
        verbs = ("best", last)
        try:
            planned = faults.cases(settings, verbs)
        except Breach as breach:
            return f"{settings}: {', '.join(verbs)} | no fault: {breach}"
        once = [one for one in planned if one.mode == "once" and one.kind in ("EIO", faults.SHORT, *faults.LIES)]
        found = faults.run(settings, verbs, once, breaches_max=1)
        if found:
            return found[0]
    return None
