"""A conversation with one port: starts and greets its adapter, asks it one case at a time, survives all of it.

Spec: CONF-VERDICT-005, CONF-VERDICT-006, CONF-VERDICT-007, CONF-OP-001 to CONF-OP-005.
"""

import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field

from tenuto.conformance_tests import judge
from tenuto.conformance_tests.cases import (
    BadLine,
    BadOut,
    Conversation,
    Decode,
    Echo,
    End,
    Hello,
    Recode,
    Refusal,
    Refuse,
    SuiteError,
    Talk,
    Task,
    UnknownOperation,
)
from tenuto.conformance_tests.judge import Judgement, Verdict
from tenuto.conformance_tests.limits import Deadlines, Limits
from tenuto.conformance_tests.oracle.document import Json, MalformedError
from tenuto.conformance_tests.port import Port
from tenuto.conformance_tests.process import Adapter, Answer, Ended, Late, Outcome
from tenuto.conformance_tests.protocol import Reply, check_reply, parse_reply, request_line
from tenuto.conformance_tests.written import written

BAD_LINE = b'{"id":"1","op":\n'
CANNOT_WRITE = Refusal("io_error", "io")
WRITTEN_LIMIT = 1 << 28


class _LostError(Exception):
    """The adapter is of no more use; it carries the judgement."""

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(judgement.detail)
        self.judgement = judgement


@define
class Session:
    """One run with one port.

    Attributes:
        port: the port.
        deadlines: how long to wait, already scaled.
        limits: of each process.
        sandbox: a folder of the runner that the port may read and write.
        adapter: the running adapter, if there is one.
        given_up: nobody waits for the answers any more.
        deaths: how often an adapter had to be given up.
    """

    port: Port
    deadlines: Deadlines
    limits: Limits
    sandbox: Path
    given_up: threading.Event = field(factory=threading.Event)
    adapter: Adapter | None = None
    deaths: int = 0
    _past_noise: int = 0
    _scratch: list[Path] = field(factory=list)

    @property
    def noise(self) -> int:
        """How many lines of stdout were no replies.

        Spec: CONF-LINE-003.
        """
        return self._past_noise + (self.adapter.reader.noise if self.adapter else 0)

    def run(self, task: Task) -> Judgement:
        """Ask one case; whatever the adapter does becomes a judgement."""
        try:
            adapter = self.adapter or self._start()
            return self._run(adapter, task)
        except _LostError as lost:
            self.stop()
            self.deaths += 1
            return lost.judgement
        except (MalformedError, RecursionError) as error:
            # Only what a port wrote is nested so deeply that reading it fails.
            return Judgement(Verdict.PROTOCOL, str(error))

    def ask(self, operation: str, members: Mapping[str, Json]) -> Reply:
        """See `Talk`."""
        return self._ask(self.adapter or self._start(), operation, members)

    def restart(self) -> None:
        """See `Talk`."""
        self.stop()
        self._start()

    def scratch(self) -> Path:
        """See `Talk`."""
        folder = self.sandbox / secrets.token_hex(8)
        folder.mkdir(parents=True)
        self._scratch.append(folder)
        return folder

    def stop(self) -> None:
        """Kill the adapter if one is running."""
        if self.adapter is not None:
            self._past_noise = self.noise
            self.adapter.kill()
            self.adapter = None

    def _start(self) -> Adapter:
        """Start and greet an adapter; a greeting that goes wrong loses it.

        Spec: CONF-OP-001.
        """
        try:
            adapter = Adapter.start(self.port.run, self.port.folder, self.limits)
        except OSError as error:
            detail = f"the adapter could not be started: {error}"
            raise _LostError(Judgement(Verdict.CRASH, detail, "a running adapter")) from error
        self.adapter = adapter
        nonce = secrets.token_hex(16)
        members: dict[str, Json] = {"protocol": "i:1", "spec": "1.0", "nonce": nonce}
        try:
            reply = self._ask(adapter, "hello", members, self.deadlines.hello)
            judgement = judge.judge_hello(self.port, nonce, reply)
        except MalformedError as error:
            judgement = Judgement(Verdict.PROTOCOL, str(error))
        if judgement.verdict is not Verdict.PASS:
            raise _LostError(judgement)
        return adapter

    def _ask(
        self,
        adapter: Adapter,
        operation: str,
        members: Mapping[str, Json],
        seconds: float | None = None,
        *,
        escape_slash: bool = False,
    ) -> Reply:
        """One request and its reply; an adapter that is out of step is lost.

        Spec: CONF-LINE-005, CONF-VERDICT-006.
        """
        request_id = secrets.token_hex(8)
        line = request_line({"id": request_id, "op": operation, **members}, escape_slash=escape_slash)
        return self._exchange(adapter, operation, line, request_id, seconds)

    def _exchange(
        self, adapter: Adapter, operation: str, line: bytes, request_id: str, seconds: float | None = None
    ) -> Reply:
        """One line and its reply."""
        outcome = adapter.ask(line, self.deadlines.operation if seconds is None else seconds, self.given_up)
        if not isinstance(outcome, Answer):
            raise _LostError(_no_answer(operation, outcome, adapter))
        try:
            reply = parse_reply(outcome.line, request_id)
        except MalformedError as error:
            raise _LostError(Judgement(Verdict.PROTOCOL, str(error))) from error
        check_reply(reply)
        return reply

    def _run(self, adapter: Adapter, task: Task) -> Judgement:
        match task:
            case Decode() | Refuse() | Recode() | BadOut():
                return self._file(adapter, task)
            case Conversation(carry_out):
                return self._converse(carry_out)
            case _:
                return self._about_adapter(adapter, task)

    def _about_adapter(self, adapter: Adapter, task: Hello | Echo | UnknownOperation | BadLine | End) -> Judgement:
        match task:
            case Hello():
                return judge.PASSED
            case Echo(value, escape_slash):
                reply = self._ask(adapter, "echo", {"value": value}, escape_slash=escape_slash)
                return judge.judge_echo(value, reply)
            case UnknownOperation():
                operation = f"x-{secrets.token_hex(4)}"
                return judge.judge_unknown(operation, self._ask(adapter, operation, {}))
            case BadLine():
                return judge.judge_bad_line(self._exchange(adapter, "a bad line", BAD_LINE, ""))
            case End(bye):
                return self._end(adapter, bye=bye)

    def _converse(self, carry_out: Callable[[Talk], Judgement]) -> Judgement:
        try:
            return carry_out(self)
        finally:
            while self._scratch:
                _remove(self._scratch.pop())

    def _file(self, adapter: Adapter, task: Decode | Refuse | Recode | BadOut) -> Judgement:
        """A case about a file; the names in the sandbox say nothing about it.

        Spec: CONF-OP-003, CONF-OP-004, CONF-VERDICT-007.
        """
        folder = self.sandbox / secrets.token_hex(8)
        folder.mkdir(parents=True)
        path, out = folder / secrets.token_hex(8), folder / secrets.token_hex(8)
        asked = task.place(path) or path
        members: dict[str, Json] = {"path": str(asked), "out": str(out)}
        try:
            if isinstance(task, Recode):
                data = task.data()
                reply = self._ask(adapter, "recode", members | {"strip_origin": task.strip_origin})
                return judge.judge_recode(data, reply, written(out, WRITTEN_LIMIT))
            if isinstance(task, BadOut):
                members["out"] = str(path / "x")  # leads through a file, so that making folders does not help
                operation = "recode" if task.recode else "decode"
                reply = self._ask(adapter, operation, members | ({"strip_origin": False} if task.recode else {}))
                return judge.judge_refusal(CANNOT_WRITE, reply)
            if isinstance(task, Refuse):
                return judge.judge_refusal(task.refusal, self._ask(adapter, "decode", members))
            document = task.document()
            reply = self._ask(adapter, "decode", members)
            return judge.judge_decode(task.canonical, document, reply, written(out, WRITTEN_LIMIT))
        finally:
            _remove(folder)

    def _end(self, adapter: Adapter, *, bye: bool) -> Judgement:
        """The end of the adapter, which is then no more; it is no death if it ends as it should.

        Spec: CONF-OP-005.
        """
        if bye and (wrong := judge.not_ok(self._ask(adapter, "bye", {}))) is not None:
            return wrong
        if not bye:
            adapter.close_input()
        judgement = judge.judge_end(adapter.wait(self.deadlines.end))
        if judgement.verdict is not Verdict.PASS:
            raise _LostError(judgement)
        self.stop()
        return judgement


@contextmanager
def opened(
    port: Port, deadlines: Deadlines, limits: Limits, given_up: threading.Event | None = None
) -> Iterator[Session]:
    """A conversation with a port in a sandbox of its own, of which nothing is left at its end; deadlines unscaled.

    Raises:
        SuiteError: There can be no sandbox.
    """
    try:
        sandbox = Path(tempfile.mkdtemp(prefix="tenuto-conformance-"))
    except OSError as error:
        raise SuiteError(f"sandbox: {error}; expected a folder for temporary files") from error
    session = Session(port, deadlines.scaled(port.timeout_scale), limits, sandbox, given_up or threading.Event())
    try:
        yield session
    finally:
        session.stop()
        _remove(sandbox)


def _no_answer(operation: str, outcome: Outcome, adapter: Adapter) -> Judgement:
    """The judgement of a request without an answer, with what the adapter said instead and on stderr."""
    said = adapter.stderr[-2000:].decode("utf-8", "backslashreplace").strip()
    tail = f"; {adapter.reader.silence()}" + (f"\nits last words on stderr:\n{said}" if said else "")
    match outcome:
        case Ended(how):
            detail = f"the adapter {how} before it answered {operation}{tail}"
            return Judgement(Verdict.CRASH, detail, "a reply", how)
        case Late(seconds):
            detail = f"no answer to {operation} within {seconds:g} s{tail}"
            return Judgement(Verdict.TIMEOUT, detail, "a reply", "none")
        case _:
            detail = f"a reply to {operation} that does not end within the limit of a line"
            return Judgement(Verdict.PROTOCOL, detail, "a reply of at most 1 MiB", "a longer one")


def _remove(folder: Path) -> None:
    """Remove a folder of the sandbox as far as the port lets us; the rest goes with the sandbox."""
    shutil.rmtree(folder, ignore_errors=True)
