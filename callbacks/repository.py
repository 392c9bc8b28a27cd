"""Carries out what the policies decide: writes a checkpoint under its names, frees occupied ones, deletes old ones."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Literal

from attrs import astuple, evolve, frozen

from tenuto.callbacks.policies import naming
from tenuto.callbacks.policies.retention import plan_retention
from tenuto.reference.checkpoint.entries import DamagedFile, Entry
from tenuto.reference.checkpoint.ledger import read_entry, read_ledger
from tenuto.reference.checkpoint.storage import PosixStorage, StorageOps
from tenuto.reference.checkpoint.store import Store
from tenuto.reference.checkpoint.tree import Document
from tenuto.reference.errors import CheckpointError
from tenuto.reference.events.contexts import DeletedCheckpoint, Progress, RunIdentity, SavedCheckpoint

__all__ = ["LatestMode", "Repository", "SaveJob", "SaveOutcome"]

LatestMode = Literal["auto", "symlink", "copy", "none"]
_Kind = Literal["link", "symlink", "copy"]
_KINDS: Final[dict[LatestMode, _Kind]] = {
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
    """

    document: Document
    names: tuple[str, ...]
    moves_latest: bool
    dropped: tuple[str, ...]
    progress: Progress
    reasons: tuple[str, ...]
    may_delete: bool = True


@frozen
class SaveOutcome:
    """What a job did. The checkpoint is durable under its first name.

    Attributes:
        saved: The checkpoint.
        deleted: What was deleted after it.
        problem: Why a second name or deleting failed, if it did: no reason to call the save a failure.
    """

    saved: SavedCheckpoint
    deleted: tuple[DeletedCheckpoint, ...]
    problem: CheckpointError | None = None


class Repository:
    """The checkpoints of one run in one folder.

    Args:
        folder: Of the run.
        run: Of this attempt.
        latest: How `latest.ckpt` is made.
        keep_last: See `plan_retention`.
        verify: Whether each file is read back.
        ops: The storage, None for that of the system.
    """

    def __init__(
        self,
        folder: str,
        run: RunIdentity,
        *,
        latest: LatestMode,
        keep_last: int | None,
        verify: bool,
        ops: StorageOps | None = None,
    ) -> None:
        self._store = Store(folder, run.run_id, verify, ops or PosixStorage())
        self._run = run
        self._latest, self._keep_last = latest, keep_last
        self._store.probe()
        self._store.sweep()
        ledger = read_ledger(folder, self._store.ops)
        self._found: dict[str, Entry | DamagedFile] = {entry.name: entry for entry in ledger.entries}
        self._found.update({file.name: file for file in ledger.damaged})
        # What `latest.ckpt` has to lead to: never an emergency save.
        self._newest = run.parent if self.holds_parent() else None

    def write(self, job: SaveJob) -> SaveOutcome:
        """Writes a checkpoint, names it, and only then deletes; nothing is deleted if a second name fails.

        Raises:
            CheckpointError: See `Store.save`; nothing has been deleted then.

        Spec: CPC-WHEN-005, CPC-ERR-006, CPC-ERR-007, CPC-KEEP-002, STORE-KEEP-002.
        """
        first, *others = job.names
        self._free(first, job)
        path = self._store.save(first, job.document)
        self._found[first] = entry = self._entry(first)
        if job.moves_latest:
            self._newest = entry.checkpoint_id
        names, problem = [first], None
        for name, kind in self._second_names(job, others):
            try:  # one that fails keeps none of the others from being made (CPC-ERR-007)
                self._store.add_name(first, name, kind=kind)
            except CheckpointError as error:
                problem = problem or error
            else:
                self._found[name] = evolve(entry, name=name)
                names.append(name)
        saved = SavedCheckpoint(path, tuple(names), job.reasons, job.progress)
        if problem is not None or not job.may_delete:
            return SaveOutcome(saved, (), problem)
        try:
            return SaveOutcome(saved, self._retain(job.dropped))
        except CheckpointError as error:
            return SaveOutcome(saved, (), error)

    def holds_parent(self) -> bool:
        """Returns whether the state resumed from lies in the folder, not as an emergency save alone.

        Spec: CPC-WHEN-009.
        """
        return any(
            entry.checkpoint_id == self._run.parent and not naming.is_emergency(entry.name) for entry in self._entries()
        )

    def repair(self, best: Mapping[str, tuple[int, int]]) -> list[str]:
        """Makes second names that a kill kept an earlier attempt from making, or that failed before.

        Args:
            best: Name -> `(epoch, global_step)` of the state that it has to lead to.

        Returns:
            Names whose state lies nowhere in the folder.

        Spec: CPC-NAME-006.
        """
        lost = [name for name, state in best.items() if not self._lead(name, partial(_has_state, state), "link")]
        if self._newest is not None and self._latest != "none":
            self._lead(naming.LATEST, partial(_has_id, self._newest), _KINDS[self._latest])
        return lost

    def _lead(self, name: str, fits: Callable[[Entry], bool], kind: _Kind) -> bool:
        """Makes a name lead to a state of this run, unless it does; of several that fit, to that of an epoch's end."""
        present = self._found.get(name)
        if isinstance(present, Entry) and fits(present):
            return True
        own = (entry for entry in self._entries() if entry.run_id == self._run.run_id and entry.name != name)
        counting = (entry for entry in own if not self._run.has_superseded(entry.attempt, entry.position))
        fitting = [entry for entry in counting if fits(entry) and entry.is_full]
        if not fitting:
            return False
        source = min(fitting, key=lambda entry: entry.position)  # an open window has the step of the epoch before it
        self._store.add_name(source.name, name, kind=kind)
        self._found[name] = evolve(source, name=name)
        return True

    def _entries(self) -> list[Entry]:
        return [item for item in self._found.values() if isinstance(item, Entry)]

    def _entry(self, name: str) -> Entry:
        return read_entry(self._store.folder, name, self._store.ops)

    def _free(self, name: str, job: SaveJob) -> None:
        """Spec: TR-RES-008, STORE-NAME-003."""
        occupant = self._found.get(name)
        if occupant is None or naming.is_best(name):
            return  # best names are replaced: to ask for them is to consent
        if isinstance(occupant, Entry) and occupant.run_id == self._run.run_id:
            is_own = occupant.attempt == self._run.attempt
            # Interrupted again before anything was trained: the same state, under the same name.
            is_same = occupant.position == astuple(job.progress) and occupant.checkpoint_id == self._run.parent
            if is_own or (is_same and _is_exact(job.document)):
                return
        aside = self._aside(name, occupant)
        self._store.rename(name, aside)
        del self._found[name]
        self._found[aside] = evolve(occupant, name=aside)

    def _aside(self, name: str, occupant: Entry | DamagedFile) -> str:
        """Returns a free name for a file that is in the way."""
        if isinstance(occupant, DamagedFile):
            label = "damaged"
        elif occupant.run_id == self._run.run_id:
            label = f"attempt{occupant.attempt}"
        else:
            label = f"run_{occupant.run_id}"
        return next(free for free in _numbered(naming.attempt_name(name, label)) if free not in self._found)

    def _second_names(self, job: SaveJob, others: list[str]) -> Iterator[tuple[str, _Kind]]:
        """Yields the names of a save after its first one, and how each is made.

        Spec: CPC-NAME-005, CPC-NAME-013.
        """
        yield from ((name, "link") for name in others)
        if job.moves_latest and self._latest != "none":
            yield naming.LATEST, _KINDS[self._latest]

    def _retain(self, dropped: tuple[str, ...]) -> tuple[DeletedCheckpoint, ...]:
        plan = plan_retention(self._entries(), run=self._run, keep_last=self._keep_last)
        names = [name for name in (*plan, *dropped) if name in self._found]
        self._store.delete(names)
        for name in names:
            del self._found[name]
        return tuple(DeletedCheckpoint(self._store.path(name)) for name in names)


def _is_exact(document: Document) -> bool:
    metadata: Any = document.head["metadata"]
    return metadata["exact"] is True


def _has_state(state: tuple[int, int], entry: Entry) -> bool:
    epoch, _, step = entry.position
    return (epoch, step) == state


def _has_id(checkpoint_id: str, entry: Entry) -> bool:
    return entry.checkpoint_id == checkpoint_id


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in itertools.count(2):
        yield f"{name.removesuffix('.ckpt')}_{number}.ckpt"
