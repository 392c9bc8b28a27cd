"""Exports of the checkpoint manager: files of torch, written by the store, never resumed from."""

import os
import zipfile

import pytest
import torch
from own_loop import Loop, manager
from recorder import refusal
from torch import nn

import tenuto
from tenuto.reference.checkpoint.storage import PosixStorage
from tenuto.reference.checkpoint.store import Store


@pytest.mark.req("CPC-MAN-006", "CPC-MAN-007")
@pytest.mark.parametrize("name", ["best.pt", "best.pth"])
def test_an_export_is_opened_by_torch_alone_and_runs_no_code(tmp_path, name):
    loop = Loop()
    made = manager(tmp_path, {"monitor": "loss", "filename": name})
    (path,) = made.update({"loss": 0.5}, loop.model.state_dict(), 2)
    assert zipfile.is_zipfile(path)
    opened = torch.load(path, weights_only=True)
    assert list(opened) == ["model_state", "metadata"]
    assert opened["metadata"]["progress"]["epoch"] == 2
    state, metadata = made.load_checkpoint(path)
    loop.model.load_state_dict(state)
    assert metadata == opened["metadata"]
    made.update({"loss": 0.4}, tenuto.training_state(*loop.parts), 3)
    whole, _ = made.load_checkpoint(path)
    assert sorted(whole) == ["model_state", "optimizer_state", "rng_state", "scheduler_state"]
    loop.optimizer.load_state_dict(whole["optimizer_state"]["optimizer"])


@pytest.mark.req("CPC-MAN-006", "CPC-MAN-015", "TR-RES-013")
def test_an_export_is_never_resumed_from(tmp_path):
    loop = Loop()
    path = manager(tmp_path).save_checkpoint(tenuto.training_state(*loop.parts), "a.pt")
    assert tenuto.find_latest_checkpoint(tmp_path) is None
    assert refusal(lambda: tenuto.load_checkpoint_into(path, *loop.parts)) == ("not_a_checkpoint", "open")


@pytest.mark.req("CPC-MAN-006")
def test_an_export_of_a_part_of_a_tensor_does_not_bring_the_whole_along(tmp_path):
    large = torch.zeros(100_000)
    path = manager(tmp_path).save_checkpoint(
        {"w": large[:2], "tied": (shared := torch.ones(3)), "again": shared}, "a.pt"
    )
    assert os.path.getsize(path) < 10_000
    loaded = torch.load(path, weights_only=True)["model_state"]
    assert loaded["tied"].data_ptr() == loaded["again"].data_ptr()


@pytest.mark.req("CPC-MAN-006", "CKPT-VAL-002")
def test_an_export_of_what_only_code_brings_back_is_refused_with_its_path(tmp_path):
    with pytest.raises(tenuto.CheckpointError, match=r"state\.model_state\.a\[1\]") as caught:
        manager(tmp_path).save_checkpoint({"a": [1, nn.Linear(1, 1)]}, "a.pt")
    assert caught.value.code == "unserializable_value"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.req("CPC-MAN-007")
def test_a_file_that_torch_refuses_and_one_of_another_program(tmp_path):
    (tmp_path / "bad.pt").write_bytes(b"PK\x03\x04 and then nothing")
    torch.save(nn.Linear(1, 1), tmp_path / "code.pt")
    torch.save({"weight": torch.ones(1)}, tmp_path / "other.pt")
    for name in ("bad.pt", "code.pt"):
        assert (
            refusal(lambda name=name: tenuto.CheckpointManager.load_checkpoint(tmp_path / name))[0]
            == "not_a_checkpoint"
        )
    state, metadata = tenuto.CheckpointManager.load_checkpoint(tmp_path / "other.pt")
    assert (list(state), metadata) == (["weight"], {})


class Corrupting(PosixStorage):
    """Stores another byte than was written."""

    def write(self, file, pieces):
        data = bytearray(b"".join(pieces))
        data[len(data) // 2] ^= 1
        return super().write(file, [bytes(data)])


@pytest.mark.req("CPC-MAN-006", "STORE-SAVE-006", "STORE-SAVE-008")
def test_an_export_is_read_back_before_it_gets_its_name(tmp_path):
    (tmp_path / "a.pt").write_bytes(b"old")
    assert refusal(lambda: Store(tmp_path, "run", ops=Corrupting()).export("a.pt", b"new bytes")) == ("io_error", "io")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.pt", b"old")]
    assert Store(tmp_path, "run").export("a.pt", b"new bytes") == str(tmp_path / "a.pt")
    assert (tmp_path / "a.pt").read_bytes() == b"new bytes"
