"""Faults of what is kept, and of names.

Spec: sections 4 and 5 of 20-checkpoint-callback.md.
"""

from collections.abc import Sequence
from typing import Any

from attrs import evolve

from tenuto.conformance_tests.oracle.model import naming, retention, storing
from tenuto.conformance_tests.oracle.model.folder import File
from tenuto.conformance_tests.oracle.model.lists import Lists, Update
from tenuto.conformance_tests.oracle.model.naming import LATEST
from tenuto.conformance_tests.oracle.model.ranking import Entry
from tenuto.conformance_tests.oracle.model.retention import Policy, Progress, Stored
from tenuto.conformance_tests.oracle.model.storing import Store
from tenuto.conformance_tests.oracle.workload.faults.fault import Fault


def _manual_counted(stored: Sequence[Stored], *policies: Policy, newest_has_latest: bool = False) -> set[str]:
    """Manual saves are periodic ones, and not protected."""
    plain = [evolve(one, reasons=("periodic",) if "manual" in one.reasons else one.reasons) for one in stored]
    return _keep(plain, *policies, newest_has_latest=newest_has_latest)


def _parent_not_protected(stored: Sequence[Stored], *policies: Policy, newest_has_latest: bool = False) -> set[str]:
    plain = [evolve(one, is_parent=False) for one in stored]
    return _keep(plain, *policies, newest_has_latest=newest_has_latest)


def _foreign_as_own(stored: Sequence[Stored], *policies: Policy, newest_has_latest: bool = False) -> set[str]:
    plain = [evolve(one, is_foreign=False) for one in stored]
    return _keep(plain, *policies, newest_has_latest=newest_has_latest)


def _all_policies(stored: Sequence[Stored], *policies: Policy, newest_has_latest: bool = False) -> set[str]:
    """A name stays that all policies keep."""
    each = [_keep(stored, policy, newest_has_latest=newest_has_latest) for policy in policies]
    return set.intersection(*each)


def _emergencies_at_once(stored: Sequence[Stored], *policies: Policy, newest_has_latest: bool = False) -> set[str]:
    kept = _keep(stored, *policies, newest_has_latest=newest_has_latest)
    return kept - {one.name for one in stored if one.is_emergency and not one.is_foreign and not one.is_parent}


def _emergencies_for_ever(stored: Sequence[Stored], *policies: Policy, newest_has_latest: bool = False) -> set[str]:
    kept = _keep(stored, *policies, newest_has_latest=newest_has_latest)
    return kept | {one.name for one in stored if one.is_emergency}


def _by_progress_alone(one: Stored) -> tuple[int, Progress]:
    return 0, one.progress


def _one_less(count: int) -> Policy:
    return _keep_last(count - 1) if count > 1 else _keep_last(count)


def _names_without_latest(store: Store, file: File, update: Update) -> list[str]:
    """Leaves `latest.ckpt` where it is after a save whose only reason is `best`."""
    names = _names(store, file, update)
    return [name for name in names if name != LATEST] if file.reasons == ("best",) else names


def _rank_1_always(store: Store, file: File, update: Update) -> list[str]:
    """Every new entry is rank 1."""
    turned = {name: tuple(sorted(entries, key=lambda one: -one.step)) for name, entries in update.lists.items()}
    return _names(store, file, Update(turned, update.entered, update.left))


def _nothing_superseded(store: Store, file: File) -> bool:  # noqa: ARG001 - the fault
    return False


def _no_way_made(store: Store, name: str, file: File) -> None:
    """Overwrites the files of earlier attempts."""


def _nothing_made_good(store: Store, lists_: Lists) -> None:
    """Leaves the names as they are on a resume."""


def _left_stays(store: Store, file: File, names: Sequence[str], left: object, lists_: Lists) -> list[str]:  # noqa: ARG001 - the fault
    return _save(store, file, names, {}, lists_)


def _told_unsorted(store: Store, file: File, names: Sequence[str], left: dict[str, Entry], lists_: Lists) -> list[str]:
    """Tells what left a list before what retention deletes."""
    gone = _save(store, file, names, left, lists_)
    return gone[::-1]


def _step_by_name(progress: Progress, inside_window: bool = False) -> str:  # noqa: ARG001 - the fault
    return _boundary_name(progress)


_AGE: Any = property(_by_progress_alone)
_keep, _keep_last, _names, _save = retention.keep, retention.keep_last, Store.names, Store.save
_boundary_name = naming.boundary_name

FAULTS = [
    Fault("manual saves count", "CPC-KEEP-001", retention, "keep", _manual_counted),
    Fault("parent not protected", "CPC-KEEP-004", retention, "keep", _parent_not_protected),
    Fault("foreign files deleted", "CPC-KEEP-003", retention, "keep", _foreign_as_own),
    Fault("all policies have to keep", "CPC-KEEP-007", retention, "keep", _all_policies),
    Fault("emergencies go at once", "CPC-KEEP-005", retention, "keep", _emergencies_at_once),
    Fault("emergencies stay for ever", "CPC-KEEP-005", retention, "keep", _emergencies_for_ever),
    Fault("age by progress alone", "CPC-KEEP-001", Stored, "age", _AGE),
    Fault("one less is kept", "CPC-KEEP-001", storing, "keep_last", _one_less),
    Fault("superseded files deleted", "TR-RES-019", Store, "_is_superseded", _nothing_superseded),
    Fault("latest not moved by a best save", "CPC-NAME-005", Store, "names", _names_without_latest),
    Fault("each new entry is rank 1", "CPC-NAME-003", Store, "names", _rank_1_always),
    Fault("names of earlier attempts overwritten", "TR-RES-008", Store, "_make_way", _no_way_made),
    Fault("names not made good", "CPC-NAME-006", Store, "make_good", _nothing_made_good),
    Fault("what left a list stays", "CPC-BEST-012", Store, "save", _left_stays),
    Fault("news in another order", "CB-HOOK-017", Store, "save", _told_unsorted),
    Fault("no batch in a name", "CPC-NAME-015", storing, "boundary_name", _step_by_name),
]
