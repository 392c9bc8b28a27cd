"""Files: a thin layer over libc that keeps the phase and the code.

With `storage` and `clock` it holds all system calls of the port.
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
comptime EPERM = 1
comptime EACCES = 13
comptime ENOSPC = 28
comptime EROFS = 30
comptime EDQUOT = 122
comptime BUFFER = 1 << 20
# Linux moves at most 2^31 - 4096 bytes in one call; stay well below.
comptime MOST = 1 << 30

comptime Address = Pointer[UInt8, MutUntrackedOrigin]


def failed(
    what: StaticString, path: StringSpan, reading: Bool = False
) -> TenutoError:
    """The error of the call that has just failed: a reader asks whether the
    name is there, a writer why it could not write.

    Spec: CKPT-READ-006, STORE-SAVE-010.
    """
    var e = get_errno()
    var n = e.value
    var code = "io_error"
    if reading:
        if n == ENOENT or n == ENOTDIR:
            code = "file_not_found"
    elif n == ENOTDIR:
        code = "not_a_folder"
    elif n == ENOSPC or n == EDQUOT:
        code = "disk_full"
    elif n == EACCES or n == EPERM or n == EROFS:
        code = "not_writable"
    return TenutoError(String(code), Phase.IO, String(what, " ", path, ": ", e))


def c_path(path: StringSpan) raises TenutoError -> List[UInt8]:
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
        var c = c_path(path)
        while True:
            self.fd = external_call["open", c_int](
                c.unsafe_ptr(), flags | O_CLOEXEC, mode
            )
            if self.fd >= 0:
                return
            if get_errno().value != EINTR:
                raise failed("open", path, reading=flags & O_CREAT == 0)

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
                raise failed("read", "a stream")

    def write_all(self, b: Span[UInt8, _]) raises TenutoError:
        """Write all of the bytes, in as many calls as it takes."""
        var done = 0
        while done < len(b):
            var n = external_call["write", c_ssize_t](
                self.fd,
                b.unsafe_ptr().unsafe_offset(done),
                c_size_t(min(len(b) - done, MOST)),
            )
            if n > 0:
                done += Int(n)
            elif n == 0:  # asked again, it might say so for ever
                raise TenutoError("io_error", Phase.IO, "no byte was written")
            elif get_errno().value != EINTR:
                raise failed("write", "a file")

    def sync(self) raises TenutoError:
        """Bring what was written to the disk."""
        if external_call["fsync", c_int](self.fd) < 0:
            raise failed("fsync", "a file")


struct Stat(ImplicitlyCopyable):
    """Kind, size and identity of a file."""

    var mode: UInt32
    var size: Int
    var device: UInt64
    var inode: UInt64

    def __init__(
        out self, at: c_int, path: StringSpan, flags: c_int
    ) raises TenutoError:
        # struct stat of glibc on x86-64: 144 bytes, st_mode at 24, st_size at 48
        var raw = Array[UInt64, 18](fill=0)
        var c = c_path(path)
        var r = external_call["fstatat", c_int](
            at, c.unsafe_ptr(), Pointer(to=raw), flags
        )
        if r < 0:
            raise failed("stat", path, reading=True)
        self.mode = UInt32(raw[3] & 0xFFFFFFFF)
        self.size = Int(raw[6])
        self.device = raw[0]
        self.inode = raw[1]

    @staticmethod
    def of_path(path: StringSpan) raises TenutoError -> Self:
        return Self(c_int(-100), path, c_int(0))

    @staticmethod
    def of_fd(f: Fd) raises TenutoError -> Self:
        return Self(f.fd, "", c_int(0x1000))  # AT_EMPTY_PATH

    def is_regular(self) -> Bool:
        """Whether it is a regular file."""
        return self.mode & 0o170000 == 0o100000

    def is_folder(self) -> Bool:
        """Whether it is a folder."""
        return self.mode & 0o170000 == 0o040000

    def require_regular(self, path: StringSpan) raises TenutoError:
        """Spec: CKPT-READ-006."""
        if not self.is_regular():
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
            raise failed("mmap", "a file")
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

    def __init__(out self, capacity: Int = 0):
        """`capacity` bytes can come before it grows."""
        self.bytes = List[UInt8](capacity=capacity)

    def take(deinit self) -> List[UInt8]:
        """The bytes alone."""
        return self.bytes^

    def write(mut self, b: Span[UInt8, _]) raises TenutoError:
        self.bytes.extend(b)
