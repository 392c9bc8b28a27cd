"""Carries out what the policies decide: writes a checkpoint under its names, frees occupied ones, deletes old ones."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Final, Literal

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
_KINDS: Final[dict[LatestMode, Literal["link", "symlink", "copy"]]] = {
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

    def write(self, job: SaveJob) -> SaveOutcome:
        """Writes a checkpoint, names it, and only then deletes; nothing is deleted if a second name fails.

        Raises:
            CheckpointError: See `Store.save`; nothing has been deleted then.

        Spec: CPC-WHEN-005, CPC-NAME-005, CPC-KEEP-002, STORE-KEEP-002.
        """
        first, *others = job.names
        self._free(first, job.progress)
        path = self._store.save(first, job.document)
        self._found[first] = self._entry(first)
        saved = SavedCheckpoint(path, (first,), job.reasons, job.progress)
        try:
            for name in others:
                self._store.add_name(first, name)
                self._found[name] = evolve(self._found[first], name=name)
                saved = evolve(saved, names=(*saved.names, name))
            saved = evolve(saved, names=(*saved.names, *self._move_latest(job, first)))
            return SaveOutcome(saved, self._retain(job.dropped) if job.may_delete else ())
        except CheckpointError as error:
            return SaveOutcome(saved, (), error)

    def holds(self, checkpoint_id: str | None) -> bool:
        """Returns whether a checkpoint lies in the folder."""
        return any(entry.checkpoint_id == checkpoint_id for entry in self._entries())

    def repair(self, best: Mapping[str, tuple[int, int]]) -> list[str]:
        """Makes second names that a kill kept an earlier attempt from making.

        Args:
            best: Name -> `(epoch, global_step)` of the state that it has to lead to.

        Returns:
            Names whose state lies nowhere in the folder.

        Spec: CPC-NAME-006.
        """
        lost = [name for name, state in best.items() if not self._lead(name, state, "link")]
        parent = next((entry for entry in self._entries() if entry.checkpoint_id == self._run.parent), None)
        if parent is not None and not naming.is_emergency(parent.name) and self._latest != "none":
            self._lead(naming.LATEST, _state(parent), _KINDS[self._latest])
        return lost

    def _lead(self, name: str, state: tuple[int, int], kind: Literal["link", "symlink", "copy"]) -> bool:
        """Makes a name lead to a state of this run, unless it does."""
        present = self._found.get(name)
        if isinstance(present, Entry) and _state(present) == state:
            return True
        own = (entry for entry in self._entries() if entry.run_id == self._run.run_id and entry.name != name)
        source = next((entry for entry in own if _state(entry) == state and entry.is_full), None)
        if source is None:
            return False
        self._store.add_name(source.name, name, kind=kind)
        self._found[name] = evolve(source, name=name)
        return True

    def _entries(self) -> list[Entry]:
        return [item for item in self._found.values() if isinstance(item, Entry)]

    def _entry(self, name: str) -> Entry:
        return read_entry(self._store.folder, name, self._store.ops)

    def _free(self, name: str, progress: Progress) -> None:
        """Spec: TR-RES-008, STORE-NAME-003."""
        occupant = self._found.get(name)
        if occupant is None or naming.is_best(name):
            return  # best names are replaced: to ask for them is to consent
        if isinstance(occupant, Entry) and occupant.run_id == self._run.run_id:
            is_own = occupant.attempt == self._run.attempt
            # Interrupted again before anything was trained: the same state, under the same name.
            is_same = occupant.position == astuple(progress) and occupant.checkpoint_id == self._run.parent
            if is_own or is_same:
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

    def _move_latest(self, job: SaveJob, first: str) -> tuple[str, ...]:
        if not job.moves_latest or self._latest == "none":
            return ()
        self._store.add_name(first, naming.LATEST, kind=_KINDS[self._latest])
        return (naming.LATEST,)

    def _retain(self, dropped: tuple[str, ...]) -> tuple[DeletedCheckpoint, ...]:
        plan = plan_retention(self._entries(), run=self._run, keep_last=self._keep_last)
        names = [name for name in (*plan, *dropped) if name in self._found]
        self._store.delete(names)
        for name in names:
            del self._found[name]
        return tuple(DeletedCheckpoint(self._store.path(name)) for name in names)


def _state(entry: Entry) -> tuple[int, int]:
    epoch, _, step = entry.position
    return epoch, step


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in itertools.count(2):
        yield f"{name.removesuffix('.ckpt')}_{number}.ckpt"
