"""Files: a thin layer over libc that keeps the phase and the code.

Pointers and system calls of the port are here and nowhere else.
Linux x86-64 with glibc.
"""
from std.ffi import c_int, c_size_t, c_ssize_t, external_call, get_errno
from .errors import Phase, TenutoError

comptime O_RDONLY = c_int(0)
comptime O_WRONLY = c_int(1)
comptime O_CREAT = c_int(0o100)
comptime O_EXCL = c_int(0o200)
comptime O_NONBLOCK = c_int(0o4000)
comptime O_DIRECTORY = c_int(0o200000)
comptime O_CLOEXEC = c_int(0o2000000)
comptime ENOENT = 2
comptime EINTR = 4
comptime ENOTDIR = 20
comptime BUFFER = 1 << 20
# Linux moves at most 2^31 - 4096 bytes in one call; stay well below.
comptime MOST = 1 << 30

comptime Address = Pointer[UInt8, MutUntrackedOrigin]


def _failed(
    what: StaticString, path: StringSpan, reading: Bool = False
) -> TenutoError:
    """The error of the call that has just failed; a name that is not there is
    a matter of its own for a reader. Spec: CKPT-READ-006, CONF-REPLY-003.
    """
    var e = get_errno()
    var missing = reading and (e.value == ENOENT or e.value == ENOTDIR)
    var code: StaticString = "file_not_found" if missing else "io_error"
    return TenutoError(code, Phase.IO, String(what, " ", path, ": ", e))


def _c_path(path: StringSpan) raises TenutoError -> List[UInt8]:
    """The path as C wants it; one with a NUL inside names no file."""
    var b = path.as_bytes()
    for i in range(len(b)):
        if b[i] == 0:
            raise TenutoError(
                "file_not_found", Phase.IO, "a path with a NUL byte"
            )
    var c = List[UInt8](capacity=len(b) + 1)
    c.extend(b)
    c.append(0)
    return c^


struct Fd(Movable):
    """An open file, closed when it is no longer used."""

    var fd: c_int

    def __init__(
        out self, path: StringSpan, flags: c_int, mode: c_int = 0o644
    ) raises TenutoError:
        var c = _c_path(path)
        while True:
            self.fd = external_call["open", c_int](
                c.unsafe_ptr(), flags | O_CLOEXEC, mode
            )
            if self.fd >= 0:
                return
            if get_errno().value != EINTR:
                raise _failed("open", path, reading=flags & O_CREAT == 0)

    def __init__(out self, *, adopt: c_int):
        """Take over a descriptor that is open already."""
        self.fd = adopt

    def __deinit__(deinit self):
        if self.fd >= 0:
            _ = external_call["close", c_int](self.fd)

    def read(self, mut into: List[UInt8]) raises TenutoError -> Int:
        """Read at most `len(into)` bytes; 0 is the end."""
        while True:
            var n = external_call["read", c_ssize_t](
                self.fd, into.unsafe_ptr(), c_size_t(len(into))
            )
            if n >= 0:
                return Int(n)
            if get_errno().value != EINTR:
                raise _failed("read", "a stream")

    def write_all(self, b: Span[UInt8, _]) raises TenutoError:
        """Write all of the bytes, in as many calls as it takes."""
        var done = 0
        while done < len(b):
            var n = external_call["write", c_ssize_t](
                self.fd,
                b.unsafe_ptr().unsafe_offset(done),
                c_size_t(min(len(b) - done, MOST)),
            )
            if n >= 0:
                done += Int(n)
            elif get_errno().value != EINTR:
                raise _failed("write", "a file")

    def sync(self) raises TenutoError:
        """Bring what was written to the disk."""
        if external_call["fsync", c_int](self.fd) < 0:
            raise _failed("fsync", "a file")


struct Stat(ImplicitlyCopyable):
    """Kind and size of a file."""

    var mode: UInt32
    var size: Int

    def __init__(
        out self, at: c_int, path: StringSpan, flags: c_int
    ) raises TenutoError:
        # struct stat of glibc on x86-64: 144 bytes, st_mode at 24, st_size at 48
        var raw = Array[UInt64, 18](fill=0)
        var c = _c_path(path)
        var r = external_call["fstatat", c_int](
            at, c.unsafe_ptr(), Pointer(to=raw), flags
        )
        if r < 0:
            raise _failed("stat", path, reading=True)
        self.mode = UInt32(raw[3] & 0xFFFFFFFF)
        self.size = Int(raw[6])

    @staticmethod
    def of_path(path: StringSpan) raises TenutoError -> Self:
        return Self(c_int(-100), path, c_int(0))

    @staticmethod
    def of_fd(f: Fd) raises TenutoError -> Self:
        return Self(f.fd, "", c_int(0x1000))  # AT_EMPTY_PATH

    def require_regular(self, path: StringSpan) raises TenutoError:
        """Spec: CKPT-READ-006."""
        if self.mode & 0o170000 != 0o100000:
            raise TenutoError("not_a_file", Phase.IO, String(path))


struct Blob(Movable):
    """Bytes that do not change: a mapped file or a list."""

    var address: Address
    var mapped: Int  # bytes that are mapped; 0: the list counts
    var owned: List[UInt8]

    def __init__(out self, var owned: List[UInt8]):
        self.owned = owned^
        self.mapped = 0
        self.address = Address(unsafe_from_address=4096)  # never followed

    def __init__(out self, *, map: Fd, size: Int) raises TenutoError:
        self = Self(List[UInt8]())
        if size == 0:
            return
        comptime PROT_READ = 1
        comptime MAP_PRIVATE = 2
        self.address = external_call["mmap", Address](
            Int(0),
            c_size_t(size),
            c_int(PROT_READ),
            c_int(MAP_PRIVATE),
            map.fd,
            Int64(0),
        )
        if Int(self.address) == -1:
            raise _failed("mmap", "a file")
        self.mapped = size

    def __deinit__(deinit self):
        if self.mapped > 0:
            _ = external_call["munmap", c_int](
                self.address, c_size_t(self.mapped)
            )

    def span(self) -> Span[UInt8, ImmOrigin(origin_of(self))]:
        """All of the bytes."""
        comptime O = ImmOrigin(origin_of(self))
        if self.mapped == 0:
            return {
                unsafe_ptr = self.owned.unsafe_ptr()
                .as_imm()
                .unsafe_origin_cast[O](),
                length = len(self.owned),
            }
        return {
            unsafe_ptr = self.address.as_imm().unsafe_origin_cast[O](),
            length = self.mapped,
        }


def map_file(path: StringSpan) raises TenutoError -> Blob:
    """The bytes of a regular file, mapped: a file that is larger than the
    memory is no danger. Spec: CKPT-READ-006.
    """
    # Asked before it is opened: opening a device can have effects.
    Stat.of_path(path).require_regular(path)
    var f = Fd(path, O_RDONLY | O_NONBLOCK)
    var s = Stat.of_fd(f)
    s.require_regular(path)
    return Blob(map=f, size=s.size)


trait Sink:
    """Something that takes bytes front to back. Spec: CKPT-FRAME-005."""

    def write(mut self, b: Span[UInt8, _]) raises TenutoError:
        """Take the next bytes."""
        ...


struct Memory(Movable, Sink):
    """A sink that keeps the bytes."""

    var bytes: List[UInt8]

    def __init__(out self):
        self.bytes = {}

    def take(deinit self) -> List[UInt8]:
        """The bytes alone."""
        return self.bytes^

    def write(mut self, b: Span[UInt8, _]) raises TenutoError:
        self.bytes.extend(b)


struct NewFile(Movable, Sink):
    """A file that appears under its name when it is whole, or not at all."""

    var fd: Fd
    var path: String
    var temp: String
    var buffer: List[UInt8]

    def __init__(out self, path: StringSpan) raises TenutoError:
        var pid = external_call["getpid", c_int]()
        self.path = String(path)
        self.temp = String(path, ".", pid, ".tmp")
        _unlink(self.temp)
        self.fd = Fd(self.temp, O_WRONLY | O_CREAT | O_EXCL)
        self.buffer = List[UInt8](capacity=BUFFER)

    def __deinit__(deinit self):
        # After `finish` the name is gone and there is nothing to remove.
        _unlink(self.temp)

    def write(mut self, b: Span[UInt8, _]) raises TenutoError:
        if len(self.buffer) + len(b) > BUFFER:
            self._flush()
        if len(b) > BUFFER // 2:
            self.fd.write_all(b)
        else:
            self.buffer.extend(b)

    def _flush(mut self) raises TenutoError:
        self.fd.write_all(self.buffer)
        self.buffer.clear()

    def finish(mut self, durable: Bool) raises TenutoError:
        """Give the file its name. Durable: it also survives a power loss."""
        self._flush()
        if durable:
            self.fd.sync()
        var src = _c_path(self.temp)
        var dst = _c_path(self.path)
        var r = external_call["rename", c_int](
            src.unsafe_ptr(), dst.unsafe_ptr()
        )
        if r < 0:
            raise _failed("rename", self.temp)
        if durable:
            Fd(_folder(self.path), O_RDONLY | O_DIRECTORY).sync()


def _unlink(path: StringSpan):
    """Remove a file; that there is none is no matter."""
    try:
        var c = _c_path(path)
        _ = external_call["unlink", c_int](c.unsafe_ptr())
    except:
        pass


def _folder(path: StringSpan) -> String:
    """The folder that a path is in."""
    var b = path.as_bytes()
    var n = len(b)
    while n > 0 and b[n - 1] != UInt8(ord("/")):
        n -= 1
    if n == 0:
        return "."
    return String(from_utf8_lossy=b[0:n])
