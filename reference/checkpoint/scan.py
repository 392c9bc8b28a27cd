"""One bounded pass over the head of a file that is not of the usual kind, before anything is built from it.

Stock msgpack decoders allocate thousands of times the size of a hostile file and accept repeated keys. This scan
allocates one small record a nesting level and one key set a map; what it lets pass is safe to hand to the decoder.
"""

from __future__ import annotations

import re

from attrs import define, field, frozen

from tenuto.reference.checkpoint.constants import DEPTH_LIMIT, NODE_LIMIT, TENSOR_EXT, TENSOR_LIMIT
from tenuto.reference.checkpoint.tree import refuse

__all__ = ["HeadScan", "scan_head"]

_STR, _BIN, _EXT, _ARRAY, _MAP, _SCALAR = range(6)
_BLOCK_BYTES = 1 << 16
_ONE_BYTE = re.compile(rb"[\x00-\x7f\xc0\xc2\xc3\xe0-\xff]*+")  # small integers, nil, false, true
_TIMESTAMP_EXT = 0xFF  # -1 as a byte

# first byte -> (kind, bytes of the length field or -1, the length that the byte holds or the scalar's payload)
_Form = tuple[int, int, int]


def _forms() -> list[_Form | None]:
    forms: list[_Form | None] = [(_SCALAR, -1, 0)] * 256  # fixints, nil, false, true
    for byte in range(16):
        forms[0x80 | byte] = (_MAP, -1, byte)
        forms[0x90 | byte] = (_ARRAY, -1, byte)
    for byte in range(32):
        forms[0xA0 | byte] = (_STR, -1, byte)
    forms[0xC1] = None
    for first, kind, sizes in ((0xC4, _BIN, (1, 2, 4)), (0xC7, _EXT, (1, 2, 4)), (0xD9, _STR, (1, 2, 4))):
        for step, size in enumerate(sizes):
            forms[first + step] = (kind, size, 0)
    for first, kind in ((0xDC, _ARRAY), (0xDE, _MAP)):
        forms[first], forms[first + 1] = (kind, 2, 0), (kind, 4, 0)
    for first, payloads in ((0xCA, (4, 8)), (0xCC, (1, 2, 4, 8)), (0xD0, (1, 2, 4, 8))):
        for step, payload in enumerate(payloads):
            forms[first + step] = (_SCALAR, -1, payload)
    for step in range(5):
        forms[0xD4 + step] = (_EXT, -1, 1 << step)
    return forms


_FORMS = _forms()


@frozen
class HeadScan:
    """What the scan found.

    Attributes:
        spans: Key -> (first byte, one past the last byte) of its value, in file order; all pairs but the last three.
        last_key: The key after them: `segments` in a good file.
        end: Offset after `last_key`.
        timestamps: Offsets of the type bytes of ext values of type -1, which stock decoders treat by themselves.
    """

    spans: dict[str, tuple[int, int]]
    last_key: str
    end: int
    timestamps: tuple[int, ...]


@define
class _Level:
    """An open array or map: how many items are left, the keys seen if it is a map, and whether a run may follow."""

    left: int
    keys: set[bytes] | None = None
    may_have_run: bool = True


@define
class _Cursor:
    head: memoryview
    at: int = 0
    nodes: int = 0
    ext_values: int = 0
    timestamps: list[int] = field(factory=list)

    def header(self) -> tuple[int, int]:
        """Reads one header: the kind, and its length, count or payload size, all compared with what remains."""
        self.nodes += 1
        if self.nodes > NODE_LIMIT:
            raise refuse("node_limit", f"byte {self.at}: value number {self.nodes}; expected at most {NODE_LIMIT}")
        start, remaining = self.at, len(self.head) - self.at
        if remaining < 1:
            raise _overrun(start)
        form = _FORMS[self.head[start]]
        if form is None:
            raise refuse("reserved_byte", f"byte {start}: c1; expected a msgpack value")
        kind, size_field, length = form
        self.at += 1
        if size_field > 0:
            if remaining < 1 + size_field:
                raise _overrun(start)
            length = int.from_bytes(self.head[self.at : self.at + size_field], "big")
            self.at += size_field
        least = length + 1 if kind == _EXT else 2 * length if kind == _MAP else length
        if least > len(self.head) - self.at:
            raise _overrun(start)
        return kind, length

    def key(self, seen: set[bytes]) -> bytes:
        """Reads a map key: a str that this map has not had."""
        start = self.at
        kind, length = self.header()
        if kind != _STR:
            raise refuse("key_not_string", f"byte {start}: a map key of another kind; expected a str")
        key = self.text(length)
        if key in seen:
            raise refuse("duplicate_key", f"byte {start}: key {key.decode()!r} again; expected each key of a map once")
        seen.add(key)
        return key

    def text(self, length: int) -> bytes:
        raw = bytes(self.head[self.at : self.at + length])
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise refuse(
                "invalid_utf8", f"byte {self.at + error.start}: not UTF-8; expected UTF-8 without surrogates"
            ) from error
        self.at += length
        return raw

    def leaf(self, kind: int, length: int) -> None:
        """Steps over what follows the header of a value that holds no other value."""
        if kind == _STR:
            self.text(length)
            return
        if kind == _EXT:
            if self.head[self.at] == TENSOR_EXT:
                self.ext_values += 1
                if self.ext_values > TENSOR_LIMIT:
                    raise refuse(
                        "tensor_limit",
                        f"byte {self.at}: tensor {self.ext_values}; expected at most {TENSOR_LIMIT}",
                    )
            elif self.head[self.at] == _TIMESTAMP_EXT:
                self.timestamps.append(self.at)
            self.at += 1
        self.at += length

    def run(self, level: _Level) -> None:
        """Steps over what heads are full of, in a map tensors and in an array values of one byte, up to anything else.

        A map or an array without such a run at its start is not looked at again.
        """
        before = level.left
        if level.keys is None:
            level.left -= self._bytes(level.left)
        else:
            while done := self._pairs(self._block(), level.left, level.keys):
                level.left -= done
        level.may_have_run = level.left < before

    def _block(self) -> bytes:
        return bytes(self.head[self.at : self.at + _BLOCK_BYTES])

    def _bytes(self, most: int) -> int:
        found = _ONE_BYTE.match(self.head[self.at : self.at + min(most, NODE_LIMIT - self.nodes)])
        done = found.end() if found else 0
        self.at, self.nodes = self.at + done, self.nodes + done
        return done

    def _pairs(self, block: bytes, most: int, keys: set[bytes]) -> int:
        at, done = 0, 0
        most = min(most, (NODE_LIMIT - self.nodes) // 2, TENSOR_LIMIT - self.ext_values)
        while done < most and at + 2 <= len(block):
            first = block[at]
            start = at + 2 if first == 0xD9 else at + 1
            if first & 0xE0 != 0xA0 and first != 0xD9:
                break
            end = start + (block[at + 1] if first == 0xD9 else first & 0x1F)
            key = block[start:end]
            if end + 3 > len(block) or key in keys or not key.isascii():
                break
            if block[end] == 0xC7:
                kind, after = block[end + 2], end + 3 + block[end + 1]
            elif block[end] == 0xD8:
                kind, after = block[end + 1], end + 18
            else:
                break
            if kind != TENSOR_EXT or after > len(block):
                break
            keys.add(key)
            at, done = after, done + 1
        self.at, self.nodes, self.ext_values = self.at + at, self.nodes + 2 * done, self.ext_values + done
        return done

    def value(self, depth: int) -> None:
        """Steps over one value, iteratively; `depth` is what its own nesting level would be."""
        stack = [_Level(1)]
        while stack:
            level = stack[-1]
            if level.may_have_run:
                self.run(level)
            if level.left == 0:
                stack.pop()
                continue
            level.left -= 1
            if level.keys is not None:
                self.key(level.keys)
            start = self.at
            kind, length = self.header()
            if kind in {_ARRAY, _MAP}:
                if depth + len(stack) - 1 > DEPTH_LIMIT:
                    raise refuse("depth_limit", f"byte {start}: nested too deep; expected at most {DEPTH_LIMIT} levels")
                stack.append(_Level(length, set() if kind == _MAP else None))
            else:
                self.leaf(kind, length)


def _overrun(at: int) -> Exception:
    return refuse("length_overrun", f"byte {at}: a value that goes on past the head; expected it to end inside")


def scan_head(head: memoryview) -> HeadScan:
    """Scans the head: every length, the UTF-8, the keys, the limits.

    Args:
        head: The bytes from the start of the file to `head_length`.

    Raises:
        CheckpointError: `length_overrun`, `reserved_byte`, `invalid_utf8`, `key_not_string`, `duplicate_key`,
            `depth_limit`, `node_limit`, `tensor_limit`; `missing_key` for a map of fewer than three pairs.

    Spec: CKPT-READ-002, CKPT-READ-003, CKPT-LIM-001, CKPT-LIM-003.
    """
    cursor = _Cursor(head)
    count = _top_level_count(cursor)
    spans: dict[str, tuple[int, int]] = {}
    seen: set[bytes] = set()
    for _ in range(count - 3):
        key = cursor.key(seen).decode()
        start = cursor.at
        cursor.value(depth=2)
        spans[key] = (start, cursor.at)
    cursor.nodes = 0  # the limit covers what lies before the last key
    last_key = cursor.key(seen).decode()
    return HeadScan(spans, last_key, cursor.at, tuple(cursor.timestamps))


def _top_level_count(cursor: _Cursor) -> int:
    """Reads the top-level map header; its pairs go on past the head, so only the count is examined."""
    first = cursor.head[0]
    size = {0xDE: 2, 0xDF: 4}.get(first, 0)
    count = int.from_bytes(cursor.head[1 : 1 + size], "big") if size else first & 0x0F
    cursor.at = 1 + size
    cursor.nodes = 1
    if count < 3:
        raise refuse("missing_key", f"top-level map: {count} pairs; expected at least 12")
    if 2 * count - 5 > len(cursor.head) - cursor.at:  # the last pairs lie beyond the head, but for one key
        raise _overrun(0)
    return count
