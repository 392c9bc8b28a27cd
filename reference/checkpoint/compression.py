"""The stored bytes of compressed segments: made where that pays, read within bounds. Pure.

The library is an extra: Python has it from 3.14 on, an older one has it from `backports.zstd`.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib import import_module
from typing import Any, Final

from tenuto.reference.checkpoint.constants import COMPRESSED_BYTES, COMPRESSION_RATIO
from tenuto.reference.checkpoint.tree import refuse
from tenuto.reference.errors import CheckpointError

__all__ = ["MISSING", "compressed", "decompressed", "is_available"]

MISSING: Final = "expected the extra zstd: pip install 'tenuto[zstd]'"
_MAGIC: Final = b"\x28\xb5\x2f\xfd"
_PADDING_MAGIC: Final = b"\x50\x2a\x4d\x18"
_NO_MEMORY: Final = re.compile("not enough memory|Unable to create")
_LEVEL: Final = 3


@cache
def _zstd() -> Any:  # noqa: ANN401 - a module under one of two names; None without it
    try:
        return import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    except ImportError:
        return None


def is_available() -> bool:
    """Returns whether compressed segments can be made and read."""
    return _zstd() is not None


def compressed(raw: memoryview) -> bytes | None:
    """Returns what is stored for raw bytes, or None where that does not spare a tenth of them.

    Args:
        raw: 1 byte to `COMPRESSED_BYTES` bytes.

    Raises:
        MemoryError: There is none.

    Spec: CKPT-ZSTD-002 to CKPT-ZSTD-005.
    """
    zstd = _zstd()
    try:
        frame: bytes = zstd.compress(raw, _LEVEL)
    except zstd.ZstdError as error:  # there is nothing else that can go wrong with good bytes
        raise MemoryError(f"compressing {raw.nbytes} bytes: {error}") from error
    stored = frame + _padding(len(frame), raw.nbytes)
    return stored if len(stored) * 10 <= raw.nbytes * 9 else None


def _padding(frame_bytes: int, raw_bytes: int) -> bytes:
    """Returns the skippable frame that keeps the ratio; empty where the frame keeps it alone.

    Spec: CKPT-ZSTD-004.
    """
    least = -(-raw_bytes // COMPRESSION_RATIO)
    if frame_bytes >= least:
        return b""
    zeros = max(0, least - frame_bytes - 8)
    return _PADDING_MAGIC + zeros.to_bytes(4, "little") + bytes(zeros)


def decompressed(number: int, stored: memoryview, raw_bytes: int) -> bytes:
    """Returns the raw bytes of a segment.

    Args:
        number: Of the segment, for the message.
        stored: What is stored, whose digest was compared.
        raw_bytes: How many there have to be, 1 to `COMPRESSED_BYTES`.

    Raises:
        CheckpointError: `bad_compressed_segment`.
        MemoryError: There is none.

    Spec: CKPT-ZSTD-002, CKPT-ZSTD-004, CKPT-ZSTD-006.
    """
    zstd = _zstd()
    start = bytes(stored[:6])
    if start[:4] != _MAGIC or _window(start[4:]) > COMPRESSED_BYTES:
        raise _bad(number, f"starts with {start.hex()}; expected a zstd frame with a window of at most 16 MiB")
    try:
        frame_bytes, info = zstd.get_frame_size(stored), zstd.get_frame_info(stored)
        if info.decompressed_size != raw_bytes or info.dictionary_id:
            said = f"frame of {info.decompressed_size} bytes, dictionary {info.dictionary_id}"
            raise _bad(number, f"{said}; expected {raw_bytes} bytes and none")
        if stored[frame_bytes:] != _padding(frame_bytes, raw_bytes):
            raise _bad(
                number, f"{stored.nbytes - frame_bytes} bytes behind its frame; expected its padding and no more"
            )
        return _decoded(zstd, number, stored[:frame_bytes], raw_bytes)
    except zstd.ZstdError as error:
        if _NO_MEMORY.search(str(error)):  # which says nothing about the file
            raise MemoryError(f"decoding {raw_bytes} bytes: {error}") from error
        raise _bad(number, f"{error}; expected a zstd frame of {raw_bytes} bytes") from error


def _window(header: bytes) -> int:
    """Returns the window of a frame in bytes, which the library heeds only when it has to; 0 for a single segment."""
    if len(header) < 2 or header[0] & 0x20:
        return 0
    base = 1 << (10 + (header[1] >> 3))
    return base + base // 8 * (header[1] & 7)


def _decoded(zstd: Any, number: int, frame: memoryview, raw_bytes: int) -> bytes:  # noqa: ANN401 - the module
    """Decodes one frame, and never more of it than it may hold: what it declares may be a lie."""
    decoder = zstd.ZstdDecompressor()
    data: bytes = decoder.decompress(frame, raw_bytes)
    if len(data) != raw_bytes or not decoder.eof:
        raise _bad(number, f"{len(data)} bytes, and not at the end of its frame; expected {raw_bytes}")
    return data


def _bad(number: int, what: str) -> CheckpointError:
    return refuse("bad_compressed_segment", f"segment {number}: {what}")
