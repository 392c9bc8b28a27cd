"""Splits what an adapter prints into replies and noise, with bounded memory.

Spec: CONF-LINE-002, CONF-LINE-003.
"""

from collections.abc import Iterator

from attrs import define, field

from tenuto.conformance_tests.protocol import LINE_LIMIT, PREFIX


class OversizedError(Exception):
    """A reply that does not end within the limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"reply of more than {limit} bytes; expected a line feed before")
        self.limit = limit


@define
class LineReader:
    """Takes bytes as they come and gives the lines that start with the prefix.

    Attributes:
        limit: the greatest length of a reply.
        noise: how many other lines there were, an unfinished one included.
    """

    limit: int = LINE_LIMIT
    noise: int = 0
    _line: bytearray = field(factory=bytearray)
    _skipping: bool = False

    @property
    def held(self) -> int:
        """How many bytes of an unfinished line are kept."""
        return len(self._line)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The replies that end in these bytes; raises `OversizedError` on an endless one."""
        parts = data.split(b"\n")
        for part in parts[:-1]:
            self._append(part)
            if self._skipping or not self._line.startswith(PREFIX):
                self.noise += not self._skipping
            else:
                yield bytes(self._line)
            self._line.clear()
            self._skipping = False
        self._append(parts[-1])

    def _append(self, part: bytes) -> None:
        if self._skipping:
            return
        self._line += part
        if len(self._line) >= len(PREFIX) and not self._line.startswith(PREFIX):
            self._skipping = True
            self.noise += 1
            self._line.clear()
        elif len(self._line) > self.limit:
            raise OversizedError(self.limit)
