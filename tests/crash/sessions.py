"""Sessions of kills: one training in one folder, killed again and again, the recovery included.

The oracle lives in the process that kills: it knows by a pipe which saves were acknowledged, and compares the folder
with that after each kill.
"""

import gc
import itertools
import logging
import random
import shutil
import signal
from contextlib import contextmanager, suppress
from pathlib import Path

from crash.acknowledged import Acknowledged, damaged, temporaries
from crash.dying import Dying
from crash.lives import EPOCHS, SCENARIOS, live, live_to_the_end
from crash.power import filesystem
from crash.record import Lane, conclude, numbered
from crash.seam import remembering, through
from tenuto.reference.checkpoint.compare import digest
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.newest import find_latest_checkpoint
from tenuto.reference.checkpoint.storage import PosixStorage
from tenuto.reference.errors import CheckpointError, TrainingInterrupted

KILLS = 8  # in a session, at most


class Session:
    """Lives of one training in one folder.

    Args:
        work: What a life does: a method of a scenario.
        folder: Where.
        seed: Of the moments of the kills.
        length: How many operations, and how many seconds, a life after the first has at most before it is killed.
        settle: Called after each life, before anything is looked at: power may fail then.
        place: On what the folder lies, where that matters.

    Attributes:
        kills: The moments of all kills so far.
        breaches: What was wrong, each with the moments that led to it.
    """

    def __init__(self, work, folder, seed, length, settle=lambda: None, place=""):
        self.work, self.folder, self.length, self._settle = work, str(folder), length, settle
        self.name = work.__self__.name + place
        self.title = f"{self.name}, seed {seed}"
        self.promised, self.moments = Acknowledged(), random.Random(self.title)
        self.kills, self.breaches = [], []

    def run(self, first):
        """Lives until it has been killed often enough or is done, then to the end.

        Args:
            first: The operation at which the first life is killed.
        """
        moment, (operations, seconds) = {"deadly": first}, self.length
        for _ in range(KILLS):
            if not self._is_killed(moment):
                break
            self.kills.append(moment.get("deadly") or f"{moment['seconds']:.6f} s")
            if self.moments.random() < 0.7:
                moment = {"deadly": self.moments.randint(1, operations)}
            else:
                moment = {"seconds": self.moments.uniform(0.0, seconds)}
        for _ in range(2 * EPOCHS):  # an ending of the scenario ends a life, too
            self._note_wrong(live_to_the_end(self.work, self.folder, self.promised.hear))
            if self._is_done():
                break
        self._note([f"damaged: {name}" for name in damaged(self.folder)])
        self._note([f"left behind: {name}" for name in temporaries(self.folder)])

    def _is_done(self):
        try:
            return _epoch(self.folder) == EPOCHS
        except CheckpointError as error:
            self._note([f"nothing to go on from: {error}"])
            return True

    def _is_killed(self, moment):
        """Lives until a moment; returns whether it came."""
        ended = live(self.work, self.folder, self.promised.hear, **moment)
        self._note_wrong(ended, moment)
        return ended == -signal.SIGKILL

    def _note_wrong(self, ended, moment=None):
        """Notes what is wrong with the folder after a life, and if it ended as none may."""
        self._settle()
        self._note(self.promised.breaches(self.folder), moment)
        if ended not in {0, -signal.SIGKILL}:
            self._note([f"a life ended with {ended}"], moment)

    def _note(self, wrong, moment=None):
        self.breaches += [f"{self.title}, {self.kills} {moment or ''}: {one}" for one in wrong]

    def compare(self, expected):
        """Notes if the last state is not the one that is expected, by its digest."""
        last = find_latest_checkpoint(self.folder)
        if last is None or digest(read_checkpoint(last)) != expected:
            self._note([f"{last}: another state than that of a training that was not interrupted"])


def uninterrupted(work, folder):
    """Returns the digest of the last state, and how many operations a training has that nobody kills."""
    ops = Dying(folder)
    with through(ops):
        while _epoch(folder) < EPOCHS:
            with suppress(ArithmeticError, TrainingInterrupted):  # an ending of the scenario
                work(folder)
    return digest(read_checkpoint(find_latest_checkpoint(folder))), ops.count


def _epoch(folder):
    newest = find_latest_checkpoint(folder)
    return 0 if newest is None else read_checkpoint(newest).head["metadata"]["progress"]["epoch"]


class Tally:
    """What sessions came to."""

    def __init__(self):
        self.kills, self.different, self.breaches = 0, set(), []

    def add(self, session):
        """Counts what one session came to."""
        self.kills += len(session.kills)
        self.different.update((session.name, *session.kills[: n + 1]) for n in range(len(session.kills)))
        self.breaches += session.breaches

    def take(self, other):
        """Takes over what another tally has counted."""
        self.kills += other.kills
        self.different |= other.different
        self.breaches += other.breaches

    def conclude(self, lane, floor, record_property, *, skipped=0, reason=""):
        """Concludes a lane with what was counted; `skipped` kills were not made, for a reason."""
        failed, detail = len(self.breaches), numbered(self.breaches)
        conclude(Lane(lane, self.kills, len(self.different), skipped, failed, floor, reason, detail), record_property)


def hunt_down(number, kills, folder):
    """Holds sessions with a scenario that only saves, until there were so many different kills.

    Args:
        number: Of the scenario.
        kills: How many.
        folder: In which each session has its folder.

    Returns:
        A `Tally`.
    """
    return _hold(SCENARIOS[number].save, kills, Path(folder), (150, 0.03), is_training=False)


def hunt_down_training(number, kills, folder):
    """As `hunt_down`, with whole trainings, whose last states are compared with one that nobody killed."""
    return _hold(SCENARIOS[number].train, kills, Path(folder), (250, 0.06), is_training=True)


def cut_power(number, kills, folder, kind):
    """As `hunt_down`, on a file system of its own, which loses its power after every life, killed or not.

    Args:
        number: Of the scenario.
        kills: How many.
        folder: In which the file system is made.
        kind: A `Kind` of it.

    Raises:
        NotAllowedError: The machine does not allow it.
    """
    work = SCENARIOS[number].save
    with filesystem(Path(folder) / f"{number} {kind}", kind) as own:
        return _hold(work, kills, own.folder, (150, 0.03), is_training=False, settle=own.cut, place=f", {kind}")


def _hold(work, kills, folder, length, *, is_training, settle=lambda: None, place=""):
    tally, home = Tally(), folder / f"{work.__name__} {work.__self__.name}"
    with _lean():
        expected, operations = uninterrupted(work, home)
        _clear(home)
        for seed in itertools.takewhile(lambda _: len(tally.different) < kills, itertools.count()):
            session = Session(work, home, seed, length, settle, place)
            session.run(first=1 + seed * 37 % operations)  # 37 and most counts share no factor: all are met in time
            if is_training:
                session.compare(expected)
            tally.add(session)
            _clear(home)
    return tally


def _clear(home):
    """Removes a folder for good: what comes back with the power would be of no save of the next session."""
    shutil.rmtree(home)
    PosixStorage().sync_folder(str(home.parent))


@contextmanager
def _lean():
    """Forks are cheap and silent."""
    logging.disable(logging.CRITICAL)  # thousands of recoveries have much to say
    gc.collect()
    gc.freeze()  # what is not touched is not copied
    with remembering():  # what one process has parsed, those that it forks need not parse again
        yield
    gc.unfreeze()
    logging.disable(logging.NOTSET)
