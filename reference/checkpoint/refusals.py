"""From the errors of the system to refusals with a code."""

from __future__ import annotations

import errno

from tenuto.reference.checkpoint.tree import refuse
from tenuto.reference.errors import CheckpointError

__all__ = ["IoRefusals", "write_refusal"]

_CODES = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EACCES: "not_writable",
    errno.EPERM: "not_writable",
    errno.EROFS: "not_writable",
    errno.ENOTDIR: "not_a_folder",
}
_EXPECTED = {
    "disk_full": "room for another checkpoint; what was saved before is untouched",
    "not_writable": "a folder that takes new files",
    "not_a_folder": "a folder",
    "io_error": "it to succeed",
}


def write_refusal(what: str, path: str, error: OSError) -> CheckpointError:
    """Returns the error for what the system refused while a folder was changed.

    Spec: STORE-SAVE-010.
    """
    code = _CODES.get(error.errno or 0, "io_error")
    return refuse(code, f"{what} {path}: {error.strerror or error}; expected {_EXPECTED[code]}", phase="io")


class IoRefusals:
    """Turns the errors of reading a path into refusals.

    A class: a folder of thousands of files enters it ten times for each, and a generator costs four times as much.

    Spec: CKPT-READ-006.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Does nothing."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Raises the refusal that belongs to an error of the system."""
        if isinstance(error, OSError):
            raise _read_refusal(self._path, error) from error


def _read_refusal(path: str, error: OSError) -> CheckpointError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):  # the second: a folder of the path is a file
        return refuse("file_not_found", f"{path}: no such file; expected a checkpoint")
    # a socket, or a device without a driver
    if isinstance(error, IsADirectoryError) or error.errno in {errno.ENXIO, errno.ENODEV}:
        return refuse("not_a_file", f"{path}: not a regular file; expected a checkpoint")
    return refuse("io_error", f"{path}: {error.strerror or error}; expected to read it")
