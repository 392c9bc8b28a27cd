"""Adapters that end when they should not, or do not end when they should."""

import os
import signal
import sys
import time
from pathlib import Path

from tenuto.conformance_tests.meta.hostile.polite import Request, about_files, polite, reply


def crashes(request: Request, number: int) -> None:
    """Dies of a signal at its third request."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    reply(request, **polite(request))


def exits_early(request: Request, number: int) -> None:
    """Ends with exit code 0 at its third request."""
    if number == 3:
        sys.exit(0)
    reply(request, **polite(request))


def crashes_on_files(request: Request, _: int) -> None:
    """Dies of a signal at each file."""
    if about_files(request):
        os.kill(os.getpid(), signal.SIGKILL)
    reply(request, **polite(request))


def refuses_by_crashing(request: Request, _: int) -> None:
    """Ends where it would refuse a file."""
    if about_files(request) and not Path(request["path"]).read_bytes().endswith(b"TENUTO\n"):
        sys.exit(1)
    reply(request, **polite(request))


def exits_after_hello(request: Request, _: int) -> None:
    """Greets, and is gone with the next request unread."""
    reply(request, **polite(request))
    sys.exit(0)


def stays(request: Request, _: int) -> None:
    """Does not end after bye."""
    reply(request, **polite(request))
    if request["op"] == "bye":
        time.sleep(600)


def outlives_its_input(request: Request, _: int) -> None:
    """Does not end at the end of its input; see `main`."""
    reply(request, **polite(request))


def ends_badly(request: Request, _: int) -> None:
    """Says bye, and ends with exit code 3."""
    reply(request, **polite(request))
    if request["op"] == "bye":
        sys.exit(3)


def dies_at_the_end(request: Request, _: int) -> None:
    """Says bye, and dies of a signal."""
    reply(request, **polite(request))
    if request["op"] == "bye":
        os.kill(os.getpid(), signal.SIGABRT)
