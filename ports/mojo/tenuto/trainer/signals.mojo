"""SIGINT and SIGTERM while a training runs: a handler that writes one byte.

A handler in Mojo knows nothing but its argument, so the pipe that it writes to
has a fixed number. Spec: TR-FAIL-003, TR-FAIL-004.
"""
from std.ffi import c_int, c_size_t, c_ssize_t, external_call
from ..errors import TenutoError
from ..fs import Fd, failed
from ..log import log

comptime SIGINT = 2
comptime SIGTERM = 15
comptime WRITE_END = c_int(61)
comptime WORDS = 19  # struct sigaction of glibc on x86-64
comptime Handler = def(c_int) thin abi("C") -> None


def _on_signal(signal: c_int) abi("C") -> None:
    """Note a signal, and leave the error number of the interrupted call."""
    var errno = external_call[
        "__errno_location", Pointer[c_int, MutUntrackedOrigin]
    ]()
    var before = errno[]
    var byte = UInt8(signal)
    _ = external_call["write", c_ssize_t](
        WRITE_END, Pointer(to=byte), c_size_t(1)
    )
    errno[] = before


def send(name: StringSpan):
    """Send the own process a signal; it is noted when this returns."""
    var number = SIGINT if String(name) == "SIGINT" else SIGTERM
    _ = external_call["raise", c_int](c_int(number))


def _is_main_thread() -> Bool:
    return external_call["gettid", c_int]() == external_call["getpid", c_int]()


def _is_open(fd: c_int) -> Bool:
    comptime F_GETFD = 1
    return external_call["fcntl", c_int](fd, c_int(F_GETFD), c_int(0)) >= 0


struct SignalWatch(Movable):
    """The handlers of one attempt, and those that it put aside."""

    var _read_end: Fd
    var _former: List[Array[UInt64, WORDS]]
    var _is_watching: Bool

    def __init__(out self):
        """Watch nothing yet."""
        self._read_end = Fd(adopt=-1)
        self._former = []
        self._is_watching = False

    def begin(mut self) raises TenutoError:
        """Install the handlers, if this is the main thread.

        Spec: TR-FAIL-004, TR-FAIL-006.
        """
        if not _is_main_thread():
            log("not in the main thread: signals are not honored")
            return
        if _is_open(WRITE_END):
            log(String("descriptor ", WRITE_END, ": taken; no signals"))
            return
        comptime O_NONBLOCK_CLOEXEC = 0o2004000
        var ends = Array[c_int, 2](fill=0)
        var r = external_call["pipe2", c_int](
            Pointer(to=ends), c_int(O_NONBLOCK_CLOEXEC)
        )
        if r < 0:
            raise failed("pipe2", "")
        self._read_end = Fd(adopt=ends[0])
        var write_end = Fd(adopt=ends[1])
        var copied = external_call["dup2", c_int](write_end.fd, WRITE_END)
        _ = write_end^
        if copied < 0:
            log("too few descriptors: signals are not honored")
            return
        self._is_watching = True
        var action = Array[UInt64, WORDS](fill=0)
        var handler: Handler = _on_signal
        action[0] = Pointer(to=handler).unsafe_bitcast[UInt64]()[]
        action[17] = 0x10000000  # SA_RESTART: a save is not disturbed
        for number in [SIGINT, SIGTERM]:
            var former = Array[UInt64, WORDS](fill=0)
            _ = external_call["sigaction", c_int](
                c_int(number), Pointer(to=action), Pointer(to=former)
            )
            self._former.append(former^)

    def next(mut self) -> String:
        """The next signal that came, by its name; empty if there is none."""
        var byte = UInt8(0)
        if not self._is_watching:
            return ""
        var n = external_call["read", c_ssize_t](
            self._read_end.fd, Pointer(to=byte), c_size_t(1)
        )
        if n != 1:
            return ""
        return "SIGINT" if byte == SIGINT else "SIGTERM"

    def end(mut self):
        """Install the former handlers again. Spec: TR-FAIL-005."""
        if not self._is_watching:
            return
        var numbers = [SIGINT, SIGTERM]
        var ours = Array[UInt64, WORDS](fill=0)
        for i in range(len(self._former)):
            _ = external_call["sigaction", c_int](
                c_int(numbers[i]),
                Pointer(to=self._former[i]),
                Pointer(to=ours),
            )
        self._former = []
        _ = external_call["close", c_int](WRITE_END)
        self._read_end = Fd(adopt=-1)
        self._is_watching = False
