"""Between live Python and torch values and the plain trees of a checkpoint.

A tree has no tuples, no integer keys and no numpy arrays; `like` gives a tree the container types of a live value back.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch

from tenuto.reference.checkpoint.tree import Tensor, Tree, refuse
from tenuto.reference.checkpoint.uncollected import Uncollected
from tenuto.reference.trainer.torch_buffers import Buffers

__all__ = ["TreeMaker", "borrowed", "like", "to_torch"]

_DTYPES: Final = {
    torch.bool: "bool",
    torch.int8: "int8",
    torch.int16: "int16",
    torch.int32: "int32",
    torch.int64: "int64",
    torch.uint8: "uint8",
    torch.uint16: "uint16",
    torch.uint32: "uint32",
    torch.uint64: "uint64",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
    torch.float32: "float32",
    torch.float64: "float64",
    torch.complex64: "complex64",
    torch.complex128: "complex128",
    torch.float8_e4m3fn: "float8_e4m3fn",
    torch.float8_e5m2: "float8_e5m2",
    torch.float8_e4m3fnuz: "float8_e4m3fnuz",
    torch.float8_e5m2fnuz: "float8_e5m2fnuz",
}
_TORCH_DTYPES: Final = {name: dtype for dtype, name in _DTYPES.items()}


def dtype_name(dtype: torch.dtype) -> str:
    """Returns the name of a dtype in the file, or torch's own if the file has none."""
    return _DTYPES.get(dtype, str(dtype))


class TreeMaker:
    """Makes the trees of one capture; tensors that share storage become one tensor.

    Args:
        buffers: Where tensor data is copied to; without them live memory is viewed.

    Spec: CKPT-VAL-008, TR-STATE-005.
    """

    def __init__(self, buffers: Buffers | None = None) -> None:
        self._buffers = buffers
        self._shared: dict[tuple[Any, ...], Tensor] = {}
        self._kept: list[torch.Tensor] = []  # a storage address is an identity only while its tensor lives

    def tree(self, value: Any, path: str) -> Tree:  # noqa: ANN401 - any live value is examined
        """Returns the tree of a value.

        Args:
            value: Plain data, torch tensors, numpy arrays and scalars, in dicts, lists and tuples.
            path: Where it lies, for errors.

        Raises:
            CheckpointError: `unserializable_value` with the path, phase `encode`.
        """
        with Uncollected():
            return self._tree(value, path)

    def _tree(self, value: Any, path: str) -> Tree:  # noqa: ANN401 - any live value is examined
        if isinstance(value, torch.Tensor):
            return self._tensor(value, path)
        if isinstance(value, np.ndarray):
            return self._array(value, path)
        if isinstance(value, Mapping):
            return self._map(value, path)
        if isinstance(value, list | tuple):
            return [self._tree(item, f"{path}[{index}]") for index, item in enumerate(value)]
        if isinstance(value, np.generic):
            return value.item()  # type: ignore[no-any-return]
        if value is None or isinstance(value, bool | int | float | str | bytes):
            return value
        kinds = "plain data, tensors, dicts, lists or tuples"
        message = f"{path}: {type(value).__module__}.{type(value).__qualname__}; expected {kinds}"
        raise refuse("unserializable_value", message, phase="encode")

    def _map(self, value: Mapping[Any, Any], path: str) -> Tree:
        if all(isinstance(key, str) for key in value):
            return {key: self._tree(item, f"{path}.{key}") for key, item in value.items()}
        return [[self._tree(key, path), self._tree(value[key], f"{path}[{key!r}]")] for key in sorted(value)]

    def _array(self, array: np.ndarray[Any, Any], path: str) -> Tensor:
        try:
            return self._tensor(torch.from_numpy(np.ascontiguousarray(array)), path)
        except TypeError as error:
            message = f"{path}: array of dtype {array.dtype}; expected one of numbers"
            raise refuse("unserializable_value", message, phase="encode") from error

    def _tensor(self, tensor: torch.Tensor, path: str) -> Tensor:
        if tensor.dtype not in _DTYPES or tensor.layout is not torch.strided:
            message = f"{path}: {tensor.dtype} tensor of layout {tensor.layout}; expected a dense one of a listed dtype"
            raise refuse("unserializable_value", message, phase="encode")
        key = (
            tensor.untyped_storage().data_ptr(),
            tensor.storage_offset(),
            tensor.dtype,
            tensor.shape,
            tensor.stride(),
            tensor.is_conj(),  # torch notes conjugation and negation on a view, without changing the memory
            tensor.is_neg(),
        )
        if tensor.numel() and key in self._shared:
            return self._shared[key]
        made = Tensor(_DTYPES[tensor.dtype], tuple(tensor.shape), self._data(tensor))
        if tensor.numel():
            self._shared[key] = made
            self._kept.append(tensor)
        return made

    def _data(self, tensor: torch.Tensor) -> memoryview:
        if not tensor.numel():
            return memoryview(b"")
        plain = tensor.detach().resolve_conj().resolve_neg()
        if self._buffers is not None:
            return self._buffers.copy(plain)
        return plain.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


def to_torch(tensor: Tensor) -> torch.Tensor:
    """Returns a torch tensor on the CPU with a copy of the data."""
    return _over(bytearray(tensor.data), tensor)


def borrowed(tensor: Tensor) -> torch.Tensor:
    """Returns a torch tensor on the CPU over the data, which is not to be written to; over a copy of read-only data."""
    return to_torch(tensor) if tensor.data.readonly else _over(tensor.data, tensor)


def _over(data: bytearray | memoryview, tensor: Tensor) -> torch.Tensor:
    dtype = _TORCH_DTYPES[tensor.dtype]
    if not tensor.size_bytes:
        return torch.empty(tensor.shape, dtype=dtype)
    return torch.frombuffer(data, dtype=dtype).reshape(tensor.shape)


def like(template: Any, tree: Tree) -> Any:  # noqa: ANN401 - any live value is a template
    """Returns the tree with the container types of a live value: tuples, integer keys, torch tensors.

    Args:
        template: A live value of the same structure; where it has no counterpart, plain types stay.
        tree: What was saved.
    """
    if isinstance(tree, Tensor):
        loaded = to_torch(tree)
        return loaded.numpy() if isinstance(template, np.ndarray) else loaded
    if isinstance(tree, dict):
        live = template if isinstance(template, Mapping) else {}
        return _map_like(template, {key: like(live.get(key), item) for key, item in tree.items()})
    if isinstance(tree, list):
        return _list_like(template, tree)
    return tree


def _map_like(template: Any, made: dict[Any, Any]) -> dict[Any, Any]:  # noqa: ANN401 - as for `like`
    kind = type(template)
    return kind(made) if kind in {Counter, OrderedDict} else made


def _list_like(template: Any, tree: list[Tree]) -> Any:  # noqa: ANN401 - as for `like`
    if isinstance(template, Mapping):  # a map with keys that are not str (TR-STATE-005)
        pairs: Any = tree
        return _map_like(template, {key: like(template.get(key), item) for key, item in pairs})
    items = template if isinstance(template, list | tuple) else ()
    made_list = [like(items[index] if index < len(items) else None, item) for index, item in enumerate(tree)]
    return tuple(made_list) if isinstance(template, tuple) else made_list
