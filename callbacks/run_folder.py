"""The folder of a run: what lies in it, how a name is freed, and how second names are made good."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import astuple, evolve

from tenuto.callbacks.policies import naming
from tenuto.reference.checkpoint.entries import DamagedFile, Entry, numbered
from tenuto.reference.checkpoint.ledger import entry_of, read_ledger
from tenuto.reference.checkpoint.refusals import IoRefusals
from tenuto.reference.checkpoint.store import NameKind, Store
from tenuto.reference.checkpoint.tree import Document
from tenuto.reference.errors import CheckpointError
from tenuto.reference.events.contexts import Progress, RunIdentity

__all__ = ["RunFolder"]


class RunFolder:
    """What lies in the folder of a run. It is read once; after that, what this attempt does to it is followed.

    Args:
        store: Which writes to the folder.
        run: Of this attempt.
        replaceable: Names that are replaced, whoever made what has them.

    Raises:
        CheckpointError: The folder does not take a new file.

    Spec: CPC-NAME-010, CPC-NAME-011.
    """

    def __init__(self, store: Store, run: RunIdentity, replaceable: frozenset[str]) -> None:
        self.store, self._run, self._replaceable = store, run, replaceable
        store.probe()
        store.sweep()
        ledger = read_ledger(store.folder, store.ops)
        self._found: dict[str, Entry | DamagedFile] = {entry.name: entry for entry in ledger.entries}
        self._found.update({file.name: file for file in ledger.damaged})

    def entries(self) -> list[Entry]:
        """Returns the checkpoints, each under each of its names."""
        return [item for item in self._found.values() if isinstance(item, Entry)]

    def built_on(self) -> list[Entry]:
        """Returns the full checkpoints of this run that are not superseded."""
        own = (entry for entry in self.entries() if entry.run_id == self._run.run_id and entry.is_full)
        return [entry for entry in own if not self._run.has_superseded(entry.attempt, entry.position)]

    def save(self, name: str, document: Document) -> Entry:
        """Writes a checkpoint; what a reader would find in its head is known without reading it."""
        path = self.store.save(name, document)
        with IoRefusals(path):
            identity = self.store.ops.identity(path)
        self._found[name] = entry = entry_of(name, document.head["metadata"], identity)
        return entry

    def add_names(self, entry: Entry, kinds: Mapping[str, NameKind]) -> dict[str, CheckpointError]:
        """Gives a checkpoint second names, and returns what kept a name from being made.

        Spec: CPC-ERR-007.
        """
        failed = self.store.add_names(entry.name, kinds)
        for name, kind in kinds.items():
            if name not in failed:
                self._found[name] = evolve(entry, name=name, identity=None if kind == "symlink" else entry.identity)
        return failed

    def delete(self, names: Iterable[str]) -> list[str]:
        """Deletes names, but for those of other runs and of superseded files; returns those that are gone.

        Spec: CPC-KEEP-003, TR-RES-008.
        """
        own = {entry.name for entry in self.built_on()}
        gone = list(dict.fromkeys(name for name in names if name in own))
        self.store.delete(gone)
        for name in gone:
            del self._found[name]
        return gone

    def lead(self, name: str, fits: Callable[[Entry], bool], kind: NameKind) -> bool:
        """Makes a name lead to a state of this run, unless it does; of several that fit, to that of an epoch's end.

        Returns:
            Whether the state lies in the folder.

        Raises:
            CheckpointError: What the system refused.

        Spec: CPC-NAME-006, STORE-NAME-006.
        """
        fitting = [entry for entry in self.built_on() if fits(entry)]
        if any(entry.name == name for entry in fitting):
            return True
        sources = [entry for entry in fitting if entry.identity is not None]
        if not sources:
            return False
        self.set_aside(name)
        # An open window has the step of the epoch before it. A link to a periodic name does not move with the best.
        for source in sorted(sources, key=lambda entry: (entry.position, not naming.is_periodic(entry.name))):
            error = self.add_names(source, {name: kind}).get(name)
            if error is None:
                return True
            if error.phase == "io":
                raise error
        return False  # copies are read back: all of these are damaged

    def free(self, name: str, progress: Progress, *, exact: bool) -> None:
        """Frees a name that is to be written, unless what has it is to be replaced.

        Args:
            name: In the folder.
            progress: Of the state that is to be written.
            exact: Whether that state is exact.

        Spec: TR-RES-008, STORE-NAME-003, CPC-CALL-004.
        """
        occupant = self._found.get(name)
        if isinstance(occupant, Entry) and occupant.run_id == self._run.run_id:
            is_own = occupant.attempt == self._run.attempt
            # Interrupted again before anything was trained: the same state, under the same name.
            is_same = occupant.position == astuple(progress) and self._is_resumed_from(occupant)
            if is_own or (is_same and exact):
                return
        self.set_aside(name)

    def _is_resumed_from(self, entry: Entry) -> bool:
        """Whether an entry is the checkpoint that this attempt resumed from, or has the weights of its state."""
        if entry.is_full:
            return entry.checkpoint_id == self._run.parent
        return self._run.lineage[-1:] == ((entry.attempt, entry.position),)

    def set_aside(self, name: str) -> None:
        """Gives what has a name another one, unless it may be replaced.

        Spec: TR-RES-008, TR-RES-018, CPC-NAME-010.
        """
        occupant = self._found.get(name)
        if occupant is None or name in self._replaceable:
            return  # to ask for these names is to consent
        if isinstance(occupant, DamagedFile):
            label = "damaged"
        elif occupant.run_id == self._run.run_id:
            label = f"attempt{occupant.attempt}"
        else:
            label = f"run_{occupant.run_id}"
        aside = self.unused(naming.attempt_name(name, label))
        self.store.rename(name, aside)
        del self._found[name]
        self._found[aside] = evolve(occupant, name=aside)

    def unused(self, name: str) -> str:
        """Returns a name that nothing has, with a number where that is needed."""
        return next(free for free in numbered(name) if free not in self._found)
