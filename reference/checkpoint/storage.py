"""The one seam through which every file operation of the product goes.

Nothing else in the product opens, writes, renames or deletes a file, so faults can be injected here and every operation
can be recorded.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

__all__ = ["PosixStorage", "StorageOps"]

_NO_ALLOCATION: Final = {errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}  # of file systems that cannot reserve room
_MAP_NORESERVE: Final = 0x4000 if sys.platform == "linux" else 0  # the module names it from Python 3.13 on


class StorageOps(Protocol):
    """The file operations of the product. All raise `OSError`; a file is an integer handle owned by the caller."""

    def create(self, path: str) -> int:
        """Creates a new file for writing; fails if the name exists, links included."""

    def append(self, path: str) -> int:
        """Opens a file for appending, made if missing."""

    def write(self, file: int, pieces: Sequence[bytes | memoryview]) -> int:
        """Writes the pieces in order and returns how many bytes were taken, perhaps fewer than given."""

    def allocate(self, file: int, size: int) -> None:
        """Makes a new file `size` bytes long, all zero, with room for them on the device where the system can."""

    def write_at(self, file: int, offset: int, pieces: Sequence[bytes | memoryview]) -> int:
        """Writes at `offset` what `write` would; several threads may write to one file."""

    def begin_sync(self, file: int, offset: int, count: int) -> None:
        """Lets the device begin with a part that has been written. A hint: it promises nothing and never fails."""

    def sync(self, file: int) -> None:
        """Returns when the contents of the file are on the device."""

    def drop_cache(self, file: int) -> None:
        """Forgets the cached contents, so that the next read comes from the device."""

    def close(self, file: int) -> None:
        """Closes a file or a folder."""

    def open(self, path: str) -> int:
        """Opens a regular file for reading."""

    def size(self, file: int) -> int:
        """Returns the size in bytes."""

    def read(self, file: int, offset: int, count: int) -> bytes:
        """Reads up to `count` bytes at `offset`."""

    def read_into(self, file: int, offset: int, buffer: memoryview) -> int:
        """Reads at `offset` into a buffer and returns how many bytes it got, perhaps fewer than fit."""

    def map(self, file: int) -> memoryview:
        """Maps a file that is not empty; the view lives on after `close`, writes to it stay private."""

    def rename(self, old: str, new: str) -> None:
        """Gives a file another name in one step, replacing what had that name."""

    def link(self, existing: str, new: str) -> None:
        """Gives a file a second name; fails if the name exists."""

    def symlink(self, target: str, new: str) -> None:
        """Makes a symbolic link; fails if the name exists."""

    def unlink(self, path: str) -> None:
        """Removes a name."""

    def sync_folder(self, path: str) -> None:
        """Returns when the names in a folder are on the device."""

    def make_folder(self, path: str) -> None:
        """Makes a folder and those above it, where missing."""

    def remove_folder(self, path: str) -> None:
        """Removes a folder that is empty."""

    def names(self, path: str) -> list[str]:
        """Returns the sorted names in a folder."""

    def identity(self, path: str) -> tuple[int, int] | None:
        """Returns what two names of one file have in common, or None for anything but a regular file."""

    def resolve(self, path: str) -> str:
        """Returns the path to which a path leads when every link is followed; the last part need not be there."""


class PosixStorage:
    """The operations of the operating system, one call each."""

    def create(self, path: str) -> int:
        """Spec: STORE-SAVE-002."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)

    def append(self, path: str) -> int:
        """Opens without following a link."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)

    def write(self, file: int, pieces: Sequence[bytes | memoryview]) -> int:
        """Writes with one gathered call."""
        return os.writev(file, pieces)

    def allocate(self, file: int, size: int) -> None:
        """Reserves the room, so that a full disk is noticed before anything is written."""
        try:
            os.posix_fallocate(file, 0, size)
        except (AttributeError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in _NO_ALLOCATION:
                raise
            os.ftruncate(file, size)

    def write_at(self, file: int, offset: int, pieces: Sequence[bytes | memoryview]) -> int:
        """Writes with one gathered call, without moving a position."""
        return os.pwritev(file, pieces, offset)

    def begin_sync(self, file: int, offset: int, count: int) -> None:
        """Asks Linux to forget a part, which makes it write what is not on the device; it keeps what it is writing."""
        with suppress(AttributeError, OSError):
            os.posix_fadvise(file, offset, count, os.POSIX_FADV_DONTNEED)

    def sync(self, file: int) -> None:
        """Calls fsync, once."""
        os.fsync(file)

    def drop_cache(self, file: int) -> None:
        """Has no effect on systems without posix_fadvise."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)

    def close(self, file: int) -> None:
        """Closes the handle."""
        os.close(file)

    def open(self, path: str) -> int:
        """Opens without waiting for the other end of a pipe, and refuses what is not a regular file."""
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise IsADirectoryError(21, "not a regular file", path)
        return file

    def size(self, file: int) -> int:
        """Asks the handle, not the name."""
        return os.fstat(file).st_size

    def read(self, file: int, offset: int, count: int) -> bytes:
        """Reads without moving a position."""
        return os.pread(file, count, offset)

    def read_into(self, file: int, offset: int, buffer: memoryview) -> int:
        """Reads without moving a position."""
        return os.preadv(file, [buffer], offset)

    def map(self, file: int) -> memoryview:
        """Maps copy-on-write, and sets no memory aside for copies that are never made: the file may be larger."""
        flags = mmap.MAP_PRIVATE | _MAP_NORESERVE
        return memoryview(mmap.mmap(file, 0, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE))

    def rename(self, old: str, new: str) -> None:
        """Renames."""
        os.rename(old, new)

    def link(self, existing: str, new: str) -> None:
        """Makes a hard link."""
        os.link(existing, new, follow_symlinks=False)

    def symlink(self, target: str, new: str) -> None:
        """Makes a symbolic link."""
        os.symlink(target, new)

    def unlink(self, path: str) -> None:
        """Unlinks."""
        os.unlink(path)

    def sync_folder(self, path: str) -> None:
        """Opens the folder and calls fsync on it."""
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def make_folder(self, path: str) -> None:
        """Makes folders and syncs those that got a new name: a lost folder loses every file in it."""
        parent = os.path.dirname(os.path.abspath(path))
        if os.path.isdir(path):
            return
        if not os.path.isdir(parent):
            self.make_folder(parent)
        try:
            os.mkdir(path)
        except FileExistsError:
            if not os.path.isdir(path):
                raise NotADirectoryError(20, "not a folder", path) from None
        self.sync_folder(parent)

    def remove_folder(self, path: str) -> None:
        """Removes."""
        os.rmdir(path)

    def names(self, path: str) -> list[str]:
        """Lists."""
        return sorted(os.listdir(path))

    def identity(self, path: str) -> tuple[int, int] | None:
        """Asks without following a link."""
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return None
        return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None

    def resolve(self, path: str) -> str:
        """Follows links."""
        return os.path.realpath(path)
