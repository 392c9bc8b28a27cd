"""Carries out what the policies decide: writes a checkpoint under its names,
frees occupied ones, deletes old ones.
"""
from ..document import Document
from ..entries import Entry
from ..errors import TenutoError
from ..events.contexts import DeletedCheckpoint, SavedCheckpoint
from ..events.progress import Progress, RunIdentity
from ..ledger import read_entry, read_ledger
from ..log import log
from .job import SaveJob, SaveOutcome
from .naming import (
    FINAL_WEIGHTS,
    LATEST,
    best_name,
    is_boundary_name,
    stem_of,
)
from .ranking import BestEntry, BestList
from .retention import plan_retention
from .settings import CheckpointSettings
from .store import Store


struct Repository(Movable):
    """The checkpoints of one run in one folder."""

    var store: Store
    var run: RunIdentity
    var settings: CheckpointSettings
    var needs_mending: Bool  # a second name or a deletion has failed
    var _found: List[Entry]
    var _newest: Optional[String]  # the id that `latest.ckpt` is to lead to

    def __init__(
        out self, settings: CheckpointSettings, run: RunIdentity
    ) raises TenutoError:
        """Errors: those of a folder that takes no file. Spec: STORE-SAVE-011.
        """
        self.settings = settings.copy()
        self.store = Store(
            settings.checkpoint_dir, run.run_id, settings.verify == "readback"
        )
        self.run = run.copy()
        self.needs_mending = False
        self.store.probe()
        self.store.sweep()
        self._found = read_ledger(settings.checkpoint_dir)
        self._newest = None
        if self.holds_parent():
            self._newest = run.parent.copy()

    def _find(self, name: String) -> Int:
        for i in range(len(self._found)):
            if self._found[i].name == name:
                return i
        return -1

    def _note(mut self, var entry: Entry):
        """A name leads to a file from now on."""
        var at = self._find(entry.name)
        if at < 0:
            self._found.append(entry^)
        else:
            self._found[at] = entry^

    def _forget(mut self, name: String):
        var at = self._find(name)
        if at >= 0:
            _ = self._found.pop(at)

    def holds_parent(self) -> Bool:
        """Whether the state resumed from lies here, not as an emergency save.

        Spec: CPC-WHEN-009, CPC-NAME-006.
        """
        if not self.run.parent:
            return False
        for entry in self._found:
            if (
                entry.checkpoint_id == self.run.parent.value()
                and not entry.is_emergency()
            ):
                return True
        return False

    def write(
        mut self, job: SaveJob, lists: List[BestList]
    ) raises TenutoError -> SaveOutcome:
        """Write a checkpoint, name it, and only then delete.

        Errors: see `Store.save`.
        Spec: CPC-WHEN-005, CPC-ERR-006, CPC-ERR-007, CPC-KEEP-002.
        """
        var names = job.names.copy()
        if job.moves_latest and self.settings.latest != "none":
            names.append(String(LATEST))
        for name in names:
            self._free(name, lists, job.progress, job.is_exact)
        ref first = names[0]
        var path = self.store.save(first, job.document)
        var entry = read_entry(self.settings.checkpoint_dir, first)
        self._note(entry.copy())
        if job.moves_latest:
            self._newest = entry.checkpoint_id.copy()
        var made: List[String] = [first.copy()]
        for i in range(1, len(names)):
            if self._name(first, names[i]):
                self._note(entry.named(names[i].copy()))
                made.append(names[i].copy())
        var outcome = SaveOutcome(
            SavedCheckpoint(path^, made^, job.reasons.copy(), job.progress)
        )
        if not self.needs_mending:
            self._retain(job.left, lists, outcome)
        return outcome^

    def write_weights(
        mut self, weights: Document, progress: Progress
    ) raises TenutoError:
        """Write the file of the weights alone. Spec: CPC-NAME-012."""
        var name = String(FINAL_WEIGHTS)
        var is_exact = weights.root.get("metadata").get("exact").bits != 0
        self._free(name, List[BestList](), progress, is_exact)
        _ = self.store.save(name, weights)
        self._note(read_entry(self.settings.checkpoint_dir, name))

    def _name(mut self, first: String, name: String) -> Bool:
        """Make a second name; one that fails keeps none of the others back.

        Spec: CPC-ERR-007.
        """
        var mode = self.settings.latest.copy() if name == LATEST else "auto"
        try:
            self.store.add_name(first, name, mode)
            return True
        except e:
            self.needs_mending = True
            log(String("saved, but the name ", name, " failed: ", e))
            return False

    def _retain(
        mut self,
        left: List[String],
        lists: List[BestList],
        mut outcome: SaveOutcome,
    ):
        """Delete what is kept by nothing. Spec: CB-HOOK-017, CPC-BEST-012."""
        var has_latest = (
            self.settings.latest == "auto" or self.settings.latest == "copy"
        )
        var names = plan_retention(
            self._found,
            self.run,
            self.settings.policies(),
            lists,
            has_latest,
        )
        for name in left:
            var at = self._find(name)
            if at >= 0 and self._is_own(self._found[at]):
                names.append(name.copy())
        try:
            self.store.delete(names)
        except e:
            self.needs_mending = True
            log(String("saved, but deleting failed: ", e))
            return
        for name in names:
            self._forget(name)
            outcome.deleted.append(DeletedCheckpoint(self.store.path(name)))

    def _is_own(self, entry: Entry) -> Bool:
        """Of this run, and not superseded. Spec: CPC-KEEP-003, TR-RES-008."""
        return (
            not entry.is_damaged()
            and entry.run_id == self.run.run_id
            and not self.run.has_superseded(entry.attempt, entry.progress)
        )

    def _free(
        mut self,
        name: String,
        lists: List[BestList],
        progress: Progress,
        is_exact: Bool,
    ) raises TenutoError:
        """Move a file out of the way, unless the name is one that is replaced.

        Spec: TR-RES-008, TR-RES-018, CPC-NAME-010, CPC-NAME-011.
        """
        var at = self._find(name)
        if at < 0 or name == LATEST:
            return
        for one in lists:
            if name == best_name(one.monitor.name):
                return
        var there = self._found[at].copy()
        var label = String("damaged")
        if not there.is_damaged():
            label = String("run_", there.run_id)
            if there.run_id == self.run.run_id:
                if there.attempt == self.run.attempt:
                    return
                var is_same = there.progress.is_same(progress)
                if is_exact and is_same and there.is_start_of(self.run):
                    return
                label = String("attempt", there.attempt)
        var stem = String(stem_of(name), "_", label)
        var aside = stem + ".ckpt"
        var number = 2
        while not self.store.is_free(aside):
            aside = String(stem, "_", number, ".ckpt")
            number += 1
        self.store.rename(name, aside)
        self._forget(name)
        self._note(there.named(aside^))

    def repair(mut self, lists: List[BestList]) raises TenutoError:
        """Make the best names lead to what the lists say, and `latest.ckpt` to
        the newest, where the bytes are in the folder.

        Spec: CPC-NAME-006, CPC-ERR-006.
        """
        for one in lists:
            if not one.monitor.overwrite:
                continue
            for i in range(len(one.entries)):
                ref entry = one.entries[i]
                self._lead(entry.file, entry, lists)
                if i == 0 and one.monitor.slots() > 1:
                    self._lead(best_name(one.monitor.name), entry, lists)
        if self._newest and self.settings.latest != "none":
            var checkpoint_id = self._newest.value().copy()
            self._lead_latest(checkpoint_id)
        self.needs_mending = False

    def _has_state(self, entry: Entry, state: BestEntry) -> Bool:
        return (
            self._is_own(entry)
            and entry.is_full
            and entry.progress.epoch == state.epoch
            and entry.progress.global_step == state.step
        )

    def _lead(
        mut self, name: String, state: BestEntry, lists: List[BestList]
    ) raises TenutoError:
        """Make a name lead to a state, of several files to the earliest."""
        var at = self._find(name)
        if at >= 0 and self._has_state(self._found[at], state):
            return
        var best = -1
        for i in range(len(self._found)):
            ref entry = self._found[i]
            if not self._has_state(entry, state) or entry.name == name:
                continue
            if best < 0 or (
                entry.progress.batch_in_epoch
                < self._found[best].progress.batch_in_epoch
            ):
                best = i
        if best < 0:
            log(String(name, ": the bytes of the best are not in the folder"))
            return
        var source = self._found[best].copy()
        self._free(name, lists, source.progress, source.is_exact)
        self._point(source, name, "auto")

    def _lead_latest(mut self, checkpoint_id: String) raises TenutoError:
        var at = self._find(LATEST)
        if at >= 0 and self._found[at].checkpoint_id == checkpoint_id:
            return
        var source = -1
        for i in range(len(self._found)):
            ref entry = self._found[i]
            if entry.checkpoint_id != checkpoint_id or entry.is_emergency():
                continue
            if source < 0 or is_boundary_name(entry.name):
                source = i
        if source >= 0:
            var entry = self._found[source].copy()
            self._point(entry, LATEST, self.settings.latest.copy())

    def _point(
        mut self, entry: Entry, name: StringSpan, mode: StringSpan
    ) raises TenutoError:
        self.store.add_name(entry.name, String(name), mode)
        self._note(entry.named(String(name)))
