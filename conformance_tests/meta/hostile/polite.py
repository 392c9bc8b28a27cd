"""What an adapter with one fault does where it is not at fault: as well as one can that reads no files."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

Request = dict[str, Any]
Reply = dict[str, Any]

UNWRITTEN = {"reply": "internal", "message": "not written yet"}


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def reply(request: Request, **members: Any) -> None:
    say("@tenuto " + json.dumps({"id": request["id"], **members}) + "\n")


def polite(request: Request) -> Reply:
    """The greeting and `echo` are answered rightly, files with `internal`."""
    identity = {"name": "hostile", "version": "1", "language": "Python"}
    match request["op"]:
        case "hello":
            told = {"nonce": request["nonce"], "protocol": "i:1", "port": identity, "spec": "1.0"}
            described = tomllib.loads(Path("port.toml").read_text())
            lists = {name: described[name] for name in ("claims", "capabilities")}
            return {"reply": "ok", **told, **lists}
        case "echo":
            return {"reply": "ok", "value": request["value"]}
        case "bye":
            return {"reply": "ok"}
        case "decode" | "recode":
            return UNWRITTEN
        case operation:
            return {"reply": "unsupported", "capability": operation}


def about_files(request: Request) -> bool:
    return request["op"] in {"decode", "recode"}
