"""From a document to the canonical bytes of its head, and the list of tensors that the head names.

Pure. Segment data is not touched here: see `writer`.
"""

from __future__ import annotations

import numbers
import re
import sys
from collections.abc import Mapping
from typing import Any

import msgpack

from tenuto.reference.checkpoint.constants import (
    CANONICAL_NAN,
    DEPTH_LIMIT,
    FEATURES,
    FORMAT_MAJOR,
    HEAD_KEYS,
    HEAD_LIMIT,
    NODE_LIMIT,
    RANK_LIMIT,
    SEGMENT_BYTES,
    SEGMENT_LIMIT,
    TAIL_KEYS,
    TENSOR_EXT,
    TENSOR_LIMIT,
    VERSION_MAX_BYTES,
)
from tenuto.reference.checkpoint.tree import TENSOR_KINDS, Document, StoredTensor, Tensor, Tree, refuse
from tenuto.reference.errors import CheckpointError

__all__ = ["encode_head", "major_version", "pack", "plain_scalar", "segment_count"]

_VERSION = re.compile(rb"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")


def pack(value: Any) -> bytes:  # noqa: ANN401 - anything that msgpack packs
    """Packs plain values in the shortest msgpack form.

    Spec: CKPT-CANON-001.
    """
    packed: bytes = _packer().pack(value)
    return packed


def _packer() -> msgpack.Packer:
    return msgpack.Packer(use_bin_type=True, strict_types=False)


def segment_count(size_bytes: int) -> int:
    """Returns into how many segments a tensor of this size is cut.

    Spec: CKPT-SEG-001, CKPT-VAL-007.
    """
    return -(-size_bytes // SEGMENT_BYTES)


def major_version(version: bytes) -> int | None:
    """Returns the major part of a version, or None for what is none.

    Spec: CKPT-FILE-002, CKPT-READ-001.
    """
    found = _VERSION.fullmatch(version) if len(version) <= VERSION_MAX_BYTES else None
    return int(found[1]) if found else None


def encode_head(
    document: Document, cuts: Mapping[int, int] | None = None
) -> tuple[bytes, tuple[Tensor | StoredTensor, ...]]:
    """Encodes everything up to and with the key `segments`.

    Args:
        document: Holds the nine head keys; further keys follow them in sorted order.
        cuts: Into how many segments compressed tensors are cut, by their id; the file then says that it has some.

    Returns:
        The head, and the tensors with elements in the order of their segments, each shared one once.

    Raises:
        CheckpointError: `missing_key`, `wrong_type`, `unsupported_feature`, `misplaced_key`, `unserializable_value`
            or a code of a limit, phase `encode`.

    Spec: CKPT-FILE-003, CKPT-SEG-002, CKPT-CANON-001, CKPT-CANON-002, CKPT-LIM-002, CKPT-ZSTD-001.
    """
    _check_keys(document.head)
    builder = _Builder(cuts or {})
    builder.count(1)  # the top-level map
    unknown = sorted(document.head.keys() - HEAD_KEYS.keys(), key=lambda key: _utf8(key, key))
    parts = [_map_header(len(HEAD_KEYS) + len(unknown) + len(TAIL_KEYS))]
    for key in (*HEAD_KEYS, *unknown):
        builder.count(1)
        value = list(FEATURES) if cuts and key == "requires" else document.head[key]
        parts += [pack(key), pack(builder.plain(value, key, 2))]
    parts.append(pack(TAIL_KEYS[0]))
    head = b"".join(parts)
    if len(head) > HEAD_LIMIT:
        raise _refuse("head_limit", f"size of the head: {len(head)} bytes; expected at most {HEAD_LIMIT}")
    return head, tuple(builder.tensors)


def _refuse(code: str, message: str) -> CheckpointError:
    return refuse(code, message, phase="encode")


def _map_header(count: int) -> bytes:
    if count < 16:
        return bytes([0x80 | count])
    return b"\xde" + count.to_bytes(2, "big") if count < 65536 else b"\xdf" + count.to_bytes(4, "big")


def _check_keys(head: Mapping[str, Tree]) -> None:
    """Refuses what a reader would refuse, in the reader's order."""
    for key in head:
        if not isinstance(key, str):
            raise _refuse("key_not_string", f"keys of the document: {key!r}; expected only str keys")
        if key in TAIL_KEYS:
            raise _refuse(
                "misplaced_key", f"keys of the document: {key!r}; expected a key that the writer does not make"
            )
    for key in HEAD_KEYS:
        if key not in head:
            raise _refuse("missing_key", f"keys of the document: no {key!r}; expected all of {', '.join(HEAD_KEYS)}")
    _check_version(head["version"])
    for key, kind in HEAD_KEYS.items():
        expected = {"str": str, "array": list | tuple, "map": Mapping, "tree": object}[kind]
        if not isinstance(head[key], expected):
            raise _refuse("wrong_type", f"{key}: {type(head[key]).__name__}; expected a {kind}")
    _check_requires(head["requires"])
    metadata = head["metadata"]
    assert isinstance(metadata, Mapping)  # noqa: S101 - checked above
    if "origin" not in metadata:
        raise _refuse("missing_key", "metadata: no 'origin'; expected it")
    if not isinstance(metadata["origin"], Mapping):
        raise _refuse("wrong_type", f"metadata.origin: {type(metadata['origin']).__name__}; expected a map")


def _check_version(version: Tree) -> None:
    major = major_version(_utf8(version, "version")) if isinstance(version, str) else None
    if major is None:
        raise _refuse("not_a_checkpoint", f"version: {version!r}; expected major.minor in decimal")
    if major != FORMAT_MAJOR:
        raise _refuse("unsupported_version", f"version: {version!r}; expected {FORMAT_MAJOR}.x")


def _check_requires(requires: Any) -> None:  # noqa: ANN401 - a list or tuple of anything
    for feature in requires:
        if not isinstance(feature, str):
            raise _refuse("wrong_type", f"requires: {feature!r}; expected only str")
        said = f"requires: {feature!r}; expected none: the writer names what a file has"
        raise _refuse("unsupported_feature", said)


def _utf8(text: str, path: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _refuse("unserializable_value", f"{path}: text with a lone surrogate; expected Unicode text") from error


def _text(value: str) -> str:
    """Returns the characters of a str, also of a subclass whose own `__str__` says something else, as enums do."""
    return str.__str__(value)


class _Builder:
    """Turns a tree into what msgpack packs, numbering segments and counting against the limits on the way."""

    def __init__(self, cuts: Mapping[int, int]) -> None:
        self.tensors: list[Tensor | StoredTensor] = []
        self._cuts = cuts
        self._numbers: dict[int, tuple[int, ...]] = {}
        self._next_segment = 0
        self._nodes = 0
        self._ext_values = 0
        self._pack = _packer().pack  # made once: there may be many tensors

    def count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > NODE_LIMIT:
            raise _refuse("node_limit", f"values in the head: more than {NODE_LIMIT}; expected at most that many")

    def plain(self, value: Any, path: str, depth: int) -> Any:  # noqa: ANN401 - from any value to what msgpack packs
        self.count(1)
        if isinstance(value, TENSOR_KINDS):
            return msgpack.ExtType(TENSOR_EXT, self._tensor(value, path))
        if value is None or isinstance(value, bytes):
            return value
        if isinstance(value, str):
            _utf8(value, path)
            return _text(value)
        if isinstance(value, Mapping):
            return self._map(value, path, depth)
        if isinstance(value, list | tuple):
            self._check_depth(path, depth)
            return [self.plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
        return plain_scalar(value, path)

    def _check_depth(self, path: str, depth: int) -> None:
        if depth > DEPTH_LIMIT:
            raise _refuse("depth_limit", f"{path}: depth {depth}; expected at most {DEPTH_LIMIT}")

    def _map(self, value: Mapping[Any, Any], path: str, depth: int) -> dict[str, Any]:
        self._check_depth(path, depth)
        for key in value:
            if not isinstance(key, str):
                raise _refuse("key_not_string", f"{path}: key {key!r}; expected only str keys")
            if not key.isascii():
                _utf8(key, f"{path}.{key!r}")
        self.count(len(value))
        keys = sorted(value, key=_text)  # characters have the order of their UTF-8
        return {_text(key): self.plain(value[key], f"{path}.{key}", depth + 1) for key in keys}

    def _tensor(self, tensor: Tensor | StoredTensor, path: str) -> bytes:
        self._ext_values += 1
        if self._ext_values > TENSOR_LIMIT:
            raise _refuse("tensor_limit", f"{path}: tensor number {self._ext_values}; expected at most {TENSOR_LIMIT}")
        if len(tensor.shape) > RANK_LIMIT:
            raise _refuse("rank_limit", f"{path}: rank {len(tensor.shape)}; expected at most {RANK_LIMIT}")
        packed: bytes = self._pack((tensor.dtype, tensor.shape, self._segments(tensor, path)))
        return packed

    def _segments(self, tensor: Tensor | StoredTensor, path: str) -> tuple[int, ...]:
        known = self._numbers.get(id(tensor))
        if known is None:
            first = self._next_segment
            packed = self._cuts and self._cuts.get(id(tensor))
            self._next_segment += packed or segment_count(tensor.size_bytes)
            if self._next_segment > SEGMENT_LIMIT:
                raise _refuse(
                    "segment_limit", f"{path}: more than {SEGMENT_LIMIT} segments; expected at most that many"
                )
            known = tuple(range(first, self._next_segment))
            self._numbers[id(tensor)] = known
            if known:
                self.tensors.append(tensor)
        return known


def _is_of_numpy(value: object, kind: str) -> bool:
    """Returns whether a value is a scalar of NumPy. Who has one has imported NumPy: a third of a start is spared."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, getattr(numpy, kind))


def plain_scalar(value: Any, path: str) -> bool | int | float:  # noqa: ANN401 - any value is examined
    """Returns a number as the plain one that is written for it.

    Raises:
        CheckpointError: `unserializable_value`, phase `encode`.

    Spec: CKPT-VAL-001, CKPT-VAL-002, CKPT-VAL-014.
    """
    if isinstance(value, bool) or _is_of_numpy(value, "bool_"):
        return bool(value)
    if isinstance(value, numbers.Integral):
        number = int(value)
        if not -(2**63) <= number < 2**64:
            raise _refuse("unserializable_value", f"{path}: {number}; expected an integer in [-2^63, 2^64)")
        return number
    if isinstance(value, float) or _is_of_numpy(value, "floating"):
        real = float(value)
        if real != value and value == value:  # noqa: PLR0124 - NaN is the one value that differs from itself
            raise _refuse("unserializable_value", f"{path}: {value!r}; expected a number that float64 holds exactly")
        return CANONICAL_NAN if real != real else real  # noqa: PLR0124 - as above
    kinds = "nil, bool, int, float, str, bytes, list, dict or Tensor"
    raise _refuse(
        "unserializable_value",
        f"{path}: {type(value).__module__}.{type(value).__qualname__}; expected {kinds}",
    )
