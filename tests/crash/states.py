"""Lane A: every legal state of a disk after a crash in every workload is put on a disk and recovered."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections import Counter
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from attrs import define, evolve, field, frozen

from crash.disk import Disk
from crash.recorder import RecordingStorage
from crash.recovery import BreachError, check_end, check_files, put_on_disk, recover
from crash.seam import remembering, through, without_chance
from crash.training import Attempt
from crash.workloads import PARALLEL, SETTINGS, Course, Given

MODELS = ("ordered", "weak")
TWICE = 4  # of so many states one is recovered a second time, which has to change nothing


@contextmanager
def scratch():
    """Gives an empty folder, in memory where that is possible: nothing here depends on a real device."""
    home = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - a folder of its own is made there
    with tempfile.TemporaryDirectory(prefix="tenuto-crash-", dir=home) as folder:
        yield Path(folder)


@contextmanager
def quiet():
    """Logs nothing: thousands of files are passed over here, as they have to be."""
    logger = logging.getLogger("tenuto")
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = False


@define
class Findings:
    """What a search found.

    Attributes:
        executed: States that were enumerated, for each model.
        distinct: Digest of a state that was recovered -> the last verb before the crash, `twice` after a second crash.
        breaches: What does not hold, with the workload and the last operation before the crash.
    """

    executed: Counter = field(factory=Counter)
    distinct: dict = field(factory=dict)
    breaches: list = field(factory=list)

    def is_new(self, disk, state, settings, verb):
        """Returns whether a state was not met before, with the same things acknowledged and the same settings."""
        key = repr((state.key(), [age for age, _ in disk.acknowledged], settings)).encode()
        digest = blake2b(key, digest_size=12).digest()
        if digest in self.distinct:
            return False
        self.distinct[digest] = verb
        return True

    def add(self, other):
        """Takes over what another search found."""
        self.executed += other.executed
        self.distinct.update(other.distinct)
        self.breaches += other.breaches


@frozen
class Workload:
    """What was done to a folder before the crash.

    Attributes:
        settings: Key of `SETTINGS`.
        verbs: In their order.
        given: Everything that was given to be saved.
        is_again: Whether the crash is one in the recovery after a crash.
    """

    settings: str
    verbs: tuple[str, ...]
    given: Given
    is_again: bool = False

    @property
    def label(self):
        return "twice" if self.is_again else self.verbs[-1]

    def __str__(self):
        return f"{self.settings}: {', '.join(self.verbs)}{', a crash in the recovery' * self.is_again}"


class Search:
    """Runs workloads and recovers every state that a crash in their last verb may leave.

    Args:
        root: An empty folder.
        double: Of how many states one is crashed again, in its recovery; 0 for none.
        breaches_max: After how many breaches to stop.
    """

    def __init__(self, root, double=0, breaches_max=10):
        self.root, self.findings = root, Findings()
        self._double, self._breaches_max, self._count = double, breaches_max, 0

    @property
    def is_over(self):
        return len(self.findings.breaches) >= self._breaches_max

    def run(self, settings, verbs):
        """Runs a workload and looks at every crash in its last verb."""
        home = self.root / "course"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        course = Course(home, SETTINGS[settings], in_parallel=settings in PARALLEL)
        with course.going():
            start = course.run(verbs)
        disk = Disk()
        for operation in course.storage.log[:start]:
            disk.apply(operation)
        workload = Workload(settings, verbs, course.given)
        with remembering():
            self._cut(disk, course.storage.log[start:], workload)
        try:
            check_end(disk)
        except BreachError as breach:
            self.findings.breaches.append(f"{workload}: {breach}")

    def _cut(self, disk, log, workload):
        """Cuts a log after each operation, and looks at every state that is legal there."""
        for operation in log:
            disk.apply(operation)
            for model in MODELS:
                for state in disk.states(model):
                    self.findings.executed[model] += 1
                    if self.findings.is_new(disk, state, workload.settings, workload.label):
                        self._look(disk, state, workload, f"{workload} | {model} | after {operation}")
                    if self.is_over:
                        return

    def _look(self, disk, state, workload, where):
        newest = max((age for age, _ in disk.acknowledged), default=None)
        place = self.root / "crashed"
        self._count += 1
        try:
            check_files(state, disk, workload.given)
            put_on_disk(state, place)
            if self._double and not workload.is_again and self._count % self._double == 0:
                self._crash_again(place, disk, state, workload)
            else:
                with without_chance(process=2):
                    twice = self._count % TWICE == 0
                    sure = not disk.given_up
                    recover(place / "run", SETTINGS[workload.settings], workload.given, newest, twice=twice, sure=sure)
        except BreachError as breach:
            self.findings.breaches.append(f"{where}: {breach}")

    def _crash_again(self, place, disk, state, workload):
        """Records the recovery of a state, and looks at every state that a crash in it may leave."""
        storage = RecordingStorage(place, inodes=max(state.contents, default=0))
        with through(storage), without_chance(process=1):
            Attempt(place / "run", SETTINGS[workload.settings])
        self._cut(Disk(state, disk), storage.log, evolve(workload, is_again=True))


def search(settings, sequences, double):
    """Runs workloads in a folder of its own and returns what was found."""
    with scratch() as root, quiet():
        run = Search(root, double)
        for verbs in sequences:
            run.run(settings, verbs)
            if run.is_over:
                break
    return run.findings
