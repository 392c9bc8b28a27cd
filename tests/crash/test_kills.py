"""Lane B: SIGKILL at every file operation and at any moment; what was acknowledged is never lost."""

import gc
import logging
import os
import shutil

import pytest

from crash.acknowledged import Acknowledged
from crash.lives import SCENARIOS, live
from crash.record import sized
from crash.seam import remembering
from crash.sessions import Session, Tally, uninterrupted
from tenuto.reference.checkpoint.newest import find_latest_checkpoint

REQUIRED = pytest.mark.req("STORE-SAVE-013", "STORE-SAVE-009", "STORE-KEEP-002", "CPC-KEEP-002", "TR-FAIL-023")


@pytest.fixture
def lean(caplog):
    """Forks are cheap and silent."""
    caplog.set_level(logging.CRITICAL)  # thousands of recoveries have much to say
    gc.collect()
    gc.freeze()  # what is not touched is not copied
    with remembering():  # what one process has parsed, those that it forks need not parse again
        yield
    gc.unfreeze()


def _seeds(tally, floor):
    """Yields seeds until a scenario has met its share of kills: a fast machine survives more of its lives."""
    wanted = len(tally.different) + -(-floor // len(SCENARIOS))
    for seed in range(floor):
        if len(tally.different) >= wanted:
            return
        yield seed


@REQUIRED
@pytest.mark.usefixtures("lean")
def test_no_kill_loses_what_was_acknowledged(tmp_path, record_property):
    tally, floor = Tally(), sized(500, 50_000)
    for scenario in SCENARIOS:
        _, operations = uninterrupted(scenario.save, tmp_path / "uninterrupted")
        shutil.rmtree(tmp_path / "uninterrupted")
        for seed in _seeds(tally, floor):
            session = Session(scenario.save, tmp_path / "killed", seed, (150, 0.03))
            session.run(first=1 + seed * 37 % operations)  # 37 and most counts share no factor: all are met in time
            tally.add(session)
            shutil.rmtree(tmp_path / "killed")
    tally.conclude("B kills", floor, record_property)


@REQUIRED
@pytest.mark.req("TR-REST-005", "TR-RES-001")
@pytest.mark.usefixtures("lean")
def test_a_training_that_was_killed_ends_in_the_state_of_one_that_was_not(tmp_path, record_property):
    tally, floor = Tally(), sized(60, 4_000)
    for scenario in SCENARIOS:
        expected, operations = uninterrupted(scenario.train, tmp_path / "uninterrupted")
        shutil.rmtree(tmp_path / "uninterrupted")
        for seed in _seeds(tally, floor):
            session = Session(scenario.train, tmp_path / "killed", seed, (250, 0.06))
            session.run(first=1 + (101 + seed * 37) % operations)
            session.compare(expected)
            tally.add(session)
            shutil.rmtree(tmp_path / "killed")
    tally.conclude("B kills of whole trainings", floor, record_property)


def test_the_oracle_notices_a_save_that_is_lost(tmp_path):
    """What the lane would say if the newest file of a training became another one, and if it went away."""
    promised = Acknowledged()
    assert live(SCENARIOS[0].save, str(tmp_path), promised.hear) == 0
    assert promised.breaches(tmp_path) == []
    newest, kept = find_latest_checkpoint(tmp_path), promised.possible.copy()
    shutil.copy(tmp_path / "checkpoint_epoch_0001.ckpt", newest)
    assert any("expected one of" in one for one in promised.breaches(tmp_path))
    promised.possible = kept
    os.unlink(newest)
    os.unlink(tmp_path / "latest.ckpt")
    said = promised.breaches(tmp_path)
    assert len(said) == 3
    assert said[-1].endswith("is in no file")
