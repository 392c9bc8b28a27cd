"""A weights-only load: the model of a file of either kind, and nothing else of it."""

import pytest
import torch
from parts_of_state import changed, parts_of, taken_and_left
from recorder import refusal
from small_job import make_trainer
from test_hooks import Counting
from test_restore_parts import ODD, Pair, paths, reference_trainer, torch_trainer
from test_torch_restore import Counter
from test_torch_workload import make
from torch import nn

import tenuto
from tenuto.reference.checkpoint.compare import first_difference
from tenuto.reference.errors import RestoreError

OTHER_PARTS = ("optimizer_state", "scheduler_state", "rng_state", "callback_state", "trainer_state")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of each kind of one training."""
    folder = tmp_path_factory.mktemp("files")
    trainer = make_trainer(folder, [Counting()], save_final_weights=True)
    trainer.max_epochs = 2
    trainer.fit()
    names = {"full": "checkpoint_epoch_0002.ckpt", "weights": "final_model.ckpt"}
    return {kind: tenuto.read_checkpoint(folder / name) for kind, name in names.items()}


@pytest.mark.req("TR-REST-010")
@pytest.mark.parametrize(("kind", "told"), [("full", OTHER_PARTS), ("weights", ())])
@pytest.mark.parametrize("epochs", [0, 1])
def test_the_model_alone_is_taken_over_from_a_file_of_either_kind(files, kind, told, epochs):
    assert files[kind].head["metadata"]["kind"] == kind
    trainer = torch_trainer(epochs=epochs)
    before = trainer.capture_state(copy=True)
    progress = trainer.progress
    report = trainer.load_weights(files[kind])
    after = trainer.capture_state()
    weights = {path: part for path, part in parts_of(files[kind]).items() if path.startswith("model_state.")}
    others = {path: part for path, part in parts_of(before).items() if not path.startswith("model_state.")}
    assert parts_of(after) == {**weights, **others}
    for key in ("exact", "config", "best"):
        assert after.head["metadata"][key] == before.head["metadata"][key]
    for key in ("run_id", "attempt", "parent", "lineage"):
        assert after.head["metadata"]["origin"][key] == before.head["metadata"]["origin"][key]
    assert report.notes == tuple(f"{key}: in the file, left out" for key in told)
    assert (report.exact, report.progress) == (False, progress)


@pytest.mark.req("TR-REST-010")
def test_a_training_from_loaded_weights_is_a_new_one(files):
    trainer, whole = torch_trainer(), torch_trainer()
    trainer.load_weights(files["full"])
    result = trainer.fit()
    whole.fit()
    assert (result.progress.epoch, result.run.attempt, result.run.parent) == (3, 1, None)
    after = trainer.capture_state()
    assert after.head["metadata"]["exact"] is True
    assert first_difference(whole.capture_state(), after) is not None  # the weights were another start


@pytest.mark.req("TR-REST-010")
@pytest.mark.parametrize(
    ("change", "misfits"),
    [
        ((("model_state", "0.weight"), ODD), {"model_state.0.weight"}),
        ((("model_state", "0.bias"), None), {"model_state.0.bias"}),
        ((("model_state", "new"), ODD), {"model_state.new"}),
        ((("model_state", "3.bias"), 1), {"model_state.3.bias"}),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused_and_left_if_that_is_asked_for(files, change, misfits):
    trainer, state = torch_trainer(epochs=1), changed(files["weights"], change)
    before = trainer.capture_state(copy=True)
    with pytest.raises(RestoreError) as caught:
        trainer.load_weights(state)
    assert caught.value.code == "state_mismatch"
    assert {mismatch.partition(": ")[0] for mismatch in caught.value.mismatches} == misfits
    assert first_difference(before, trainer.capture_state()) is None
    report = trainer.load_weights(state, strict=False)
    taken, left = taken_and_left(state, before, trainer.capture_state())
    of_model = {path for path in taken | left if path.startswith("model_state.")}
    assert (of_model & left) - taken == misfits
    assert paths(report) == misfits


@pytest.mark.req("TR-REST-010")
def test_a_file_of_neither_kind_is_refused(files):
    trainer = torch_trainer()
    state = changed(files["full"], (("metadata", "kind"), "other"))
    assert refusal(lambda: trainer.load_weights(state)) == ("not_resumable", "restore")


@pytest.mark.req("TR-REST-010", "TR-STATE-007")
def test_a_compiled_model_takes_over_the_weights_of_a_plain_one(files):
    plain = make_trainer().workload._model
    plain[0] = torch.compile(plain[0], backend="eager")
    trainer = make(torch.compile(plain, backend="eager"))
    assert trainer.load_weights(files["weights"]).notes == ()
    expected = {path: part for path, part in parts_of(files["weights"]).items() if path.startswith("model_state.")}
    loaded = parts_of(trainer.capture_state())
    assert {path: loaded[path] for path in expected} == expected
    misfit = changed(files["weights"], (("model_state", "0.weight"), ODD))
    assert paths(trainer.load_weights(misfit, strict=False)) == {"model_state.0.weight"}


@pytest.mark.req("TR-REST-010", "TR-REST-018")
def test_tied_weights_stay_tied_and_get_no_two_values():
    model = Pair(tied=True)
    trainer, tied, untied = make(model), make(Pair(tied=True)), make(Pair(tied=False))
    assert refusal(lambda: trainer.load_weights(untied.capture_state())) == ("state_mismatch", "restore")
    with torch.no_grad():
        tied.workload._model.one.weight.fill_(5.0)
    trainer.load_weights(tied.capture_state())
    assert model.two.weight is model.one.weight
    assert model.one.weight.unique().tolist() == [5.0]


@pytest.mark.req("TR-REST-010", "TR-REST-002")
def test_an_extra_state_that_its_module_refuses_leaves_the_weights_as_they_were():
    saving, trainer = make(nn.Sequential(Counter())), make(nn.Sequential(Counter()))
    with torch.no_grad():
        saving.workload._model[0].weight.fill_(5.0)
    saving.workload._model[0].extra["calls"] = 13
    before = trainer.capture_state(copy=True)
    with pytest.raises(RuntimeError, match="unlucky"):
        trainer.load_weights(saving.capture_state())
    assert first_difference(before, trainer.capture_state()) is None


@pytest.mark.req("TR-REST-010")
def test_the_reference_workload_takes_over_the_model_alone_inside_a_window():
    state, trainer = reference_trainer(1, 3).capture_state(), reference_trainer(0, 2)
    before = trainer.capture_state()
    report = trainer.load_weights(state)
    taken, left = taken_and_left(state, before, trainer.capture_state())
    assert taken == {path for path in parts_of(state) if path.startswith("model_state.")}
    assert left == {
        "optimizer_state.optimizer",
        "rng_state.dropout",
        "scheduler_state.scheduler",
        "trainer_state.sums",
        "trainer_state.gradients",
        "metadata.progress",
        "metadata.metrics",
    }
    assert paths(report) == {"optimizer_state", "scheduler_state", "rng_state", "trainer_state"}
    misfit = changed(state, (("model_state", "seen"), ODD))
    again = reference_trainer(0, 2)
    assert refusal(lambda: again.load_weights(misfit)) == ("state_mismatch", "restore")
    assert first_difference(before, again.capture_state()) is None
    assert paths(again.load_weights(misfit, strict=False)) >= {"model_state.seen"}
    assert parts_of(again.capture_state())["model_state.seen"] == parts_of(before)["model_state.seen"]
    assert parts_of(again.capture_state())["model_state.layer1.bias"] == parts_of(state)["model_state.layer1.bias"]
