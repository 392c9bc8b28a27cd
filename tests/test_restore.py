"""Restoring a state: checked whole, taken over whole or not at all."""

import pytest
import torch
from small_job import Recorder, make_trainer
from test_hooks import Counting

import tenuto
from tenuto.reference.checkpoint.compare import first_difference
from tenuto.reference.checkpoint.tree import Document
from tenuto.reference.errors import RestoreError


@pytest.fixture
def saved(tmp_path):
    make_trainer(tmp_path / "saved", [Counting()]).fit()
    return tenuto.read_checkpoint(tmp_path / "saved" / "checkpoint_epoch_0002.ckpt")


@pytest.mark.req("TR-REST-001", "TR-REST-002")
def test_every_mismatch_is_listed_and_nothing_has_changed(saved):
    trainer = make_trainer(width=5, scheduler="none")
    before = trainer.capture_state()
    with pytest.raises(RestoreError) as caught:
        trainer.restore_state(saved)
    assert caught.value.code == "state_mismatch"
    text = "\n".join(caught.value.mismatches)
    for path in (
        "fingerprint",
        "model_state.0.weight: shape (4, 3)",
        "model_state.0.bias",
        "model_state.3.weight",
        "scheduler_state.scheduler: in the file",
        "optimizer_state.optimizer.state[0].exp_avg",
    ):
        assert path in text
    assert first_difference(before, trainer.capture_state()) is None


@pytest.mark.req("TR-REST-001")
def test_missing_unexpected_and_retyped_weights_are_named(saved):
    weights = dict(saved.head["model_state"])
    weights["extra"] = weights.pop("0.bias")
    trainer = make_trainer(callbacks=[Counting()])
    with pytest.raises(RestoreError) as caught:
        trainer.restore_state(Document({**saved.head, "model_state": weights}))
    assert set(caught.value.mismatches) == {
        "model_state.extra: in the file, not in the model",
        "model_state.0.bias: in the model, not in the file",
    }


@pytest.mark.req("TR-REST-006")
def test_weights_alone_are_not_resumed(saved):
    metadata = {**saved.head["metadata"], "kind": "weights"}
    with pytest.raises(RestoreError) as caught:
        make_trainer().restore_state(Document({**saved.head, "metadata": metadata}))
    assert caught.value.code == "not_resumable"


class Refusing(Counting):
    def load_state_dict(self, state):
        if state["batches"] == 8:
            raise RuntimeError("not mine")
        super().load_state_dict(state)


@pytest.mark.req("TR-REST-002")
def test_a_callback_that_refuses_its_state_leaves_everything_as_it_was(saved):
    trainer = make_trainer(callbacks=[Refusing()])
    before = trainer.capture_state()
    with pytest.raises(RuntimeError, match="not mine"):
        trainer.restore_state(saved)
    assert first_difference(before, trainer.capture_state()) is None


@pytest.mark.req("TR-REST-002")
def test_a_scheduler_that_fails_leaves_everything_as_it_was(saved):
    counting = Counting()
    trainer = make_trainer(callbacks=[counting])
    trainer.fit()
    before = trainer.capture_state()
    scheduler = trainer.workload._schedulers._schedules["scheduler"].scheduler
    load = scheduler.load_state_dict
    calls = []

    def fail_once(state):
        calls.append(state)
        if len(calls) == 1:
            raise RuntimeError("broken")
        load(state)

    scheduler.load_state_dict = fail_once
    with pytest.raises(RuntimeError, match="broken"):
        trainer.restore_state(saved)
    del scheduler.load_state_dict
    assert first_difference(before, trainer.capture_state()) is None


@pytest.mark.req("TR-REST-004")
def test_restoring_twice_from_one_document_gives_the_same(saved):
    trainer = make_trainer(callbacks=[Counting()])
    trainer.restore_state(saved)
    trainer.fit()
    trainer.restore_state(saved)
    best = saved.head["metadata"]["best"]
    state = trainer.capture_state(best=best)
    # the small job of this test has no checkpoint callback, whose memory the file holds
    keep = {"CheckpointCallback": saved.head["callback_state"]["CheckpointCallback"]}
    head = {**state.head, "callback_state": {**state.head["callback_state"], **keep}}
    assert first_difference(saved, Document(head)) is None


@pytest.mark.req("TR-REST-004")
def test_restored_optimizer_state_keeps_dtypes_that_torch_casts(tmp_path):
    """A bfloat16 model with a float32 moment: torch casts it on loading, a resumed run would differ."""
    trainer = make_trainer(tmp_path)
    trainer.fit()
    optimizer = trainer.workload._updater.optimizers["optimizer"]
    for state in optimizer.state.values():
        state["exp_avg"] = state["exp_avg"].double()
    saved = trainer.capture_state()
    other = make_trainer()
    other.restore_state(saved)
    dtypes = {state["exp_avg"].dtype for state in other.workload._updater.optimizers["optimizer"].state.values()}
    assert dtypes == {torch.float64}


def test_the_report_names_callback_states_that_found_no_home(saved):
    report = make_trainer(callbacks=[Recorder()]).restore_state(saved)
    assert any("callback_state.counting" in note for note in report.notes)
    assert report.exact


@pytest.mark.req("CKPT-VAL-008", "CKPT-VAL-009")
def test_tied_weights_are_stored_once_and_stay_tied(tmp_path):
    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.one = torch.nn.Linear(3, 3, bias=False)
            self.two = torch.nn.Linear(3, 3, bias=False)
            self.two.weight = self.one.weight

        def forward(self, inputs):
            return self.two(self.one(inputs)).sum(dim=1, keepdim=True)

    def make(folder):
        tenuto.seed_all(1)
        model = Tied()
        data = torch.utils.data.TensorDataset(torch.ones(4, 3), torch.zeros(4, 1))
        return model, tenuto.Trainer(
            model,
            torch.optim.SGD(model.parameters(), lr=0.1),
            torch.utils.data.DataLoader(data, batch_size=2),
            max_epochs=1,
            loss=torch.nn.functional.mse_loss,
            callbacks=[tenuto.CheckpointCallback(folder, save_best=False)] if folder else [],
        )

    make(tmp_path)[1].fit()
    weights = tenuto.read_checkpoint(tmp_path / "latest.ckpt").head["model_state"]
    assert weights["one.weight"] is weights["two.weight"]
    model, trainer = make(None)
    trainer.fit(resume=tmp_path / "latest.ckpt")
    assert model.one.weight is model.two.weight
    assert bytes(weights["one.weight"].data) == model.one.weight.detach().numpy().tobytes()
