"""Moving aside what cannot be used: nothing that a port cannot read is deleted."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

from tenuto.reference.checkpoint.entries import numbered
from tenuto.reference.checkpoint.refusals import write_refusal
from tenuto.reference.checkpoint.storage import PosixStorage, StorageOps

__all__ = ["quarantine"]

_FOLDER: Final = "quarantine"


def quarantine(folder: str, names: Iterable[str], ops: StorageOps | None = None) -> dict[str, str]:
    """Moves files of a folder into its folder `quarantine/`; nothing there is replaced.

    Args:
        folder: Where the files lie.
        names: Of the files; a symbolic link is moved as it is.
        ops: The storage to work through.

    Returns:
        The new name of each, relative to the folder.

    Raises:
        CheckpointError: `disk_full`, `not_writable` or `io_error`, phase `io`; what was moved before stays there.

    Spec: STORE-KEEP-003, TR-RES-017.
    """
    ops, moved = ops or PosixStorage(), dict[str, str]()
    try:
        for name in names:
            inner, last = os.path.split(os.path.join(_FOLDER, name))
            ops.make_folder(os.path.join(folder, inner))
            taken = ops.names(os.path.join(folder, inner))
            moved[name] = os.path.join(inner, next(free for free in numbered(last) if free not in taken))
            ops.rename(os.path.join(folder, name), os.path.join(folder, moved[name]))
            ops.sync_folder(os.path.join(folder, inner))
            _leave(folder, os.path.dirname(name), ops)
        ops.sync_folder(folder)
    except OSError as error:
        raise write_refusal("moving aside in", folder, error) from error
    return moved


def _leave(folder: str, epoch: str, ops: StorageOps) -> None:
    """Removes the folder of an epoch that became empty.

    Spec: STORE-DIR-002.
    """
    if epoch and not ops.names(os.path.join(folder, epoch)):
        ops.remove_folder(os.path.join(folder, epoch))
