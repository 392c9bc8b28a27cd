"""A file system of its own on a loop device, which loses its power: what was not synced is gone, for a real kernel.

`shutdown` without a flush of the journal stops every write at once, as a power cut does; the next mount replays what of
the journal has reached the device.
"""

import ctypes
import fcntl
import os
import struct
import subprocess
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32): EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN
_WITHOUT_FLUSH = struct.pack("I", 2)
_libc = ctypes.CDLL(None, use_errno=True)


class NotAllowedError(Exception):
    """This machine does not let a file system be made, mounted or shut down; the message says what failed."""


@frozen
class Kind:
    """A kind of file system.

    Attributes:
        name: `ext4` or `xfs`.
        options: Of its mount.
    """

    name: str
    options: str = ""

    def __str__(self):
        return f"{self.name} {self.options}".strip()


KINDS = (Kind("ext4", "data=ordered"), Kind("ext4", "data=writeback"), Kind("xfs"))
_MAKE = {"ext4": ("mkfs.ext4", "-q", "-F"), "xfs": ("mkfs.xfs", "-q", "-f")}
_BYTES = {"ext4": 64 << 20, "xfs": 320 << 20}  # xfs is made with 300 MiB at least; the image is sparse


@frozen
class Filesystem:
    """A mounted file system.

    Attributes:
        device: The loop device.
        folder: Where it is mounted.
        kind: Of it.
    """

    device: str
    folder: Path
    kind: Kind

    def mount(self):
        arguments = [os.fsencode(one) for one in (self.device, self.folder, self.kind.name)]
        _check(_libc.mount(*arguments, 0, self.kind.options.encode()), f"mount of {self.kind}")

    def unmount(self):
        _check(_libc.umount2(os.fsencode(self.folder), 0), f"umount {self.folder}")

    def cut(self):
        """Takes the power away, and gives it back."""
        file = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(file, _SHUTDOWN, _WITHOUT_FLUSH)
        except OSError as error:
            raise NotAllowedError(f"shutdown of {self.folder}: {error.strerror}") from error
        finally:
            os.close(file)
        self.unmount()
        self.mount()


@contextmanager
def filesystem(home, kind):
    """Makes a file system in a folder and mounts it; it goes with the context.

    Raises:
        NotAllowedError: The machine does not allow it.
    """
    home.mkdir()
    image, folder = home / "image", home / "mounted"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(_BYTES[kind.name])
    _run(*_MAKE[kind.name], image)
    device = _run("losetup", "--find", "--show", image).strip()
    try:
        found = Filesystem(device, folder, kind)
        found.mount()
        try:
            yield found
        finally:
            found.unmount()
    finally:
        _run("losetup", "--detach", device)


def _run(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except FileNotFoundError as error:
        raise NotAllowedError(f"{command[0]}: not installed") from error
    except subprocess.CalledProcessError as error:
        raise NotAllowedError(f"{command[0]}: {error.stderr.strip()}") from error


def _check(code, what):
    if code:
        raise NotAllowedError(f"{what}: {os.strerror(ctypes.get_errno())}")
