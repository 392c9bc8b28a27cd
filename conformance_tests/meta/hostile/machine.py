"""Adapters that take more of the machine than they may, and processes that outlive them."""

import mmap
import os
import signal
import subprocess
import sys
from pathlib import Path

from tenuto.conformance_tests.meta.hostile.polite import Request, about_files, polite, reply

_SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
_TOO_MUCH = 1 << 34
_TOO_MANY = 100_000
_HUGE = 1 << 30


def eats_memory(request: Request, _: int) -> None:
    """Takes as much memory as a length in the file could ask for."""
    if about_files(request):
        mmap.mmap(-1, _TOO_MUCH)
    reply(request, **polite(request))


def opens_too_many_files(request: Request, _: int) -> None:
    """Never closes what it opens."""
    if about_files(request):
        for _number in range(_TOO_MANY):
            os.dup(0)
    reply(request, **polite(request))


def fills_the_disk(request: Request, _: int) -> None:
    """Writes without end, and says `ok` when it can no more."""
    if about_files(request):
        with Path(request["out"]).open("wb", buffering=0) as stream:
            try:
                while stream.write(bytes(1 << 24)):
                    stream.flush()
            except OSError:
                pass
        reply(request, reply="ok", canonical=True)
    else:
        reply(request, **polite(request))


def writes_a_hole(request: Request, _: int) -> None:
    """A file of 1 GiB that takes no room on the disk."""
    if about_files(request):
        with Path(request["out"]).open("wb") as stream:
            try:
                stream.truncate(_HUGE)
            except OSError:
                stream.truncate(_HUGE // 8)
        reply(request, reply="ok", canonical=True)
    else:
        reply(request, **polite(request))


def spins(request: Request, _: int) -> None:
    """Computes without end."""
    while about_files(request):
        pass
    reply(request, **polite(request))


def leaves_a_child(request: Request, _: int) -> None:
    """Dies and leaves a child behind that holds its pipes."""
    _leave(request, new_session=False)


def leaves_a_child_of_another_group(request: Request, _: int) -> None:
    """The same, and the child has left the process group."""
    _leave(request, new_session=True)


def _leave(request: Request, *, new_session: bool) -> None:
    if about_files(request):
        child = subprocess.Popen(_SLEEPER, start_new_session=new_session)
        Path("child").write_text(str(child.pid))
        os.kill(os.getpid(), signal.SIGKILL)
    reply(request, **polite(request))
