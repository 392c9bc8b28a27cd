"""Carries out what the policies decide: writes a checkpoint under its names and deletes old ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Literal

from attrs import field, frozen

from tenuto.callbacks.documents import is_exact
from tenuto.callbacks.policies import naming
from tenuto.callbacks.policies.monitors import BestLists, MonitorSettings
from tenuto.callbacks.policies.retention import KeepAll, RetentionPolicy, plan_retention, stored_checkpoints
from tenuto.callbacks.run_folder import RunFolder
from tenuto.reference.checkpoint.entries import Entry
from tenuto.reference.checkpoint.storage import PosixStorage, StorageOps
from tenuto.reference.checkpoint.store import NameKind, Store
from tenuto.reference.checkpoint.tree import Document
from tenuto.reference.errors import CheckpointError
from tenuto.reference.events.contexts import DeletedCheckpoint, Progress, RunIdentity, SavedCheckpoint

__all__ = ["LatestMode", "Repaired", "Repository", "SaveJob", "SaveOutcome"]

_log = logging.getLogger("tenuto")

LatestMode = Literal["auto", "symlink", "copy", "none"]
_KINDS: Final[dict[LatestMode, NameKind]] = {
    "auto": "link",
    "symlink": "symlink",
    "copy": "copy",
}


@frozen
class SaveJob:
    """One checkpoint to be written.

    Attributes:
        document: Its tensors do not change until the job is done.
        names: The first is written, the others are second names.
        moves_latest: Whether `latest.ckpt` is to lead to it.
        dropped: Names to delete afterwards, whatever retention says.
        progress: Of the state.
        reasons: Of the save.
        may_delete: Whether old checkpoints may be deleted after it.
        lists: The best lists after the event.
    """

    document: Document
    names: tuple[str, ...]
    moves_latest: bool
    dropped: tuple[str, ...]
    progress: Progress
    reasons: tuple[str, ...]
    may_delete: bool = True
    lists: BestLists = field(factory=dict)


@frozen
class SaveOutcome:
    """What a job did. The checkpoint is durable under its first name.

    Attributes:
        saved: The checkpoint.
        exact: Whether training continues bit for bit from it.
        deleted: What was deleted after it.
        problem: Why a second name or deleting failed, if it did: no reason to call the save a failure.
    """

    saved: SavedCheckpoint
    exact: bool
    deleted: tuple[DeletedCheckpoint, ...]
    problem: CheckpointError | None = None

    @property
    def path(self) -> str:
        """Where the checkpoint lies now: retention may have left it `latest.ckpt` alone."""
        folder = self.saved.path.removesuffix(self.saved.names[0])
        paths, gone = (f"{folder}{name}" for name in self.saved.names), {one.path for one in self.deleted}
        return next((path for path in paths if path not in gone), self.saved.path)


@frozen
class Repaired:
    """What came of making names good.

    Attributes:
        lost: Names whose state lies nowhere in the folder.
        stamped: The name of rank 1 in the folder, for each monitor with `overwrite` false that has one.
    """

    lost: tuple[str, ...]
    stamped: dict[str, str]


class Repository:
    """The checkpoints of one run in one folder.

    Args:
        folder: Of the run.
        run: Of this attempt.
        latest: How `latest.ckpt` is made.
        verify: Whether each file is read back.
        is_compressing: Whether tensors are compressed for which that pays.
        retention: What is kept.
        monitors: The metrics of which the best are kept.
        ops: The storage, None for that of the system.
    """

    def __init__(
        self,
        folder: str,
        run: RunIdentity,
        *,
        latest: LatestMode,
        verify: bool,
        is_compressing: bool = False,
        retention: RetentionPolicy | None = None,
        monitors: tuple[MonitorSettings, ...] = (),
        ops: StorageOps | None = None,
    ) -> None:
        replaced = [naming.best_name(one.monitor) for one in monitors if one.overwrite]
        store = Store(folder, run.run_id, verify, ops or PosixStorage(), is_compressing=is_compressing)
        self._folder = RunFolder(store, run, frozenset((naming.LATEST, *replaced)))
        self._run, self._latest, self._monitors = run, latest, monitors
        self._retention = retention or KeepAll()
        self._overdue: list[str] = []
        # What `latest.ckpt` has to lead to: never an emergency save.
        self._newest = run.parent if self.holds_parent() else None

    def write(self, job: SaveJob) -> SaveOutcome:
        """Writes a checkpoint, names it, and only then deletes; nothing is deleted if a second name fails.

        Raises:
            CheckpointError: See `Store.save`; nothing has been deleted then.

        Spec: CPC-WHEN-005, CPC-ERR-006, CPC-KEEP-002, STORE-KEEP-002.
        """
        first, *others = job.names
        exact = is_exact(job.document)
        self._folder.free(first, job.progress, exact=exact)
        free, problem = self._free(others, job)
        entry = self._folder.save(first, job.document)
        if job.moves_latest:
            self._newest = entry.checkpoint_id
        kinds = dict(self._second_names(job, free))
        failed = self._folder.add_names(entry, kinds)  # one that fails keeps none of the others from being made
        names = [first, *(name for name in kinds if name not in failed)]
        problem = problem or next(iter(failed.values()), None)
        self._overdue += job.dropped
        saved = SavedCheckpoint(self._folder.store.path(first), tuple(names), job.reasons, job.progress)
        if problem is not None or not job.may_delete:
            return SaveOutcome(saved, exact, (), problem)
        try:
            return SaveOutcome(saved, exact, self._retain(job.lists))
        except CheckpointError as error:
            return SaveOutcome(saved, exact, (), error)

    def write_weights(self, document: Document, progress: Progress) -> str:
        """Writes the weights of the last state and returns the path.

        Raises:
            CheckpointError: See `Store.save`.

        Spec: CPC-NAME-012, TR-RES-008.
        """
        self._folder.free(naming.FINAL_MODEL, progress, exact=is_exact(document))
        self._folder.save(naming.FINAL_MODEL, document)
        return self._folder.store.path(naming.FINAL_MODEL)

    def holds_parent(self) -> bool:
        """Returns whether the state resumed from lies in the folder, not as an emergency save alone.

        Spec: CPC-WHEN-009.
        """
        return any(
            entry.checkpoint_id == self._run.parent and not naming.is_emergency(entry.name)
            for entry in self._folder.entries()
        )

    def unused_name(self, monitor: str, timestamp: str) -> str:
        """Returns a name for rank 1 of a monitor that replaces no file.

        Spec: CPC-NAME-009.
        """
        return self._folder.unused(naming.stamped_name(monitor, timestamp))

    def repair(self, lists: BestLists) -> Repaired:
        """Makes second names that a kill kept an earlier attempt from making, or that failed before.

        Args:
            lists: The best lists; each of their states is to be led to.

        Spec: CPC-NAME-006.
        """
        lost: list[str] = []
        stamped: dict[str, str] = {}
        for monitor in self._monitors:
            for place, entry in enumerate(lists.get(monitor.monitor, ())):
                fits = partial(_has_state, (entry.epoch, entry.step))
                names = self._best_names(monitor, entry.file, fits, is_first=place == 0)
                if not monitor.overwrite and names:
                    stamped[monitor.monitor] = names[0]
                is_there = [self._folder.lead(name, fits, "link") for name in names]
                lost += [entry.file] * (not names or not all(is_there))
        if self._newest is not None and self._latest != "none":
            self._folder.lead(naming.LATEST, partial(_has_id, self._newest), _KINDS[self._latest])
        return Repaired(tuple(lost), stamped)

    def _best_names(
        self, monitor: MonitorSettings, file: str, fits: Callable[[Entry], bool], *, is_first: bool
    ) -> list[str]:
        """Returns the names of an entry; where it replaces no file, that which it has, or else a new one, or none."""
        if monitor.overwrite:
            return [file, naming.best_name(monitor.monitor)] if is_first and monitor.slots > 1 else [file]
        fitting = [entry for entry in self._folder.built_on() if fits(entry)]
        names = [entry.name for entry in fitting if naming.is_stamped(entry.name, monitor.monitor)]
        return names[:1] or [self.unused_name(monitor.monitor, entry.timestamp) for entry in fitting[:1]]

    def _free(self, names: list[str], job: SaveJob) -> tuple[list[str], CheckpointError | None]:
        """Frees second names; returns those that are free, and why the first of the others is not.

        Spec: STORE-NAME-003, CPC-ERR-006.
        """
        free, problem = [], None
        for name in names:
            try:
                self._folder.free(name, job.progress, exact=is_exact(job.document))
            except CheckpointError as error:
                problem = problem or error
            else:
                free.append(name)
        return free, problem

    def _second_names(self, job: SaveJob, others: list[str]) -> Iterator[tuple[str, NameKind]]:
        """Yields the names of a save after its first one, and how each is made.

        Spec: CPC-NAME-005, CPC-NAME-013.
        """
        yield from ((name, "link") for name in others)
        if job.moves_latest and self._latest != "none":
            yield naming.LATEST, _KINDS[self._latest]

    def _retain(self, lists: BestLists) -> tuple[DeletedCheckpoint, ...]:
        """Deletes what retention does not keep, and then what has left a best list.

        Spec: CB-HOOK-017, CPC-BEST-012, CPC-KEEP-010.
        """
        stored = stored_checkpoints(self._folder.entries(), run=self._run, lists=lists)
        try:
            plan = plan_retention(stored, self._retention)
        except Exception as error:  # noqa: BLE001 - a policy of the user's may raise anything
            _log.error("retention failed, nothing is deleted: %s: %s", type(error).__name__, error)
            return ()
        gone = self._folder.delete((*plan.delete, *self._overdue))
        self._overdue.clear()
        return tuple(DeletedCheckpoint(self._folder.store.path(name)) for name in gone)


def _has_state(state: tuple[int, int], entry: Entry) -> bool:
    epoch, _, step = entry.position
    return (epoch, step) == state


def _has_id(checkpoint_id: str, entry: Entry) -> bool:
    return entry.checkpoint_id == checkpoint_id
