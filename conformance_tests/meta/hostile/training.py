"""Adapters that train as the reference does, behind them, and spoil what comes of it in one way.

The greeting is their own. Every other request goes to the adapter of the Python reference, a process of its own, and
its reply goes back, unless the fault is there.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tenuto.conformance_tests.meta.hostile.polite import Reply, Request, polite, reply

_REFERENCE = Path(__file__).resolve().parents[3] / "ports" / "python" / "adapter.py"
_PREFIX = b"@tenuto "
_TRAINS = ("run", "restore")
_SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
_CANNED: list[bytes] = []
_RUNS: list[str] = []


class _Reference:
    """The adapter of the reference, started when it is needed."""

    process: "subprocess.Popen[bytes] | None" = None

    def ask(self, request: Request) -> Reply:
        if self.process is None:
            command = [sys.executable, str(_REFERENCE)]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith(_PREFIX):
                found: Reply = json.loads(line[len(_PREFIX) :])
                return found
        raise AssertionError("the reference is gone")


_REFERENCE_PROCESS = _Reference()


def _answered(request: Request) -> Reply:
    """What an honest port replies."""
    if request["op"] in {"hello", "bye"}:
        return polite(request)
    told = dict(_REFERENCE_PROCESS.ask(request))
    del told["id"]
    return told


def honest(request: Request, _: int) -> None:
    """Spoils nothing: what the others are held against."""
    reply(request, **_answered(request))


def _spoil_events(request: Request, spoil: Callable[[list[bytes]], list[bytes]]) -> None:
    told = _answered(request)
    if request["op"] in _TRAINS:
        path = Path(request["events"])
        path.write_bytes(b"".join(spoil(path.read_bytes().splitlines(keepends=True))))
    reply(request, **told)


def canned_events(request: Request, _: int) -> None:
    """Always the events of its first training."""

    def first(lines: list[bytes]) -> list[bytes]:
        _CANNED.extend(lines if not _CANNED else [])
        return _CANNED

    _spoil_events(request, first)


def events_in_another_order(request: Request, _: int) -> None:
    """Two events change places."""
    _spoil_events(request, lambda lines: [*lines[:1], *lines[2:3], *lines[1:2], *lines[3:]])


def events_cut_short(request: Request, _: int) -> None:
    """The last line is not whole."""
    _spoil_events(request, lambda lines: [*lines[:-1], lines[-1][: len(lines[-1]) // 2]])


def last_event_lost(request: Request, _: int) -> None:
    """The last event was not written yet."""
    _spoil_events(request, lambda lines: lines[:-1])


def event_told_twice(request: Request, _: int) -> None:
    """An event stands twice."""
    _spoil_events(request, lambda lines: [*lines[:2], *lines[1:]])


def events_with_numbers(request: Request, _: int) -> None:
    """A number in an event that is a JSON number."""
    _spoil_events(request, lambda lines: [line.replace(b'"i:0"', b"0") for line in lines])


def events_missing(request: Request, _: int) -> None:
    """The checkpoints are there, the events are not."""
    told = _answered(request)
    if request["op"] in _TRAINS:
        Path(request["events"]).unlink()
    reply(request, **told)


def events_without_end(request: Request, _: int) -> None:
    """A file of events of as many bytes as it may have."""
    told = _answered(request)
    if request["op"] in _TRAINS:
        with Path(request["events"]).open("r+b", buffering=0) as stream:
            line = stream.readline()
            block = line * ((1 << 24) // len(line))
            try:
                while stream.write(block):
                    pass
            except OSError:
                pass
    reply(request, **told)


def answers_too_early(request: Request, _: int) -> None:
    """Answers what came of its last training, and then trains."""
    if request["op"] not in _TRAINS:
        reply(request, **_answered(request))
        return
    progress = {"epoch": "i:1", "batch_in_epoch": "i:0", "global_step": "i:1"}
    reply(request, reply="ok", outcome="finished", detail="", progress=progress)
    time.sleep(0.5)
    threading.Thread(target=_answered, args=(request,)).start()


def claims_to_train(request: Request, _: int) -> None:
    """Lacks the operations of the profiles that it claims."""
    if request["op"] in {*_TRAINS, "list", "encode"}:
        reply(request, reply="unsupported", capability=request["op"])
    else:
        reply(request, **_answered(request))


def lacks_a_capability(request: Request, _: int) -> None:
    """Lacks a capability that it claims."""
    if request["op"] in _TRAINS:
        reply(request, reply="unsupported", capability="signals")
    else:
        reply(request, **_answered(request))


def says_other_progress(request: Request, _: int) -> None:
    """Counts an update too many."""
    told = _answered(request)
    if "progress" in told:
        told["progress"]["global_step"] = f"i:{int(told['progress']['global_step'][2:]) + 1}"
    reply(request, **told)


def refuses_to_train(request: Request, _: int) -> None:
    """Refuses every training in good form."""
    canned = {"reply": "error", "code": "invalid_setting", "phase": "config"}
    reply(request, **(canned if request["op"] in _TRAINS else _answered(request)))


def checkpoints_missing(request: Request, _: int) -> None:
    """The events are there, the checkpoints are not."""
    told = _answered(request)
    if request["op"] in _TRAINS:
        for path in Path(request["folder"]).glob("*.ckpt"):
            path.unlink()
    reply(request, **told)


def checkpoints_spoiled(request: Request, _: int) -> None:
    """One bit of each checkpoint is another."""
    told = _answered(request)
    if request["op"] in _TRAINS:
        for path in Path(request["folder"]).glob("*.ckpt"):
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
    reply(request, **told)


def writes_outside(request: Request, _: int) -> None:
    """Its checkpoints go to a folder of its own choice."""
    if request["op"] in _TRAINS:
        elsewhere = Path(request["folder"] + "-elsewhere")
        elsewhere.mkdir(exist_ok=True)
        request = request | {"folder": str(elsewhere)}
    reply(request, **_answered(request))


def leaves_a_temporary_file(request: Request, _: int) -> None:
    """A file more than there should be in the folder."""
    told = _answered(request)
    if request["op"] in _TRAINS:
        (Path(request["folder"]) / "checkpoint_epoch_0001.ckpt.tmp").write_bytes(b"TENUTO")
    reply(request, **told)


def deletes_its_sandbox(request: Request, _: int) -> None:
    """Trains, and deletes everything that it was given to work in."""
    told = _answered(request)
    if request["op"] in _TRAINS:
        shutil.rmtree(Path(request["folder"]).parent)
    reply(request, **told)


def lists_nothing(request: Request, _: int) -> None:
    """Believes that its folder is empty."""
    told = _answered(request)
    if request["op"] == "list":
        told = {"reply": "ok", "checkpoints": [], "damaged": [], "newest": ""}
    reply(request, **told)


def encodes_one_file(request: Request, _: int) -> None:
    """Always writes the file that it wrote first."""
    told = _answered(request)
    if request["op"] == "encode" and told["reply"] == "ok":
        path = Path(request["out"])
        _CANNED.extend([path.read_bytes()] if not _CANNED else [])
        path.write_bytes(_CANNED[0])
    reply(request, **told)


def hangs_in_the_third_run(request: Request, _: int) -> None:
    """Trains twice, and then no more."""
    _RUNS.append(request["op"])
    if request["op"] == "run" and _RUNS.count("run") == 3:
        time.sleep(600)
    reply(request, **_answered(request))


def crashes_in_restore(request: Request, _: int) -> None:
    """Trains, and dies when it is to go on from a checkpoint."""
    if request["op"] == "restore":
        os.kill(os.getpid(), signal.SIGSEGV)
    reply(request, **_answered(request))


def starts_anew(request: Request, _: int) -> None:
    """Trains from the start where it is to go on from a checkpoint."""
    reply(request, **_answered(request | {"op": "run"} if request["op"] == "restore" else request))


def changes_its_working_folder(request: Request, _: int) -> None:
    """Each training leaves it in another working folder, and its next answer is about files there."""
    if request["op"] in _TRAINS and _RUNS:
        request = request | {"folder": Path(request["folder"]).name}
    told = _answered(request)
    if request["op"] in _TRAINS:
        _RUNS.append(request["op"])
    reply(request, **told)


def keeps_stdout_open(request: Request, _: int) -> None:
    """Leaves a process behind that holds its stdout, and ends in the middle of a training."""
    if request["op"] in _TRAINS:
        child = subprocess.Popen(_SLEEPER, start_new_session=True)
        Path("child").write_text(str(child.pid))
        sys.exit(0)
    reply(request, **_answered(request))
