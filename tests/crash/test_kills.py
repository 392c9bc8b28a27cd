"""Lane B: SIGKILL at every file operation and at any moment; what was acknowledged is never lost."""

import os
import shutil

import pytest

from crash.acknowledged import Acknowledged
from crash.lives import SCENARIOS, live
from crash.pool import spread
from crash.record import sized
from crash.sessions import Tally, hunt_down, hunt_down_training
from tenuto.reference.checkpoint.newest import find_latest_checkpoint

REQUIRED = pytest.mark.req("STORE-SAVE-013", "STORE-SAVE-009", "STORE-KEEP-002", "CPC-KEEP-002", "TR-FAIL-023")


def hunted(hunter, floor, folder):
    """Returns what all scenarios came to, each with its share of the kills."""
    tally, share = Tally(), -(-floor // len(SCENARIOS))
    for found in spread(hunter, [(number, share, str(folder)) for number in range(len(SCENARIOS))]):
        tally.take(found)
    return tally


@REQUIRED
def test_no_kill_loses_what_was_acknowledged(tmp_path, record_property):
    floor = sized(500, 50_000)
    hunted(hunt_down, floor, tmp_path).conclude("B kills", floor, record_property)


@REQUIRED
@pytest.mark.req("TR-REST-005", "TR-RES-001")
def test_a_training_that_was_killed_ends_in_the_state_of_one_that_was_not(tmp_path, record_property):
    floor = sized(60, 4_000)
    hunted(hunt_down_training, floor, tmp_path).conclude("B kills of whole trainings", floor, record_property)


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
