"""The moving average of the weights: its numbers, its state over a kill, and its place in the model."""

import os
import signal
from contextlib import suppress
from types import SimpleNamespace

import pytest
import torch
from recorder import refusal
from small_job import Points, Recorder
from torch import nn
from torch.utils.data import DataLoader

import tenuto
from tenuto.reference.checkpoint.compare import first_difference

FINAL = "checkpoint_epoch_0002.ckpt"
FRESH = SimpleNamespace(resumed=False)


def make_model():
    tenuto.seed_all(5)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.25), nn.Linear(4, 1))


def make(folder, callbacks=(), model=None, decay=0.9, **settings):
    model = model or make_model()
    average = tenuto.ExponentialMovingAverage(model, decay, **settings)
    trainer = tenuto.Trainer(
        model,
        torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1),
        DataLoader(Points(12), batch_size=4, shuffle=True),
        max_epochs=2,
        loss=nn.functional.mse_loss,
        validation_data=DataLoader(Points(6), batch_size=3),
        callbacks=[average, *callbacks, tenuto.CheckpointCallback(folder, save_every_steps=1, verify="none")],
        seed=4,
    )
    return model, average, trainer


def weights(model):
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.req("CB-READY-006")
def test_the_average_is_the_recurrence_over_the_weights_after_each_update(tmp_path):
    model = make_model()
    model[3].bias.requires_grad_(False)
    expected = weights(model)

    def follow(_):
        for name, value in weights(model).items():
            if name in dict(model.named_parameters()):
                expected[name] = expected[name].double() + (1 - 0.9) * (value.double() - expected[name].double())
            else:
                expected[name] = value

    class Following(tenuto.BaseCallback):
        on_batch_end = staticmethod(follow)

        def handles(self, hook):
            return hook == "on_batch_end"

    _, average, trainer = make(tmp_path, [Following()], model)
    trained = weights(model)
    trainer.fit()
    assert average.updates == 6
    assert not same(weights(model), trained)
    with average.applied():
        found = weights(model)
    for name, value in expected.items():
        torch.testing.assert_close(found[name].double(), value.double(), rtol=1e-6, atol=1e-6)
        exact = name.startswith("1.") and "running" in name
        assert not exact or torch.equal(found[name], value)


@pytest.mark.req("CB-READY-006")
def test_only_the_last_batch_of_a_window_counts():
    model = make_model()
    average = tenuto.ExponentialMovingAverage(model)
    average.on_train_start(FRESH)
    average.on_batch_end(SimpleNamespace(in_window=True))
    assert average.updates == 0
    average.on_batch_end(SimpleNamespace(in_window=False))
    assert average.updates == 1


@pytest.mark.req("CB-READY-007", "TR-REST-005")
def test_an_interrupted_run_has_the_average_of_an_undisturbed_one(tmp_path):
    make(tmp_path / "whole")[2].fit()
    whole = tenuto.read_checkpoint(tmp_path / "whole" / FINAL)
    assert whole.head["callback_state"]["ExponentialMovingAverage"]["updates"] == 6
    for step in (2, 4):  # inside an epoch, and inside the next one
        folder = tmp_path / str(step)
        killer = Recorder(at=("on_batch_start", step), act=lambda _: os.kill(os.getpid(), signal.SIGTERM))
        with pytest.raises(tenuto.TrainingInterrupted):
            make(folder, [killer])[2].fit()
        make(folder, [Recorder()])[2].fit(resume="auto")
        assert first_difference(whole, tenuto.read_checkpoint(folder / FINAL)) is None


@pytest.mark.req("CB-READY-006", "CB-STATE-005")
def test_an_average_that_was_not_saved_starts_from_the_weights_resumed_and_says_so(tmp_path, caplog):
    model, _, trainer = make(tmp_path)
    trainer.fit()
    saved = tenuto.read_checkpoint(tmp_path / FINAL)
    del saved.head["callback_state"]["ExponentialMovingAverage"]
    other, average, again = make(tmp_path)
    again.restore_state(saved)
    again.fit()
    assert "no average was saved" in caplog.text
    with average.applied():
        assert same(weights(other), weights(model))


@pytest.mark.req("CB-READY-007")
def test_what_a_save_in_the_background_holds_does_not_follow_the_average(tmp_path):
    model, average, trainer = make(tmp_path)
    trainer.fit()
    state = trainer.capture_state(copy=True).head["callback_state"]["ExponentialMovingAverage"]["average"]
    before = bytes(state["0.weight"].data)
    with torch.no_grad():
        model[0].weight += 1
    average.on_batch_end(SimpleNamespace(in_window=False))
    assert bytes(state["0.weight"].data) == before


@pytest.mark.req("CB-READY-007", "TR-REST-002")
@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state["average"].pop("0.weight"),
        lambda state: state["average"].update(other=state["average"]["0.weight"]),
        lambda state: state["average"].update({"0.weight": state["average"]["0.bias"]}),
        lambda state: state["average"].update({"0.weight": 1}),
        lambda state: state.update(average=[]),
        lambda state: state.update(updates=-1),
        lambda state: state.update(updates=True),
    ],
    ids=["missing", "unexpected", "shape", "no tensor", "no map", "negative", "bool"],
)
def test_a_state_of_another_model_is_refused_and_changes_nothing(tmp_path, spoil):
    make(tmp_path)[2].fit()
    document = tenuto.read_checkpoint(tmp_path / FINAL)
    spoil(document.head["callback_state"]["ExponentialMovingAverage"])
    model, average, trainer = make(tmp_path)
    before = weights(model)
    assert refusal(lambda: trainer.restore_state(document)) == ("state_mismatch", "restore")
    assert same(weights(model), before)
    assert (average.updates, average.state_dict()) == (0, {})


@pytest.mark.req("CB-READY-008")
def test_validation_measures_the_average_and_the_files_hold_the_weights(tmp_path):
    seen = []
    note = Recorder(at=("on_validation_start", 6), act=lambda _: seen.append(weights(model)))
    model, average, trainer = make(tmp_path / "a", [note], use_in_validation=True)
    trainer.fit()
    plain, _, other = make(tmp_path / "b")
    other.fit()

    assert same(weights(model), weights(plain))
    with average.applied():
        assert same(seen[0], weights(model))
        assert not same(seen[0], weights(plain))
    one, two = (tenuto.read_checkpoint(tmp_path / folder / FINAL).head for folder in "ab")
    assert {name: bytes(value.data) for name, value in one["model_state"].items()} == {
        name: bytes(value.data) for name, value in two["model_state"].items()
    }
    assert one["metadata"]["metrics"]["val_loss"] != two["metadata"]["metrics"]["val_loss"]


def interrupt(_):
    os.kill(os.getpid(), signal.SIGTERM)


def fail(_):
    raise ZeroDivisionError


@pytest.mark.req("CB-READY-008", "TR-FAIL-007")
@pytest.mark.parametrize("hook", ["on_validation_start", "on_validation_end"])
@pytest.mark.parametrize("act", [interrupt, fail])
def test_an_emergency_save_in_validation_holds_the_weights_of_the_training(tmp_path, hook, act):
    model, average, trainer = make(tmp_path, [Recorder(at=(hook, 3), act=act)], use_in_validation=True)
    with pytest.raises((tenuto.TrainingInterrupted, ZeroDivisionError)):
        trainer.fit()
    (emergency,) = tmp_path.glob("emergency_*.ckpt")
    saved = tenuto.read_checkpoint(emergency).head
    periodic = tenuto.read_checkpoint(tmp_path / "checkpoint_epoch_0000_step_00000003.ckpt").head
    assert first_difference_of(saved["model_state"], periodic["model_state"]) is None
    key = "ExponentialMovingAverage"
    assert first_difference_of(saved["callback_state"][key], periodic["callback_state"][key]) is None
    with average.applied():
        assert not torch.equal(model[0].weight, as_torch(saved["model_state"]["0.weight"]))
    assert torch.equal(model[0].weight, as_torch(saved["model_state"]["0.weight"]))


def as_torch(tensor):
    return torch.frombuffer(bytearray(tensor.data), dtype=torch.float32).reshape(tensor.shape)


def first_difference_of(one, other):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        return next((name for name in one if first_difference_of(one[name], other[name]) is not None), None)
    equal = bytes(one.data) == bytes(other.data) if hasattr(one, "data") else one == other
    return None if equal else "value"


@pytest.mark.req("CB-READY-008")
def test_a_block_that_raises_puts_the_weights_back(tmp_path):
    model, average, trainer = make(tmp_path)
    with pytest.raises(RuntimeError, match="not begun"), average.applied():
        pass
    trainer.fit()
    before, state = weights(model), average.state_dict()["average"]["0.weight"].data.tobytes()
    with suppress(ZeroDivisionError), average.applied():
        assert average.state_dict()["average"]["0.weight"].data.tobytes() == state
        with pytest.raises(RuntimeError, match="in the model already"), average.applied():
            pass
        fail(None)
    assert same(weights(model), before)
    assert average.state_dict()["average"]["0.weight"].data.tobytes() == state


@pytest.mark.req("CB-READY-006")
def test_tied_and_compiled_weights_are_averaged_once_under_their_inner_names():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(2, 2, bias=False)
            self.two = nn.Linear(2, 2, bias=False)
            self.two.weight = self.one.weight

    model = nn.DataParallel(Tied())
    average = tenuto.ExponentialMovingAverage(model)
    average.on_train_start(FRESH)
    assert list(average.state_dict()["average"]) == ["one.weight"]
    with average.applied():
        assert model.module.one.weight is model.module.two.weight


@pytest.mark.req("CB-READY-013")
@pytest.mark.parametrize("decay", [1, 1.5, -0.1, True, "0.9", float("nan")])
def test_a_decay_out_of_range_is_refused(decay):
    assert refusal(lambda: tenuto.ExponentialMovingAverage(nn.Linear(1, 1), decay)) == ("invalid_setting", "config")
