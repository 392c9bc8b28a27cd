"""In which order the cases of a plan are asked, and which of them share a process of the adapter.

Both follow from the plan and the seed alone, never from how many processes run at once, so the verdicts on a port that
carries something over from one case to the next do not depend on that either.

Spec: CONF-OP-002, and section 9 of 90-conformance.md (the order is the runner's).
"""

from collections.abc import Sequence

import xxhash

from tenuto.conformance_tests.cases import Case, Echo, Hello

SHARED_CASES = 64


def opens(case: Case) -> bool:
    """Whether a case is about the adapter itself, so that it is asked before all others."""
    return isinstance(case.task, Hello | Echo)


def arrange(plan: Sequence[Case], seed: int | None) -> list[Case]:
    """The plan in the order in which it is asked: as it is, or shuffled; the opening cases stay in front.

    Args:
        plan: the cases.
        seed: decides the order together with the ids, so a smaller plan keeps the order of its cases; None leaves
            the order of the suite.
    """
    first = [case for case in plan if opens(case)]
    rest = [case for case in plan if not opens(case)]
    if seed is not None:
        rest.sort(key=lambda case: xxhash.xxh64_intdigest(f"{seed} {case.id}".encode()))
    return first + rest


def shares(cases: Sequence[Case]) -> list[list[Case]]:
    """The cases in groups, each of which is asked of a process of its own that serves no other group.

    A group ends where its cases weigh as much as `SHARED_CASES` usual ones: of few heavy groups the last one would run
    alone while the other processes have nothing to do.
    """
    groups: list[list[Case]] = []
    room = 0
    for case in cases:
        if room <= 0:
            groups.append([])
            room = SHARED_CASES
        groups[-1].append(case)
        room -= case.weight
    return groups
