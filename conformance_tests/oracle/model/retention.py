"""What is kept: policies, and what stays whatever they answer. Pure.

Spec: section 5 of 20-checkpoint-callback.md.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from attrs import frozen

Progress: TypeAlias = tuple[int, int, int]
"""`epoch`, `batch_in_epoch` and `global_step`: the order in which progress compares (TR-RES-011)."""


@frozen
class Stored:
    """A checkpoint in the folder, on which a policy decides.

    Attributes:
        name: its periodic or emergency name; another one where it has no such name.
        attempt, progress, reasons: of its origin.
        places: its place in the best list of each monitor, 0 for rank 1; None where it is in none.
        is_parent: whether the present attempt resumed from it.
        is_foreign: whether it is of another run, or superseded.
        is_exact: whether training continues from it bit for bit.
        is_named: whether its name is a periodic or an emergency one.
    """

    name: str
    attempt: int
    progress: Progress
    reasons: tuple[str, ...] = ("periodic",)
    places: tuple[int | None, ...] = ()
    is_parent: bool = False
    is_foreign: bool = False
    is_named: bool = True
    is_exact: bool = True

    @property
    def age(self) -> tuple[int, Progress]:
        """What is greater is newer.

        Spec: TR-RES-001.
        """
        return self.attempt, self.progress

    @property
    def is_emergency(self) -> bool:
        """Whether it was saved after a failure or a signal."""
        return not {"exception", "signal"}.isdisjoint(self.reasons)

    @property
    def is_periodic(self) -> bool:
        """Whether `keep_last_n` counts it.

        Spec: CPC-KEEP-001.
        """
        return self.is_named and not {"periodic", "train_end"}.isdisjoint(self.reasons)


Policy: TypeAlias = Callable[[Sequence[Stored]], set[str]]


def keep_all(stored: Sequence[Stored]) -> set[str]:
    """Everything."""
    return {one.name for one in stored}


def keep_last(count: int) -> Policy:
    """The newest periodic ones.

    Spec: CPC-KEEP-001.
    """
    return lambda stored: {
        one.name for one in sorted((one for one in stored if one.is_periodic), key=lambda one: one.age)[-count:]
    }


def keep_best(count: int) -> Policy:
    """The best of the first monitor."""
    return lambda stored: {
        one.name for one in stored if one.places and one.places[0] is not None and one.places[0] < count
    }


def keep_best_and_latest(stored: Sequence[Stored]) -> set[str]:
    """The best of every monitor and the newest."""
    newest = max(one.age for one in stored)
    return {one.name for one in stored if 0 in one.places or one.age == newest}


def keep_every(count: int) -> Policy:
    """Those at the end of every so many epochs."""
    return lambda stored: {
        one.name for one in stored if one.progress[0] % count == 0 and one.progress[1] == 0 and one.is_periodic
    }


def keep(stored: Sequence[Stored], *policies: Policy, newest_has_latest: bool = False) -> set[str]:
    """The names that stay after a save: of several policies a name stays that one of them keeps.

    Args:
        stored: all checkpoints, the new one among them.
        policies: at least one.
        newest_has_latest: whether the newest may lose its name, for its bytes stand under `latest.ckpt`.

    Spec: CPC-KEEP-003, CPC-KEEP-004, CPC-KEEP-005, CPC-KEEP-006, CPC-KEEP-007, CPC-KEEP-008.
    """
    own = [one for one in stored if not one.is_foreign]
    asked = set[str]().union(*(policy(own) for policy in policies))
    newest = max((one.age for one in own), default=None)
    newest_exact = max((one.age for one in own if one.is_exact), default=None)
    newest_periodic = max((one.age for one in own if one.is_periodic), default=(0, (0, 0, 0)))
    return {
        one.name
        for one in stored
        if one.is_foreign
        or one.is_parent
        or one.name in asked
        or "manual" in one.reasons
        or (one.age in {newest, newest_exact} and not newest_has_latest)
        or (one.is_emergency and one.age >= newest_periodic)
    }
