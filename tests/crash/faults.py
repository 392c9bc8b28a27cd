"""Lane D: every operation of a storage is made to fail in every way, once, a few times, or for ever.

There are two legal outcomes: the save is acknowledged and survives, or a typed error says that it was not made and what
was acknowledged before survives.
"""

from __future__ import annotations

import errno
import gc
import os
import shutil
import threading

from attrs import frozen

from crash.disk import Disk
from crash.recovery import BreachError, expect, put_on_disk, recover
from crash.seam import remembering, without_chance
from crash.states import quiet, scratch
from crash.training import WEIGHT
from crash.workloads import PARALLEL, SETTINGS, VERBS, Course
from tenuto.reference.checkpoint.storage import PosixStorage
from tenuto.reference.errors import CheckpointError

ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EROFS", "EACCES", "EINTR", "EMFILE", "ESTALE")
UNSUPPORTED = ("ENOSYS", "EOPNOTSUPP")  # what a file system lacks
LACKED = {"link", "symlink", "rename", "sync_folder"}
SHORT = "short"  # a write takes half of what it was given
# A write stores another byte: of the head, of a tensor, and so that the system's cache has the right one for now.
LIES = ("lying about the head", "lying about a tensor", "lying behind the cache")
MODES = ("once", "heals", "for ever")
TIMES = 3  # an operation that heals fails so often
WRITES = {"write", "write_at"}
HINTS = {"begin_sync"}  # they never fail
SAVING = {"save", "async", "best", "retention", "emergency"}
LOOSE = {"unlink", "remove_folder"}  # where these fail, a temporary file may have to wait for the next attempt


@frozen
class Fault:
    """What goes wrong.

    Attributes:
        at: Number of the operation in the last verb.
        kind: Name of an error, `SHORT`, or one of `LIES`.
        mode: `once`; `heals`: the operations of this name fail three times; `for ever`: from then on all fail.
    """

    at: int
    kind: str
    mode: str


class FaultyStorage:
    """The storage of the system, on which a fault is planted.

    Attributes:
        fault: None for none.
        met: Names of the operations since `arm`.
    """

    def __init__(self):
        self._system, self.fault, self.met = PosixStorage(), None, []
        self._hits, self._hidden = 0, []

    def arm(self, fault):
        """Counts from here on; the fault strikes at its number."""
        self.fault, self.met, self._hits = fault, [], 0

    def __getattr__(self, name):
        operation = getattr(self._system, name)

        def call(*arguments):
            self.met.append(name)
            if name == "drop_cache":
                self.reveal(arguments[0])
            if not self._strikes(name):
                return operation(*arguments)
            self._hits += 1
            if self.fault.kind in (SHORT, *LIES):
                return self._spoil(operation, *arguments)
            if name == "close":
                operation(*arguments)  # the handle is gone, whatever the system says
            number = getattr(errno, self.fault.kind)
            raise OSError(number, os.strerror(number), *(one for one in arguments[:1] if isinstance(one, str)))

        return call

    def _strikes(self, name):
        fault, number = self.fault, len(self.met) - 1
        if fault is None or number < fault.at or name in HINTS:
            return False
        if fault.mode == "once":
            return number == fault.at
        is_same = name == self.met[fault.at]
        if fault.kind in (SHORT, *LIES) or fault.mode == "heals":
            return is_same and (fault.mode == "for ever" or self._hits < TIMES)
        return fault.kind not in UNSUPPORTED or is_same

    def _spoil(self, write, file, *where):
        """Carries out a write in its own way; the caller is told that all is well."""
        *offset, pieces = where
        data = b"".join(bytes(piece) for piece in pieces)
        if self.fault.kind == SHORT:
            return write(file, *offset, [data[: max(1, len(data) // 2)]])
        at = len(data) // 3 if self.fault.kind == LIES[0] else max(0, data.find(WEIGHT * 3))
        if self.fault.kind == LIES[2]:
            begin = offset[0] if offset else os.lseek(file, 0, os.SEEK_CUR)
            self._hidden.append((file, os.open(f"/proc/self/fd/{file}", os.O_RDWR), begin + at))
            return write(file, *offset, [data])
        return write(file, *offset, [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]])

    def reveal(self, file=None):
        """Shows what a device holds behind the cache: of one file, or of all."""
        for one in [one for one in self._hidden if file in (None, one[0])]:
            self._hidden.remove(one)
            byte = os.pread(one[1], 1, one[2])
            os.pwrite(one[1], bytes([byte[0] ^ 1]), one[2])
            os.close(one[1])


def planned(names, *, verified):
    """Yields every fault for a verb whose operations have these names."""
    for at, name in enumerate(names):
        if name in HINTS:
            continue
        kinds = ERRORS + UNSUPPORTED * (name in LACKED)
        kinds += (SHORT, *(LIES if verified else ())) if name in WRITES else ()
        for kind in kinds:
            for mode in MODES:
                yield Fault(at, kind, mode)


class Trial:
    """One workload, whose last verb meets a fault.

    Args:
        root: A folder; what is in it goes.
        settings: Key of `SETTINGS`.
        verbs: In their order.
        fault: Or None, to learn the names of the operations.
    """

    def __init__(self, root, settings, verbs, fault):
        self.root, self.name, self.settings, self.verbs, self.fault = root, settings, SETTINGS[settings], verbs, fault
        self.storage = FaultyStorage()

    def run(self):
        """Runs the workload.

        Raises:
            BreachError: The outcome is neither of the two legal ones.
        """
        home = self.root / "course"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        course, files = (
            Course(home, self.settings, self.storage, in_parallel=self.name in PARALLEL),
            len(os.listdir("/proc/self/fd")),
        )
        with course.going():
            course.run(self.verbs[:-1])
            before, attempt = len(self._told(course)), course.attempt and course.attempt.run
            self.storage.arm(self.fault)
            error = self._last(course)
            began = course.attempt is not None and course.attempt.run != attempt
            is_fresh = began and course.attempt.start.state is None
        self.storage.reveal()
        told = len(self._told(course)) - before
        self.names, self.storage.fault = list(self.storage.met), None
        expect(
            error is not None or told or self.verbs[-1] not in SAVING, "neither an error nor a word that it is saved"
        )
        expect(not (before and is_fresh), "a fresh start in a folder with checkpoints")
        self._check_leaks(course, files)
        self._check_survival(course)

    def _last(self, course):
        try:
            course.act(self.verbs[-1])
        except CheckpointError as error:
            return error.code
        except Exception as error:
            raise BreachError(f"{type(error).__name__} instead of a typed error: {error}") from error
        return None

    def _told(self, course):
        return [one for one in course.storage.log if one.name == "tell saved"]

    def _check_leaks(self, course, files):
        if len(os.listdir("/proc/self/fd")) > files:
            gc.collect()  # a mapped file is open as long as its document
        expect(len(os.listdir("/proc/self/fd")) <= files, "a file is left open")
        threads = [one.name for one in threading.enumerate() if one.name.startswith("tenuto")]
        expect(not threads, f"threads are left: {threads}")
        fault = self.fault
        may_clean = not fault or (fault.mode == "once" and self.storage.met[fault.at] not in LOOSE)
        if may_clean and course.folder.exists():
            left = [name for name in os.listdir(course.folder) if name.endswith(".tmp")]
            expect(not left, f"temporary files are left: {left}")

    def _check_survival(self, course):
        """Checks what is left when the process ends now, and when the power goes now and takes all it may take."""
        disk = Disk()
        for operation in course.storage.log:
            disk.apply(operation)
        newest = max((age for age, _ in disk.acknowledged), default=None)
        for path in course.folder.rglob("*.ckpt"):
            is_whole = path.is_symlink() or path.read_bytes() in course.given.files
            expect(is_whole, f"{path.name}: bytes that nobody saved under a name")
        crashed = self.root / "crashed"
        with remembering(), without_chance(process=2):
            put_on_disk(disk.worst(), crashed)
            recover(crashed / "run", self.settings, course.given, newest, twice=False)
            recover(course.folder, self.settings, course.given, newest, twice=False)


def operations(settings, verbs):
    """Returns the names of the operations of the last verb, where nothing goes wrong."""
    with scratch() as root, quiet():
        trial = Trial(root, settings, verbs, None)
        trial.run()
    return trial.names


def cases(settings, verbs):
    """Returns every fault of a workload."""
    return list(planned(operations(settings, verbs), verified=SETTINGS[settings].get("verify") != "none"))


def run(settings, verbs, faults, breaches_max=10):
    """Runs a workload once with each fault; returns what does not hold, and stops where that is too much."""
    breaches = []
    with scratch() as root, quiet():
        for fault in faults:
            if len(breaches) >= breaches_max:
                break
            trial = Trial(root, settings, verbs, fault)
            try:
                trial.run()
            except BreachError as breach:
                name = trial.storage.met[fault.at] if len(trial.storage.met) > fault.at else "?"
                breaches.append(f"{settings}: {', '.join(verbs)} | {name} {fault}: {breach}")
    return breaches


SCENARIOS = [
    (settings, (*before, last))
    for settings in SETTINGS
    for before in ((), ("best",), ("best", "resume"))
    for last in VERBS
    if last != "recovery"
]
