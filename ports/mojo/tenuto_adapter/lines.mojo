"""Lines of stdin, and a stdout that only replies reach."""
from std.ffi import c_int, external_call
from tenuto.errors import TenutoError
from tenuto.fs import Fd

comptime LINE_LIMIT = 1 << 20


def move_stdout() -> Fd:
    """Take the real stdout away and let descriptor 1 be stderr.

    A failed check of the runtime prints on descriptor 1, which must not look
    like a reply.
    """
    comptime F_DUPFD_CLOEXEC = 1030
    var fd = external_call["fcntl", c_int](
        c_int(1), c_int(F_DUPFD_CLOEXEC), c_int(3)
    )
    _ = external_call["dup2", c_int](c_int(2), c_int(1))
    return Fd(adopt=fd)


struct LineReader(Movable):
    """Lines of a stream, with a bound on their length."""

    var fd: Fd
    var buffer: List[UInt8]
    var at: Int
    var filled: Int
    var too_long: Bool  # the last line broke the bound

    def __init__(out self, var fd: Fd):
        self.fd = fd^
        self.buffer = List[UInt8](length=1 << 16, fill=0)
        self.at = 0
        self.filled = 0
        self.too_long = False

    def next(mut self, mut line: List[UInt8]) raises TenutoError -> Bool:
        """The next line without its end; False at the end of the input.

        What follows the last line feed is no request. Spec: CONF-LINE-001.
        """
        line.clear()
        self.too_long = False
        while True:
            if self.at == self.filled:
                self.filled = self.fd.read(self.buffer)
                self.at = 0
                if self.filled == 0:
                    return False
            var end = self.at
            while end < self.filled and self.buffer[end] != 0x0A:
                end += 1
            if len(line) + end - self.at > LINE_LIMIT:
                self.too_long = True
                line.clear()
            if not self.too_long:
                line.extend(Span(self.buffer)[self.at : end])
            self.at = end
            if end < self.filled:
                self.at += 1
                return True
