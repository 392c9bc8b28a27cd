"""From the bytes of the head to its keys and values: scanned, unpacked, kinds and tensors checked. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

import msgpack
from attrs import define, field, frozen

from tenuto.reference.checkpoint import scan, tensors
from tenuto.reference.checkpoint.compression import MISSING, is_available
from tenuto.reference.checkpoint.constants import FEATURES, HEAD_KEYS, TAIL_KEYS, TENSOR_EXT
from tenuto.reference.checkpoint.tree import StoredTensor, Tree, refuse
from tenuto.reference.checkpoint.usual_head import unpack_usual

__all__ = ["parse_head"]

_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "str": (str,),
    "array": (list,),
    "map": (dict,),
    "tree": (object,),
}


def parse_head(head: memoryview) -> dict[str, Tree]:
    """Reads the head: steps 9 to 13 of the reading order.

    Returns:
        Key -> value in file order; tensors are `StoredTensor`, those that name the same segments one object.

    Raises:
        CheckpointError: The code of the first check that fails, phase `head`.

    Spec: CKPT-READ-001, CKPT-FILE-004 to CKPT-FILE-009, CKPT-VAL-009, CKPT-VAL-012.
    """
    read = _ExtValues()
    usual = unpack_usual(head, read.keep)
    if usual is None:
        read = _ExtValues()
        parsed = _scanned(head, read)
    else:
        parsed, last_key = usual
        _check_keys(parsed, last_key, is_last=True)
    _check_kinds(parsed)
    made = iter([read.tensor(slot) for slot in read.slots])
    return {key: _place(value, made) for key, value in parsed.items()} if read.slots else parsed


def _scanned(head: memoryview, read: _ExtValues) -> dict[str, Any]:
    found = scan.scan_head(head)
    _check_keys(found.spans, found.last_key, is_last=found.end == len(head))
    plain = _without_timestamps(head, found.timestamps)
    return {key: _unpack(plain[start:end], read.keep) for key, (start, end) in found.spans.items()}


def _check_keys(keys: Collection[str], last_key: str, *, is_last: bool) -> None:
    """Step 10."""
    for key in HEAD_KEYS:
        if key not in keys:
            raise refuse("missing_key", f"keys of the file: no {key!r}; expected all of {', '.join(HEAD_KEYS)}")
    early = [key for key in TAIL_KEYS if key in keys]
    if early or last_key != TAIL_KEYS[0] or not is_last:
        raise refuse(
            "misplaced_key",
            f"keys of the file: {early or last_key!r} out of place; expected {TAIL_KEYS} last",
        )


def _without_timestamps(head: memoryview, offsets: tuple[int, ...]) -> memoryview:
    """Gives ext values of type -1 a reserved type: the decoder would interpret them; they are refused either way."""
    if not offsets:
        return head
    copy = bytearray(head)
    for offset in offsets:
        copy[offset] = 2
    return memoryview(copy)


@frozen(eq=False)
class _Slot:
    """Stands for an ext value that is looked at when the kinds of all keys are checked."""

    code: int
    payload: bytes


@define
class _ExtValues:
    """What the decoder makes of ext values: tensors of the usual forms at once, a slot for any other."""

    slots: list[_Slot] = field(factory=list)
    _shared: dict[tuple[int, ...], StoredTensor] = field(factory=dict)

    def keep(self, code: int, payload: bytes) -> StoredTensor | _Slot:
        tensor = tensors.parse_common(payload) if code == TENSOR_EXT else None
        if tensor is not None:
            return self._share(tensor)
        self.slots.append(_Slot(code, payload))
        return self.slots[-1]

    def tensor(self, slot: _Slot) -> StoredTensor:
        code = slot.code
        if code != TENSOR_EXT:
            raise refuse("unsupported_ext", f"ext value: of type {code}; expected {TENSOR_EXT}")
        return self._share(tensors.parse_tensor(slot.payload))

    def _share(self, tensor: StoredTensor) -> StoredTensor:
        if not tensor.segments:
            return tensor
        first = self._shared.setdefault(tensor.segments, tensor)
        return first if first is tensor or (first.dtype, first.shape) == (tensor.dtype, tensor.shape) else tensor


def _unpack(data: memoryview, keep: Callable[[int, bytes], object]) -> Any:  # noqa: ANN401 - plain values and slots
    return msgpack.unpackb(data, ext_hook=keep, strict_map_key=True)


def _place(value: Any, made: Iterator[StoredTensor]) -> Tree:  # noqa: ANN401 - plain values and slots
    """Puts the tensors where their slots are, in byte order: dicts keep it."""
    if isinstance(value, _Slot):
        return next(made)
    if isinstance(value, dict):
        return {key: _place(item, made) for key, item in value.items()}
    if isinstance(value, list):
        return [_place(item, made) for item in value]
    tree: Tree = value
    return tree


def _check_kinds(head: dict[str, Any]) -> None:
    """Steps 11 and 12."""
    requires = head["requires"]
    if not isinstance(requires, list) or not all(isinstance(feature, str) for feature in requires):
        raise refuse("wrong_type", "requires: not an array of str; expected one")
    for feature in requires:
        if feature not in FEATURES:
            raise refuse("unsupported_feature", f"requires: {feature!r}; expected a feature that this version reads")
        if not is_available():
            raise refuse("unsupported_feature", f"requires: {feature!r}; {MISSING}")
    for key, kind in HEAD_KEYS.items():
        if not isinstance(head[key], _KINDS[kind]):
            raise refuse("wrong_type", f"{key}: {type(head[key]).__name__}; expected a {kind}")
    if "origin" not in head["metadata"]:
        raise refuse("missing_key", "metadata: no 'origin'; expected it")
    if not isinstance(head["metadata"]["origin"], dict):
        raise refuse("wrong_type", "metadata.origin: not a map; expected one")
