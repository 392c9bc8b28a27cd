"""The adapter of the Python reference: translates requests of the conformance runner into calls of the library.

It is a program of its own, started by the runner and spoken to over stdin and stdout. It knows nothing about the
expected answers, and everything that it says about a file comes from the library.

Spec: CONF-LINE-001 to CONF-LINE-006, CONF-OP-001 to CONF-OP-005, CONF-REPLY-001, CONF-REPLY-002.
"""

import json
import math
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from tenuto.reference.checkpoint import Document, Tensor, read_checkpoint, write_checkpoint
from tenuto.reference.errors import TenutoError

PREFIX = b"@tenuto "
PORT = {"name": "python", "version": "0.1.0", "language": "Python"}
CLAIMS = ["codec-read", "codec"]
HEAD_ORDER = ["version", "requires", "metadata", "model_state", "optimizer_state"]
HEAD_ORDER += ["scheduler_state", "rng_state", "callback_state", "trainer_state"]


def utf8(text: str) -> bytes:
    """The sort key of maps."""
    return text.encode("utf-8")


class Writer:
    """Writes trees as tagged JSON; one identity for each tensor object, in the order in which they are met."""

    def __init__(self) -> None:
        self.met: dict[int, str] = {}
        self.alive: list[Tensor] = []

    def tree(self, value: Any) -> Any:  # noqa: ANN401 - a tree of any kind
        """One tree."""
        if isinstance(value, list):
            return ["array", *(self.tree(item) for item in value)]
        if isinstance(value, dict):
            return ["map", *([key, self.tree(value[key])] for key in sorted(value, key=utf8))]
        if isinstance(value, Tensor):
            return self.tensor(value)
        return write_scalar(value)

    def tensor(self, tensor: Tensor) -> list[str]:
        """A tensor; it is kept alive, so that no other object gets its id, and an empty one is always a new one."""
        if id(tensor) not in self.met or 0 in tensor.shape:
            self.met[id(tensor)] = f"t:{len(self.alive)}"
            self.alive.append(tensor)
        shape = ",".join(str(extent) for extent in tensor.shape)
        return ["tensor", self.met[id(tensor)], tensor.dtype, shape, "b:" + bytes(tensor.data).hex()]


def write_scalar(value: Any) -> str | bool:  # noqa: ANN401 - a scalar of any kind
    """A scalar with its tag."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return f"i:{value}"
    if isinstance(value, float):
        return "f64:" + ("7ff8000000000000" if math.isnan(value) else struct.pack(">d", value).hex())
    if isinstance(value, str):
        return f"s:{value}"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"b:{bytes(value).hex()}"
    raise TypeError(f"value of a tree: {type(value).__name__}; expected a kind of section 2")


class Reader:
    """Builds trees from tagged JSON; the same identity gives the same tensor object."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}

    def tree(self, value: Any) -> Any:  # noqa: ANN401 - JSON of any kind
        """One tree."""
        if isinstance(value, bool):
            return value
        if isinstance(value, str):
            return read_scalar(value)
        kind, parts = value[0], value[1:]
        if kind == "array":
            return [self.tree(part) for part in parts]
        if kind == "map":
            return {key: self.tree(part) for key, part in parts}
        if kind == "tensor":
            return self.tensor(*parts)
        raise ValueError(f"kind of a tree: {kind!r}; expected array, map or tensor")

    def tensor(self, name: str, dtype: str, shape: str, data: str) -> Tensor:
        """A tensor."""
        if name not in self.tensors:
            dims = tuple(int(extent) for extent in shape.split(",")) if shape else ()
            self.tensors[name] = Tensor(dtype, dims, bytes.fromhex(data[2:]))
        return self.tensors[name]


def read_scalar(text: str) -> int | float | str | bytes | None:
    """A scalar from its tagged form."""
    if text == "nil":
        return None
    tag, _, rest = text.partition(":")
    if tag == "i":
        return int(rest)
    if tag == "f64":
        number: float = struct.unpack(">d", bytes.fromhex(rest))[0]
        return number
    if tag == "s":
        return rest
    if tag == "b":
        return bytes.fromhex(rest)
    raise ValueError(f"scalar: {text[:40]!r}; expected a tag of section 2")


def dump_document(head: dict[str, Any]) -> list[Any]:
    """The head of a file as tagged JSON; tensors are numbered in the order of the file, keys are sorted."""
    writer = Writer()
    order = HEAD_ORDER + sorted(set(head) - set(HEAD_ORDER), key=utf8)
    parts = {key: writer.tree(head[key]) for key in order}
    return ["map", *([key, parts[key]] for key in sorted(parts, key=utf8))]


def hello(request: dict[str, Any]) -> dict[str, Any]:
    """CONF-OP-001."""
    told = {"nonce": request["nonce"], "protocol": "i:1", "port": PORT, "spec": "1.0"}
    return {"reply": "ok", **told, "claims": CLAIMS, "capabilities": []}


def echo(request: dict[str, Any]) -> dict[str, Any]:
    """CONF-OP-002."""
    return {"reply": "ok", "value": Writer().tree(Reader().tree(request["value"]))}


def decode(request: dict[str, Any]) -> dict[str, Any]:
    """CONF-OP-003."""
    document = read_checkpoint(request["path"], verify=True)
    text = json.dumps(dump_document(document.head), separators=(",", ":"))
    try:
        Path(request["out"]).write_bytes(text.encode("ascii"))
    except OSError:
        return {"reply": "error", "code": "io_error", "phase": "io"}
    return {"reply": "ok", "canonical": document.canonical}


def recode(request: dict[str, Any]) -> dict[str, Any]:
    """CONF-OP-004."""
    document = read_checkpoint(request["path"], verify=True)
    head = dict(document.head)
    if request["strip_origin"]:
        metadata = head["metadata"]
        assert isinstance(metadata, dict), "the reader has checked this"  # noqa: S101
        head["metadata"] = {**metadata, "origin": {}}
    try:
        write_checkpoint(request["out"], Document(head=head))
    except TenutoError as error:
        if error.phase != "io":
            raise
        return {"reply": "error", "code": "io_error", "phase": "io"}  # CONF-REPLY-003 knows one code for `out`
    return {"reply": "ok"}


def bye(_: dict[str, Any]) -> dict[str, Any]:
    """CONF-OP-005."""
    return {"reply": "ok"}


OPERATIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "hello": hello,
    "echo": echo,
    "decode": decode,
    "recode": recode,
    "bye": bye,
}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """The reply to a request: a refusal keeps its code and phase, anything else is a fault of ours."""
    operation = OPERATIONS.get(request["op"])
    if operation is None:
        return {"reply": "unsupported", "capability": request["op"]}
    try:
        return operation(request)
    except TenutoError as error:
        return {"reply": "error", "code": error.code, "phase": error.phase}
    except Exception as error:  # noqa: BLE001 - every fault becomes a reply
        return {"reply": "internal", "message": f"{type(error).__name__}: {error}"}


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer line by line until `bye` or the end of the input."""
    for line in requests:
        try:
            request = json.loads(line)
        except ValueError as error:
            request = {"id": "", "op": ""}
            told = {"reply": "internal", "message": f"a line that is no JSON: {error}"}
        else:
            told = answer(request)
        replies.write(PREFIX + json.dumps({"id": request["id"], **told}).encode("ascii") + b"\n")
        replies.flush()
        if request["op"] == "bye":
            return


def main() -> None:
    """Keep stdout for replies: what a library prints goes to stderr."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, replies)


if __name__ == "__main__":
    main()
