"""Trees and documents as tagged JSON: section 2 of 90-conformance.md.

Spec: CONF-LINE-004, CONF-LINE-006.
"""

import math
import struct
from typing import Any

from tenuto.reference.checkpoint import Tensor
from tenuto.reference.errors import CheckpointError

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
        self.tensors: dict[str, tuple[list[str], Tensor]] = {}

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
            return self.map(parts)
        if kind == "tensor":
            return self.tensor(*parts)
        raise ValueError(f"kind of a tree: {kind!r}; expected array, map or tensor")

    def map(self, pairs: list[list[Any]]) -> dict[str, Any]:
        """A map; a key that comes twice would lose a value."""
        found = {key: self.tree(part) for key, part in pairs}
        if len(found) != len(pairs):
            raise ValueError(f"map with the keys {[key for key, _ in pairs]}; expected each once")
        return found

    def tensor(self, name: str, dtype: str, shape: str, data: str) -> Tensor:
        """A tensor.

        Raises:
            CheckpointError: `bad_tensor`, phase `encode`, for one that differs from another one of its identity.

        Spec: CKPT-VAL-002.
        """
        told = [dtype, shape, data]
        if name not in self.tensors:
            dims = tuple(int(extent) for extent in shape.split(",")) if shape else ()
            self.tensors[name] = told, Tensor(dtype, dims, bytes.fromhex(data[2:]))
        known, tensor = self.tensors[name]
        if known != told:
            message = f"tensor {name}: two of them differ; expected one identity for one tensor"
            raise CheckpointError("bad_tensor", message, phase="encode")
        return tensor


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
