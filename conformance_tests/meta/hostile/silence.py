"""Adapters that do not answer, or answer in the midst of noise."""

import json
import os
import signal
import sys
import time

from tenuto.conformance_tests.meta.hostile.polite import Request, about_files, polite, reply, say

_DEAD_STDOUT = 1


def hangs(request: Request, _: int) -> None:
    """Answers nothing about files."""
    if about_files(request):
        time.sleep(600)
    reply(request, **polite(request))


def hangs_at_once(_: Request, __: int) -> None:
    """Answers nothing at all."""
    time.sleep(600)


def stops_itself(request: Request, _: int) -> None:
    """Is stopped, which no process can ignore, and neither ends nor answers."""
    if about_files(request):
        os.kill(os.getpid(), signal.SIGSTOP)
    reply(request, **polite(request))


def closes_its_output(request: Request, _: int) -> None:
    """Lives on with its stdout closed."""
    if about_files(request):
        os.close(_DEAD_STDOUT)
        time.sleep(600)
    reply(request, **polite(request))


def prints_noise(request: Request, _: int) -> None:
    """Right answers among noise, some of it without end for the eye, and much on stderr."""
    say("loading\n\n@tenut\n@tenuto\n" + "x" * 3_000_000 + "\n")
    sys.stderr.write("warning " * 50_000)
    known = {"reply": "error", "code": "bad_magic", "phase": "open"} if about_files(request) else polite(request)
    reply(request, **known)
    say("done @tenuto {}\n")


def prints_garbage(request: Request, _: int) -> None:
    """Bytes that are no reply, in place of one."""
    if about_files(request):
        say("\x00\x01 not a reply\n" * 1000)
    else:
        reply(request, **polite(request))


def forgets_prefix(request: Request, number: int) -> None:
    """Noise in the greeting, which is answered; then a reply without its prefix."""
    if about_files(request):
        say(json.dumps({"id": request["id"], **polite(request)}) + "\n")
    else:
        say("ready\nsteady\n" if number == 1 else "")
        reply(request, **polite(request))


def forgets_flush(request: Request, _: int) -> None:
    """Holds its reply back, and the rest of the line that it began."""
    if request["op"] == "recode":
        say('@tenuto {"id"')
    elif not about_files(request):
        reply(request, **polite(request))


def floods(request: Request, _: int) -> None:
    """An endless line that is no reply."""
    while about_files(request):
        say("x" * 65536)
    reply(request, **polite(request))


def floods_stderr(request: Request, _: int) -> None:
    """An endless flood on stderr instead of an answer."""
    while about_files(request):
        sys.stderr.write("x" * 65536)
    reply(request, **polite(request))


def floods_reply(request: Request, _: int) -> None:
    """A reply that never ends."""
    say("@tenuto " if about_files(request) else "")
    while about_files(request):
        say("x" * 65536)
    reply(request, **polite(request))
