"""Memory for the copies of a background save, used again from save to save.

Writing to memory for the first time costs several times what the copy does: the system has to find and clear each page.
What comes from a CUDA device goes to pinned memory, which the device writes to itself. The copy is waited for: the next
step changes the weights, so a stream of its own would have nothing to overlap with.
"""

from __future__ import annotations

import weakref
from collections import Counter
from typing import Final, TypeAlias

import torch

__all__ = ["Buffers"]

_Key: TypeAlias = "tuple[int, bool]"  # the size in bytes, and whether the memory is pinned
_LEAST_BYTES: Final = 1 << 16  # smaller memory is taken from what the process has already


class Buffers:
    """Copies of tensors; memory is lent until nobody can see the copy any more.

    It holds the memory of as many captures as are alive at one time, which is one while one save is in flight.
    """

    def __init__(self) -> None:
        self._free: dict[_Key, list[torch.Tensor]] = {}
        self._lent: Counter[_Key] = Counter()

    def begin(self) -> Buffers:
        """Begins a capture; memory of which the one before had no need goes back to the system."""
        self._free = {key: self._free.get(key, [])[:count] for key, count in self._lent.items()}
        self._lent.clear()
        return self

    def copy(self, tensor: torch.Tensor) -> memoryview:
        """Returns the data of a tensor on any device as bytes in C order, copied once.

        Args:
            tensor: With at least one element, without conjugation or negation that torch has only noted.
        """
        size = tensor.numel() * tensor.element_size()
        if size < _LEAST_BYTES:
            return tensor.cpu().clone(memory_format=torch.contiguous_format).reshape(-1).view(torch.uint8).numpy().data
        key = size, tensor.is_cuda
        self._lent[key] += 1
        free = self._free.get(key)
        memory = free.pop() if free else torch.empty(size, dtype=torch.uint8, pin_memory=tensor.is_cuda)
        memory.view(tensor.dtype).view(tensor.shape).copy_(tensor)
        seen = memory.numpy()  # an object of its own: it lives as long as any view of it
        weakref.finalize(seen, self._take_back, key, memory).atexit = False
        return seen.data

    def _take_back(self, key: _Key, memory: torch.Tensor) -> None:
        self._free.setdefault(key, []).append(memory)
