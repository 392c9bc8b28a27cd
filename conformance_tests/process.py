"""An adapter as a child process: started in its own process group, read with deadlines, killed as a whole.

Nothing that the child does can block or exhaust the runner: all pipes are non-blocking, noise is dropped as
it arrives, and a reply longer than the limit ends the reading. A child that leaves the process group is known by a
mark in its environment; one that takes that off as well escapes, until its limit of CPU time.

Spec: CONF-LINE-003, CONF-VERDICT-005.
"""

import contextlib
import os
import secrets
import selectors
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from attrs import define, frozen

from tenuto.conformance_tests.limits import Limits
from tenuto.conformance_tests.lines import LineReader, OversizedError

STDERR_KEPT = 1 << 16
SETTLE_SECONDS = 1.0
DRAIN_READS = 32
MARK = "TENUTO_ADAPTER"
KILL_ROUNDS = 3  # a process may start another while it is looked for


@frozen
class Answer:
    """A line that starts with the prefix."""

    line: bytes


@frozen
class Ended:
    """The adapter ended, or closed its output, before it answered."""

    how: str


@frozen
class Late:
    """No answer before the deadline."""

    seconds: float


@frozen
class Oversized:
    """A reply beyond the limit of a line."""

    limit: int


Outcome = Answer | Ended | Late | Oversized


@frozen
class Exit:
    """How a process ended: an exit code, or minus the number of a signal."""

    code: int

    def __str__(self) -> str:
        """In words."""
        if self.code >= 0:
            return f"ended with exit code {self.code}"
        try:
            name = signal.Signals(-self.code).name
        except ValueError:
            name = str(-self.code)
        return f"died of signal {name}"


@define
class Adapter:
    """A running adapter.

    Attributes:
        popen: the process, the leader of its group.
        mark: what it and its children have in their environment.
        reader: splits what it prints.
        replies: replies that nobody has taken yet.
        stderr: the last that it said there.
        closed: its stdout has ended.
        silent: its stderr has ended.
    """

    popen: "subprocess.Popen[bytes]"
    mark: str
    reader: LineReader
    replies: "deque[bytes]"
    stderr: bytearray
    closed: bool = False
    silent: bool = False

    @classmethod
    def start(cls, command: Sequence[str], folder: Path, limits: Limits) -> "Adapter":
        """Start the adapter in its folder; raises OSError if that is not possible."""
        mark = secrets.token_hex(8)
        popen = subprocess.Popen(
            list(command),
            cwd=folder,
            env={**os.environ, MARK: mark},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
        limits.hold(popen.pid)
        for pipe in (popen.stdin, popen.stdout, popen.stderr):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
        return cls(popen, mark, LineReader(), deque(), bytearray())

    def ask(self, line: bytes, seconds: float, given_up: threading.Event | None = None) -> Outcome:
        """Send a line and wait for the next reply; a reply that came unasked is taken for the answer.

        Args:
            line: the request.
            seconds: the deadline.
            given_up: ends the waiting when it is set.
        """
        deadline = time.monotonic() + seconds
        pending = line
        try:
            while not self.replies:
                left = deadline - time.monotonic()
                if left <= 0 or (given_up is not None and given_up.is_set()):
                    return Late(seconds)
                if self.closed or self._exit() is not None:
                    return self._last_reply()
                pending = self._pump(pending, left)
        except OversizedError as error:
            return Oversized(error.limit)
        return Answer(self.replies.popleft())

    def _last_reply(self) -> Outcome:
        """What an adapter said before its end; a child that it left behind may still hold its pipes."""
        found = self.wait(SETTLE_SECONDS)
        self._drain()
        if self.replies:
            return Answer(self.replies.popleft())
        return Ended("closed its output without ending" if found is None else str(found))

    def _pump(self, pending: bytes, seconds: float) -> bytes:
        """Move bytes on whatever pipe is ready; returns what is still to be sent."""
        stdin, stdout, stderr = self._pipes()
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            if not self.silent:
                selector.register(stderr, selectors.EVENT_READ)
            if pending:
                selector.register(stdin, selectors.EVENT_WRITE)
            ready = {key.fd for key, _ in selector.select(min(seconds, 0.2))}
        if stderr in ready:
            self._keep(_read(stderr))
        if stdout in ready:
            data = _read(stdout)
            self.closed = data == b""
            self.replies.extend(self.reader.feed(data or b""))
        if pending and stdin in ready:
            pending = _write(stdin, pending)
        return pending

    def _pipes(self) -> tuple[int, int, int]:
        pipes = (self.popen.stdin, self.popen.stdout, self.popen.stderr)
        stdin, stdout, stderr = (-1 if pipe is None or pipe.closed else pipe.fileno() for pipe in pipes)
        return stdin, stdout, stderr

    def close_input(self) -> None:
        """End the adapter's input."""
        if self.popen.stdin is not None:
            with contextlib.suppress(OSError):
                self.popen.stdin.close()

    def wait(self, seconds: float) -> Exit | None:
        """Wait for the end without reaping, so the id of the process group stays ours; None at the deadline."""
        deadline = time.monotonic() + seconds
        while (found := self._exit()) is None and time.monotonic() < deadline:
            self._drain()
            time.sleep(0.005)
        return found

    def _exit(self) -> Exit | None:
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        info = os.waitid(os.P_PID, self.popen.pid, options)
        if info is None:
            return None
        return Exit(info.si_status if info.si_code == os.CLD_EXITED else -info.si_status)

    def _drain(self) -> None:
        """Keep an adapter that still writes from being stuck on a full pipe."""
        _, stdout, stderr = self._pipes()
        for _ in range(DRAIN_READS):
            data = _read(stdout)
            if not data:
                break
            with contextlib.suppress(OversizedError):
                self.replies.extend(self.reader.feed(data))
        self._keep(_read(stderr))

    def _keep(self, data: bytes | None) -> None:
        """Keep the end of what the adapter says on stderr, for a person to read."""
        self.silent = self.silent or data == b""
        self.stderr += data or b""
        del self.stderr[:-STDERR_KEPT]

    def kill(self) -> None:
        """Kill the whole process group, and who has left it, and release everything."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()
        for _ in range(KILL_ROUNDS):
            others = list(_marked(self.mark))
            for process_id in others:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process_id, signal.SIGKILL)
            if not others:
                break
        for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _read(descriptor: int) -> bytes | None:
    """What is there now; empty at the end, None if there is nothing yet."""
    try:
        return os.read(descriptor, 1 << 16)
    except BlockingIOError:
        return None


def _write(descriptor: int, data: bytes) -> bytes:
    """What is left after one write; an adapter that reads no more gets nothing more."""
    try:
        return data[os.write(descriptor, data[: 1 << 16]) :]
    except BlockingIOError:
        return data
    except OSError:
        return b""


def _marked(mark: str) -> Iterator[int]:
    """The processes that run with a mark in their environment, where the system shows it."""
    wanted = f"{MARK}={mark}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in environment.read_bytes().split(b"\0"):
                yield int(environment.parent.name)
