"""Where the bytes of a file come from. Pure: a file on a disk is in `files`."""

from __future__ import annotations

from typing import Protocol

import xxhash
from attrs import frozen

__all__ = ["BufferSource", "Source"]


class Source(Protocol):
    """Random access to the bytes of one file."""

    @property
    def length(self) -> int:
        """Size in bytes."""

    def read(self, offset: int, count: int) -> memoryview:
        """Returns exactly `count` bytes; both are inside the file."""

    def digest(self, offset: int, count: int) -> int:
        """Returns the xxh64 of exactly `count` bytes; several threads may ask at once."""


@frozen
class BufferSource:
    """A file that lies in memory, or is mapped: views, never copies."""

    buffer: memoryview

    @property
    def length(self) -> int:
        """Size in bytes."""
        return self.buffer.nbytes

    def read(self, offset: int, count: int) -> memoryview:
        """Returns a view."""
        return self.buffer[offset : offset + count]

    def digest(self, offset: int, count: int) -> int:
        """Hashes where the bytes lie."""
        return xxhash.xxh64_intdigest(self.buffer[offset : offset + count])
