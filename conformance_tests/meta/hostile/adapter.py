"""An adapter with one fault, named by its argument; it speaks the protocol by itself and imports none of our code.

What is not at fault is answered as well as an adapter can that reads no files: the greeting and `echo` rightly,
files with `internal`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Request = dict[str, Any]
Reply = dict[str, Any]


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def reply(request: Request, **members: Any) -> None:
    say("@tenuto " + json.dumps({"id": request["id"], **members}) + "\n")


def polite(request: Request) -> Reply:
    """What an adapter answers that reads no files."""
    identity = {"name": "hostile", "version": "1", "language": "Python"}
    claims = ["codec-read", "codec"]
    match request["op"]:
        case "hello":
            told = {"nonce": request["nonce"], "protocol": "i:1", "port": identity, "spec": "1.0"}
            return {"reply": "ok", **told, "claims": claims, "capabilities": []}
        case "echo":
            return {"reply": "ok", "value": request["value"]}
        case "bye":
            return {"reply": "ok"}
        case "decode" | "recode":
            return {"reply": "internal", "message": "not written yet"}
        case operation:
            return {"reply": "unsupported", "capability": operation}


def about_files(request: Request) -> bool:
    return request["op"] in {"decode", "recode"}


def polite_only(request: Request, _: int) -> None:
    reply(request, **polite(request))


def crashes(request: Request, number: int) -> None:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    reply(request, **polite(request))


def crashes_on_files(request: Request, _: int) -> None:
    if about_files(request):
        os.kill(os.getpid(), signal.SIGKILL)
    reply(request, **polite(request))


def hangs(request: Request, _: int) -> None:
    if about_files(request):
        time.sleep(600)
    reply(request, **polite(request))


def hangs_at_once(_: Request, __: int) -> None:
    time.sleep(600)


def prints_noise(request: Request, _: int) -> None:
    """Right answers among noise, some of it without end for the eye, and much on stderr."""
    say("loading\n\n@tenut\n@tenuto\n" + "x" * 3_000_000 + "\n")
    sys.stderr.write("warning " * 50_000)
    known = {"reply": "error", "code": "bad_magic", "phase": "open"} if about_files(request) else polite(request)
    reply(request, **known)
    say("done @tenuto {}\n")


def prints_garbage(request: Request, _: int) -> None:
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


def floods_reply(request: Request, _: int) -> None:
    """A reply that never ends."""
    say("@tenuto " if about_files(request) else "")
    while about_files(request):
        say("x" * 65536)
    reply(request, **polite(request))


def breaks_json(request: Request, _: int) -> None:
    if about_files(request):
        say('@tenuto {"id": "' + request["id"] + '", "reply": "ok", "canonical": 1}\n')
    else:
        reply(request, **polite(request))


def wrong_nonce(request: Request, _: int) -> None:
    reply(request, **(polite(request) | {"nonce": "0123456789abcdef"}))


def wrong_id(request: Request, _: int) -> None:
    answer = polite(request)
    reply(request | {"id": "1"} if about_files(request) else request, **answer)


def answers_twice(request: Request, _: int) -> None:
    reply(request, **polite(request))
    if request["op"] == "echo":
        reply(request, **polite(request))


def canned_ok(request: Request, _: int) -> None:
    reply(request, **({"reply": "ok", "canonical": True} if about_files(request) else polite(request)))


def canned_file(request: Request, _: int) -> None:
    """Always the same document, and the input as its own canonical form."""
    if request["op"] == "decode":
        Path(request["out"]).write_text('["map"]')
    if request["op"] == "recode":
        Path(request["out"]).write_bytes(Path(request["path"]).read_bytes())
    canned_ok(request, 0)


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


def removes_sandbox(request: Request, _: int) -> None:
    if about_files(request):
        shutil.rmtree(Path(request["out"]).parent.parent)
    canned_ok(request, 0)


def canned_error(request: Request, _: int) -> None:
    canned = {"reply": "error", "code": "bad_magic", "phase": "open"}
    reply(request, **(canned if about_files(request) else polite(request)))


def wrong_phase(request: Request, _: int) -> None:
    canned = {"reply": "error", "code": "bad_magic", "phase": "head"}
    reply(request, **(canned if about_files(request) else polite(request)))


def own_words(request: Request, _: int) -> None:
    canned = {"reply": "error", "code": "something_went_wrong", "phase": "open"}
    reply(request, **(canned if about_files(request) else polite(request)))


def exits_early(request: Request, number: int) -> None:
    if number == 3:
        sys.exit(0)
    reply(request, **polite(request))


def claims_too_much(request: Request, _: int) -> None:
    refusal = {"reply": "unsupported", "capability": "files"}
    reply(request, **(refusal if about_files(request) else polite(request)))


def boasts(request: Request, _: int) -> None:
    """Claims in its greeting what its port.toml does not."""
    answer = polite(request)
    if request["op"] == "hello":
        answer["claims"] = ["codec-read", "codec", "resume"]
    reply(request, **answer)


def refuses_by_crashing(request: Request, _: int) -> None:
    if about_files(request) and not Path(request["path"]).read_bytes().endswith(b"TENUTO\n"):
        sys.exit(1)
    reply(request, **polite(request))


def damages_numbers(request: Request, _: int) -> None:
    """Wraps a number on the way."""
    answer = polite(request)
    if request["op"] == "echo":
        answer = json.loads(json.dumps(answer).replace("i:9223372036854775807", "i:9223372036854775808"))
    reply(request, **answer)


def stays(request: Request, _: int) -> None:
    """Does not end after bye, nor at the end of its input."""
    reply(request, **polite(request))
    if request["op"] == "bye":
        time.sleep(600)


def leaves_a_child(request: Request, _: int) -> None:
    """Dies and leaves a child behind that holds its pipes."""
    if about_files(request):
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path("child").write_text(str(child.pid))
        os.kill(os.getpid(), signal.SIGKILL)
    reply(request, **polite(request))


def main() -> None:
    behavior: Callable[[Request, int], None] = globals()[sys.argv[1]]
    with Path("starts").open("a") as starts:
        starts.write("x")
    for number, line in enumerate(sys.stdin.buffer, 1):
        request = json.loads(line)
        behavior(request, number)
        if request["op"] == "bye":
            return
    if behavior is stays:
        time.sleep(600)


if __name__ == "__main__":
    main()
