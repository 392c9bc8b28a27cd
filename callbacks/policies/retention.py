"""What to keep: from what lies in the folder to names that are deleted. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from attrs import field, frozen

from tenuto.callbacks.policies.monitors import BestLists
from tenuto.callbacks.policies.naming import LATEST, is_emergency, is_periodic
from tenuto.reference.checkpoint.entries import Entry
from tenuto.reference.errors import refuse_setting
from tenuto.reference.events.contexts import Progress, RunIdentity
from tenuto.reference.ranges import check_count

__all__ = [
    "KeepAll",
    "KeepBest",
    "KeepBestAndLatest",
    "KeepEvery",
    "KeepLast",
    "KeepUnion",
    "RetentionPlan",
    "RetentionPolicy",
    "StoredCheckpoint",
    "plan_retention",
    "stored_checkpoints",
]


@frozen(kw_only=True)
class StoredCheckpoint:
    """A checkpoint of this run in the folder, on which a policy decides.

    Attributes:
        name: Of its periodic or emergency file; of another one where it has no such name.
        attempt: That saved it.
        progress: Of the state.
        reasons: Of the save.
        places: For each monitor, in their order, its place in the best list, 0 for rank 1; None where it has none.
        is_exact: Whether training continues from it bit for bit.
        is_parent: Whether this attempt resumed from it.
        is_latest: Whether its bytes stand under `latest.ckpt` too, not by a symbolic link.
    """

    name: str
    attempt: int
    progress: Progress
    reasons: tuple[str, ...]
    places: Mapping[str, int | None] = field(factory=dict)
    is_exact: bool = True
    is_parent: bool = False
    is_latest: bool = False

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
        """Whether it is a periodic or a final save.

        Spec: CPC-KEEP-001.
        """
        return is_periodic(self.name) and "manual" not in self.reasons


class RetentionPolicy(Protocol):
    """Decides what to keep; deterministic, and from the checkpoints alone.

    Spec: CPC-KEEP-006.
    """

    def names_to_keep(self, checkpoints: Sequence[StoredCheckpoint]) -> Collection[str]:
        """Returns the names of the checkpoints to keep; what is protected stays whatever it answers."""


@frozen
class KeepAll:
    """Keeps everything."""

    def names_to_keep(self, checkpoints: Sequence[StoredCheckpoint]) -> Collection[str]:
        """See `RetentionPolicy`."""
        return {one.name for one in checkpoints}


@frozen
class KeepLast:
    """Keeps the newest periodic and final saves.

    Attributes:
        count: How many, at least 1.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: CPC-KEEP-001.
    """

    count: int = field(validator=check_count)

    def names_to_keep(self, checkpoints: Sequence[StoredCheckpoint]) -> Collection[str]:
        """See `RetentionPolicy`."""
        periodic = sorted((one for one in checkpoints if one.is_periodic), key=lambda one: one.age, reverse=True)
        return {one.name for one in periodic[: self.count]}


@frozen
class KeepBest:
    """Keeps the best of the first monitor; what is newer than they are stands under `latest.ckpt` alone.

    Attributes:
        count: How many, at least 1; there are never more than the `save_top_k` of the monitor.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: CPC-KEEP-008.
    """

    count: int = field(validator=check_count)

    def names_to_keep(self, checkpoints: Sequence[StoredCheckpoint]) -> Collection[str]:
        """See `RetentionPolicy`."""
        places = ((one.name, next(iter(one.places.values()), None)) for one in checkpoints)
        return {name for name, place in places if place is not None and place < self.count}


@frozen
class KeepBestAndLatest:
    """Keeps the best of every monitor and the newest."""

    def names_to_keep(self, checkpoints: Sequence[StoredCheckpoint]) -> Collection[str]:
        """See `RetentionPolicy`."""
        newest = max((one.age for one in checkpoints), default=None)
        return {one.name for one in checkpoints if 0 in one.places.values() or one.age == newest}


@frozen
class KeepEvery:
    """Keeps the periodic and final saves at the end of every so many epochs.

    Attributes:
        epochs: At least 1.

    Raises:
        ConfigError: `invalid_setting`.
    """

    epochs: int = field(validator=check_count)

    def names_to_keep(self, checkpoints: Sequence[StoredCheckpoint]) -> Collection[str]:
        """See `RetentionPolicy`."""
        return {
            one.name
            for one in checkpoints
            if one.is_periodic and not one.progress.batch_in_epoch and one.progress.epoch % self.epochs == 0
        }


@frozen
class KeepUnion:
    """Keeps what one of its policies keeps.

    Attributes:
        policies: At least one.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: CPC-KEEP-007.
    """

    policies: tuple[RetentionPolicy, ...] = field(converter=tuple)

    def __attrs_post_init__(self) -> None:
        if not self.policies:
            raise refuse_setting("KeepUnion.policies", self.policies, "at least one policy")

    def names_to_keep(self, checkpoints: Sequence[StoredCheckpoint]) -> Collection[str]:
        """See `RetentionPolicy`."""
        return {name for policy in self.policies for name in policy.names_to_keep(checkpoints)}


@frozen
class RetentionPlan:
    """What retention decides.

    Attributes:
        keep: Names that stay.
        delete: Names that go, sorted by their UTF-8 bytes; each is that of a periodic or an emergency file.
    """

    keep: tuple[str, ...]
    delete: tuple[str, ...]


def stored_checkpoints(entries: Iterable[Entry], *, run: RunIdentity, lists: BestLists) -> tuple[StoredCheckpoint, ...]:
    """Returns the checkpoints that retention decides on: full ones of this run that are not superseded.

    Args:
        entries: Every name in the folder.
        run: Of this attempt.
        lists: The best lists, in the order of the monitors.

    Spec: CPC-KEEP-003, TR-RES-019.
    """
    names_of: dict[str, list[Entry]] = {}
    for entry in entries:
        is_built_on = not run.has_superseded(entry.attempt, entry.position)
        if entry.run_id == run.run_id and entry.is_full and is_built_on:
            names_of.setdefault(entry.checkpoint_id, []).append(entry)
    return tuple(_stored(found, run, lists) for found in names_of.values())


def _stored(entries: list[Entry], run: RunIdentity, lists: BestLists) -> StoredCheckpoint:
    called = min(entries, key=lambda entry: (not (is_periodic(entry.name) or is_emergency(entry.name)), entry.name))
    epoch, batch_in_epoch, step = called.position
    states = {monitor: [(one.epoch, one.step) for one in entries] for monitor, entries in lists.items()}
    return StoredCheckpoint(
        name=called.name,
        attempt=called.attempt,
        progress=Progress(epoch, batch_in_epoch, step),
        reasons=called.reasons,
        places={name: found.index((epoch, step)) if (epoch, step) in found else None for name, found in states.items()},
        is_exact=called.is_exact,
        is_parent=called.checkpoint_id == run.parent,
        is_latest=any(entry.name == LATEST and entry.identity is not None for entry in entries),
    )


def plan_retention(checkpoints: Sequence[StoredCheckpoint], policy: RetentionPolicy) -> RetentionPlan:
    """Plans what to delete after a save.

    Args:
        checkpoints: What `stored_checkpoints` returned, the new one among them.
        policy: What it answers is asked for once.

    Raises:
        TypeError: The policy answers with something else than names.

    Spec: CPC-KEEP-001, CPC-KEEP-004 to CPC-KEEP-008, STORE-KEEP-001.
    """
    answer = policy.names_to_keep(checkpoints)
    if isinstance(answer, str) or not all(isinstance(name, str) for name in answer):
        raise TypeError(f"retention policy: answered {answer!r}; expected a collection of names")
    keep = {*answer, *_protected(checkpoints, _leaves_newest(policy))}
    named = {one.name for one in checkpoints if is_periodic(one.name) or is_emergency(one.name)}
    kept = sorted(one.name for one in checkpoints if one.name in keep or one.name not in named)
    return RetentionPlan(tuple(kept), tuple(sorted(named - keep, key=str.encode)))


def _protected(checkpoints: Sequence[StoredCheckpoint], leaves_newest: bool) -> Iterator[str]:
    """Yields the names that stay whatever the policy answers.

    Spec: CPC-KEEP-004, CPC-KEEP-005, CPC-KEEP-008.
    """
    newest = max((one.age for one in checkpoints), default=None)
    newest_exact = max((one.age for one in checkpoints if one.is_exact), default=None)
    newest_periodic = max((one.age for one in checkpoints if one.is_periodic), default=None)
    for one in checkpoints:
        is_needed = one.age in {newest, newest_exact} and not (leaves_newest and one.is_latest)
        is_not_passed = one.is_emergency and (newest_periodic is None or one.age >= newest_periodic)
        if one.is_parent or "manual" in one.reasons or is_needed or is_not_passed:
            yield one.name


def _leaves_newest(policy: RetentionPolicy) -> bool:
    """Whether the newest checkpoint, where a policy does not keep it, is to stand under `latest.ckpt` alone."""
    if isinstance(policy, KeepUnion):
        return all(map(_leaves_newest, policy.policies))
    return isinstance(policy, KeepBest)
