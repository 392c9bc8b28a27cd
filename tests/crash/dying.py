"""A storage that tells what it is about to do and what is durable, and kills its process at the operation asked for.

What it tells goes through a pipe to the process that does the killing, so it outlives the one that is killed.
"""

import os
import signal
from pathlib import Path

import xxhash

from tenuto.reference.checkpoint.storage import PosixStorage, StorageOps

OPERATIONS = tuple(sorted(name for name in vars(StorageOps) if not name.startswith("_")))


class Dying(PosixStorage):
    """Counts its operations, reads included, and dies before the one asked for; a write dies in its middle.

    Args:
        folder: To which the names that it tells of are relative.
        deadly: The number of the operation, from 1; None to live.
        tell: Called with `(word, name, digest)`: `may` before a name leads to other bytes, or to none; `is` once that
            is durable. Where the bytes were written under the name, and not linked to it, `saving` and `saved`.
    """

    def __init__(self, folder, deadly=None, tell=lambda *_: None):
        self.folder, self.deadly, self.tell = os.path.abspath(folder), deadly, tell
        self.count = 0
        self.written = {}  # temporary path -> hash of what was taken of what was written
        self.paths = {}  # handle -> path
        self.waiting = {}  # folder -> what its next sync makes durable

    def step(self, name, arguments):
        self.count += 1
        if self.count == self.deadly:
            if name == "write":
                data = b"".join(arguments[1])
                os.write(arguments[0], data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        noted = getattr(self, f"_{name}", None)
        return noted(*arguments) if noted else getattr(PosixStorage, name)(self, *arguments)

    def _create(self, path):
        file = super().create(path)
        self.paths[file], self.written[path] = path, xxhash.xxh64()
        return file

    def _write(self, file, pieces):
        taken = super().write(file, pieces)
        self.written[self.paths[file]].update(b"".join(pieces)[:taken])
        return taken

    def _rename(self, old, new):
        made = self.written.pop(old, None)
        digest = made.hexdigest() if made else digest_of(old)
        self._may(new, digest, ("saving", "saved") if made else ("may", "is"))
        if not old.endswith(".tmp"):
            self._may(old, "")
        super().rename(old, new)

    def _unlink(self, path):
        if not path.endswith(".tmp"):
            self._may(path, "")
        super().unlink(path)

    def _sync_folder(self, path):
        super().sync_folder(path)
        for telling in self.waiting.pop(os.path.abspath(path), ()):
            self.tell(*telling)

    def _may(self, path, digest, words=("may", "is")):
        path = os.path.abspath(path)
        name = os.path.relpath(path, self.folder)
        self.tell(words[0], name, digest)
        self.waiting.setdefault(os.path.dirname(path), []).append((words[1], name, digest))


def digest_of(path):
    """Returns the hash of the bytes to which a path leads."""
    return xxhash.xxh64_hexdigest(Path(path).read_bytes())


def _counted(name):
    return lambda self, *arguments: self.step(name, arguments)


for _name in OPERATIONS:
    setattr(Dying, _name, _counted(_name))
