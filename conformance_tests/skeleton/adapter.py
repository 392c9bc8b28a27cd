"""The adapter of a new port: answers the greeting, `echo` and the end, and says `unsupported` to everything else.

It imports nothing but the standard library. What it lacks belongs into your library, with a short function here for
each operation: an adapter translates, and does nothing else. Grow `claims` of port.toml as your port grows.

Spec: CONF-LINE-001 to CONF-LINE-006, CONF-OP-001, CONF-OP-002, CONF-OP-005, CONF-REPLY-001 to CONF-REPLY-003.
"""

import json
import os
import struct
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

PORT = tomllib.loads(Path(__file__).with_name("port.toml").read_text("utf-8"))
PREFIX = b"@tenuto "

Request = dict[str, Any]
Reply = dict[str, Any]


class Tensor:
    """Dtype, shape and bytes; two places of a document may hold the same tensor, which is then one object."""

    def __init__(self, dtype: str, shape: tuple[int, ...], data: bytes) -> None:
        self.dtype, self.shape, self.data = dtype, shape, data


Value = None | bool | int | float | str | bytes | list[Any] | dict[str, Any] | Tensor


class Reader:
    """Makes values of trees in tagged JSON."""

    def __init__(self) -> None:
        self._tensors: dict[str, Tensor] = {}

    def read(self, tree: Any) -> Value:  # noqa: ANN401 - JSON holds anything
        """The value of a tree."""
        if isinstance(tree, str):
            return _scalar(tree)
        if isinstance(tree, bool):
            return tree
        kind, *parts = tree
        if kind == "array":
            return [self.read(part) for part in parts]
        if kind == "map":
            return {key: self.read(part) for key, part in parts}
        identity, dtype, shape, data = parts
        if identity not in self._tensors:
            sizes = tuple(int(size) for size in shape.split(",") if size)
            self._tensors[identity] = Tensor(dtype, sizes, bytes.fromhex(data[2:]))
        return self._tensors[identity]


def _scalar(text: str) -> Value:
    tag, _, rest = text.partition(":")
    readers: dict[str, Callable[[str], Value]] = {
        "i": int,
        "f64": lambda digits: float(struct.unpack(">d", bytes.fromhex(digits))[0]),
        "s": str,
        "b": bytes.fromhex,
    }
    return None if text == "nil" else readers[tag](rest)


class Writer:
    """Makes trees in tagged JSON of values; tensors are numbered as they come, an empty one each time."""

    def __init__(self) -> None:
        self._identities: dict[int, str] = {}
        self._count = 0

    def write(self, value: Value) -> Any:  # noqa: ANN401 - JSON holds anything
        """The tree of a value."""
        if isinstance(value, list):
            return ["array", *map(self.write, value)]
        if isinstance(value, dict):
            ordered = sorted(value, key=lambda key: key.encode("utf-8"))
            return ["map", *([key, self.write(value[key])] for key in ordered)]
        if isinstance(value, Tensor):
            shape = ",".join(map(str, value.shape))
            return ["tensor", self._identity(value), value.dtype, shape, f"b:{value.data.hex()}"]
        return value if isinstance(value, bool) else _tagged(value)

    def _identity(self, tensor: Tensor) -> str:
        if id(tensor) not in self._identities or not tensor.data:
            self._identities[id(tensor)] = f"t:{self._count}"
            self._count += 1
        return self._identities[id(tensor)]


def _tagged(value: float | str | bytes | None) -> str:
    match value:
        case None:
            return "nil"
        case int():
            return f"i:{value}"
        case float():
            return f"f64:{struct.pack('>d', value).hex()}"
        case str():
            return f"s:{value}"
        case _:
            return f"b:{value.hex()}"


def hello(request: Request) -> Reply:
    """CONF-OP-001; another protocol or specification is not spoken here, CONF-REPLY-002."""
    for name, known in (("protocol", "i:1"), ("spec", "1.0")):
        if request[name] != known:
            return {"reply": "unsupported", "capability": name}
    told = {name: PORT[name] for name in ("name", "version", "language")}
    lists = {"claims": PORT["claims"], "capabilities": PORT.get("capabilities", [])}
    return {"reply": "ok", "nonce": request["nonce"], "protocol": "i:1", "port": told, "spec": "1.0", **lists}


def echo(request: Request) -> Reply:
    """CONF-OP-002."""
    return {"reply": "ok", "value": Writer().write(Reader().read(request["value"]))}


def bye(_: Request) -> Reply:
    """CONF-OP-005."""
    return {"reply": "ok"}


# The next ones: decode and recode (CONF-OP-003, CONF-OP-004), then encode, run, restore and list (SCN-OP-001 to -005).
OPERATIONS: dict[str, Callable[[Request], Reply]] = {"hello": hello, "echo": echo, "bye": bye}


def answer(line: bytes) -> tuple[str, Reply]:
    """The operation of a request, and the reply to it; whatever goes wrong here becomes a reply."""
    try:
        request = json.loads(line)
        operation, identity = request["op"], request["id"]
    except (ValueError, KeyError, TypeError) as error:
        return "", {"id": "", "reply": "internal", "message": f"no request: {error!r}"}
    known = OPERATIONS.get(operation)
    if known is None:
        return operation, {"id": identity, "reply": "unsupported", "capability": operation}
    try:
        return operation, {"id": identity, **known(request)}
    except Exception as error:  # noqa: BLE001 - a fault of ours is told, never a crash
        return operation, {"id": identity, "reply": "internal", "message": repr(error)}


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer line by line until `bye` or the end of the input."""
    for line in requests:
        operation, reply = answer(line)
        replies.write(PREFIX + json.dumps(reply).encode("ascii") + b"\n")
        replies.flush()
        if operation == "bye":
            return


if __name__ == "__main__":
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no reply
    serve(sys.stdin.buffer, output)
