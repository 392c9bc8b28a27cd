"""Lane A': what the system sees of a workload, by strace, beside what the recorder of the seam has noted.

Run as a program it does a workload in a folder and prints the log of the recorder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

CALLS = "openat,open,creat,write,writev,pwrite64,pwritev,pwritev2,fallocate,ftruncate,truncate,fsync,fdatasync,rename,"
CALLS += (
    "renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,sync_file_range,syncfs,sync"
)
PATH = r'"((?:[^"\\]|\\.)*)"'
FILE = r"\d+<([^>]*)>"
AT = r"(?:AT_FDCWD(?:<[^>]*>)?, )?"
# How a call is written by `strace -y` -> what the recorder calls it, and which of its parts are paths.
FORMS = (
    (rf"openat\({AT}{PATH}, (?=.*O_CREAT)(?=.*O_EXCL)(?=.*O_NOFOLLOW)[^,]*, \d+\) = ", "create"),
    (rf"p?writev?2?\({FILE}, ", "write"),
    (rf"fallocate\({FILE}, 0, 0, \d+\) = 0", "allocate"),
    (rf"fsync\({FILE}\) = 0", "sync"),
    (rf"rename\({PATH}, {PATH}\) = 0", "rename"),
    (rf"link\({PATH}, {PATH}\) = 0", "link"),
    (rf"linkat\(AT_FDCWD(?:<[^>]*>)?, {PATH}, AT_FDCWD(?:<[^>]*>)?, {PATH}, 0\) = 0", "link"),
    (rf"symlink\({PATH}, {PATH}\) = 0", "symlink"),
    (rf"unlink\({PATH}\) = 0", "unlink"),
    (rf"mkdir\({PATH}, \d+\) = 0", "mkdir"),
    (rf"rmdir\({PATH}\) = 0", "rmdir"),
)
READING = re.compile(rf"openat\({AT}{PATH}, O_RDONLY")


def trace(root, settings, verbs, mutant="none"):
    """Runs a workload under strace.

    Args:
        root: An empty folder.
        settings: Key of `SETTINGS`.
        verbs: In their order.
        mutant: The id of a fault of the protocol that is put into the program.

    Returns:
        What the recorder has noted and what the system has seen, each a list of (name, path, ...).
    """
    found = shutil.which("strace")
    assert found, "strace is not installed; `make strace` installs it"
    output, work = root / "strace.txt", root / "work"
    work.mkdir()
    command = [found, "-f", "-y", "-s", "0", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", output]
    program = [sys.executable, __file__, str(work), mutant, settings, *verbs]
    ended = subprocess.run([*command, *program], capture_output=True, text=True, check=True)
    return [tuple(one) for one in json.loads(ended.stdout)], list(seen(output.read_text(), str(work)))


def seen(text, root):
    """Yields the calls of a trace that concern what lies in a folder; one of no known form as it is."""
    for spaced in _whole_lines(text):
        line = re.sub(r"\) +=", ") =", spaced)  # results are aligned
        if root not in line or READING.match(line) or " = -1 " in line:
            continue
        for form, name in FORMS:
            found = re.match(form, line)
            if found:
                yield (name, *(_relative(path, root) for path in found.groups()))
                break
        else:
            yield "unknown", line


def _whole_lines(text):
    """Yields the calls without the number of their process; those of two halves are put together."""
    halves = {}
    for line in text.splitlines():
        process, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            halves[process] = call.removesuffix("<unfinished ...>").rstrip()
        elif call.startswith("<..."):
            yield halves.pop(process) + re.sub(r"^<\.\.\. \w+ resumed>", "", call)
        else:
            yield call


def _relative(path, root):
    return os.path.relpath(path, root) if path.startswith(root) else path


def noted(log):
    """Returns the log of a recorder in the same form; a handle is named as the system names it, by its path."""
    paths = {}
    for one in log:
        if one.name == "create":
            paths[one.inode] = one.path
        if one.name in {"allocate", "write", "sync"}:
            yield one.name, paths[one.inode]
        elif one.name == "sync_folder":
            yield "sync", one.path
        elif one.name == "symlink":
            yield one.name, one.other, one.path
        elif one.name in {"rename", "link"}:
            yield one.name, one.path, one.other
        elif not one.name.startswith(("acknowledge", "tell", "give up")):
            yield one.name, one.path


def main():
    """Does a workload and prints what was noted."""
    from crash.mutants import MUTANTS
    from crash.workloads import PARALLEL, SETTINGS, Course

    root, chosen, settings, *verbs = sys.argv[1:]
    course = Course(Path(root), SETTINGS[settings], in_parallel=settings in PARALLEL)
    with ExitStack() as stack:
        for mutant in (one for one in MUTANTS if one.id == chosen):
            stack.enter_context(mutant.present())
        stack.enter_context(course.going())
        course.run(verbs)
    print(json.dumps(list(noted(course.storage.log))))  # noqa: T201 - for the process that runs this one


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
