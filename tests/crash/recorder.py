"""A storage that works on a real folder and keeps a log of what changed it, for the models of a disk.

An operation that is added to the seam gets a method here; one that changes nothing on the disk needs none.
"""

from __future__ import annotations

import os

from attrs import field, frozen

from tenuto.reference.checkpoint.storage import PosixStorage


@frozen
class Operation:
    """One step that a disk sees, or a word of the process to the outside.

    Attributes:
        name: `create`, `allocate`, `write`, `sync`, `sync failed`,
            `rename`, `link`, `symlink`, `unlink`, `mkdir`, `rmdir`,
            `sync_folder`; or `acknowledge`, `tell ...` and `give up`.
        path: Relative to the root of the recording.
        other: The new name of a rename or a link, the target of a symbolic link, or the age of what is acknowledged.
        inode: Of the file that a handle leads to.
        offset: Where a write begins; how long an allocated file is.
        data: What it writes.
    """

    name: str
    path: str = ""
    other: object = ""
    inode: int = 0
    offset: int = 0
    data: bytes = field(default=b"", repr=len)

    def __str__(self):
        number = f"#{self.inode}" if self.inode else ""
        return " ".join(str(one) for one in (self.name, self.path, self.other, number) if one)


class RecordingStorage(PosixStorage):
    """The storage of the system, with a log.

    Args:
        root: A folder above everything that is recorded.
        beneath: The storage that does the work.
        inodes: How many have their number already.

    Attributes:
        log: The operations, in their order.
    """

    def __init__(self, root, beneath=None, inodes=0):
        self.root, self.log, self.beneath = os.fspath(root), [], beneath or PosixStorage()
        self._files = {}  # handle -> (inode, position)
        self._inodes = inodes
        self._missing = []  # folders that are being made

    def note(self, name, path="", **fields):
        self.log.append(Operation(name, path, **fields))

    def acknowledge(self, age, path):
        """Notes that a save has returned: what it has written is to survive from here on."""
        self.note("acknowledge", path, other=age)

    def _relative(self, path):
        return os.path.relpath(path, self.root)

    def create(self, path):
        file = self.beneath.create(path)
        self._inodes += 1
        self._files[file] = [self._inodes, 0]
        self.note("create", self._relative(path), inode=self._inodes)
        return file

    def write(self, file, pieces):
        taken = self.beneath.write(file, pieces)
        self._note_write(file, self._files[file][1], pieces, taken)
        self._files[file][1] += taken
        return taken

    def write_at(self, file, offset, pieces):
        taken = self.beneath.write_at(file, offset, pieces)
        self._note_write(file, offset, pieces, taken)
        return taken

    def _note_write(self, file, offset, pieces, taken):
        data = b"".join(bytes(piece) for piece in pieces)[:taken]
        self.note("write", inode=self._files[file][0], offset=offset, data=data)

    def allocate(self, file, size):
        self.beneath.allocate(file, size)
        self.note("allocate", inode=self._files[file][0], offset=size)

    def sync(self, file):
        inode = self._files[file][0]
        try:
            self.beneath.sync(file)
        except OSError:
            self.note("sync failed", inode=inode)
            raise
        self.note("sync", inode=inode)

    def close(self, file):
        self._files.pop(file, None)
        self.beneath.close(file)

    def rename(self, old, new):
        self.beneath.rename(old, new)
        self.note("rename", self._relative(old), other=self._relative(new))

    def link(self, existing, new):
        self.beneath.link(existing, new)
        self.note("link", self._relative(existing), other=self._relative(new))

    def symlink(self, target, new):
        self.beneath.symlink(target, new)
        self.note("symlink", self._relative(new), other=target)

    def unlink(self, path):
        self.beneath.unlink(path)
        self.note("unlink", self._relative(path))

    def remove_folder(self, path):
        self.beneath.remove_folder(path)
        self.note("rmdir", self._relative(path))

    def sync_folder(self, path):
        self._note_made(under=os.path.abspath(path))
        self.beneath.sync_folder(path)
        self.note("sync_folder", self._relative(path))

    def make_folder(self, path):
        """Runs the code of the product on this storage, which syncs the folders above through it."""
        if not os.path.isdir(path):
            self._missing.append(os.path.abspath(path))
        super().make_folder(path)
        self._note_made(under=os.path.dirname(os.path.abspath(path)))

    def _note_made(self, under):
        for path in [one for one in self._missing if os.path.dirname(one) == under and os.path.isdir(one)]:
            self._missing.remove(path)
            self.note("mkdir", self._relative(path))

    # What only looks goes to the storage beneath, where faults are planted.

    def begin_sync(self, file, offset, count):
        self.beneath.begin_sync(file, offset, count)

    def read_into(self, file, offset, buffer):
        return self.beneath.read_into(file, offset, buffer)

    def drop_cache(self, file):
        self.beneath.drop_cache(file)

    def open(self, path):
        return self.beneath.open(path)

    def size(self, file):
        return self.beneath.size(file)

    def read(self, file, offset, count):
        return self.beneath.read(file, offset, count)

    def map(self, file):
        return self.beneath.map(file)

    def names(self, path):
        return self.beneath.names(path)

    def identity(self, path):
        return self.beneath.identity(path)
