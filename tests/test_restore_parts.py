"""A restore that is not strict: every part that fits is taken over, the others stay, and all of that is told."""

import re

import pytest
import torch
from parts_of_state import changed, parts_of, taken_and_left
from recorder import refusal
from small_job import SCHEDULERS, make_trainer
from test_hooks import Counting
from test_torch_restore import Counter
from test_torch_workload import make
from torch import nn

from tenuto.callbacks.base import BaseCallback
from tenuto.reference.checkpoint.compare import first_difference
from tenuto.reference.checkpoint.tree import Tensor
from tenuto.reference.trainer.loop import Trainer
from tenuto.reference.workload import ReferenceWorkload, WorkloadSettings

ODD = Tensor("float32", (7,), bytes(28))


class Refusing(Counting):
    """Has another state than any file, and refuses that of the file when it has taken over half of it."""

    def __init__(self):
        super().__init__()
        self.batches = 77

    def load_state_dict(self, state):
        super().load_state_dict(state)
        if state["batches"] == 8:
            raise RuntimeError("not mine")


def paths(report):
    return {note.partition(": ")[0] for note in report.notes}


# -- PyTorch ----------------------------------------------------------------------------------------------------------


def torch_trainer(callback=None, *, epochs=0, **settings):
    """A trainer in another state than any other one: each has trained for a number of epochs of its own."""
    trainer = make_trainer(callbacks=[callback or Counting()], **settings)
    if epochs:
        trainer.max_epochs = epochs
        trainer.fit()
    trainer.max_epochs = 3
    return trainer


@pytest.fixture(scope="module")
def saved():
    return torch_trainer(epochs=2).capture_state(copy=True)


TORCH_PARTS = [
    ([(("model_state", "0.weight"), ODD)], {"model_state.0.weight"}),
    ([(("model_state", "3.bias"), None), (("model_state", "new"), ODD)], {"model_state.3.bias", "model_state.new"}),
    ([(("optimizer_state", "optimizer"), {"state": []})], {"optimizer_state.optimizer"}),
    ([(("optimizer_state", "second"), {"state": []})], {"optimizer_state.second"}),
    ([(("scheduler_state", "scheduler"), [])], {"scheduler_state.scheduler"}),
    ([(("scheduler_state", "scheduler"), None)], {"scheduler_state.scheduler"}),
    ([(("rng_state", "numpy"), {"bit_generator": "other"})], {"rng_state.numpy"}),
    ([(("rng_state", "torch"), b"short")], {"rng_state.torch"}),
    ([(("trainer_state", "scaler"), {"scale": 1.0})], {"trainer_state.scaler"}),
    ([(("trainer_state", "loader"), {"at": 1})], {"trainer_state.loader"}),
    ([(("trainer_state", "gradients"), {"0.weight": ODD})], {"trainer_state.gradients"}),
]


@pytest.mark.req("TR-REST-009", "TR-REST-017")
@pytest.mark.parametrize(("changes", "misfits"), TORCH_PARTS)
def test_of_a_torch_state_the_part_that_does_not_fit_is_left_and_the_others_are_taken(saved, changes, misfits):
    trainer, state = torch_trainer(epochs=1), changed(saved, *changes)
    before = trainer.capture_state(copy=True)
    assert refusal(lambda: trainer.restore_state(state)) == ("state_mismatch", "restore")
    assert first_difference(before, trainer.capture_state()) is None
    report = trainer.restore_state(state, strict=False)
    after = trainer.capture_state()
    taken, left = taken_and_left(state, before, after)
    assert left - taken == misfits
    assert {"metadata.progress", "callback_state.counting", "rng_state.python"} <= taken
    assert all(any(path.startswith(part) for part in misfits) for path in paths(report))
    assert all(any(path.startswith(part) for path in paths(report)) for part in misfits)
    assert (report.exact, after.head["metadata"]["exact"]) == (False, False)
    assert trainer.fit().progress.epoch == 3
    assert trainer.capture_state().head["metadata"]["exact"] is True


@pytest.mark.req("TR-REST-009", "TR-REST-004")
def test_a_state_that_fits_is_restored_as_a_strict_restore_does(saved):
    trainer = torch_trainer(epochs=1)
    report = trainer.restore_state(saved, strict=False)
    assert (report.exact, report.notes) == (True, ())
    assert first_difference(saved, trainer.capture_state()) is None


@pytest.mark.req("TR-REST-009")
def test_a_network_with_a_layer_more_and_one_of_another_shape_takes_over_the_rest(saved):
    def longer():
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Dropout(0.25), nn.Linear(4, 2), nn.Linear(2, 1))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        return make(model, optimizer, scheduler=SCHEDULERS["step"][0](optimizer), callbacks=[Counting()])

    trainer = longer()
    with torch.no_grad():
        trainer.workload._model[0].weight.zero_()  # the seed of the initial weights is that of the file
        trainer.workload._model[0].bias.zero_()
    before = trainer.capture_state(copy=True)
    report = trainer.restore_state(saved, strict=False)
    taken, left = taken_and_left(saved, before, trainer.capture_state())
    assert left == {
        "model_state.3.weight",
        "model_state.3.bias",
        "model_state.4.weight",
        "model_state.4.bias",
        "optimizer_state.optimizer",
    }
    assert {"model_state.0.weight", "model_state.0.bias", "scheduler_state.scheduler", "rng_state.torch"} <= taken
    assert paths(report) == {
        "metadata.architecture.fingerprint",
        "optimizer_state.optimizer.param_groups",
        *(path for path in left if path.startswith("model_state")),
    }
    assert list(report.notes) == sorted(report.notes)


@pytest.mark.req("TR-REST-009")
def test_a_setting_that_differs_is_listed_and_stays(saved):
    trainer = torch_trainer()
    state = changed(saved, (("metadata", "config", "seed"), 12), (("metadata", "config", "validate_every"), 2))
    report = trainer.restore_state(state, strict=False)
    assert (paths(report), report.exact) == ({"metadata.config.seed", "metadata.config.validate_every"}, False)
    after = trainer.capture_state()
    assert after.head["metadata"]["config"] == saved.head["metadata"]["config"]
    assert parts_of(after) == parts_of(saved)


@pytest.mark.req("TR-REST-009", "CB-STATE-007")
def test_the_state_that_a_callback_refuses_is_left_and_the_others_are_taken(saved):
    trainer = torch_trainer(Refusing(), epochs=1)
    before = trainer.capture_state(copy=True)
    with pytest.raises(RuntimeError, match="not mine"):
        trainer.restore_state(saved)
    report = trainer.restore_state(saved, strict=False)
    _, left = taken_and_left(saved, before, trainer.capture_state())
    assert left == {"callback_state.counting"}
    assert (report.notes, report.exact) == (("callback_state.counting: not mine",), False)


@pytest.mark.req("TR-REST-009", "TR-REST-002")
def test_a_restore_that_fails_takes_over_no_part(monkeypatch, saved):
    trainer = torch_trainer(epochs=1)
    before = trainer.capture_state(copy=True)
    calls = []

    def fail_once(state):
        calls.append(state)
        if len(calls) == 1:
            raise RuntimeError("broken")

    monkeypatch.setattr(torch, "set_rng_state", fail_once)
    with pytest.raises(RuntimeError, match="broken"):
        trainer.restore_state(changed(saved, (("model_state", "0.weight"), ODD)), strict=False)
    assert first_difference(before, trainer.capture_state()) is None


@pytest.mark.req("TR-REST-009", "TR-REST-006", "TR-REST-014")
@pytest.mark.parametrize("change", [(("metadata", "kind"), "weights"), (("metadata", "progress", "epoch"), -1)])
def test_what_holds_no_training_state_is_refused_here_too(saved, change):
    trainer = torch_trainer()
    before = trainer.capture_state(copy=True)
    assert refusal(lambda: trainer.restore_state(changed(saved, change), strict=False)) == ("not_resumable", "restore")
    assert first_difference(before, trainer.capture_state()) is None


@pytest.mark.req("TR-REST-009")
def test_an_extra_state_that_is_missing_is_left_as_it_is():
    saving, model = make(nn.Sequential(Counter())), nn.Sequential(Counter())
    trainer = make(model)
    model[0].extra = {"calls": 3, "seen": (torch.zeros(2), 1)}
    trainer.restore_state(changed(saving.capture_state(), (("model_state", "0._extra_state"), None)), strict=False)
    assert model[0].extra["calls"] == 3


# -- tied weights -----------------------------------------------------------------------------------------------------


class Pair(nn.Module):
    """Two layers, of one weight or of two."""

    def __init__(self, *, tied):
        super().__init__()
        self.one, self.two = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
        if tied:
            self.two.weight = self.one.weight

    def forward(self, inputs):
        return self.two(self.one(inputs)).sum(dim=1, keepdim=True)


@pytest.mark.req("TR-REST-018", "TR-REST-009")
def test_two_weights_of_a_file_are_not_loaded_into_one_tensor():
    state, model = make(Pair(tied=False)).capture_state(copy=True), Pair(tied=True)
    trainer = make(model)
    told = "model_state.two.weight: other data than one.weight in the file, one tensor in the model"
    with pytest.raises(Exception, match=re.escape(told)):
        trainer.restore_state(state)
    assert told in trainer.restore_state(state, strict=False).notes
    assert parts_of(trainer.capture_state())["model_state.two.weight"] == parts_of(state)["model_state.one.weight"]
    assert model.two.weight is model.one.weight


@pytest.mark.req("TR-REST-009")
def test_a_tied_weight_that_fits_by_one_name_is_not_lost_by_the_other():
    state, model = make(Pair(tied=True)).capture_state(copy=True), Pair(tied=True)
    make(model).restore_state(changed(state, (("model_state", "two.weight"), None)), strict=False)
    assert parts_of(make(model).capture_state())["model_state.two.weight"] == parts_of(state)["model_state.one.weight"]


# -- the reference workload -------------------------------------------------------------------------------------------


class StopAt(BaseCallback):
    def __init__(self, *place):
        self.place = place

    def on_batch_end(self, context):
        if (context.progress.epoch, context.progress.batch_in_epoch) == self.place:
            context.request_stop("here")


def reference_trainer(*place, **settings):
    """A trainer that was stopped inside a window."""
    chosen = WorkloadSettings(**{"optimizer": "adam", "scheduler": "plateau", "accumulate": 4, **settings})
    trainer = Trainer(ReferenceWorkload(chosen), max_epochs=3, callbacks=[StopAt(*place)])
    if place:
        trainer.fit()
    return trainer


REFERENCE_PARTS = [
    ([(("model_state", "layer1.weight"), ODD)], {"model_state.layer1.weight"}),
    ([(("model_state", "seen"), None)], {"model_state.seen"}),
    ([(("optimizer_state", "optimizer", "param_groups"), [])], {"optimizer_state.optimizer"}),
    ([(("scheduler_state", "scheduler", "bad_epochs"), -1)], {"scheduler_state.scheduler"}),
    ([(("scheduler_state", "scheduler"), None)], {"scheduler_state.scheduler"}),
    ([(("rng_state", "dropout", "state"), "x")], {"rng_state.dropout"}),
    ([(("rng_state", "dropout"), None), (("rng_state", "other"), 1)], {"rng_state.dropout", "rng_state.other"}),
    (
        [(("metadata", "progress", "batch_in_epoch"), 99)],
        {"metadata.progress", "metadata.metrics", "trainer_state.sums", "trainer_state.gradients"},
    ),
]


@pytest.mark.req("TR-REST-009", "TR-REST-002")
@pytest.mark.parametrize(("changes", "misfits"), REFERENCE_PARTS)
def test_of_a_reference_state_the_part_that_does_not_fit_is_left_and_the_others_are_taken(changes, misfits):
    state, trainer = changed(reference_trainer(1, 3).capture_state(), *changes), reference_trainer(0, 2)
    before = trainer.capture_state()
    assert refusal(lambda: trainer.restore_state(state)) == ("state_mismatch", "restore")
    assert first_difference(before, trainer.capture_state()) is None
    report = trainer.restore_state(state, strict=False)
    taken, left = taken_and_left(state, before, trainer.capture_state())
    assert left - taken == misfits
    assert {"model_state.layer2.weight", "model_state.layer2.bias"} <= taken
    assert all(any(path.startswith(part) for part in misfits) for path in paths(report))
    assert (report.exact, report.progress) == (False, trainer.progress)
    assert trainer.fit().progress.epoch == 3


@pytest.mark.req("TR-REST-009", "TR-REST-013")
def test_a_window_whose_gradients_do_not_fit_goes_on_without_them():
    state = changed(reference_trainer(1, 3).capture_state(), (("trainer_state", "gradients", "layer1.bias"), None))
    trainer = reference_trainer(0, 2)
    report = trainer.restore_state(state, strict=False)
    assert paths(report) == {"trainer_state.gradients.layer1.bias"}
    after = trainer.capture_state()
    assert after.head["trainer_state"].keys() == {"sums"}
    assert after.head["metadata"]["progress"] == state.head["metadata"]["progress"]
    assert trainer.fit().progress.epoch == 3
