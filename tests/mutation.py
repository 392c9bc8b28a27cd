"""Copies of the package with one fault in them, and tests run on such a copy, each time in a process of its own.

Nothing of tenuto is imported here: what runs the tests has to import the copy.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import shutil
import sys
from pathlib import Path

import pytest
from attrs import frozen

ROOT = Path(__file__).parents[1]
SECONDS_MAX = 60
_OPEN = {Path("src"), Path("src/tenuto")}  # the links in here have to lead to folders of the copy
# A process is forked off one that has these loaded, but no test and nothing of tenuto: most of what a start costs.
_PRELOADED = ["attrs", "hypothesis", "msgpack", "numpy", "pytest", "rich.progress", "xxhash", "yaml"]
_FRESH = multiprocessing.get_context("forkserver")
_FRESH.set_forkserver_preload(_PRELOADED)
_TIMES = itertools.count(1)


@frozen
class Fault:
    """A change of one file.

    Attributes:
        file: Relative to the root of the repository.
        old: Stands in the file once.
        new: Stands in its place in the copy.
    """

    file: str
    old: str
    new: str

    def changed(self):
        """Returns the text of the changed file.

        Raises:
            AssertionError: What is to be changed is not there, or more than once.
        """
        text = (ROOT / self.file).read_text()
        found = text.count(self.old)
        wish = "put what stands there now into `old` and `new`, or remove the mutant if nothing is left that it spoils"
        assert found == 1, f"`old` is {found} times in {self.file}; expected once: {wish}"
        return text.replace(self.old, self.new)


@frozen
class Outcome:
    """What became of one test.

    Attributes:
        req: The requirements that it is marked with.
        raised: Phase -> name of the class of what was raised in it: `setup`, `call`, `teardown`.
    """

    req: tuple[str, ...]
    raised: dict[str, str]


class Copy:
    """A folder that looks like the repository; all but a changed file are links.

    Args:
        folder: Where to make it, and what belongs to it. One folder serves for many copies, one after another: the
            bytecode is then compiled once.
    """

    def __init__(self, folder):
        self.root, self._folder = folder / "copy", folder

    def make(self, fault=None):
        """Makes the copy anew."""
        shutil.rmtree(self.root, ignore_errors=True)
        changed = Path(fault.file) if fault else None
        self._mirror(Path(), _OPEN | set(changed.parents if changed else ()))
        if fault:
            path = self.root / changed
            path.unlink()
            path.write_text(fault.changed())
            # Bytecode is told to be of a file by time and size, and the next fault may have the same size.
            os.utime(path, (next(_TIMES),) * 2)

    def _mirror(self, folder, opened):
        (self.root / folder).mkdir()
        for path in (ROOT / folder).iterdir():
            below = folder / path.name
            if path.name.startswith("."):
                continue
            if path.is_symlink():
                (self.root / below).symlink_to(os.readlink(path))
            elif below in opened:
                self._mirror(below, opened)
            else:
                (self.root / below).symlink_to(path)

    def run(self, nodes):
        """Runs tests on the copy and returns the outcome of each by its node.

        Raises:
            AssertionError: They could not be collected, or did not end in time.
        """
        outcomes, output = self._folder / "outcomes.json", self._folder / "output.txt"
        outcomes.unlink(missing_ok=True)
        process = _FRESH.Process(target=_run, args=(self._folder, nodes))
        process.start()
        process.join(SECONDS_MAX)
        ended = not process.is_alive()
        if not ended:
            process.kill()
            process.join()
        assert ended, f"{', '.join(nodes)}: not ended after {SECONDS_MAX} s"
        found = json.loads(outcomes.read_text()) if outcomes.exists() else {}
        lost = [node for node in nodes if node not in found]
        assert not lost, f"{', '.join(lost)}: no such test; pytest said:\n{output.read_text()}"
        return {node: Outcome(tuple(found[node]["req"]), found[node]["raised"]) for node in nodes}


class _Notes:
    """A plugin of pytest that notes what becomes of each test."""

    def __init__(self):
        self.outcomes = {}

    def pytest_itemcollected(self, item):
        req = sorted({one for mark in item.iter_markers("req") for one in mark.args})
        self.outcomes[item.nodeid] = {"req": req, "raised": {}}

    def pytest_runtest_makereport(self, item, call):
        if call.excinfo is not None:
            self.outcomes[item.nodeid]["raised"][call.when] = call.excinfo.type.__name__


def _run(folder, nodes):
    """Runs in the new process."""
    assert not any(name.partition(".")[0] == "tenuto" for name in sys.modules)
    root, bytecode = folder / "copy", str(folder / "bytecode")
    output = os.open(folder / "output.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(root)
    for name in ("PYTEST_ADDOPTS", "PYTHONDONTWRITEBYTECODE"):
        os.environ.pop(name, None)
    os.environ.update(PYTHONPATH=f"{root}/src", PYTHONPYCACHEPREFIX=bytecode, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    sys.pycache_prefix, sys.dont_write_bytecode = bytecode, False
    sys.path.insert(0, f"{root}/src")
    notes = _Notes()
    unneeded = ["-p", "no:cacheprovider", "-p", "no:unraisableexception"]  # the second one collects garbage for long
    pytest.main(["-q", *unneeded, f"--rootdir={root}", f"--basetemp={folder / 'tmp'}", *nodes], plugins=[notes])
    (folder / "outcomes.json").write_text(json.dumps(notes.outcomes))
