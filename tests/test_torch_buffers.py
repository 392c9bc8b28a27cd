"""The memory of background saves: used again, and never while anybody sees what it held."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from torch import nn

import tenuto
from tenuto.reference.checkpoint.tree import tensors_of
from tenuto.reference.trainer.torch_buffers import Buffers
from tenuto.reference.trainer.torch_tree import TreeMaker

LARGE = 1 << 16


def address(data):
    return np.frombuffer(data, np.uint8).ctypes.data


@pytest.mark.req("CPC-ASYNC-001")
def test_memory_is_lent_again_when_nobody_sees_the_copy_and_not_before():
    buffers, tensor = Buffers(), torch.arange(LARGE)
    first = buffers.begin().copy(tensor)
    second = buffers.begin().copy(tensor + 1)
    places = {address(first), address(second)}
    assert len(places) == 2
    part = first[8:16]
    del first
    gc.collect()
    third = buffers.begin().copy(tensor + 2)
    assert address(third) not in places, "a slice of the first copy is still seen"
    assert bytes(part) == (1).to_bytes(8, "little")
    del part, second
    gc.collect()
    assert address(buffers.begin().copy(tensor + 3)) in places


@pytest.mark.parametrize("size", [3, LARGE], ids=["small", "large"])
@pytest.mark.req("CPC-ASYNC-001", "CKPT-VAL-005")
def test_the_copy_has_the_elements_in_order_whatever_lies_in_memory(size):
    live = torch.arange(2 * size, dtype=torch.float32).reshape(2, size).t()[:, 1:]
    tree = TreeMaker(Buffers().begin()).tree({"w": live, "tied": live}, "x")
    live += 1
    assert bytes(tree["w"].data) == np.arange(size, 2 * size, dtype="<f4").tobytes()
    assert tree["w"] is tree["tied"]
    for dtype in (torch.bool, torch.bfloat16, torch.complex64, torch.float8_e5m2):
        value = torch.ones(size).to(dtype)
        expected = value.view(torch.uint8).numpy().tobytes()
        assert bytes(TreeMaker(Buffers().begin()).tree(value, "x").data) == expected


def test_memory_that_the_last_capture_had_no_need_of_is_given_back():
    buffers = Buffers()
    for size in (LARGE, 2 * LARGE, 2 * LARGE):
        buffers.begin().copy(torch.zeros(size))
        gc.collect()
    assert list(buffers._free) == [(8 * LARGE, False)]


@pytest.mark.req("CPC-ASYNC-001", "CPC-ASYNC-002")
def test_background_saves_of_a_training_take_the_memory_of_one_snapshot(tmp_path, monkeypatch):
    made, empty = [], torch.empty
    monkeypatch.setattr(torch, "empty", lambda *size, **kw: made.append(size[0]) or empty(*size, **kw))
    model = nn.Linear(256, 256, bias=False)
    data = [(torch.ones(4, 256), torch.ones(4, 256))] * 4
    saving = tenuto.CheckpointCallback(tmp_path, async_save=True, save_every_steps=1, save_best=False, keep_last_n=2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = nn.functional.mse_loss
    trainer = tenuto.Trainer(model, optimizer, data, max_epochs=5, loss=loss, callbacks=[saving])
    trainer.fit()
    snapshot = 4 * 256 * 256
    assert made.count(snapshot) <= 2, "20 saves"
    newest = tenuto.read_checkpoint(tmp_path / "latest.ckpt")
    (weight,) = (one for path, one in tensors_of(newest.head) if path == "model_state.weight")
    assert bytes(weight.data) == model.weight.detach().numpy().tobytes()
