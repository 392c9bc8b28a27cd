"""What a hand-written loop asks a checkpoint manager to save: where it goes, and its metadata."""

import os
import re
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from own_loop import manager
from recorder import refusal

import tenuto
from tenuto.callbacks.own_loop_configs import stamped_name


def head(path):
    return tenuto.read_checkpoint(path).head


def weights(value):
    return {"w": torch.full((2,), float(value))}


@pytest.mark.req("CPC-MAN-011")
def test_where_a_save_goes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = manager("out")
    monkeypatch.chdir("/")
    assert made.save_checkpoint(weights(1), "a.ckpt") == str(tmp_path / "out/a.ckpt")
    assert made.save_checkpoint(weights(1), tmp_path / "other" / "b.ckpt") == str(tmp_path / "other/b.ckpt")
    made.save_checkpoint(weights(2), "a.ckpt")
    assert int(made.load_checkpoint(tmp_path / "out/a.ckpt")[0]["w"][0]) == 2
    assert head(tmp_path / "out/a.ckpt")["metadata"]["origin"]["reasons"] == ["manual"]
    for name in ("a", "a.bin", ".ckpt", ".hidden.ckpt"):
        assert refusal(lambda name=name: made.save_checkpoint(weights(1), name)) == ("invalid_setting", "config")


@pytest.mark.req("CPC-MAN-011", "CPC-NAME-009", "CPC-NAME-014")
def test_without_overwriting_each_file_gets_the_time_into_its_name(tmp_path):
    made = manager(tmp_path, {"monitor": "a", "overwrite": False, "filename": "best.ckpt"})
    paths = [made.save_checkpoint(weights(n), "now.pt", overwrite=False) for n in range(3)]
    best = [made.update({"a": -n}, weights(n), n)[0] for n in range(3)]
    assert len(set(paths)) == len(set(best)) == 3
    for path, form in ((paths, r"now_\d{8}T\d{6}Z(_\d+)?\.pt"), (best, r"best_\d{8}T\d{6}Z(_\d+)?\.ckpt")):
        assert all(re.fullmatch(form, os.path.basename(one)) for one in path)
    assert [int(made.load_checkpoint(path)[0]["w"][0]) for path in (*paths, *best)] == [0, 1, 2] * 2
    assert made.saved_files == {"a": best[-1]}
    metadata = head(best[-1])["metadata"]
    assert metadata["origin"]["files"] == {"a": os.path.basename(best[-1])}
    assert metadata["best"]["a"][0]["file"] == "best.ckpt"


@pytest.mark.req("CPC-NAME-009")
def test_the_time_in_a_name_is_followed_by_a_number_while_it_is_taken():
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    taken = []
    for expected in ("b.a_20260102T030405Z.pt", "b.a_20260102T030405Z_2.pt", "b.a_20260102T030405Z_3.pt"):
        assert stamped_name("b.a.pt", moment, taken) == expected
        taken.append(expected)


@pytest.mark.req("CPC-MAN-012")
def test_metadata_of_the_caller_take_their_place(tmp_path):
    made = manager(tmp_path)
    given = {
        "epoch": 7,
        "note": "warm",
        "np": np.float64(0.5),
        "metrics": {"a": 1, "b": {"value": 2.0, "step": 5}},
        "best": {"a": []},
        "architecture": {"layers": 2},
        "config": {"lr": 0.1},
        "kind": "mine",
        "exact": True,
        "origin": {},
    }
    found = head(made.save_checkpoint(weights(1), "a.ckpt", metadata=given))["metadata"]
    assert found.pop("origin")["run_id"].startswith("manager-")
    assert found == {
        "progress": {"epoch": 7, "global_step": 0, "batch_in_epoch": 0},
        "metrics": {"a": {"value": 1.0, "step": 0}, "b": {"value": 2.0, "step": 5}},
        "best": {"a": []},
        "config": {"lr": 0.1, "note": "warm", "np": 0.5},
        "architecture": {"layers": 2},
        "exact": False,
        "kind": "weights",
    }


@pytest.mark.req("CPC-MAN-012")
@pytest.mark.parametrize(
    "given",
    [
        [],
        {1: 2},
        {"epoch": -1},
        {"epoch": 1.5},
        {"progress": {"epoch": 1}},
        {"progress": 3},
        {"metrics": {"a": "low"}},
        {"metrics": {"a": {"value": 1.0, "step": -1}}},
        {"config": 3},
        {"best": []},
    ],
)
def test_metadata_of_another_form_are_refused(tmp_path, given):
    assert (
        refusal(lambda: manager(tmp_path).save_checkpoint(weights(1), "a.ckpt", metadata=given))[0] == "invalid_setting"
    )
    assert list(tmp_path.iterdir()) == []
