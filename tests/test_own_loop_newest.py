"""Which file of a folder a hand-written loop goes on from."""

import os
from pathlib import Path

import pytest
import torch
from own_loop import PARTS, WHOLE, manager
from recorder import refusal, saving, small

import tenuto


def at(made, epoch, name=None, state=WHOLE):
    return made.save_checkpoint(state, name or f"{epoch}.ckpt", metadata={"epoch": epoch})


@pytest.mark.req("CPC-MAN-015", "GEN-TIME-002")
def test_the_newest_is_found_by_its_epoch_and_not_by_name_or_date(tmp_path):
    assert tenuto.find_latest_checkpoint(tmp_path / "nowhere") is None
    made = manager(tmp_path, {"monitor": "a"})
    newest = at(made, 9, "a.ckpt")
    for epoch, name in ((2, "z.ckpt"), (8, "b.ckpt")):
        at(made, epoch, name)
    made.update({"a": 1}, {"w": torch.ones(1)}, 20)
    os.utime(newest, (0, 0))
    assert tenuto.find_latest_checkpoint(tmp_path) == newest


@pytest.mark.req("CPC-MAN-014", "CPC-MAN-015")
def test_a_later_manager_is_the_next_attempt_of_the_same_run_and_sweeps_what_was_left(tmp_path):
    old = at(manager(tmp_path), 9)
    run = tenuto.read_checkpoint(old).head["metadata"]["origin"]["run_id"]
    (tmp_path / f".{run}.8.ckpt.0123abcd.tmp").write_bytes(b"torn")
    new = at(manager(tmp_path), 1)
    origin = tenuto.read_checkpoint(new).head["metadata"]["origin"]
    assert (origin["run_id"], origin["attempt"]) == (run, 2)
    assert tenuto.find_latest_checkpoint(tmp_path) == new
    assert sorted(os.listdir(tmp_path)) == ["1.ckpt", "9.ckpt"]


@pytest.mark.req("CPC-MAN-014", "CPC-MAN-015")
def test_a_folder_of_a_trainer_and_one_of_two_runs_are_not_taken_over(tmp_path):
    small(saving(tmp_path)).fit()
    origin = tenuto.read_checkpoint(at(manager(tmp_path), 1)).head["metadata"]["origin"]
    assert (origin["run_id"][:8], origin["attempt"]) == ("manager-", 1)
    assert refusal(lambda: tenuto.find_latest_checkpoint(tmp_path)) == ("ambiguous_run", "config")


@pytest.mark.req("CPC-MAN-015")
def test_a_damaged_file_is_passed_over_by_name_and_if_there_is_no_other_that_is_an_error(tmp_path, caplog):
    made = manager(tmp_path)
    whole, torn, cut = (at(made, epoch) for epoch in (1, 2, 3))
    data = bytearray(Path(torn).read_bytes())
    data[len(data) - 200] ^= 1
    Path(torn).write_bytes(data)
    os.truncate(cut, 50)
    assert tenuto.find_latest_checkpoint(tmp_path) == whole
    assert all(name in caplog.text for name in ("2.ckpt", "3.ckpt"))
    os.unlink(whole)
    assert refusal(lambda: tenuto.find_latest_checkpoint(tmp_path)) == ("no_usable_checkpoint", "restore")


@pytest.mark.req("CPC-MAN-015")
def test_a_file_with_a_spoiled_tensor_is_no_newest_one(tmp_path):
    made = manager(tmp_path)
    whole, spoiled = at(made, 1), Path(at(made, 2))
    data = spoiled.read_bytes()
    ones = torch.ones(2).numpy().tobytes()
    assert data.count(ones) == 1
    spoiled.write_bytes(data.replace(ones, ones[::-1]))
    assert tenuto.find_latest_checkpoint(tmp_path) == whole


@pytest.mark.req("CPC-MAN-015")
def test_an_exact_state_comes_before_a_later_one_that_is_not(tmp_path, caplog):
    made = manager(tmp_path)
    exact, inexact = at(made, 1), at(made, 2, state=PARTS)
    assert tenuto.find_latest_checkpoint(tmp_path) == exact
    assert "passing over 2.ckpt" in caplog.text
    os.unlink(exact)
    assert tenuto.find_latest_checkpoint(tmp_path) == inexact
    assert "2.ckpt: its state is not exact" in caplog.text
