"""Lane B: SIGKILL at every file operation and at any moment, again and again, the recovery included.

The oracle lives in the process that kills: it knows by a pipe which saves were acknowledged, and compares the folder with
that after each kill. A session ends with a training that nobody kills; its last state is that of one never interrupted.
"""

import logging
import os
import random
import shutil
import signal

import pytest

from crash.acknowledged import Acknowledged, damaged, temporaries
from crash.dying import Dying
from crash.lives import SCENARIOS, Scenario, live
from crash.record import Lane, conclude, sized
from tenuto.reference.checkpoint.compare import digest
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.newest import find_latest_checkpoint

KILLS = 8  # in a session, at most
SESSIONS = sized(7, 640)  # of each scenario
FLOOR = sized(500, 50_000)
LATEST_OPERATION = 130  # at which a life after the first is killed; its recovery takes 15 to 60
LONGEST = 0.04  # seconds that a life has before it is killed from outside


class Session:
    """Lives of one training in one folder.

    Attributes:
        kills: The moments of all kills so far.
        breaches: What was wrong, each with the moments that led to it.
    """

    def __init__(self, scenario, folder, seed):
        self.scenario, self.folder, self.seed = scenario, str(folder), seed
        self.promised, self.moments = Acknowledged(), random.Random(f"{scenario.name} {seed}")
        self.kills, self.breaches = [], []

    def run(self, first):
        """Lives until it has been killed often enough or is done, then to the end.

        Args:
            first: The operation at which the first life is killed.
        """
        moment = {"deadly": first}
        for _ in range(KILLS):
            if not self._live(**moment):
                break
            self.kills.append(moment.get("deadly") or f"{moment['seconds']:.6f} s")
            if self.moments.random() < 0.6:
                moment = {"deadly": self.moments.randint(1, LATEST_OPERATION)}
            else:
                moment = {"seconds": self.moments.uniform(0.001, LONGEST)}
        for _ in range(10):  # an ending of the scenario ends a life, too
            self._live()
            if self._is_done():
                break
        return self

    def _live(self, **moment):
        """Returns whether the life was killed."""
        ended = live(self.scenario, self.folder, self.promised.hear, **moment)
        wrong = self.promised.breaches(self.folder)
        if ended not in {0, -signal.SIGKILL}:
            wrong.append(f"a life ended with {ended}")
        self.breaches += [f"{self.scenario.name}, seed {self.seed}, {self.kills} {moment}: {one}" for one in wrong]
        return ended == -signal.SIGKILL

    def _is_done(self):
        newest = find_latest_checkpoint(self.folder)
        return newest is not None and read_checkpoint(newest).head["metadata"]["progress"]["epoch"] == 4

    def compare(self, expected):
        """Looks at what is left at the end: the same last state, every file whole, no temporary one."""
        wrong = [f"damaged: {name}" for name in damaged(self.folder)]
        wrong += [f"left behind: {name}" for name in temporaries(self.folder)]
        last = find_latest_checkpoint(self.folder)
        if last is None or digest(read_checkpoint(last)) != expected:
            wrong.append(f"{last}: another state than that of a training that was not interrupted")
        self.breaches += [f"{self.scenario.name}, seed {self.seed}, {self.kills}: {one}" for one in wrong]


def undisturbed(scenario, folder):
    """Returns the digest of the last state, and how many operations the first life has."""
    ops = Dying(folder)
    Scenario(scenario.name, scenario.settings).train(folder, ops)
    return digest(read_checkpoint(find_latest_checkpoint(folder))), ops.count


@pytest.mark.req("STORE-SAVE-013", "STORE-SAVE-009", "STORE-KEEP-002", "CPC-KEEP-002", "TR-FAIL-023", "TR-RES-001")
def test_no_kill_loses_what_was_acknowledged(tmp_path, caplog, record_property):
    caplog.set_level(logging.CRITICAL)  # thousands of recoveries have much to say
    kills, different, breaches = 0, set(), []
    for scenario in SCENARIOS:
        expected, operations = undisturbed(scenario, tmp_path / "undisturbed")
        for seed in range(SESSIONS):
            session = Session(scenario, tmp_path / "killed", seed)
            session.run(first=1 + seed * 37 % operations)  # 37 and most counts share no factor: all are met in time
            session.compare(expected)
            kills += len(session.kills)
            different.update((scenario.name, *session.kills[: n + 1]) for n in range(len(session.kills)))
            breaches += session.breaches
            shutil.rmtree(tmp_path / "killed")
        shutil.rmtree(tmp_path / "undisturbed")
    print(*breaches[:20], sep="\n")
    conclude(Lane("B kills", kills, len(different), 0, len(breaches), FLOOR), record_property)


def test_the_oracle_notices_a_save_that_is_lost(tmp_path):
    """What the lane would say if the newest file of a training went away, and if it became another one."""
    promised = Acknowledged()
    assert live(SCENARIOS[0], str(tmp_path), promised.hear) == 0
    assert promised.breaches(tmp_path) == []
    newest = find_latest_checkpoint(tmp_path)
    kept = promised.possible.copy()
    shutil.copy(tmp_path / "checkpoint_epoch_0001.ckpt", newest)
    assert any("expected one of" in one for one in promised.breaches(tmp_path))
    promised.possible = kept
    os.unlink(newest)
    os.unlink(tmp_path / "latest.ckpt")
    assert {"no file" in one or "in no file" in one for one in promised.breaches(tmp_path)} == {True}
