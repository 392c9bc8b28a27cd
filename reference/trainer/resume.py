"""Which checkpoint a run continues from. Reads folders; moves files aside only where it was allowed to."""

from __future__ import annotations

import logging
import os
import secrets
from typing import Any

from attrs import astuple, frozen

from tenuto.reference.checkpoint.entries import Entry, Ledger, is_run_id
from tenuto.reference.checkpoint.files import foreign_name, read_checkpoint
from tenuto.reference.checkpoint.ledger import read_ledger
from tenuto.reference.checkpoint.quarantine import quarantine
from tenuto.reference.checkpoint.tree import Document, refuse
from tenuto.reference.errors import CheckpointError, ConfigError, RestoreError, TenutoError
from tenuto.reference.events.contexts import RunIdentity
from tenuto.reference.trainer.settings import OnUnusable
from tenuto.reference.trainer.state import check_form, progress_of

__all__ = ["Start", "choose_start", "identity_after", "new_run"]

_log = logging.getLogger("tenuto")


@frozen
class Start:
    """How an attempt begins.

    Attributes:
        run: The identity of this attempt.
        state: To be restored; None for a fresh start.
    """

    run: RunIdentity
    state: Document | None = None


def new_run() -> RunIdentity:
    """Returns the identity of a run that has not been before."""
    return RunIdentity(run_id=secrets.token_hex(8))


def choose_start(resume: str | os.PathLike[str], folder: str | None, on_unusable: OnUnusable = "error") -> Start:
    """Finds what to continue from.

    Args:
        resume: `never`, `auto`, or the path of a checkpoint or of a folder with checkpoints.
        folder: Where this run saves, if it does.
        on_unusable: What `auto` does where the folder holds checkpoints and none is usable: `error` fails, `fresh`
            moves them to `quarantine/` and starts fresh.

    Raises:
        ConfigError: `directory_in_use`, `ambiguous_run` or `no_checkpoint_dir`.
        CheckpointError: `no_usable_checkpoint`, or why the file given cannot be used or moved.

    Spec: TR-RES-001 to TR-RES-007, TR-RES-017.
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
            return Start(new_run())
        try:
            return _newest(folder, ledger, folder)
        except CheckpointError as error:
            if on_unusable == "error" or error.code != "no_usable_checkpoint":
                raise
        _move_aside(folder, ledger)
        return Start(new_run())
    if os.path.isdir(wanted):
        return _newest(wanted, read_ledger(wanted), folder)
    return _from_file(wanted, folder)


def _fresh(folder: str | None) -> Start:
    found = read_ledger(folder) if folder else Ledger((), ())
    names = [entry.name for entry in found.entries] + [file.name for file in found.damaged]
    if names:
        message = (
            f"folder {folder}: holds checkpoints, {names[0]} among them; expected none for a fresh start "
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
            # The heads of the folder need not be read again to know who this attempt is.
            return _continue(os.path.join(searched, entry.name), state, folder, ledger if searched == folder else None)
    count = len(ledger.entries) + len(ledger.damaged)
    message = f"folder {searched}: none of {count} checkpoints can be used; expected one that passes every check"
    raise refuse("no_usable_checkpoint", message, phase="restore")


def _usable(folder: str, entry: Entry) -> Document | None:
    """Reads a candidate whole; says why it is passed over."""
    try:
        return _read_usable(folder, entry)
    except TenutoError as error:
        _log.warning("passing over %s", error)
        return None


def _read_usable(folder: str, entry: Entry) -> Document:
    """Reads a candidate whole.

    Raises:
        TenutoError: Why it cannot be used.

    Spec: TR-RES-002, TR-RES-020, TR-RES-023.
    """
    if entry.is_full and not entry.is_exact:
        message = f"{entry.name}: its state is not exact (the training failed inside an update or a hook)"
        raise RestoreError("inexact_state", message)
    path = os.path.join(folder, entry.name)
    state = _read(path)
    try:
        check_form(state)
    except RestoreError as error:
        raise RestoreError(error.code, f"{path}: {error.message}") from error
    return state


def _move_aside(folder: str, ledger: Ledger) -> None:
    """Moves every checkpoint of a folder to `quarantine/` and names it with its code.

    Spec: TR-RES-017.
    """
    codes = {file.name: file.code for file in ledger.damaged}
    for entry in ledger.entries:
        try:
            _read_usable(folder, entry)
        except TenutoError as error:
            codes[entry.name] = error.code
    for name, moved in quarantine(folder, sorted(codes)).items():
        _log.warning("moved %s to %s: it cannot be used [%s]", name, moved, codes[name])


def _from_file(path: str, folder: str | None) -> Start:
    is_bare = os.path.basename(path) == path and not os.path.exists(path)
    where = os.path.join(folder, path) if is_bare and folder else path
    return _continue(where, _read(where), folder)


def _continue(path: str, state: Document, folder: str | None, ledger: Ledger | None = None) -> Start:
    run = identity_after(state, folder, ledger)
    _log.info("Loading checkpoint from %s", path)
    return Start(run, state)


def _read(path: str) -> Document:
    """Reads a checkpoint; a refusal says, where the first bytes of the file tell, what it is.

    Spec: STORE-CLI-003.
    """
    try:
        return read_checkpoint(path)
    except CheckpointError as error:
        foreign = foreign_name(path) if error.phase == "open" else None
        if foreign is None:
            raise
        raise CheckpointError(error.code, f"{error.message}; this is {foreign}", phase=error.phase) from error


def identity_after(state: Document, folder: str | None, ledger: Ledger | None = None) -> RunIdentity:
    """Returns the identity of an attempt that continues from a state.

    Args:
        state: A full checkpoint.
        folder: Where the attempt saves, if it does.
        ledger: Of that folder, if it has just been read.

    Raises:
        ConfigError: `directory_in_use` if other runs have checkpoints there.
        RestoreError: `not_resumable` for a state that no training has saved.

    Spec: TR-RES-005, TR-RES-007, TR-RES-008, TR-REST-014, TR-STATE-020.
    """
    metadata: Any = state.head["metadata"]
    try:
        origin, position = metadata["origin"], astuple(progress_of(state))
        run_id, attempt, parent = origin["run_id"], int(origin["attempt"]), str(origin["checkpoint_id"])
        earlier = tuple((int(number), tuple(place)) for number, *place in origin["lineage"])
    except (KeyError, TypeError, ValueError) as error:
        message = f"metadata.origin and progress: {error!r}; expected those of a training state"
        raise RestoreError("not_resumable", message) from error
    if not is_run_id(run_id):
        raise RestoreError(
            "not_resumable", f"metadata.origin.run_id: {run_id!r}; expected 1 to 64 of A-Z a-z 0-9 . _ -"
        )
    ledger = ledger or (read_ledger(folder) if folder else Ledger((), ()))
    others = [other for other in ledger.run_ids() if other != run_id]
    if others:
        message = f"folder {folder}: holds checkpoints of run {others[0]}; expected none but those of run {run_id}"
        raise ConfigError("directory_in_use", message)
    return RunIdentity(run_id, max(ledger.last_attempt(run_id), attempt) + 1, parent, (*earlier, (attempt, position)))
