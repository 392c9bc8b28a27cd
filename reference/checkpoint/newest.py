"""The newest checkpoint of a folder, for loops that no trainer drives."""

from __future__ import annotations

import logging
import os

from tenuto.reference.checkpoint.entries import Entry, Ledger
from tenuto.reference.checkpoint.files import verify_checkpoint
from tenuto.reference.checkpoint.ledger import read_ledger
from tenuto.reference.checkpoint.tree import refuse
from tenuto.reference.errors import CheckpointError, ConfigError

__all__ = ["find_latest_checkpoint"]

_log = logging.getLogger("tenuto")


def find_latest_checkpoint(folder: str | os.PathLike[str]) -> str | None:
    """Returns the path of the newest checkpoint that a training can be resumed from, or None for a fresh start.

    Every byte of the file has been checked. Names, dates and links do not count; exports (`.pt`) and files that hold
    weights alone are no states to resume from.

    Args:
        folder: Where checkpoints lie; it need not be there.

    Raises:
        ConfigError: `ambiguous_run` where several runs have saved.
        CheckpointError: `no_usable_checkpoint` where there are files and none is whole: a fresh start would hide it.

    Spec: CPC-MAN-015.
    """
    name = os.fspath(folder)
    ledger = read_ledger(name)
    found = ledger.newest_first()
    runs = sorted({entry.run_id for entry in found})
    if len(runs) > 1:
        message = f"folder {name}: checkpoints of {len(runs)} runs ({', '.join(runs)}); expected one run"
        raise ConfigError("ambiguous_run", message)
    for file in ledger.damaged:
        _log.warning("passing over %s: %s", file.name, file.message)
    for entry in sorted(found, key=lambda one: not one.is_exact):  # stable: the newest of each kind stays first
        path = os.path.join(name, entry.name)
        if _is_whole(path):
            _say_what_is_newer(entry, found)
            return path
    _refuse_damaged(name, ledger, found)
    _log.info("no checkpoint in %s: starting fresh", name)
    return None


def _is_whole(path: str) -> bool:
    try:
        verify_checkpoint(path)
    except CheckpointError as error:
        _log.warning("passing over %s: %s", path, error)
        return False
    return True


def _say_what_is_newer(chosen: Entry, found: list[Entry]) -> None:
    if not chosen.is_exact:
        _log.warning("%s: its state is not exact; training may differ from an uninterrupted one", chosen.name)
        return
    for entry in found[: found.index(chosen)]:
        if not entry.is_exact:
            _log.warning("passing over %s: its state is not exact", entry.name)


def _refuse_damaged(name: str, ledger: Ledger, found: list[Entry]) -> None:
    count = len(found) + len(ledger.damaged)
    if count:
        message = f"folder {name}: none of {count} checkpoints can be used; expected one that passes every check"
        raise refuse("no_usable_checkpoint", message, phase="restore")
