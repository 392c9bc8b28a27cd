"""What a torch trainer saves of unusual models and optimizers, and that it restores all of it or nothing."""

import random

import numpy as np
import pytest
import torch
from small_job import Recorder, make_model, make_trainer
from test_torch_workload import make, refused
from torch import nn

from tenuto.reference.checkpoint.compare import first_difference
from tenuto.reference.checkpoint.tree import Document
from tenuto.reference.errors import RestoreError
from tenuto.reference.trainer.torch_generators import seed_all
from tenuto.reference.trainer.torch_tree import TreeMaker

# -- what is saved ----------------------------------------------------------------------------------------------------


class Counter(nn.Linear):
    """A layer with state beside its weights."""

    def __init__(self):
        super().__init__(3, 1)
        self.extra = {"calls": 0, "seen": (torch.zeros(2), 1)}

    def get_extra_state(self):
        return self.extra

    def set_extra_state(self, state):
        if state["calls"] == 13:
            raise RuntimeError("unlucky")
        self.extra = state


@pytest.mark.req("TR-STATE-001", "TR-REST-004", "TR-REST-002")
def test_extra_state_is_saved_and_restored():
    saving = make(nn.Sequential(Counter()))
    saving.workload._model[0].extra = {"calls": 5, "seen": (torch.ones(2), 2)}
    saved = saving.capture_state()
    model = nn.Sequential(Counter())
    trainer = make(model)
    trainer.restore_state(saved)
    assert model[0].extra["calls"] == 5
    assert isinstance(model[0].extra["seen"], tuple)
    assert model[0].extra["seen"][0].tolist() == [1, 1]
    assert first_difference(saved, trainer.capture_state()) is None

    saving.workload._model[0].extra["calls"] = 13
    before = trainer.capture_state(copy=True)
    with pytest.raises(RuntimeError, match="unlucky"):
        trainer.restore_state(saving.capture_state())
    assert first_difference(before, trainer.capture_state()) is None


class GetsOnly(nn.Linear):
    def get_extra_state(self):
        return 1


class Unsavable(Counter):
    def get_extra_state(self):
        return object()


class Expanded(nn.Linear):
    def __init__(self):
        super().__init__(3, 1)
        self.register_buffer("scale", torch.ones(1).expand(3))


@pytest.mark.req("TR-STATE-001", "TR-STATE-006", "TR-REST-002")
@pytest.mark.parametrize(
    ("model", "part"),
    [
        (GetsOnly(3, 1), "no set_extra_state"),
        (Unsavable(), "builtins.object"),
        (Expanded(), "scale: elements that share"),
    ],
    ids=["no_setter", "unsavable", "expanded"],
)
def test_models_that_could_not_be_restored_are_refused(model, part):
    assert part in refused("unsupported_model", model=model)


@pytest.mark.req("TR-STATE-001", "TR-STATE-006")
def test_parameters_of_the_optimizer_outside_the_model_are_refused():
    model = make_model()
    optimizer = torch.optim.SGD([*model.parameters(), nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))])
    assert "2 of 6 parameters" in refused("unsupported_model", model=model, optimizer=optimizer)


def compiled(model):
    return torch.compile(model, backend="eager")


class Wrapping(nn.Module):
    """A model whose own names look like those of a wrapper."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))
        self.module = nn.Linear(3, 1, bias=False)

    def forward(self, inputs):
        return self.module(inputs + self.weight)


@pytest.mark.req("TR-STATE-001", "TR-STATE-002", "TR-STATE-007")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
@pytest.mark.parametrize("wrap", [nn.DataParallel, compiled, lambda model: nn.DataParallel(compiled(model))])
def test_wrappers_leave_no_trace_and_names_like_theirs_are_kept(wrap):
    model = Wrapping()
    wrapped = make(wrap(model)).capture_state().head
    plain = make(model).capture_state().head
    assert set(plain["model_state"]) == {"weight", "module.weight"}
    assert wrapped["model_state"].keys() == plain["model_state"].keys()
    assert wrapped["metadata"]["architecture"] == plain["metadata"]["architecture"]


@pytest.mark.req("CKPT-VAL-008")
def test_a_conjugate_view_is_another_tensor_than_what_it_views():
    values = torch.tensor([1 + 2j])
    one, other = TreeMaker().tree([values, values.conj()], "x")
    assert bytes(one.data) != bytes(other.data)
    assert np.frombuffer(other.data, np.complex64)[0] == 1 - 2j


@pytest.mark.req("TR-FAIL-007", "TR-LOOP-004")
def test_a_boundary_state_with_the_generators_of_now_is_not_exact():
    states = []
    recorder = Recorder(at=("on_exception", 1), act=lambda context: states.append(context.capture()))

    def step(model, batch):
        if len(recorder.log) > 4:
            random.random()
            raise RuntimeError("broken")
        return {"loss": model(batch[0]).mean()}

    trainer = make(step=step, callbacks=[recorder])
    with pytest.raises(RuntimeError, match="broken"):
        trainer.fit()
    assert states[0].head["metadata"]["exact"] is False
    make_trainer().fit()


# -- restoring --------------------------------------------------------------------------------------------------------


@pytest.mark.req("TR-REST-001", "TR-REST-005")
def test_settings_that_change_the_updates_are_mismatches():
    saved = make().workload.config()
    model = make_model()
    adam = torch.optim.Adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.StepLR(adam, 1)
    other = make(model, adam, seed=12, batch_size=3, scheduler=scheduler)
    paths = [line.split(":")[0] for line in other.workload.config_mismatches(saved)]
    assert paths == [f"metadata.config.{name}" for name in ("seed", "batch_size", "optimizer", "scheduler")]
    assert make().workload.config_mismatches({**saved, "max_epochs": 9}) == []


def _broken(tree, path, value):
    first, *rest = path
    return {**tree, first: _broken(tree[first], rest, value) if rest else value}


@pytest.mark.req("TR-REST-001", "TR-REST-002")
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("rng_state.torch", b"short"),
        ("rng_state.python.words", b"\0\0\0\0"),
        ("rng_state.python", {}),
        ("rng_state.numpy.key", b"\0\0\0\0"),
        ("rng_state.numpy.pos", 625),
        ("rng_state.numpy.bit_generator", "Philox"),
        ("scheduler_state.scheduler", 1),
        ("optimizer_state.optimizer.state", [[0, 1]]),
    ],
)
def test_broken_parts_are_mismatches_and_nothing_has_changed(path, value):
    saved = make_trainer().capture_state()
    trainer = make_trainer()
    trainer.fit()
    before = trainer.capture_state(copy=True)
    with pytest.raises(RestoreError) as caught:
        trainer.restore_state(Document(_broken(saved.head, path.split("."), value)))
    assert caught.value.code == "state_mismatch"
    top = ".".join(path.split(".")[:2])
    assert [line.startswith(top) for line in caught.value.mismatches] == [True]
    assert first_difference(before, trainer.capture_state()) is None


@pytest.mark.req("TR-REST-012", "TR-REST-011", "TR-REST-017")
@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("numpy", None, "rng_state.numpy: in this trainer, not in the file"),
        ("cuda", [b"state"], "rng_state.cuda: 1 devices in the file, 0 here"),
        ("other", 1, "rng_state.other: in the file, not in this trainer"),
    ],
)
def test_a_generator_without_a_counterpart_is_seeded_anew_and_the_resume_is_not_exact(name, value, told):
    saved = make_trainer().capture_state(copy=True)
    saved.head["rng_state"].pop(name, None)
    if value is not None:
        saved.head["rng_state"][name] = value
    found = []
    for drawn in (5, 6):  # whatever was drawn before
        trainer = make_trainer()
        seed_all(drawn)
        report = trainer.restore_state(saved)
        assert (report.exact, report.notes) == (False, (told,))
        again = trainer.capture_state()
        assert again.head["metadata"]["exact"] is False
        found.append(again.head["rng_state"])
    assert found[0] == found[1]
    assert [known for known in found[0] if found[0][known] != saved.head["rng_state"].get(known)] == (
        [name] if name in found[0] else []
    )
    with pytest.raises(RestoreError) as caught:
        trainer.fit(require_exact=True)
    assert caught.value.code == "state_mismatch"
    assert trainer.fit().progress.epoch == 3


@pytest.mark.req("TR-REST-002")
def test_a_failure_of_the_last_part_gives_the_weights_back(monkeypatch):
    saved = make_trainer().capture_state(copy=True)
    trainer = make_trainer()
    trainer.fit()
    before = trainer.capture_state(copy=True)
    calls = []

    def fail_once(state):
        calls.append(state)
        if len(calls) == 1:
            raise RuntimeError("broken")

    monkeypatch.setattr(torch, "set_rng_state", fail_once)
    with pytest.raises(RuntimeError, match="broken"):
        trainer.restore_state(saved)
    assert len(calls) == 2
    assert first_difference(before, trainer.capture_state()) is None


@pytest.mark.req("TR-REST-004", "TR-STATE-005")
def test_optimizers_with_state_of_shapes_of_their_own_are_resumed():
    def adafactor():
        model = make_model()
        return make(model, torch.optim.Adafactor(model.parameters()))

    saving = adafactor()
    saving.fit()
    saved = saving.capture_state()
    trainer = adafactor()
    trainer.restore_state(saved)
    assert first_difference(saved, trainer.capture_state()) is None
    trainer.restore_state(saved)  # compared with the live state now
    entry = next(iter(trainer.workload._updater.optimizers["optimizer"].state.values()))
    entry["row_var"] = entry["row_var"].new_zeros(9)
    with pytest.raises(RestoreError) as caught:
        trainer.restore_state(saved)
    assert "row_var: shape" in caught.value.mismatches[0]
