"""The values that a checkpoint holds: trees of plain data and tensors. Knows no file and no framework."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Final, SupportsIndex, TypeAlias

from attrs import field, frozen
from typing_extensions import Buffer

from tenuto.reference.checkpoint.constants import DIMENSION_MAX, DTYPES, PHASE_OF
from tenuto.reference.errors import CheckpointError

__all__ = [
    "TENSOR_KINDS",
    "Document",
    "StoredTensor",
    "Tensor",
    "Tree",
    "byte_size",
    "map_tensors",
    "refuse",
    "tensors_of",
]

Tree: TypeAlias = "bool | int | float | str | bytes | list[Tree] | dict[str, Tree] | Tensor | StoredTensor | None"


def refuse(code: str, message: str, *, phase: str | None = None) -> CheckpointError:
    """Returns the error for a code, in the phase that the specification gives it unless one is named."""
    return CheckpointError(code, message, phase=phase or PHASE_OF[code])


def byte_size(dtype: str, shape: tuple[int, ...]) -> int:
    """Returns the size of a tensor in bytes, computed without wrapping.

    Spec: CKPT-VAL-006.
    """
    return math.prod(shape) * DTYPES[dtype]


def _as_bytes(data: Buffer) -> memoryview:
    view = memoryview(data)
    return view.cast("B") if view.nbytes else memoryview(b"")  # a view with a zero in its shape has no cast


def _as_shape(sizes: Iterable[SupportsIndex]) -> tuple[int, ...]:
    return tuple(int(operator.index(size)) for size in sizes)  # NumPy integers become plain ones, that can be packed


@frozen(eq=False)
class Tensor:
    """A tensor as bytes. Two places of a tree that hold the same object share their storage.

    Attributes:
        dtype: A name of the format's list, such as `float32`.
        shape: Sizes, at most 32 of them.
        data: Bytes-like, little-endian, C order, exactly `byte_size(dtype, shape)` bytes. Borrowed: it may be a view of
            live memory or of a mapped file.

    Raises:
        CheckpointError: `unknown_dtype`, `bad_tensor` or `size_mismatch`, phase `encode`.

    Spec: CKPT-VAL-003, CKPT-VAL-004, CKPT-VAL-005, CKPT-VAL-008.
    """

    dtype: str
    shape: tuple[int, ...] = field(converter=_as_shape)
    data: memoryview = field(converter=_as_bytes)

    def __attrs_post_init__(self) -> None:
        if self.dtype not in DTYPES:
            message = f"dtype of a tensor: {self.dtype!r}; expected one of {', '.join(DTYPES)}"
            raise refuse("unknown_dtype", message, phase="encode")
        if not all(0 <= size <= DIMENSION_MAX for size in self.shape):
            message = f"shape of a tensor: {self.shape}; expected sizes in [0, 2^63)"
            raise refuse("bad_tensor", message, phase="encode")
        size = byte_size(self.dtype, self.shape)
        if self.data.nbytes != size:
            message = f"data of a {self.dtype} tensor of shape {self.shape}: {self.data.nbytes} bytes; expected {size}"
            raise refuse("size_mismatch", message, phase="encode")

    def __deepcopy__(self, memo: dict[int, object]) -> Tensor:
        """Copies the data: a view of memory cannot be copied by itself, and callbacks have tensors in their state."""
        return Tensor(self.dtype, self.shape, bytearray(self.data))

    @property
    def size_bytes(self) -> int:
        """The size of the data in bytes."""
        return self.data.nbytes


@frozen(eq=False)
class StoredTensor:
    """A tensor of an opened file whose bytes have not been touched: dtype, shape and segment numbers."""

    dtype: str
    shape: tuple[int, ...]
    segments: tuple[int, ...]

    @property
    def size_bytes(self) -> int:
        """The size of the data in bytes."""
        return byte_size(self.dtype, self.shape)


TENSOR_KINDS: Final = (Tensor, StoredTensor)  # a tuple is examined faster than a union
_INNER: Final = (dict, list)


@frozen
class Document:
    """The contents of one checkpoint, as plain data.

    Attributes:
        head: The head keys of the file (`version` to `trainer_state`) and any key that this version does not know.
        canonical: Whether the file that it was read from was canonical; true for a document made in memory.
    """

    head: dict[str, Tree]
    canonical: bool = True


def tensors_of(tree: Tree, path: str = "") -> Iterator[tuple[str, Tensor | StoredTensor]]:
    """Yields every tensor with its dotted path, depth first in the order of the tree."""
    if isinstance(tree, TENSOR_KINDS):
        yield path, tree
        return
    pairs: Iterable[tuple[str | int, Tree]] = ()
    start = end = ""
    if isinstance(tree, dict):
        pairs, start = tree.items(), f"{path}." if path else ""
    elif isinstance(tree, list):
        pairs, start, end = enumerate(tree), f"{path}[", "]"
    for key, value in pairs:  # no name is made for what holds no tensor, and no generator for a tensor: there are many
        if isinstance(value, TENSOR_KINDS):
            yield f"{start}{key}{end}", value
        elif isinstance(value, _INNER):
            yield from tensors_of(value, f"{start}{key}{end}")


def map_tensors(tree: Tree, convert: Callable[[Tensor | StoredTensor], Tree]) -> Tree:
    """Returns a copy of the tree in which every tensor is replaced by what `convert` makes of it."""
    if isinstance(tree, Tensor | StoredTensor):
        return convert(tree)
    if isinstance(tree, dict):
        return {key: map_tensors(value, convert) for key, value in tree.items()}
    if isinstance(tree, list):
        return [map_tensors(value, convert) for value in tree]
    return tree
