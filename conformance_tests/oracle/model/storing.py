"""What a save does to the folder: names that are freed, made and deleted, and what a resumed attempt makes good.

Spec: sections 4 and 5 of 20-checkpoint-callback.md.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from tenuto.conformance_tests.oracle.model.errors import UnforeseenError
from tenuto.conformance_tests.oracle.model.folder import File, Folder
from tenuto.conformance_tests.oracle.model.lists import Lists, Update
from tenuto.conformance_tests.oracle.model.naming import (
    LATEST,
    best_name,
    boundary_name,
    is_boundary_name,
    is_emergency_name,
)
from tenuto.conformance_tests.oracle.model.ranking import Entry
from tenuto.conformance_tests.oracle.model.retention import (
    Policy,
    Progress,
    Stored,
    keep,
    keep_all,
    keep_best_and_latest,
    keep_last,
)
from tenuto.conformance_tests.oracle.model.settings import Saving
from tenuto.conformance_tests.oracle.tree import Tree


@frozen
class Origin:
    """Which attempt saves.

    Attributes:
        attempt: its number.
        lineage: attempt -> progress of the state that was resumed from it.
        parent: the checkpoint that it resumed from.

    Spec: TR-STATE-003, TR-RES-007.
    """

    attempt: int = 1
    lineage: Mapping[int, Progress] = {}
    parent: File | None = None


@frozen
class Store:
    """The folder as one attempt changes it."""

    folder: Folder
    settings: Saving
    origin: Origin

    def names(self, file: File, update: Update) -> list[str]:
        """The names of a save, in their order.

        Spec: CPC-NAME-001, CPC-NAME-003, CPC-NAME-005, CPC-NAME-013, CPC-NAME-015.
        """
        found: list[str] = []
        if file.reasons != ("best",):
            trainer_state: Tree = file.document["trainer_state"]
            inside = isinstance(trainer_state, dict) and "gradients" in trainer_state
            found.append(boundary_name(file.progress, inside))
        for one in self.settings.monitors:
            if (new := update.entered.get(one.monitor)) is None:
                continue
            found.append(new.file)
            if one.slots > 1 and update.lists[one.monitor][0] is new:
                found.append(best_name(one.monitor))
        return found if self.settings.latest == "none" else [*found, LATEST]

    def save(self, file: File, names: Sequence[str], left: Mapping[str, Entry], lists: Lists) -> list[str]:
        """Make the names of a save and do its deletions; returns the names deleted, in the order of their news.

        Spec: CB-HOOK-017, CPC-NAME-011, CPC-KEEP-002, TR-RES-008, CPC-BEST-012.
        """
        for name in names:
            self._make_way(name, file)
        for name in names:
            self._point(name, file, names[0])
        stored = self._stored(lists)
        kept = keep(stored, self._policy())
        gone = sorted((one.name for one in stored if one.is_named and one.name not in kept), key=str.encode)
        for entry in left.values():
            if entry.file in self.folder.names:
                self._check_current(entry.file)
                gone.append(entry.file)
        self.folder.delete(gone)
        return gone

    def _policy(self) -> Policy:
        settings = self.settings
        if settings.keep_best_latest:
            emergencies = any(one.is_emergency for one in self.folder.files())
            if emergencies or any(one.slots > 1 for one in settings.monitors):
                raise UnforeseenError(
                    "keep_best_latest with an emergency save, or with K > 1: what is kept is not said"
                )
            return keep_best_and_latest
        return keep_all if settings.keep_last_n is None else keep_last(settings.keep_last_n)

    def _stored(self, lists: Lists) -> list[Stored]:
        """The checkpoints on which retention decides, each with the name that it may lose."""
        states = [[(entry.epoch, entry.step) for entry in lists[one.monitor]] for one in self.settings.monitors]
        names: dict[File, str] = {}
        for name, file in self.folder.names.items():
            if file not in names or _may_go(name):
                names[file] = name
        return [
            Stored(
                name=name,
                attempt=file.attempt,
                progress=file.progress,
                reasons=file.reasons,
                places=tuple(one.index(file.state) if file.state in one else None for one in states),
                is_parent=file is self.origin.parent,
                is_foreign=self._is_superseded(file),
                is_named=_may_go(name),
                is_exact=file.exact,
            )
            for file, name in names.items()
        ]

    def _is_superseded(self, file: File) -> bool:
        return file.is_superseded(self.origin.attempt, self.origin.lineage)

    def _replaceable(self) -> set[str]:
        """The names that are replaced, whoever made them.

        Spec: CPC-NAME-010.
        """
        return {LATEST, *(best_name(one.monitor) for one in self.settings.monitors)}

    def _make_way(self, name: str, file: File) -> None:
        """Free a name that another file has.

        Spec: TR-RES-008, CPC-CALL-004.
        """
        there = self.folder.names.get(name)
        if there is None or name in self._replaceable():
            return
        if there.attempt == self.origin.attempt:
            if there.progress != file.progress:
                raise UnforeseenError(f"{name}: what becomes of another state of the same attempt is not said")
        elif not (file.exact and self._is_parent(there)):
            self.folder.free(name)

    def _is_parent(self, file: File) -> bool:
        """Whether a file holds the very state that was resumed from.

        Spec: TR-RES-008.
        """
        parent = self.origin.parent
        if parent is None or (file.attempt, file.progress) != (parent.attempt, parent.progress):
            return False
        if file is not parent:
            raise UnforeseenError(
                "another file of the boundary resumed from: whether it holds the very state is not said"
            )
        return True

    def _point(self, name: str, file: File, first: str) -> None:
        if name == LATEST and self.settings.latest == "symlink":
            self.folder.link(name, first)
        else:
            self.folder.put(name, file)

    def _check_current(self, name: str) -> None:
        if self._is_superseded(self.folder.names[name]):
            raise UnforeseenError(f"{name}: whether a superseded file with the name of an entry is deleted is not said")

    def make_good(self, lists: Lists) -> None:
        """Make the best names and the latest one of a resumed attempt lead to what the restored state says.

        Spec: CPC-NAME-006.
        """
        parent = self.origin.parent
        if parent is None:
            return
        for one in self.settings.monitors:
            for place, entry in enumerate(lists[one.monitor]):
                self._make_lead(entry.file, entry)
                if place == 0 and one.slots > 1:
                    self._make_lead(best_name(one.monitor), entry)
        found = self.folder.entries()
        if not parent.is_emergency and self.settings.latest != "none" and found.get(LATEST) is not parent:
            names = [name for name, file in found.items() if file is parent]
            self._point(LATEST, parent, min(names, key=lambda name: not is_boundary_name(name)))

    def _make_lead(self, name: str, entry: Entry) -> None:
        """Make a name lead to the state of an entry, where its bytes are in the folder."""
        there = self.folder.names.get(name)
        found = [one for one in self.folder.files() if self._has_state(one, entry)]
        if not found:
            return
        least = min(one.progress[1] for one in found)
        if there in found:
            if there is not None and there.progress[1] != least:
                raise UnforeseenError(f"{name}: it leads to a state inside a window, and CPC-NAME-006 asks for another")
            return
        first, *others = [one for one in found if one.progress[1] == least]
        if any(one.data() != first.data() for one in others):
            raise UnforeseenError(f"{name}: which of several files of the state it is to lead to is not said")
        self._make_way(name, first)
        self.folder.put(name, first)

    def _has_state(self, file: File, entry: Entry) -> bool:
        return file.state == (entry.epoch, entry.step) and not self._is_superseded(file)

    def needs_repair(self, lists: Lists) -> bool:
        """Whether names do not lead to what the restored state says."""
        trial = Folder(dict(self.folder.names), dict(self.folder.links))
        Store(trial, self.settings, self.origin).make_good(lists)
        return trial.entries() != self.folder.entries()


def _may_go(name: str) -> bool:
    """Whether retention may delete a name."""
    return is_boundary_name(name) or is_emergency_name(name)
