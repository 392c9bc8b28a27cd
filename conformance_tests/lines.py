"""Splits what an adapter prints into replies and noise, with bounded memory.

Spec: CONF-LINE-002, CONF-LINE-003.
"""

from collections.abc import Iterator

from attrs import define, field

from tenuto.conformance_tests.protocol import LINE_LIMIT, PREFIX

SAMPLE_BYTES = 120


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
        ignored: how many of them came after the last reply.
        sample: the start of the first of those, for a person to read.
    """

    limit: int = LINE_LIMIT
    noise: int = 0
    ignored: int = 0
    sample: bytes = b""
    _line: bytearray = field(factory=bytearray)
    _skipping: bool = False

    @property
    def held(self) -> int:
        """How many bytes of an unfinished line are kept."""
        return len(self._line)

    def silence(self) -> str:
        """Why there may be no reply, judged by what came instead since the last one."""
        wanted = f"prefix `{PREFIX.decode()}`"
        if self.ignored:
            lines = (
                "1 line without the {0} was" if self.ignored == 1 else f"{self.ignored} lines without the {{0}} were"
            )
            first = ascii(self.sample.decode("utf-8", "replace"))
            return f"{lines.format(wanted)} ignored, the first: {first}; forgotten prefix or flush?"
        if self._line:
            start = ascii(bytes(self._line[:SAMPLE_BYTES]).decode("utf-8", "replace"))
            return f"a line was begun and not ended: {start}; forgotten line feed or flush?"
        return "nothing came on stdout; forgotten flush?"

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The replies that end in these bytes; raises `OversizedError` on an endless one."""
        parts = data.split(b"\n")
        for part in parts[:-1]:
            self._append(part)
            if self._line.startswith(PREFIX):
                self.ignored, self.sample = 0, b""
                yield bytes(self._line)
            elif not self._skipping:
                self._ignore()
            self._line.clear()
            self._skipping = False
        self._append(parts[-1])

    def _append(self, part: bytes) -> None:
        if self._skipping:
            self._keep(part)
            return
        self._line += part
        if len(self._line) >= len(PREFIX) and not self._line.startswith(PREFIX):
            self._skipping = True
            self._ignore()
            self._line.clear()
        elif len(self._line) > self.limit:
            raise OversizedError(self.limit)

    def _ignore(self) -> None:
        self.noise += 1
        self.ignored += 1
        self._keep(self._line)

    def _keep(self, part: bytes | bytearray) -> None:
        if self.ignored == 1:
            self.sample += part[: SAMPLE_BYTES - len(self.sample)]
