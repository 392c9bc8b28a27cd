"""Documents as tagged JSON: writing them, checking that a port's one is well formed, and reading them back.

Spec: CONF-LINE-004, and the tables of section 2 of 90-conformance.md.
"""

import math
import re
import struct
from collections.abc import Sequence
from typing import TypeAlias

from attrs import Factory, define

from tenuto.conformance_tests.oracle.tree import (
    DTYPE_BYTES,
    Document,
    Pairs,
    Raw,
    Scalar,
    Tensor,
    Tree,
    head_order,
    utf8,
)

Json: TypeAlias = str | bool | list["Json"] | dict[str, "Json"]

_INTEGER = re.compile(r"i:(0|-?[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"f64:[0-9a-f]{16}", re.ASCII)
_BYTES = re.compile(r"b:(?:[0-9a-f]{2})*", re.ASCII)
_IDENTITY = re.compile(r"t:(0|[1-9][0-9]*)", re.ASCII)
_SHAPE = re.compile(r"(?:(?:0|[1-9][0-9]*)(?:,(?:0|[1-9][0-9]*))*)?", re.ASCII)


class MalformedError(Exception):
    """JSON that breaks the rules of the protocol; the message says where and which."""


def scalar(value: Scalar) -> Json:
    """A scalar with its tag.

    Spec: CONF-LINE-004.
    """
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return f"i:{value}"
    if isinstance(value, float):
        bits = b"\x7f\xf8" + bytes(6) if math.isnan(value) else struct.pack(">d", value)
        return f"f64:{bits.hex()}"
    return f"s:{value}" if isinstance(value, str) else f"b:{value.hex()}"


@define
class Writer:
    """Writes trees as tagged JSON and numbers tensors in the order in which it meets them."""

    identities: dict[int, str] = Factory(dict)
    count: int = 0

    def tree(self, value: Tree) -> Json:
        """One tree."""
        if isinstance(value, (Raw, Pairs)):
            msg = f"explicit opcodes in a document: {value!r}; expected plain values"
            raise TypeError(msg)
        if isinstance(value, list):
            return ["array", *(self.tree(item) for item in value)]
        if isinstance(value, dict):
            return ["map", *([key, self.tree(value[key])] for key in sorted(value, key=utf8))]
        if isinstance(value, Tensor):
            shape = ",".join(map(str, value.shape))
            return ["tensor", self._identity(value), value.dtype, shape, f"b:{value.data.hex()}"]
        return scalar(value)

    def _identity(self, tensor: Tensor) -> str:
        """The identity of a tensor; one without elements has its own wherever it stands."""
        if tensor.data and id(tensor) in self.identities:
            return self.identities[id(tensor)]
        name = self.identities[id(tensor)] = f"t:{self.count}"
        self.count += 1
        return name


def dump(document: Document) -> Json:
    """A document; its keys are sorted, its tensors numbered in the canonical order of the top level."""
    writer = Writer()
    parts: dict[str, Json] = {key: writer.tree(document[key]) for key in head_order(document)}
    return ["map", *([key, parts[key]] for key in sorted(parts, key=utf8))]


@define
class Reader:
    """Checks tagged JSON against section 2 and builds the values that it stands for."""

    tensors: dict[str, Tensor] = Factory(dict)

    def tree(self, value: Json, where: str = "value") -> Tree:
        """One tree; raises `MalformedError` if it breaks a rule."""
        if isinstance(value, bool):
            return value
        if isinstance(value, str):
            return _read_scalar(value, where)
        if isinstance(value, dict) or not value or not isinstance(value[0], str):
            raise MalformedError(f"{where}: {_short(value)}; expected a tagged scalar or an array with a kind")
        kind, parts = value[0], value[1:]
        if kind == "array":
            return [self.tree(part, f"{where}[{index}]") for index, part in enumerate(parts)]
        if kind == "map":
            return self._map(parts, where)
        if kind == "tensor":
            return self._tensor(parts, where)
        raise MalformedError(f"{where}: kind {_short(kind)}; expected array, map or tensor")

    def _map(self, parts: Sequence[Json], where: str) -> dict[str, Tree]:
        built: dict[str, Tree] = {}
        last: bytes | None = None
        for part in parts:
            if not isinstance(part, list) or len(part) != 2 or not isinstance(part[0], str):
                raise MalformedError(f"{where}: {_short(part)}; expected a pair [key, tree]")
            key = part[0]
            if last is not None and utf8(key) <= last:
                raise MalformedError(f"{where}: key {_short(key)}; expected keys sorted by UTF-8 bytes, each once")
            last = utf8(key)
            built[key] = self.tree(part[1], f"{where}.{key}")
        return built

    def _tensor(self, parts: Sequence[Json], where: str) -> Tensor:
        texts = [part for part in parts if isinstance(part, str)]
        if len(texts) != 4 or len(parts) != 4:
            raise MalformedError(f"{where}: {_short(list(parts))}; expected identity, dtype, shape and bytes")
        name, dtype, shape, data = texts
        fits = _IDENTITY.fullmatch(name) and _SHAPE.fullmatch(shape) and _BYTES.fullmatch(data)
        if not fits or dtype not in DTYPE_BYTES:
            raise MalformedError(f"{where}: {_short(texts)}; expected a tensor of section 2")
        dims = tuple(int(extent) for extent in shape.split(",")) if shape else ()
        found = Tensor(dtype, dims, bytes.fromhex(data[2:]))
        known = self.tensors.setdefault(name, found)
        if (known.dtype, known.shape, known.data) != (found.dtype, found.shape, found.data):
            raise MalformedError(f"{where}: two tensors named {name}; expected one identity for one tensor")
        return known


def _read_scalar(text: str, where: str) -> Tree:
    if text == "nil":
        return None
    if text.startswith("s:"):
        return text[2:]
    if _INTEGER.fullmatch(text) and -(1 << 63) <= int(text[2:23]) < 1 << 64 and len(text) < 23:
        return int(text[2:])
    if _FLOAT.fullmatch(text):
        number: float = struct.unpack(">d", bytes.fromhex(text[4:]))[0]
        return number
    if _BYTES.fullmatch(text):
        return bytes.fromhex(text[2:])
    raise MalformedError(f"{where}: {_short(text)}; expected a scalar of section 2")


def load(value: Json) -> Document:
    """The document that tagged JSON stands for; raises `MalformedError` if it breaks a rule."""
    tree = Reader().tree(value, "document")
    if not isinstance(tree, dict):
        raise MalformedError(f"document: {_short(value)}; expected a map")
    return tree


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."
