"""From the errors of the system to refusals with a code."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from tenuto.reference.checkpoint.tree import refuse
from tenuto.reference.errors import CheckpointError

__all__ = ["io_refusals", "write_refusal"]

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


@contextmanager
def io_refusals(path: str) -> Iterator[None]:
    """Turns the errors of reading a path into refusals.

    Spec: CKPT-READ-006.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:  # the second: a folder of the path is a file
        raise refuse("file_not_found", f"{path}: no such file; expected a checkpoint") from error
    except IsADirectoryError as error:
        raise refuse("not_a_file", f"{path}: not a regular file; expected a checkpoint") from error
    except OSError as error:
        if error.errno in {errno.ENXIO, errno.ENODEV}:  # a socket, or a device without a driver
            raise refuse("not_a_file", f"{path}: not a regular file; expected a checkpoint") from error
        raise refuse("io_error", f"{path}: {error.strerror or error}; expected to read it") from error
