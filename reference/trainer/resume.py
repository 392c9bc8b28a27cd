"""Which checkpoint a run continues from. Reads folders; changes nothing."""

from __future__ import annotations

import logging
import os
import secrets
from typing import Any

from attrs import frozen

from tenuto.reference.checkpoint.entries import Entry, Ledger
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.ledger import read_entry, read_ledger
from tenuto.reference.checkpoint.tree import Document, refuse
from tenuto.reference.errors import CheckpointError, ConfigError
from tenuto.reference.events.contexts import RunIdentity

__all__ = ["Start", "choose_start", "new_run"]

_log = logging.getLogger("tenuto")


@frozen
class Start:
    """How an attempt begins.

    Attributes:
        run: The identity of this attempt.
        state: To be restored; None for a fresh start.
        path: Of the file that `state` came from.
    """

    run: RunIdentity
    state: Document | None = None
    path: str | None = None


def new_run() -> RunIdentity:
    """Returns the identity of a run that has not been before."""
    return RunIdentity(run_id=secrets.token_hex(8))


def choose_start(resume: str | os.PathLike[str], folder: str | None) -> Start:
    """Finds what to continue from.

    Args:
        resume: `never`, `auto`, or the path of a checkpoint or of a folder with checkpoints.
        folder: Where this run saves, if it does.

    Raises:
        ConfigError: `directory_in_use`, `ambiguous_run` or `no_checkpoint_dir`.
        CheckpointError: `no_usable_checkpoint`, or why the file given cannot be used.

    Spec: TR-RES-001 to TR-RES-007.
    """
    wanted = os.fspath(resume)
    if wanted == "never":
        return _fresh(folder)
    if wanted == "auto":
        if folder is None:
            message = "resume='auto': no callback saves checkpoints; expected one, or the path of a checkpoint"
            raise ConfigError("no_checkpoint_dir", message)
        ledger = read_ledger(folder)
        if not ledger.entries and not ledger.damaged:
            _log.info("no checkpoint in %s: starting fresh", folder)
            return _fresh(folder)
        return _newest(folder, ledger, folder)
    if os.path.isdir(wanted):
        return _newest(wanted, read_ledger(wanted), folder)
    return _from_file(wanted, folder)


def _fresh(folder: str | None) -> Start:
    found = read_ledger(folder) if folder else Ledger((), ())
    names = [entry.name for entry in found.entries] + [file.name for file in found.damaged]
    if names:
        message = (
            f"folder {folder}: holds {len(names)} checkpoints, {names[0]} among them; expected none for a fresh start "
            "(--resume auto continues that run, --output names another folder)"
        )
        raise ConfigError("directory_in_use", message)
    return Start(new_run())


def _newest(searched: str, ledger: Ledger, folder: str | None) -> Start:
    runs = ledger.run_ids()
    if len(runs) > 1:
        message = f"folder {searched}: checkpoints of {len(runs)} runs ({', '.join(runs)}); expected one run, or a file"
        raise ConfigError("ambiguous_run", message)
    for file in ledger.damaged:
        _log.warning("passing over %s: %s", file.name, file.message)
    for entry in ledger.newest_first():
        state = _usable(searched, entry)
        if state is not None:
            return _continue(os.path.join(searched, entry.name), entry, state, folder)
    count = len(ledger.entries) + len(ledger.damaged)
    message = f"folder {searched}: none of {count} checkpoints can be used; expected one that passes every check"
    raise refuse("no_usable_checkpoint", message, phase="restore")


def _usable(folder: str, entry: Entry) -> Document | None:
    """Reads a candidate whole; says why it is passed over."""
    if not entry.is_exact:
        _log.warning("passing over %s: its state is not exact (the training failed inside an update)", entry.name)
        return None
    try:
        return read_checkpoint(os.path.join(folder, entry.name))
    except CheckpointError as error:
        _log.warning("passing over %s: %s", entry.name, error)
        return None


def _from_file(path: str, folder: str | None) -> Start:
    state = read_checkpoint(path)
    where, name = os.path.split(os.path.abspath(path))
    return _continue(path, read_entry(where, name), state, folder)


def _continue(path: str, entry: Entry, state: Document, folder: str | None) -> Start:
    ledger = read_ledger(folder) if folder else Ledger((), ())
    others = [run_id for run_id in ledger.run_ids() if run_id != entry.run_id]
    if others:
        message = (
            f"folder {folder}: holds checkpoints of run {others[0]}; expected none but those of run {entry.run_id}"
        )
        raise ConfigError("directory_in_use", message)
    metadata: Any = state.head["metadata"]
    parent = str(metadata["origin"]["checkpoint_id"])
    attempt = max(ledger.last_attempt(entry.run_id), entry.attempt) + 1
    _log.info("Loading checkpoint from %s", path)
    return Start(RunIdentity(entry.run_id, attempt, parent), state, path)
