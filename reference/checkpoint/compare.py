"""Are two documents identical, and if not, where do they first differ? Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from attrs import define, field

from tenuto.reference.checkpoint.canonical import plain_scalar
from tenuto.reference.checkpoint.constants import DTYPES, HEAD_KEYS
from tenuto.reference.checkpoint.tree import Document, Tensor
from tenuto.reference.checkpoint.writer import encode, strip_origin

__all__ = ["digest", "first_difference"]


def digest(document: Document) -> str:
    """Returns the SHA-256, in hex, of the canonical form without origin.

    Two documents are identical in the sense of the specification exactly when their digests are equal.

    Args:
        document: Its tensors are read once and not copied.

    Raises:
        CheckpointError: Whatever `encode` refuses.

    Spec: CKPT-CANON-006.
    """
    sha = hashlib.sha256()
    for piece in encode(strip_origin(document)):
        sha.update(piece)
    return sha.hexdigest()


def first_difference(a: Document, b: Document) -> str | None:
    """Returns where two documents first differ in the order of the file, or None if they are identical.

    What does not count is what the canonical form levels: `metadata.origin`, the order of keys, list or tuple, the bits
    of a NaN. What does count is the kind of a number, the sign of a zero, and which tensors share their storage.

    Returns:
        `<path>: <value in a>; <value in b>`, in one line.

    Spec: CKPT-CANON-006.
    """
    walk, one, other = _Walk(), strip_origin(a).head, strip_origin(b).head
    for key in (*HEAD_KEYS, *sorted((one.keys() | other.keys()) - HEAD_KEYS.keys(), key=_utf8)):
        found = walk.member(one, other, key, key)
        if found:
            return found
    return None


def _utf8(key: str) -> bytes:
    return key.encode()


def _kind(value: object) -> str:
    if isinstance(value, Mapping):
        return "map"
    if isinstance(value, list | tuple):
        return "array"
    names: dict[type, str] = {str: "str", bytes: "bin", Tensor: "tensor", type(None): "nil"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "number")


def _brief(value: Any) -> str:  # noqa: ANN401 - any value of a tree
    if isinstance(value, Tensor):
        return f"{value.dtype} tensor of shape {list(value.shape)}"
    if isinstance(value, Mapping | list | tuple):
        return f"{_kind(value)} of {len(value)}"
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


@define
class _Walk:
    """Goes through two trees at once; remembers where each tensor was first met, to compare what is shared."""

    _first_met: tuple[dict[int, str], dict[int, str]] = field(factory=lambda: ({}, {}))

    def member(self, a: Mapping[str, Any], b: Mapping[str, Any], key: str, path: str) -> str | None:
        for tree, name in ((a, "first"), (b, "second")):
            if key not in tree:
                return f"{path}: not in the {name}; {_brief((b if tree is a else a)[key])} in the other"
        return self.value(a[key], b[key], path)

    def value(self, a: Any, b: Any, path: str) -> str | None:  # noqa: ANN401 - any values of two trees
        kind = _kind(a)
        if kind != _kind(b):
            return f"{path}: {_brief(a)}; {_brief(b)}"
        if kind == "map":
            return self._map(a, b, path)
        if kind == "array":
            return self._array(a, b, path)
        if kind == "tensor":
            return self._tensor(a, b, path)
        same = _number(a, path) == _number(b, path) if kind == "number" else a == b
        return None if same else f"{path}: {_brief(a)}; {_brief(b)}"

    def _map(self, a: Mapping[str, Any], b: Mapping[str, Any], path: str) -> str | None:
        for key in sorted(a.keys() | b.keys(), key=_utf8):
            found = self.member(a, b, key, f"{path}.{key}")
            if found:
                return found
        return None

    def _array(self, a: list[Any], b: list[Any], path: str) -> str | None:
        for index, (one, other) in enumerate(zip(a, b, strict=False)):
            found = self.value(one, other, f"{path}[{index}]")
            if found:
                return found
        return None if len(a) == len(b) else f"{path}: array of {len(a)}; array of {len(b)}"

    def _tensor(self, a: Tensor, b: Tensor, path: str) -> str | None:
        if (a.dtype, a.shape) != (b.dtype, b.shape):
            return f"{path}: {_brief(a)}; {_brief(b)}"
        if not a.size_bytes:
            return None  # nothing to share and nothing to differ
        met = [first.setdefault(id(one), path) for first, one in zip(self._first_met, (a, b), strict=True)]
        if met[0] != met[1]:
            told = [f"shares the storage of {where}" if where != path else "has its own storage" for where in met]
            return f"{path}: {told[0]}; {told[1]}"
        return None if met[0] != path else _data(a, b, path)


def _number(value: Any, path: str) -> tuple[type, str]:  # noqa: ANN401 - any number
    """Returns what tells two numbers apart that are written in another way: 1, 1.0 and true; 0.0 and -0.0."""
    plain = plain_scalar(value, path)
    return type(plain), repr(plain)


def _data(a: Tensor, b: Tensor, path: str) -> str | None:
    size = DTYPES[a.dtype]
    one, other = (np.frombuffer(tensor.data, np.uint8).reshape(-1, size) for tensor in (a, b))
    if np.array_equal(one, other):
        return None
    rows = np.flatnonzero((one != other).any(axis=1))
    first = int(rows[0])
    index = [int(i) for i in np.unravel_index(first, a.shape)] if a.shape else []
    bits = f"bytes {one[first].tobytes().hex()}; {other[first].tobytes().hex()}"
    return f"{path}: {a.dtype} tensor of shape {list(a.shape)}, {len(rows)} elements differ, first {index}: {bits}"
