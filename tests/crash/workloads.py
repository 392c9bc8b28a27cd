"""What a training does to its folder: sequences of the verbs that exist, and what has to hold of their outcome."""

from __future__ import annotations

import itertools
import os
from contextlib import contextmanager
from functools import partial

import pytest

from crash.recorder import RecordingStorage
from crash.seam import through, without_chance
from crash.training import Attempt
from tenuto.callbacks import repository
from tenuto.callbacks.policies.retention import KeepBest
from tenuto.reference.checkpoint.ledger import read_ledger
from tenuto.reference.checkpoint.storage import PosixStorage
from tenuto.reference.checkpoint.store import Store
from tenuto.reference.checkpoint.tree import map_tensors
from tenuto.reference.checkpoint.writer import encode
from tenuto.reference.events.contexts import DeletedCheckpoint

VERBS = ("save", "async", "best", "emergency", "retention", "resume", "rewind", "recovery")
# How second names are made, where files lie, and what is kept: each is another path through the protocol.
SETTINGS = {
    "links": {},
    "copies, folders of epochs": {"latest": "copy", "layout": "epoch_dirs", "save_top_k": 2},
    "symbolic links": {"latest": "symlink", "overwrite": False, "verify": "none"},
    "latest alone": {"retention": KeepBest(1)},
}
PARALLEL = {"latest alone"}  # where files are written as large ones are: at offsets, after room was made for them


def sequences(longest):
    """Yields every sequence of up to so many verbs, shorter ones first."""
    for count in range(1, longest + 1):
        yield from itertools.product(VERBS, repeat=count)


class Given:
    """What was given to be saved, kept apart from what saves it.

    Attributes:
        files: The bytes of each document.
    """

    def __init__(self):
        self.files, self._trees = set(), {}

    def add(self, document):
        self.files.add(b"".join(bytes(piece) for piece in encode(document)))
        self._trees[_identifier(document)] = _plain(document)

    def has(self, document):
        """Returns whether a document is, in every value and byte, one that was given."""
        return self._trees.get(_identifier(document)) == _plain(document)


def age_of(document):
    """Returns attempt and progress of a state; a newer one compares greater."""
    metadata = document.head["metadata"]
    progress = metadata["progress"]
    return metadata["origin"]["attempt"], progress["epoch"], progress["batch_in_epoch"], progress["global_step"]


def _identifier(document):
    return document.head["metadata"]["origin"]["checkpoint_id"]


def _age(entry):
    return entry.attempt, entry.position, entry.name


def _plain(document):
    return map_tensors(document.head, lambda tensor: (tensor.dtype, tensor.shape, bytes(tensor.data)))


class Killed(BaseException):
    """The end of a process that has no time to clean up."""


class Halting:
    """The storage of the system, until a moment; from then on nothing happens any more."""

    def __init__(self, last_renames):
        self._system, self._left = PosixStorage(), last_renames

    def __getattr__(self, name):
        if name == "rename":
            self._left -= 1
        if self._left <= 0 and name != "close":
            raise Killed
        return getattr(self._system, name)


class Course:
    """A folder and everything that was done to it.

    Args:
        root: An empty folder; the folder of the run is made in it.
        settings: Of the checkpoint callback.
        beneath: The storage that does the work; None for that of the system.
        in_parallel: Whether files are written as large ones are.

    Attributes:
        storage: With the log of all operations.
        given: Every document that was given to be saved.
    """

    def __init__(self, root, settings, beneath=None, *, in_parallel=False):
        self.root, self.folder, self.settings = root, root / "run", settings
        self.storage, self.given = RecordingStorage(root, beneath), Given()
        self.attempt, self._in_parallel = None, in_parallel
        self._epochs = 0

    @contextmanager
    def going(self):
        """Lets the product work through the recorder while the context lasts, and keeps what is given to be saved."""
        save = Store.save

        def kept(store, name, document):
            self.given.add(document)
            path = save(store, name, document)
            self.storage.acknowledge(age_of(document), self._relative(path))
            return path

        with through(self.storage), without_chance(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(Store, "save", kept)
            if self._in_parallel:
                patch.setattr(repository, "Store", partial(Store, parallel_bytes=0))
            try:
                yield self
            finally:
                self._leave()

    def run(self, verbs):
        """Does what the verbs say; returns where in the log the last one begins."""
        start = 0
        for verb in verbs:
            start = len(self.storage.log)
            self.act(verb)
        return start

    def act(self, verb):
        """Does what one verb says; an attempt begins where there is none."""
        getattr(self, f"_{verb}")(self.attempt or self._begin())

    def _begin(self, resume="auto"):
        self._leave()
        self.attempt = Attempt(self.folder, self.settings, self._told, resume=resume)
        return self.attempt

    def _leave(self):
        """Forgets an attempt as if its process had been killed; its thread goes, so that the harness leaves none."""
        if self.attempt is not None:
            self.attempt.callback._saver._background.close()
        self.attempt = None

    def _told(self, what):
        name = "tell deleted" if isinstance(what, DeletedCheckpoint) else "tell saved"
        self.storage.note(name, self._relative(what.path))

    def _relative(self, path):
        return os.path.relpath(path, self.root)

    # -- the verbs ----------------------------------------------------------------------------------------------------

    def _save(self, attempt, **how):
        attempt.train_epoch(9.0, **how)

    def _async(self, attempt):
        self._save(attempt, in_background=True)

    def _best(self, attempt):
        self._epochs += 1
        attempt.train_epoch(9.0 - self._epochs)

    def _emergency(self, attempt):
        attempt.interrupt()
        self.attempt = None

    def _retention(self, attempt):
        self._save(attempt, keep_newest_alone=True)

    def _resume(self, _):
        self._begin()

    def _rewind(self, attempt):
        """Goes back to the oldest checkpoint: what comes now meets the files of what came before.

        To name an older checkpoint is to give up what stands under `latest.ckpt` or a name of the best alone: these
        are replaced (CPC-NAME-006, CPC-NAME-010).
        """
        self.storage.note("give up")
        oldest = min((one for one in read_ledger(str(self.folder)).entries if one.is_full), key=_age, default=None)
        self._begin(self.folder / oldest.name if oldest else "auto")

    def _recovery(self, attempt):
        """A save that improves dies with its second name still temporary, and the next attempt puts it right."""
        system, self.storage.beneath = self.storage.beneath, Halting(last_renames=2)
        try:
            with pytest.raises(Killed):
                self._best(attempt)
        finally:
            self.storage.beneath = system
        self._begin()
