"""Heads of the usual kind, unpacked by the library in one pass; any other is left to `scan`, which says what is wrong.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final

import msgpack

from tenuto.reference.checkpoint.constants import DEPTH_LIMIT, TENSOR_LIMIT

__all__ = ["unpack_usual"]

_BYTES_MAX: Final = TENSOR_LIMIT  # a tensor takes more than a byte, and of values more are allowed
_FIRST: Final = range(0x83, 0x90)  # short maps of at least three pairs


def unpack_usual(head: memoryview, make_ext: Callable[[int, bytes], object]) -> tuple[dict[str, Any], str] | None:
    """Unpacks a head that `scan_head` accepts.

    The library steps over it first, which makes nothing: afterwards every length is known to be true.

    Args:
        head: The bytes from the start of the file to `head_length`.
        make_ext: What becomes of an ext value; called in the order of the bytes, and also where None is returned.

    Returns:
        The values by their keys, in file order, and the key after them. None for a head that is too large, or not one
        that `scan_head` accepts.

    Spec: CKPT-READ-002, CKPT-READ-003, CKPT-LIM-001, CKPT-LIM-003.
    """
    if len(head) > _BYTES_MAX or head[0] not in _FIRST:
        return None
    count = 2 * (head[0] & 0x0F) - 5  # keys and values, without the last two pairs and the value before them
    array = b"\xdc" + count.to_bytes(2, "big") + head[1:]
    try:
        steps = msgpack.Unpacker(max_buffer_size=len(array))
        steps.feed(array)
        steps.skip()
        items = msgpack.unpackb(array, ext_hook=make_ext, object_pairs_hook=_map)
    except (ValueError, msgpack.UnpackException):  # the first also from `_map`
        return None
    keys, values = items[::2], items[1::2]
    if not _are_keys(keys) or not _fit(values, DEPTH_LIMIT - 1):
        return None
    return dict(zip(keys, values, strict=False)), keys[-1]


def _map(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
    if not _are_keys([key for key, _ in pairs]):
        raise ValueError("a key that is no text, or is there twice")
    return dict(pairs)


def _are_keys(keys: list[Any]) -> bool:
    return {*map(type, keys)} <= {str} and len({*keys}) == len(keys)


def _fit(values: Collection[Any], levels: int) -> bool:
    """Returns whether arrays and maps are nested no deeper, and no value is one that the library interprets."""
    kinds = {*map(type, values)}
    if msgpack.Timestamp in kinds:
        return False
    if kinds.isdisjoint({dict, list}):
        return True
    inner = (one.values() if type(one) is dict else one for one in values if type(one) in {dict, list})
    return levels > 0 and all(_fit(one, levels - 1) for one in inner)
