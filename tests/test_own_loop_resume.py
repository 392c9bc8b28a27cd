"""A hand-written loop that is resumed: what is restored, and what is refused."""

import shutil

import pytest
import torch
from own_loop import EPOCHS, WHOLE, Loop, manager
from recorder import refusal
from small_job import OPTIMIZERS
from torch import nn
from torch.utils.data import DataLoader

import tenuto
from tenuto.reference.trainer.torch_generators import Generators


@pytest.mark.req("CPC-MAN-016", "CPC-MAN-008", "CPC-MAN-013", "TR-REST-005")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_loop_resumed_after_any_epoch_ends_like_one_that_was_not_interrupted(tmp_path, optimizer):
    whole = Loop(optimizer)
    made = manager(tmp_path / "whole", {"monitor": "loss"})
    whole.run(made)
    expected = whole.digest()
    for stop in range(1, EPOCHS):
        folder = tmp_path / str(stop)
        Loop(optimizer).run(manager(folder, {"monitor": "loss"}), stop)
        again, other = Loop(optimizer), manager(folder, {"monitor": "loss"})
        torch.rand(7)  # the generators are somewhere else
        resumed = tenuto.load_checkpoint_into(tenuto.find_latest_checkpoint(folder), *again.parts, manager=other)
        assert (resumed.start_epoch, resumed.exact, resumed.metadata["kind"]) == (stop, True, "full")
        again.start_epoch = resumed.start_epoch
        again.run(other)
        assert again.digest() == expected
        assert other.best_values == made.best_values
        assert set(other.saved_files.values()) == {str(folder / "best_loss.ckpt")}


@pytest.mark.req("CPC-MAN-008")
def test_a_second_manager_with_the_state_of_the_first_saves_nothing_worse(tmp_path):
    first = manager(tmp_path / "a", {"monitor": "loss"})
    first.update({"loss": 0.2}, WHOLE, 1)
    shutil.move(tmp_path / "a", tmp_path / "b")
    second = manager(tmp_path / "b", {"monitor": "loss"})
    second.load_state_dict(first.state_dict())
    assert second.update({"loss": 0.3}, WHOLE, 2) == []
    assert second.saved_files == {"loss": str(tmp_path / "b/best_loss.ckpt")}
    assert (
        second.state_dict()
        == first.state_dict()
        == {
            "best_values": {"loss": 0.2},
            "saved_files": {"loss": "best_loss.ckpt"},
        }
    )
    assert second.update({"loss": 0.1}, WHOLE, 3) == [str(tmp_path / "b/best_loss.ckpt")]


@pytest.mark.req("CPC-MAN-008")
@pytest.mark.parametrize(
    "state",
    [
        {},
        {"best_values": {}},
        {"best_values": {"a": "low"}, "saved_files": {}},
        {"best_values": {"a": float("nan")}, "saved_files": {}},
        {"best_values": {}, "saved_files": {"a": "../a.ckpt"}},
        {"best_values": [], "saved_files": {}},
        [],
    ],
)
def test_a_state_of_another_form_is_refused_and_changes_nothing(tmp_path, state):
    made = manager(tmp_path, {"monitor": "a"})
    made.update({"a": 1}, WHOLE, 1)
    before = made.state_dict()
    assert refusal(lambda: made.load_state_dict(state)) == ("not_resumable", "restore")
    assert made.state_dict() == before


@pytest.mark.req("CPC-MAN-016")
def test_a_file_that_a_trainer_has_saved_goes_on_in_a_loop(tmp_path):
    loop = Loop()
    trainer = tenuto.Trainer(
        loop.model,
        loop.optimizer,
        DataLoader(loop.data, batch_size=6),
        max_epochs=2,
        loss=nn.functional.mse_loss,
        scheduler=loop.scheduler,
        callbacks=[tenuto.CheckpointCallback(tmp_path, monitor="train_loss", save_every_steps=6)],
    )
    trainer.fit()
    other = Loop()
    assert tenuto.load_checkpoint_into(tmp_path / "latest.ckpt", *other.parts).start_epoch == 2
    assert other.digest()[:2] == loop.digest()[:2]
    inside = tmp_path / "checkpoint_epoch_0001_step_00000006.ckpt"
    resumed = tenuto.load_checkpoint_into(inside, *Loop().parts)
    assert (resumed.start_epoch, resumed.exact) == (1, False)


@pytest.mark.req("CPC-MAN-016", "TR-REST-001", "TR-REST-002")
def test_what_does_not_fit_is_refused_with_every_mismatch_and_nothing_changes(tmp_path):
    made = manager(tmp_path, {"monitor": "loss"})
    Loop(width=5).run(made, 1)
    other = Loop("sgd")
    before = [value.clone() for value in other.model.state_dict().values()]
    generator, best = Generators.copy().to_tree(), manager(tmp_path, {"monitor": "loss"})
    with pytest.raises(tenuto.RestoreError) as caught:
        tenuto.load_checkpoint_into(tmp_path / "latest.ckpt", other.model, other.optimizer, manager=best)
    assert caught.value.code == "state_mismatch"
    found = " ".join(caught.value.mismatches)
    for path in (
        "model_state.0.weight: shape",
        "model_state.3.weight: shape",
        "scheduler_state.scheduler: in the file",
    ):
        assert path in found
    assert all(torch.equal(one, two) for one, two in zip(before, other.model.state_dict().values(), strict=True))
    assert Generators.copy().to_tree() == generator
    assert best.best_values == {}


@pytest.mark.req("CPC-MAN-016", "TR-REST-002")
def test_a_restore_that_fails_half_way_is_undone(tmp_path, monkeypatch):
    made = manager(tmp_path, {"monitor": "loss"})
    Loop().run(made, 2)
    other = Loop()
    before, best = other.digest()[:2], manager(tmp_path, {"monitor": "loss"})
    generators = Generators.copy().to_tree()

    restore, calls = Generators.restore, []

    def fail_first(self):
        calls.append(self)
        restore(self)
        if len(calls) == 1:
            raise RuntimeError("no device")

    monkeypatch.setattr(Generators, "restore", fail_first)
    with pytest.raises(RuntimeError, match="no device"):
        tenuto.load_checkpoint_into(tmp_path / "latest.ckpt", *other.parts, manager=best)
    assert Generators.copy().to_tree() == generators
    assert other.digest()[:2] == before
    assert best.best_values == {}


@pytest.mark.req("CPC-MAN-016")
def test_states_without_generators_or_names_are_restored_too_and_said_to_be_inexact(tmp_path, caplog):
    loop, other = Loop(), Loop()
    made = manager(tmp_path)
    state = {"model_state": loop.model.state_dict(), "optimizer_state": loop.optimizer.state_dict()}
    with torch.no_grad():
        loop.model[0].weight += 1
    made.save_checkpoint(state, "a.ckpt", metadata={"epoch": 3})
    resumed = tenuto.load_checkpoint_into(tmp_path / "a.ckpt", other.model, other.optimizer)
    assert (resumed.start_epoch, resumed.exact) == (3, False)
    assert torch.equal(other.model[0].weight, loop.model[0].weight)
    assert "without generators" in caplog.text


@pytest.mark.req("CPC-MAN-016", "TR-REST-012")
@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("cuda", [b"state"], "rng_state.cuda: 1 devices in the file, 0 here"),
        ("numpy", None, "rng_state.numpy: in this trainer, not in the file"),
    ],
)
def test_another_number_of_devices_is_a_note_and_no_mismatch(tmp_path, caplog, name, value, told):
    loop = Loop()
    state = tenuto.training_state(*loop.parts)
    saved = state["rng_state"] = {**state["rng_state"], name: value}
    if value is None:
        del saved[name]
    path = manager(tmp_path).save_checkpoint(state, "a.ckpt", metadata={"epoch": 3})
    found = []
    for drawn in (5, 6):  # whatever was drawn before
        tenuto.seed_all(drawn)
        assert tenuto.load_checkpoint_into(path, *Loop().parts).exact is False
        found.append(Generators.copy().to_tree())
    assert found[0] == found[1]
    assert [known for known in found[0] if found[0][known] != saved.get(known)] == [name]
    assert told in caplog.text


@pytest.mark.req("CPC-MAN-016", "TR-REST-014")
def test_weights_alone_are_not_resumed_from(tmp_path):
    path = manager(tmp_path).save_checkpoint({"w": torch.ones(1)}, "a.ckpt")
    assert refusal(lambda: tenuto.load_checkpoint_into(path, *Loop().parts)) == ("not_resumable", "restore")
