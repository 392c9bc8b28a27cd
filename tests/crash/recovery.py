"""What a resume makes of a folder after a crash, and whether that is what was promised."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from crash.disk import FOLDER, Link
from crash.training import Attempt
from crash.workloads import age_of
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.errors import CheckpointError, TenutoError


class BreachError(Exception):
    """Something that is promised does not hold."""


def expect(holds, what):
    if not holds:
        raise BreachError(what)


def put_on_disk(state, root):
    """Makes a state of a disk in a folder; two names of one file are two names of one file."""
    shutil.rmtree(root, ignore_errors=True)
    Path(root).mkdir()
    made = {}
    for path, one in sorted(state.names.items()):
        target = os.path.join(root, path)
        if one == FOLDER:
            os.mkdir(target)
        elif isinstance(one, Link):
            os.symlink(one.target, target)
        elif one in made:
            os.link(made[one], target)
        else:
            made[one] = target
            with open(target, "xb", buffering=0) as file:
                file.write(state.contents[one])


def check_files(state, disk, given):
    """Checks what lies on a disk, before anything is done to it.

    Args:
        state: What lies there.
        disk: On which a crash has led to it.
        given: Everything that was given to be saved.

    Raises:
        BreachError: A name leads to something else than a checkpoint, or one that was acknowledged is gone.

    Spec: STORE-SAVE-013, CPC-KEEP-002.
    """
    for path, one in state.names.items():
        if path.endswith(".ckpt") and isinstance(one, int):
            expect(state.contents[one] in given.files, f"{path}: bytes that nobody saved under a name")
    there = set(state.names.values())
    for age, inode in disk.acknowledged:
        if inode in disk.live.values():
            expect(inode in there, f"an acknowledged checkpoint, {age}, has no name left, and nobody has deleted it")
    for path, inode in disk.deleted.items():
        back = state.names.get(path) == inode and disk.live.get(path) != inode
        expect(not back, f"{path}: there again, and the outside was told that it is deleted")


def check_end(disk):
    """Checks, between two verbs, that no acknowledged checkpoint was replaced or deleted without a word.

    Raises:
        BreachError: One was.

    Spec: TR-RES-008, CB-HOOK-017.
    """
    for age, inode in disk.acknowledged:
        is_known = inode in disk.live.values() or inode in disk.deleted.values()
        expect(is_known, f"an acknowledged checkpoint, {age}, is gone, and the outside was not told")


def recover(folder, settings, given, newest, *, twice=True, sure=True):
    """Resumes as a process does that is started again, and checks what comes of it.

    Args:
        folder: Of the run, after a crash.
        settings: Of the checkpoint callback.
        given: Everything that was given to be saved.
        newest: The age of the newest acknowledged checkpoint; None for none.
        twice: Whether it is done again, and has to change nothing.
        sure: Whether the best has to be there; it has not, where going back to an older state has given it up.

    Raises:
        BreachError: Something that is promised does not hold.
    """
    attempt = _attempt(folder, settings)
    state = attempt.start.state
    expect(newest is None or state is not None, f"a fresh start, although {newest} was acknowledged")
    if state is not None:
        expect(newest is None or age_of(state) >= newest, f"{age_of(state)} resumed; {newest} was acknowledged")
        expect(given.has(state), "the state that was resumed was never saved: a mixture")
        _check_names(folder, state, attempt, sure=sure)
    if twice and state is not None:
        before = listing(folder)
        again = _attempt(folder, settings)
        expect(
            again.run == attempt.run,
            f"a second recovery resumes {age_of(again.start.state)}, the first {age_of(state)}",
        )
        expect(listing(folder) == before, "a second recovery changes the folder")


def _attempt(folder, settings):
    try:
        return Attempt(folder, settings)
    except TenutoError as error:
        raise BreachError(f"no recovery: {error}") from error


def _check_names(folder, state, attempt, *, sure):
    """Checks that temporary files are gone and that second names lead where the state says."""
    prefix = f".{attempt.run.run_id}."
    left = [name for name in os.listdir(folder) if name.startswith(prefix)]
    expect(not left, f"temporary files are left: {left}")
    lists = attempt.callback._saver.recollection.now.lists
    for entry in (entry for entries in lists.values() if sure for entry in entries):
        stamped = attempt.callback._saver.recollection.now.stamped.values()
        name = next(iter(stamped), entry.file)
        expect(_leads_to(folder, name, (entry.epoch, entry.step)), f"{name}: does not lead to the best")
    if {"exception", "signal"}.isdisjoint(state.head["metadata"]["origin"]["reasons"]):
        expect(os.path.exists(os.path.join(folder, "latest.ckpt")), "latest.ckpt: not there, or leads nowhere")


def _leads_to(folder, name, place):
    try:
        progress = read_checkpoint(os.path.join(folder, name)).head["metadata"]["progress"]
    except CheckpointError:
        return False
    return (progress["epoch"], progress["global_step"]) == place


def listing(folder):
    """Returns what lies under each name below a folder: the file or the target of the link."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        is_link = path.is_symlink()
        found[str(path)] = os.readlink(path) if is_link else (path.stat().st_ino, path.is_dir())
    return found
