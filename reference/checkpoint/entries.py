"""What is known of the checkpoints in a folder, and of their names. Values only: `ledger` reads them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Final, TypeGuard

from attrs import frozen

__all__ = ["DamagedFile", "Entry", "Ledger", "is_run_id", "numbered"]

_SECOND_NAMES = ("best_model_", "latest.ckpt")  # to be told "loading best_model" looks like a step back

_RUN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def is_run_id(value: object) -> TypeGuard[str]:
    """Returns whether a value names a run: it becomes a part of file names.

    Spec: TR-STATE-020.
    """
    return isinstance(value, str) and _RUN_ID.fullmatch(value) is not None


def numbered(name: str) -> Iterator[str]:
    """Yields a name and then, for where it is taken, the same with a number before its suffix.

    Spec: TR-RES-017, TR-RES-018, CPC-NAME-009.
    """
    yield name
    stem, dot, suffix = name.rpartition(".")
    for number in itertools.count(2):
        yield f"{stem}_{number}{dot}{suffix}"


@frozen
class Entry:
    """One checkpoint file, as its head describes it.

    Attributes:
        name: In the folder; `epoch_{N}/checkpoint.ckpt` is one too.
        position: `(epoch, batch_in_epoch, global_step)`; a later state compares greater.
        parent: `checkpoint_id` of the state that its attempt started from, or None.
        lineage: Attempt and position of each state that an attempt before it was resumed from.
        identity: What two names of one file have in common; None for a symbolic link.
        timestamp: When it was saved, RFC 3339 in UTC.
    """

    name: str
    checkpoint_id: str
    run_id: str
    attempt: int
    position: tuple[int, int, int]
    is_exact: bool
    is_full: bool
    reasons: tuple[str, ...]
    parent: str | None
    lineage: tuple[tuple[int, tuple[int, int, int]], ...]
    identity: tuple[int, int] | None
    timestamp: str = ""


@frozen
class DamagedFile:
    """A file that cannot be used, and why."""

    name: str
    code: str
    message: str


@frozen
class Ledger:
    """Everything in a folder that ends in `.ckpt`."""

    entries: tuple[Entry, ...]
    damaged: tuple[DamagedFile, ...]

    def run_ids(self) -> tuple[str, ...]:
        """Returns the runs that have files here, sorted."""
        return tuple(sorted({entry.run_id for entry in self.entries}))

    def last_attempt(self, run_id: str) -> int:
        """Returns the greatest attempt of a run, 0 if it has no file.

        Spec: TR-RES-007.
        """
        return max((entry.attempt for entry in self.entries if entry.run_id == run_id), default=0)

    def newest_first(self) -> list[Entry]:
        """Returns the full checkpoints, each file once under its first name, the newest state first.

        Of one state an emergency save comes last.

        Spec: TR-RES-001, TR-RES-011, TR-RES-012.
        """
        by_name = sorted(
            self.entries, key=lambda entry: (entry.name.startswith(_SECOND_NAMES), entry.name), reverse=True
        )
        unique = {(entry.checkpoint_id, entry.identity): entry for entry in by_name if entry.is_full}
        first_names_first = reversed(unique.values())  # two copies of one checkpoint are two chances
        return sorted(first_names_first, key=_age, reverse=True)


def _age(entry: Entry) -> tuple[int, tuple[int, int, int], bool]:
    return entry.attempt, entry.position, not {"exception", "signal"} & set(entry.reasons)
