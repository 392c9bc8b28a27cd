"""Lane M: faults of the save protocol, each put into the code that runs, and the lane that has to find it.

A fault changes the text of one function or method, which is then compiled anew in its module; the file stays as it is.
"""

from __future__ import annotations

import importlib
import inspect
import textwrap
from contextlib import contextmanager

import pytest
from attrs import frozen

STORE = "tenuto.reference.checkpoint.store:Store."
SYSTEM = "tenuto.reference.checkpoint.storage:PosixStorage."
GATHER = "tenuto.reference.checkpoint.gathering:"
FILES = "tenuto.reference.checkpoint.files:"
RESUME = "tenuto.reference.trainer.resume:"
REPOSITORY = "tenuto.callbacks.repository:Repository."
FOLDER = "tenuto.callbacks.run_folder:RunFolder."
SAVER = "tenuto.callbacks.saver:Saver."
BACKGROUND = "tenuto.callbacks.background:Background."


@frozen
class Mutant:
    """A fault.

    Attributes:
        id: A short name.
        lane: `A`, `A'` or `D`, which finds it.
        where: Module, colon, and the function that it is in.
        old: Stands in the function once.
        new: Stands there instead.
        settings: Key of `SETTINGS` under which it is looked for.
        last: The verb that meets the faults of lane D; each in turn if it is empty.
    """

    id: str
    lane: str
    where: str
    old: str
    new: str
    settings: str = "links"
    last: str = ""

    @contextmanager
    def present(self):
        """Puts the fault into the running code while the context lasts."""
        module_name, _, path = self.where.partition(":")
        module = importlib.import_module(module_name)
        *way, name = path.split(".")
        owner = getattr(module, way[0]) if way else module
        text = textwrap.dedent(inspect.getsource(inspect.getattr_static(owner, name)))
        count = text.count(self.old)
        assert count == 1, f"{self.id}: `old` is {count} times in {self.where}; expected once"
        home, made = inspect.unwrap(getattr(owner, name)).__globals__, {}
        exec(compile(text.replace(self.old, self.new), f"<{self.id}>", "exec"), home, made)  # noqa: S102 - our own text
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(owner, name, made[name])
            yield


MUTANTS = (
    # -- the file
    Mutant("file is not synced", "A", f"{STORE}_write", "self.ops.sync(file)", "pass"),
    Mutant(
        "file is synced before it is written",
        "A",
        f"{STORE}_write",
        "        fill(file)\n        self.ops.sync(file)\n",
        "        self.ops.sync(file)\n        fill(file)\n",
    ),
    Mutant(
        "failed sync is tried again",
        "D",
        f"{STORE}_write",
        "        self.ops.sync(file)\n",
        "        try:\n            self.ops.sync(file)\n        except OSError:\n            self.ops.sync(file)\n",
    ),
    Mutant(
        "failed sync is passed over",
        "D",
        f"{STORE}_write",
        "        self.ops.sync(file)\n",
        "        try:\n            self.ops.sync(file)\n        except OSError:\n            pass\n",
    ),
    Mutant("cache is not dropped", "D", f"{STORE}_write", "self.ops.drop_cache(file)", "pass"),
    Mutant("file is not closed", "D", f"{STORE}_write", "self.ops.close(file)", "pass"),
    Mutant(
        "short write is not continued", "D", f"{GATHER}write_all", "while batch:\n", "if batch:\n", "symbolic links"
    ),
    Mutant(
        "failed write is passed over",
        "D",
        "tenuto.reference.checkpoint.store:write_pieces",
        "        write_all(lambda _, left: ops.write(file, left), batch)",
        "        try:\n            write_all(lambda _, left: ops.write(file, left), batch)\n"
        "        except OSError:\n            pass",
        "symbolic links",
    ),
    # -- its name
    Mutant("folder is not synced", "A", f"{STORE}_put", "self.ops.sync_folder(os.path.dirname(final))", "pass"),
    Mutant(
        "folder is synced before the rename",
        "A",
        f"{STORE}_put",
        "        self.ops.rename(temporary, final)\n        self.ops.sync_folder(os.path.dirname(final))\n",
        "        self.ops.sync_folder(os.path.dirname(final))\n        self.ops.rename(temporary, final)\n",
    ),
    Mutant(
        "failed sync of the folder is passed over",
        "D",
        f"{STORE}_put",
        "        self.ops.sync_folder(os.path.dirname(final))\n",
        "        try:\n            self.ops.sync_folder(os.path.dirname(final))\n"
        "        except OSError:\n            pass\n",
    ),
    Mutant(
        "file is written under its own name",
        "A",
        f"{STORE}_put",
        "self.path(name), self._temporary(name)",
        "self.path(name), self.path(name)",
    ),
    Mutant(
        "file gets its name before it is synced",
        "A",
        f"{STORE}_write",
        "        self.ops.sync(file)\n",
        "        final = self.path('early.ckpt')\n        self.ops.link(path, final)\n        self.ops.sync(file)\n"
        "        self.ops.unlink(final)\n",
    ),
    Mutant("file is not read back", "D", f"{STORE}_put", "check(temporary)", "pass"),
    Mutant("only the head is read back", "D", f"{FILES}verify_checkpoint", "        opened.check_segments()\n", ""),
    Mutant(
        "file is read back after the rename",
        "D",
        f"{STORE}_put",
        "        if self.verify:\n            check(temporary)\n        self.ops.rename(temporary, final)\n",
        "        self.ops.rename(temporary, final)\n        if self.verify:\n            check(final)\n",
    ),
    Mutant("new folder is not synced", "A", f"{SYSTEM}make_folder", "self.sync_folder(parent)", "pass"),
    Mutant(
        "temporary file stays after an error",
        "D",
        f"{STORE}_replacing",
        "    except OSError as error:\n        self._discard(temporary)\n",
        "    except OSError as error:\n",
    ),
    Mutant(
        "temporary file stays after a failed check",
        "D",
        f"{STORE}_replacing",
        "    except BaseException:\n        self._discard(temporary)\n",
        "    except BaseException:\n",
    ),
    Mutant(
        "error has no code", "D", f"{STORE}_replacing", "raise write_refusal(what, final, error) from error", "raise"
    ),
    # -- second names
    Mutant(
        "second name is not synced",
        "A",
        f"{STORE}add_names",
        "self.ops.sync_folder(self.folder)",
        "pass",
        "latest alone",
    ),
    Mutant(
        "copy is not read back",
        "D",
        f"{STORE}_add_name",
        "files.verify_checkpoint(temporary, self.ops)",
        "pass",
        "copies, folders of epochs",
        last="best",
    ),
    Mutant(
        "copy is linked before it is written",
        "A",
        f"{STORE}_add_name",
        "            self._write(temporary, self._copying(self._contents(source)))\n",
        "            temporary = final + '.ckpt'\n"
        "            self._write(temporary, self._copying(self._contents(source)))\n",
        "copies, folders of epochs",
    ),
    Mutant("file is set aside without a sync", "A", f"{STORE}rename", "self.ops.sync_folder(self.folder)", "pass"),
    Mutant("file in the way is not set aside", "A", f"{FOLDER}set_aside", "    self.store.rename(name, aside)\n", ""),
    Mutant(
        "second names are not made good", "A", f"{REPOSITORY}repair", 'self._folder.lead(name, fits, "link")', "True"
    ),
    Mutant("latest is not made good", "A", f"{REPOSITORY}repair", "self._newest is not None", "False"),
    # -- deleting
    Mutant(
        "old checkpoints are deleted before the save",
        "A",
        f"{REPOSITORY}write",
        "    entry = self._folder.save(first, job.document)\n",
        "    if job.may_delete:\n        self._retain(job.lists)\n        self._folder.delete([one.name for one in"
        " self._folder.built_on()] if getattr(self._retention, 'newest_alone', False) else [])\n"
        "    entry = self._folder.save(first, job.document)\n",
    ),
    Mutant("deleting is not synced", "A", f"{STORE}delete", "self.ops.sync_folder(self.folder)", "pass"),
    Mutant(
        "best is deleted with the others",
        "A",
        f"{REPOSITORY}_retain",
        "(*plan.delete, *self._overdue)",
        "(*plan.delete, *plan.keep[:-1])",
    ),
    Mutant(
        "deleting is told to nobody",
        "A",
        f"{REPOSITORY}_retain",
        "return tuple(DeletedCheckpoint(self._folder.store.path(name)) for name in gone)",
        "return ()",
    ),
    # -- what becomes of an error
    Mutant("failed save is told to nobody", "D", f"{SAVER}_count_failure", "raise error", "pass", last="async"),
    Mutant(
        "failed save in the background is lost",
        "D",
        f"{BACKGROUND}take",
        "return future.result()",
        "return None if future.exception() else future.result()",
        last="async",
    ),
    Mutant("thread is left", "D", f"{BACKGROUND}close", "self._thread.shutdown(wait=True)", "pass", last="async"),
    Mutant(
        "failed emergency save is passed over",
        "D",
        f"{SAVER}save_emergency",
        "    self._note(self._opened(context.run).write(job))\n",
        "    try:\n        self._note(self._opened(context.run).write(job))\n"
        "    except CheckpointError:\n        pass\n",
    ),
    # -- recovery
    Mutant("left-overs are not swept", "A", f"{STORE}sweep", "self.delete(left)", "pass"),
    Mutant(
        "damaged folder starts a run anew",
        "D",
        f"{RESUME}read_ledger",
        'raise refuse("io_error", message, phase="io") from error',
        "names = []",
        last="resume",
    ),
    Mutant(
        "names decide which is newest",
        "A",
        f"{RESUME}_newest",
        "ledger.newest_first()",
        "sorted(ledger.entries, key=lambda entry: entry.name)",
    ),
    Mutant(
        "link decides which is newest",
        "A",
        f"{RESUME}_newest",
        "ledger.newest_first()",
        "sorted(ledger.newest_first(), key=lambda entry: not any("
        "one.name == 'latest.ckpt' and one.checkpoint_id == entry.checkpoint_id for one in ledger.entries))",
    ),
    Mutant("oldest comes first", "A", f"{RESUME}_newest", "ledger.newest_first()", "ledger.newest_first()[::-1]"),
    Mutant(
        "list of a folder fails without a code",
        "D",
        f"{STORE}sweep",
        'raise write_refusal("listing", self.folder, error) from error',
        "raise",
        last="resume",
    ),
    Mutant("probe leaves its file", "D", f"{STORE}probe", "self.ops.unlink(temporary)", "pass", last="resume"),
    # -- the seam itself
    Mutant("sync does nothing", "A'", f"{SYSTEM}sync", "os.fsync(file)", "pass"),
    Mutant("sync of a folder does nothing", "A'", f"{SYSTEM}sync_folder", "os.fsync(folder)", "pass"),
    Mutant("a file that is there is overwritten", "A'", f"{SYSTEM}create", "os.O_EXCL | ", ""),
    Mutant("a link is followed", "A'", f"{SYSTEM}create", "os.O_NOFOLLOW | ", ""),
    Mutant(
        "a file is written around the seam",
        "A'",
        f"{FOLDER}save",
        "self.store.save(name, document)",
        "self.store.save(name, document); open(self.store.path('last.txt'), 'w').write(name)",
    ),
)
