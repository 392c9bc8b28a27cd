"""Adapters that answer in good form, and not what is so."""

import json
import os
import shutil
from pathlib import Path

from tenuto.conformance_tests.meta.hostile.polite import Request, about_files, polite, reply

_SEEN: list[str] = []


def canned_ok(request: Request, _: int) -> None:
    """Always `ok`, and no file."""
    reply(request, **({"reply": "ok", "canonical": True} if about_files(request) else polite(request)))


def canned_file(request: Request, _: int) -> None:
    """Always the same document, and the input as its own canonical form."""
    if request["op"] == "decode":
        Path(request["out"]).write_text('["map"]')
    if request["op"] == "recode":
        Path(request["out"]).write_bytes(Path(request["path"]).read_bytes())
    canned_ok(request, 0)


def canned_error(request: Request, _: int) -> None:
    """Always the same refusal."""
    canned = {"reply": "error", "code": "bad_magic", "phase": "open"}
    reply(request, **(canned if about_files(request) else polite(request)))


def wrong_phase(request: Request, _: int) -> None:
    """The code of one refusal with the phase of another."""
    canned = {"reply": "error", "code": "bad_magic", "phase": "head"}
    reply(request, **(canned if about_files(request) else polite(request)))


def claims_too_much(request: Request, _: int) -> None:
    """Says that it lacks what it claims."""
    refusal = {"reply": "unsupported", "capability": "files"}
    reply(request, **(refusal if about_files(request) else polite(request)))


def boasts(request: Request, _: int) -> None:
    """Claims in its greeting what its port.toml does not."""
    answer = polite(request)
    if request["op"] == "hello":
        answer["claims"] = [*answer["claims"], "resume"]
    reply(request, **answer)


def damages_numbers(request: Request, _: int) -> None:
    """Wraps a number on the way."""
    answer = polite(request)
    if request["op"] == "echo":
        answer = json.loads(json.dumps(answer).replace("i:9223372036854775807", "i:9223372036854775808"))
    reply(request, **answer)


def nests_deeply(request: Request, _: int) -> None:
    """Documents too deep for a reader that recurses."""
    if request["op"] == "decode":
        depth = 600 if Path(request["path"]).stat().st_size % 2 else 100_000
        Path(request["out"]).write_text('["array",' * depth + '"nil"' + "]" * depth)
    canned_ok(request, 0)


def writes_no_file(request: Request, _: int) -> None:
    """Folders, links and pipes where a file should be."""
    if request["op"] == "decode":
        os.mkfifo(request["out"])
    if request["op"] == "recode":
        os.symlink(request["path"], request["out"])
    canned_ok(request, 0)


def writes_beside(request: Request, _: int) -> None:
    """Writes its answer, and not where it was asked to."""
    if about_files(request):
        Path(request["out"] + ".tmp").write_bytes(Path(request["path"]).read_bytes())
    canned_ok(request, 0)


def removes_sandbox(request: Request, _: int) -> None:
    """Deletes what the runner gave it to work in."""
    if about_files(request):
        shutil.rmtree(Path(request["out"]).parent.parent)
    canned_ok(request, 0)


def remembers(request: Request, _: int) -> None:
    """Is right about the first file that it is asked about, and says the same of all others."""
    if about_files(request):
        _SEEN.append("file_too_small" if Path(request["path"]).stat().st_size < 8 else "bad_magic")
        reply(request, reply="error", code=_SEEN[0], phase="open")
    else:
        reply(request, **polite(request))


def counts_on_chance(request: Request, _: int) -> None:
    """Its answer depends on how often it was started."""
    if about_files(request):
        code = "bad_magic" if len(Path("starts").read_text()) % 2 else "file_too_small"
        reply(request, reply="error", code=code, phase="open")
    else:
        reply(request, **polite(request))
