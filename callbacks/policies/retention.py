"""Which checkpoints are deleted. Pure: from what lies in the folder to names."""

from __future__ import annotations

from collections.abc import Iterable

from tenuto.callbacks.policies.naming import is_emergency, is_periodic
from tenuto.reference.checkpoint.entries import Entry
from tenuto.reference.events.contexts import RunIdentity

__all__ = ["plan_retention"]


def plan_retention(entries: Iterable[Entry], *, run: RunIdentity, keep_last: int | None) -> tuple[str, ...]:
    """Plans what to delete after a save.

    Args:
        entries: Every checkpoint in the folder, the new one among them.
        run: Of this attempt.
        keep_last: How many periodic checkpoints stay; None for all.

    Returns:
        Names to delete, sorted. Never one of another run, of a superseded file, of the file resumed from, of a manual
        save, and never the newest.

    Spec: CPC-KEEP-001, CPC-KEEP-003 to CPC-KEEP-005, STORE-KEEP-001.
    """
    if keep_last is None:
        return ()
    own = [entry for entry in entries if entry.run_id == run.run_id and not _is_superseded(entry, run)]
    periodic = sorted(
        (entry for entry in own if is_periodic(entry.name) and not _is_manual(entry)), key=_age, reverse=True
    )
    newest = _age(periodic[0]) if periodic else None
    passed = [entry for entry in own if is_emergency(entry.name) and newest is not None and _age(entry) < newest]
    return tuple(sorted(entry.name for entry in (*periodic[keep_last:], *passed) if not _is_protected(entry, run)))


def _age(entry: Entry) -> tuple[int, tuple[int, int, int]]:
    return entry.attempt, entry.position


def _is_superseded(entry: Entry, run: RunIdentity) -> bool:
    return run.has_superseded(entry.attempt, entry.position)


def _is_manual(entry: Entry) -> bool:
    return "manual" in entry.reasons


def _is_protected(entry: Entry, run: RunIdentity) -> bool:
    return entry.checkpoint_id == run.parent or _is_manual(entry)
