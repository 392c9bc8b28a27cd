"""Names in folders: made, moved, linked and removed, each durably."""
from std.ffi import c_int, c_size_t, c_ssize_t, external_call, get_errno
from .clock import random_hex
from .errors import Phase, TenutoError
from .fs import (
    BUFFER,
    Fd,
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_RDONLY,
    O_WRONLY,
    Sink,
    Stat,
    c_path,
    failed,
)

comptime ENOENT = 2
comptime EEXIST = 17


struct NewFile(Movable, Sink):
    """A file that appears under its name when it is whole, or not at all.

    Spec: STORE-SAVE-002, STORE-SAVE-008.
    """

    var fd: Fd
    var path: String
    var temp: String
    var buffer: List[UInt8]

    def __init__(
        out self, path: StringSpan, temp: StringSpan = ""
    ) raises TenutoError:
        """A file for `path` that is written under the path `temp`."""
        self.path = String(path)
        self.temp = String(temp)
        if not self.temp:
            self.temp = String(path, ".", random_hex(8), ".tmp")
        self.fd = Fd(self.temp, O_WRONLY | O_CREAT | O_EXCL)
        self.buffer = List[UInt8](capacity=BUFFER)

    def __deinit__(deinit self):
        # After `place` the name is gone and there is nothing to remove.
        discard(self.temp)

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

    def settle(mut self, durable: Bool) raises TenutoError:
        """Write all of it; durable: to the device, and out of the cache.

        A sync that failed is never tried again.
        Spec: STORE-SAVE-003, STORE-SAVE-004, STORE-SAVE-005, STORE-SAVE-006.
        """
        self._flush()
        if not durable:
            return
        self.fd.sync()
        comptime POSIX_FADV_DONTNEED = 4
        _ = external_call["posix_fadvise", c_int](
            self.fd.fd, Int64(0), Int64(0), c_int(POSIX_FADV_DONTNEED)
        )

    def place(mut self, durable: Bool) raises TenutoError:
        """Give it its name, in a folder that is then synced.

        Spec: STORE-SAVE-007.
        """
        move(self.temp, self.path)
        if durable:
            sync_folder(folder_of(self.path))

    def finish(mut self, durable: Bool) raises TenutoError:
        """Both of the above."""
        self.settle(durable)
        self.place(durable)


def folder_of(path: StringSpan) -> String:
    """The folder that a path is in."""
    var b = path.as_bytes()
    var n = len(b)
    while n > 0 and b[n - 1] != UInt8(ord("/")):
        n -= 1
    if n == 0:
        return "."
    if n == 1:
        return "/"
    return String(from_utf8_lossy=b[0 : n - 1])


def name_of(path: StringSpan) -> String:
    """What follows the last slash of a path."""
    var b = path.as_bytes()
    var n = len(b)
    while n > 0 and b[n - 1] != UInt8(ord("/")):
        n -= 1
    return String(from_utf8_lossy=b[n : len(b)])


def is_folder(path: StringSpan) -> Bool:
    """Whether a path leads to a folder."""
    try:
        return Stat.of_path(path).is_folder()
    except:
        return False


def is_file(path: StringSpan) -> Bool:
    """Whether a path leads to a regular file."""
    try:
        return Stat.of_path(path).is_regular()
    except:
        return False


def has_name(path: StringSpan) -> Bool:
    """Whether a name is taken, be it by a link that leads nowhere."""
    comptime AT_SYMLINK_NOFOLLOW = 0x100
    try:
        _ = Stat(c_int(-100), path, c_int(AT_SYMLINK_NOFOLLOW))
        return True
    except:
        return False


def are_same(a: StringSpan, b: StringSpan) -> Bool:
    """Whether two paths lead to one file, without a symbolic link."""
    comptime AT_SYMLINK_NOFOLLOW = 0x100
    try:
        var one = Stat(c_int(-100), a, c_int(AT_SYMLINK_NOFOLLOW))
        var other = Stat(c_int(-100), b, c_int(AT_SYMLINK_NOFOLLOW))
        return one.device == other.device and one.inode == other.inode
    except:
        return False


def read_link(path: StringSpan) raises TenutoError -> Optional[String]:
    """What a symbolic link holds; nothing for anything else."""
    var c = c_path(path)
    var into = List[UInt8](length=4096, fill=0)
    var n = external_call["readlink", c_ssize_t](
        c.unsafe_ptr(), into.unsafe_ptr(), c_size_t(len(into))
    )
    if n < 0:
        return None
    return String(from_utf8_lossy=Span(into)[0 : Int(n)])


def names_in(folder: StringSpan) raises TenutoError -> List[String]:
    """The names in a folder; one that is not there has none.

    Spec: TR-RES-022.
    """
    var found = List[String]()
    var c = c_path(folder)
    var opened = external_call[
        "opendir", Optional[Pointer[NoneType, MutUntrackedOrigin]]
    ](c.unsafe_ptr())
    if not opened:
        return found^
    var handle = opened.value()
    while True:
        var entry = external_call[
            "readdir", Optional[Pointer[UInt8, MutUntrackedOrigin]]
        ](handle)
        if not entry:
            break
        # struct dirent of glibc: the name starts at byte 19
        var name = List[UInt8]()
        var at = 19
        while entry.value()[unsafe_offset=at] != 0:
            name.append(entry.value()[unsafe_offset=at])
            at += 1
        var text = String(from_utf8_lossy=name)
        if text != "." and text != "..":
            found.append(text^)
    _ = external_call["closedir", c_int](handle)
    return found^


def sync_folder(path: StringSpan) raises TenutoError:
    """Bring the names of a folder to the device."""
    Fd(path, O_RDONLY | O_DIRECTORY).sync()


def make_folder(path: StringSpan) raises TenutoError:
    """Make a folder and its parents, each durably. Spec: STORE-SAVE-007."""
    if is_folder(path):
        return
    var parent = folder_of(path)
    if parent != path:
        make_folder(parent)
    var c = c_path(path)
    if external_call["mkdir", c_int](c.unsafe_ptr(), c_int(0o755)) < 0:
        if get_errno().value == EEXIST and not is_folder(path):
            raise TenutoError(
                "not_a_folder", Phase.IO, String(path, ": expected a folder")
            )
        if not is_folder(path):
            raise failed("mkdir", path)
        return
    sync_folder(parent)


def remove_folder(path: StringSpan) raises TenutoError:
    """Remove a folder if it is empty."""
    var c = c_path(path)
    _ = external_call["rmdir", c_int](c.unsafe_ptr())


def move(old: StringSpan, new: StringSpan) raises TenutoError:
    """Rename, replacing what has the new name."""
    var src = c_path(old)
    var dst = c_path(new)
    if external_call["rename", c_int](src.unsafe_ptr(), dst.unsafe_ptr()) < 0:
        raise failed("rename", old)


def link(old: StringSpan, new: StringSpan) raises TenutoError -> Bool:
    """Make a hard link; False where the file system has none."""
    var src = c_path(old)
    var dst = c_path(new)
    comptime AT_FDCWD = -100
    comptime AT_SYMLINK_FOLLOW = 0x400  # never a second name of a link
    var r = external_call["linkat", c_int](
        c_int(AT_FDCWD),
        src.unsafe_ptr(),
        c_int(AT_FDCWD),
        dst.unsafe_ptr(),
        c_int(AT_SYMLINK_FOLLOW),
    )
    if r < 0:
        var n = Int(get_errno().value)
        # EPERM, EMLINK, ENOSYS, EOPNOTSUPP
        if n == 1 or n == 31 or n == 38 or n == 95:
            return False
        raise failed("link", new)
    return True


def symbolic_link(to: StringSpan, new: StringSpan) raises TenutoError:
    """Make a symbolic link that holds `to`."""
    var src = c_path(to)
    var dst = c_path(new)
    if external_call["symlink", c_int](src.unsafe_ptr(), dst.unsafe_ptr()) < 0:
        raise failed("symlink", new)


def remove(path: StringSpan) raises TenutoError:
    """Remove a name; that it is gone already is no matter."""
    var c = c_path(path)
    if external_call["unlink", c_int](c.unsafe_ptr()) < 0:
        if get_errno().value != ENOENT:
            raise failed("unlink", path)


def discard(path: StringSpan):
    """Remove a name if that can be done."""
    try:
        remove(path)
    except:
        pass


def absolute(path: StringSpan) raises TenutoError -> String:
    """A path from the root, and without a slash at its end."""
    var full = String(path)
    if not full.startswith("/"):
        var into = List[UInt8](length=4096, fill=0)
        var found = external_call[
            "getcwd", Optional[Pointer[NoneType, MutUntrackedOrigin]]
        ](into.unsafe_ptr(), c_size_t(len(into)))
        if not found:
            raise failed("getcwd", path)
        var n = 0
        while into[n] != 0:
            n += 1
        full = String(String(from_utf8_lossy=Span(into)[0:n]), "/", full)
    var n = full.byte_length()
    while n > 1 and full.as_bytes()[n - 1] == UInt8(ord("/")):
        n -= 1
    return String(from_utf8_lossy=full.as_bytes()[0:n])
