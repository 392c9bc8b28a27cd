"""What is required of a profile, and which of it no case shows: a hole in the suite is seen as a hole, not as a pass.

Spec: CONF-PROF-002.
"""

from collections.abc import Iterable, Sequence
from functools import cache

from tenuto.conformance_tests.cases import Case
from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.entries import Entry, entries
from tenuto.conformance_tests.port import included


@cache
def registry() -> tuple[Entry, ...]:
    """The entries of the registry that hold."""
    path = spec_folder() / "requirements.yaml"
    return tuple(entry for entry in entries(path.read_text("utf-8"), path.name) if not entry.retired)


def required(profile: str, registered: Iterable[Entry]) -> list[str]:
    """The requirements of a profile and of those that it includes that have to have a case, in the registry's order."""
    profiles = included(profile)
    return [
        entry.id
        for entry in registered
        if entry.fields.get("profile") in profiles and entry.binding and "excluded" not in entry.fields
    ]


def uncovered(profile: str, registered: Iterable[Entry], every_case: Sequence[Case]) -> tuple[str, ...]:
    """Those of them that no case of the profile shows; a case of a greater profile is not run for this one."""
    profiles = included(profile)
    shown = {identity for case in every_case if case.profile in profiles for identity in case.req}
    return tuple(identity for identity in required(profile, registered) if identity not in shown)
