"""Documents as the oracle holds them: plain Python values, tensors, and two ways to write what no document is.

Spec: CKPT-VAL-001.
"""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from attrs import define, frozen

HEAD_KEYS = (
    "version",
    "requires",
    "metadata",
    "model_state",
    "optimizer_state",
    "scheduler_state",
    "rng_state",
    "callback_state",
    "trainer_state",
)

DTYPE_BYTES = {
    "bool": 1,
    "int8": 1,
    "int16": 2,
    "int32": 4,
    "int64": 8,
    "uint8": 1,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
    "float16": 2,
    "bfloat16": 2,
    "float32": 4,
    "float64": 8,
    "complex64": 8,
    "complex128": 16,
    "float8_e4m3fn": 1,
    "float8_e5m2": 1,
    "float8_e4m3fnuz": 1,
    "float8_e5m2fnuz": 1,
}


@define(eq=False, frozen=True)
class Tensor:
    """A tensor; the same object twice in a document is one shared tensor.

    Spec: CKPT-VAL-003, CKPT-VAL-009.
    """

    dtype: str
    shape: tuple[int, ...]
    data: bytes


@frozen
class Raw:
    """Bytes that are written as they are in place of a value; not part of any document."""

    code: bytes


@frozen
class Pairs:
    """A map whose encoded keys, order and declared count are all given; not part of any document."""

    items: "tuple[tuple[bytes, Tree], ...]"
    header: bytes


Scalar: TypeAlias = bool | int | float | str | bytes | None
Tree: TypeAlias = Scalar | list["Tree"] | dict[str, "Tree"] | Tensor | Raw | Pairs
Document: TypeAlias = dict[str, Tree]


def utf8(text: str) -> bytes:
    """The sort key of CKPT-CANON-002."""
    return text.encode("utf-8")


def head_order(keys: Iterable[str]) -> list[str]:
    """Keys of the top level in canonical order: the nine in order, then the others by their UTF-8 bytes.

    Spec: CKPT-FILE-003.
    """
    present = set(keys)
    known = [key for key in HEAD_KEYS if key in present]
    return known + sorted(present - set(HEAD_KEYS), key=utf8)


def make(**changes: Tree) -> Document:
    """The smallest document, with the given keys set."""
    document: Document = {
        "version": "1.0",
        "requires": [],
        "metadata": {"origin": {}},
        "model_state": {},
        "optimizer_state": {},
        "scheduler_state": {},
        "rng_state": {},
        "callback_state": {},
        "trainer_state": {},
    }
    return document | changes


def without_origin(document: Document) -> Document:
    """The document with `metadata.origin` replaced by an empty map.

    Spec: CKPT-CANON-006, CONF-OP-004.
    """
    metadata = document["metadata"]
    if not isinstance(metadata, Mapping):
        msg = f"metadata of a document: {type(metadata).__name__}; expected a map"
        raise TypeError(msg)
    return document | {"metadata": dict(metadata) | {"origin": {}}}


def filled(dtype: str, *shape: int, seed: int = 1) -> Tensor:
    """A tensor whose bytes are all different from their neighbors, so that a misplaced byte shows."""
    count = DTYPE_BYTES[dtype]
    for extent in shape:
        count *= extent
    data = bytes((seed * 37 + index * 7 + index // 251) % 256 for index in range(count))
    return Tensor(dtype, shape, data)
