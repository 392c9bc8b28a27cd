"""Which cases of the suite are run: all, those of a profile, or those that a filter names.

Spec: CONF-VERDICT-003.
"""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from tenuto.conformance_tests.cases import Case
from tenuto.conformance_tests.port import PROFILE_INCLUDES, included


class UsageError(Exception):
    """Options that ask for what there is not."""


def named(cases: Sequence[Case], pattern: str) -> set[str]:
    """The ids of the cases that a filter names.

    Args:
        cases: the cases to choose from.
        pattern: an id, or a pattern of ids, of cases or vectors; if it names none of them, of requirements.
    """
    found = {
        case.id for case in cases if any(fnmatchcase(name, pattern) for name in (case.id, case.id.partition("/")[0]))
    }
    return found or {case.id for case in cases if any(fnmatchcase(name, pattern) for name in case.req)}


def choose(every: Sequence[Case], profile: str | None, filters: Sequence[str]) -> list[Case]:
    """The cases of a profile and of those that it includes that at least one filter names; without filters all.

    Raises:
        UsageError: There is no such profile, or a filter names no case.
    """
    if profile is not None and profile not in PROFILE_INCLUDES:
        raise UsageError(f"--profile {profile}; expected one of {', '.join(PROFILE_INCLUDES)}")
    wanted = [case for case in every if profile is None or case.profile in included(profile)]
    if not wanted:
        raise UsageError(f"--profile {profile}: it has no cases yet; expected one that has")
    chosen: set[str] = set()
    for pattern in filters:
        chosen |= (found := named(wanted, pattern))
        if not found:
            expected = "expected an id such as CKPT-V-001/decode or CKPT-V-001, of a requirement, or a pattern"
            raise UsageError(f"--filter {pattern}: no such case; {expected}")
    return [case for case in wanted if not filters or case.id in chosen]
