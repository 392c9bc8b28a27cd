"""Sessions of kills: one training in one folder, killed again and again, the recovery included.

The oracle lives in the process that kills: it knows by a pipe which saves were acknowledged, and compares the folder
with that after each kill.
"""

import random
import signal
from contextlib import suppress

from crash.acknowledged import Acknowledged, damaged, temporaries
from crash.dying import Dying
from crash.lives import EPOCHS, live
from crash.record import Lane, conclude
from crash.seam import through
from tenuto.reference.checkpoint.compare import digest
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.newest import find_latest_checkpoint
from tenuto.reference.errors import TrainingInterrupted

KILLS = 8  # in a session, at most


class Session:
    """Lives of one training in one folder.

    Args:
        work: What a life does: a method of a scenario.
        folder: Where.
        seed: Of the moments of the kills.
        length: How many operations, and how many seconds, a life after the first has at most before it is killed.

    Attributes:
        kills: The moments of all kills so far.
        breaches: What was wrong, each with the moments that led to it.
    """

    def __init__(self, work, folder, seed, length):
        self.work, self.folder, self.length = work, str(folder), length
        self.title = f"{work.__self__.name}, seed {seed}"
        self.promised, self.moments = Acknowledged(), random.Random(self.title)
        self.kills, self.breaches = [], []

    def run(self, first):
        """Lives until it has been killed often enough or is done, then to the end.

        Args:
            first: The operation at which the first life is killed.
        """
        moment, (operations, seconds) = {"deadly": first}, self.length
        for _ in range(KILLS):
            if not self._live(**moment):
                break
            self.kills.append(moment.get("deadly") or f"{moment['seconds']:.6f} s")
            if self.moments.random() < 0.7:
                moment = {"deadly": self.moments.randint(1, operations)}
            else:
                moment = {"seconds": self.moments.uniform(0.0, seconds)}
        for _ in range(2 * EPOCHS):  # an ending of the scenario ends a life, too
            self._live()
            if _epoch(self.folder) == EPOCHS:
                break
        self._note([f"damaged: {name}" for name in damaged(self.folder)])
        self._note([f"left behind: {name}" for name in temporaries(self.folder)])

    def _live(self, **moment):
        """Returns whether the life was killed."""
        ended = live(self.work, self.folder, self.promised.hear, **moment)
        wrong = self.promised.breaches(self.folder)
        if ended not in {0, -signal.SIGKILL}:
            wrong.append(f"a life ended with {ended}")
        self._note(wrong, moment)
        return ended == -signal.SIGKILL

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
        self.kills += len(session.kills)
        name = session.work.__self__.name
        self.different.update((name, *session.kills[: n + 1]) for n in range(len(session.kills)))
        self.breaches += session.breaches

    def conclude(self, lane, floor, record_property):
        record_property("breaches", self.breaches[:20])
        conclude(Lane(lane, self.kills, len(self.different), 0, len(self.breaches), floor), record_property)
