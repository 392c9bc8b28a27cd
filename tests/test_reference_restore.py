"""What a restore of the reference workload refuses: every mismatch with its path, and nothing has changed."""

import math
import struct

import pytest

from tenuto.callbacks.base import BaseCallback
from tenuto.reference.checkpoint.compare import first_difference
from tenuto.reference.checkpoint.tree import Document, Tensor
from tenuto.reference.errors import RestoreError
from tenuto.reference.trainer.loop import Trainer
from tenuto.reference.workload import ReferenceWorkload, WorkloadSettings

ADAM = WorkloadSettings(optimizer="adam", scheduler="plateau", accumulate=4)
WINDOW = 3  # batches after which the training of the saved state is stopped, inside the first window of an epoch


class StopAfter(BaseCallback):
    def __init__(self, batches):
        self.batches = batches

    def on_batch_end(self, context):
        if (context.progress.epoch, context.progress.batch_in_epoch) == (1, self.batches):
            context.request_stop("here")


def trainer_of(settings=ADAM, batches=None):
    trainer = Trainer(ReferenceWorkload(settings), max_epochs=3, callbacks=[StopAfter(batches)])
    if batches is not None:
        trainer.fit()
    return trainer


@pytest.fixture(scope="module")
def saved():
    """A state from the inside of a window, with everything in it that a state can have."""
    return trainer_of(batches=WINDOW).capture_state()


def replaced(tree, path, value):
    """Returns a copy of a tree in which the part of a path is another, or is left out."""
    first, *rest = path
    changed = dict(tree) if isinstance(tree, dict) else list(tree)
    if rest:
        changed[first] = replaced(tree[first], rest, value)
    elif value is LEFT_OUT:
        del changed[first]
    else:
        changed[first] = value
    return changed


class LeftOut:
    """In the place of a value: the part is left out."""

    def __repr__(self):
        return "left out"


LEFT_OUT = LeftOut()


def parts(path):
    """Returns the parts of a path such as `a.b[0].c`; a name with a dot in it stands in quotes."""
    quoted = path.split("'")
    found = []
    for at, text in enumerate(quoted):
        pieces = [text] if at % 2 else [piece for piece in text.replace("[", ".#").replace("]", "").split(".") if piece]
        found += [int(piece[1:]) if piece.startswith("#") else piece for piece in pieces]
    return found


def refusal(trainer, document, code="state_mismatch"):
    """Returns the mismatches, having seen that nothing changed."""
    before = trainer.capture_state()
    with pytest.raises(RestoreError) as caught:
        trainer.restore_state(document)
    assert (caught.value.code, caught.value.phase) == (code, "restore")
    assert first_difference(before, trainer.capture_state()) is None
    return list(caught.value.mismatches)


def tensor(*values, dtype="float64", shape=None):
    code = {"float64": "d", "float32": "f", "int64": "q", "int32": "i"}[dtype]
    return Tensor(dtype, (len(values),) if shape is None else shape, struct.pack(f"<{len(values)}{code}", *values))


OPTIMIZER, GROUP = "optimizer_state.optimizer", "optimizer_state.optimizer.param_groups[0]"
SCHEDULER, GRADIENTS = "scheduler_state.scheduler", "trainer_state.gradients"
NONE_IN_FILE, NOT_LIVE = "in this workload, not in the file", "in the file, not in this workload"
CASES = [
    ("model_state", [], "no map in the file"),
    ("model_state.seen", LEFT_OUT, NONE_IN_FILE),
    ("model_state.extra", tensor(1.0), NOT_LIVE),
    ("model_state.seen", 3, "no tensor in the file"),
    ("model_state.seen", tensor(3, dtype="int32", shape=()), "dtype int32 in the file, int64 in this workload"),
    ("model_state.seen", tensor(3, dtype="int64"), "shape (1,) in the file, () in this workload"),
    ("model_state.'layer2.bias'", tensor(1.0, dtype="float32"), "dtype float32 in the file, float64 in this workload"),
    ("model_state.'layer1.bias'", tensor(1.0), "shape (1,) in the file, (4,) in this workload"),
    ("model_state.'layer2.weight'", tensor(*[0.5] * 4), "shape (4,) in the file, (1, 4) in this workload"),
    ("optimizer_state.optimizer", LEFT_OUT, NONE_IN_FILE),
    ("optimizer_state.second", {}, NOT_LIVE),
    ("optimizer_state.optimizer", None, "no map in the file"),
    (f"{OPTIMIZER}.param_groups", [], "array of 0 in the file, array of 1 in this workload"),
    (f"{OPTIMIZER}.param_groups", {}, "no array in the file, array of 1 in this workload"),
    (f"{GROUP}.kind", "sgd", "'sgd' in the file; expected 'adam'"),
    (f"{GROUP}.lr", 1, "1 in the file; expected a float64"),
    (f"{GROUP}.beta1", 0.8, "0.8 in the file; expected 0.9"),
    (f"{GROUP}.beta2_power", None, "None in the file; expected a float64"),
    (f"{GROUP}.momentum", 0.9, NOT_LIVE),
    (f"{GROUP}.params", [0, 1, 2], "[0, 1, 2] in the file; expected [0, 1, 2, 3]"),
    (f"{OPTIMIZER}.state", None, "no array in the file, array of 4 in this workload"),
    (f"{OPTIMIZER}.state", [[0, {}]], "array of 1 in the file, array of 4 in this workload"),
    (f"{OPTIMIZER}.state[1]", [2, {}], "no pair of this index and a map in the file"),
    (f"{OPTIMIZER}.state[1]", "x", "no pair of this index and a map in the file"),
    (f"{SCHEDULER}.kind", "warmup_step", "'warmup_step' in the file; expected 'plateau'"),
    (f"{SCHEDULER}.best", 1, "1 in the file; expected nil or a float64"),
    (f"{SCHEDULER}.bad_epochs", -1, "-1 in the file; expected an integer of 0 to 2^62"),
    (f"{SCHEDULER}.cooldown_left", True, "True in the file; expected an integer of 0 to 2^62"),
    ("scheduler_state.scheduler", LEFT_OUT, NONE_IN_FILE),
    ("rng_state.dropout.state", 2**64, f"{2**64} in the file; expected an integer of 0 to 2^64 - 1"),
    ("rng_state.dropout.state", 1.0, "1.0 in the file; expected an integer of 0 to 2^64 - 1"),
    ("rng_state.dropout.kind", "xoshiro", "'xoshiro' in the file; expected 'splitmix64'"),
    ("rng_state.torch", b"", NOT_LIVE),
    (GRADIENTS, LEFT_OUT, NONE_IN_FILE),
    (GRADIENTS, 5, "no map in the file"),
    (f"{GRADIENTS}.'layer1.bias'", LEFT_OUT, NONE_IN_FILE),
    (f"{GRADIENTS}.seen", tensor(1.0), NOT_LIVE),
    (f"{GRADIENTS}.'layer2.bias'", tensor(1.0, 2.0), "shape (2,) in the file, (1,) in this workload"),
    ("metadata.progress.batch_in_epoch", 7, "7 in the file; expected an integer of 0 to 6"),
]


@pytest.mark.req(
    *("TR-REST-001", "TR-REST-002", "TR-REST-007", "RW-STATE-001", "RW-STATE-002", "RW-STATE-003", "RW-STATE-004"),
    "RW-STATE-005",
)
@pytest.mark.parametrize(("path", "value", "what"), CASES)
def test_a_part_that_does_not_fit_is_refused_with_its_path(saved, path, value, what):
    document = Document(replaced(saved.head, parts(path), value))
    assert refusal(trainer_of(), document) == [f"{path.replace(chr(39), '')}: {what}"]


@pytest.mark.req("TR-REST-001", "TR-REST-007")
def test_every_mismatch_is_listed_once_in_the_order_of_the_paths(saved):
    other = trainer_of(WorkloadSettings(hidden=5, seed=1))
    paths = [line.split(":")[0] for line in refusal(other, saved)]
    parameters = ["layer1.bias", "layer1.weight", "layer2.weight"]
    moved = ["beta1", "beta1_power", "beta2", "beta2_power", "epsilon", "kind", "momentum"]
    moments = [f"state[{index}].{name}" for index in range(4) for name in ("exp_avg", "exp_avg_sq", "momentum_buffer")]
    assert paths == [
        "metadata.architecture.fingerprint",
        *[f"metadata.config.{name}" for name in ("accumulate", "hidden", "optimizer", "scheduler", "seed")],
        *[f"model_state.{name}" for name in parameters],
        *[f"optimizer_state.optimizer.param_groups[0].{name}" for name in moved],
        *[f"optimizer_state.optimizer.{name}" for name in moments],
        "scheduler_state.scheduler",
        "trainer_state.gradients",
    ]


@pytest.mark.req("TR-REST-001", "TR-STATE-010", "RW-STATE-005")
def test_gradients_outside_a_window_are_refused(saved):
    whole = trainer_of(batches=4).capture_state()
    document = Document({**whole.head, "trainer_state": saved.head["trainer_state"]})
    assert refusal(trainer_of(), document) == [f"trainer_state.gradients: {NOT_LIVE}"]


@pytest.mark.req("CKPT-VAL-008", "TR-REST-004", "RW-STATE-001")
def test_tensors_that_share_their_storage_are_refused(saved):
    bias = saved.head["model_state"]["layer1.bias"]
    document = Document(replaced(saved.head, ["trainer_state", "gradients", "layer1.bias"], bias))
    what = "shares the storage of model_state.layer1.bias in the file, has its own in this workload"
    assert refusal(trainer_of(), document) == [f"trainer_state.gradients.layer1.bias: {what}"]


# -- settings ---------------------------------------------------------------------------------------------------------

FREE = WorkloadSettings()  # of sgd without a scheduler, in whose state no setting but momentum occurs
OTHER = {
    **{name: value + 1 for name, value in FREE.to_map().items() if type(value) is int},
    **{name: value / 2 or 0.5 for name, value in FREE.to_map().items() if type(value) is float},
    "optimizer": "adam",
    "scheduler": "warmup_step",
}


@pytest.mark.req("RW-STATE-008", "RW-STATE-006")
@pytest.mark.parametrize("name", list(FREE.to_map()))
def test_a_state_made_with_another_setting_is_refused(name):
    state = trainer_of(WorkloadSettings(**{name: OTHER[name]})).capture_state()
    paths = [line.split(":")[0] for line in refusal(trainer_of(FREE), state)]
    assert f"metadata.config.{name}" in paths
    assert [path for path in paths if path.startswith("metadata.config")] == [f"metadata.config.{name}"]


@pytest.mark.req("RW-STATE-008")
@pytest.mark.parametrize(("name", "value"), [("seed", 0.0), ("seed", False), ("threshold", -0.0), ("lr", LEFT_OUT)])
def test_a_setting_of_another_type_or_sign_or_that_is_missing_is_refused(name, value):
    state = trainer_of(FREE).capture_state()
    document = Document(replaced(state.head, ["metadata", "config", name], value))
    (line,) = refusal(trainer_of(FREE), document)
    assert line.startswith(f"metadata.config.{name}: ")


@pytest.mark.req("RW-STATE-008", "TR-STATE-013")
def test_a_state_made_with_other_epochs_of_validation_is_refused(saved):
    for every, value in ((2, 1), (1, 2), (1, True), (1, LEFT_OUT)):
        trainer = Trainer(ReferenceWorkload(ADAM), max_epochs=3, validate_every=every)
        document = Document(replaced(saved.head, ["metadata", "config", "validate_every"], value))
        (line,) = refusal(trainer, document)
        assert line.startswith("metadata.config.validate_every: ")


@pytest.mark.req("RW-STATE-008", "TR-REST-008")
def test_the_number_of_epochs_is_free(saved):
    trainer = Trainer(ReferenceWorkload(ADAM), max_epochs=7)
    trainer.restore_state(saved)
    assert trainer.fit().progress.epoch == 7


# -- states that are none ---------------------------------------------------------------------------------------------


@pytest.mark.req("TR-REST-014", "TR-REST-002")
@pytest.mark.parametrize(
    ("path", "value"),
    [
        *[(f"metadata.{name}", LEFT_OUT) for name in ("progress", "metrics", "config", "architecture", "exact")],
        *[(f"metadata.{name}", []) for name in ("progress", "metrics", "config", "architecture", "exact")],
        *[("metadata.progress.epoch", value) for value in (LEFT_OUT, -1, 1.0, True, "1")],
        ("metadata.progress.batch_in_epoch", None),
        ("metadata.progress.global_step", -1),
        *[("metadata.metrics.val_loss", value) for value in (1.0, {"value": 1.0}, {"value": 1, "step": 1})],
        ("trainer_state", None),
        ("trainer_state.sums", LEFT_OUT),
        ("trainer_state.gradients", None),
        *[("trainer_state.sums.loss", value) for value in (1.0, [1.0], [1, 1], [1.0, 1.0], [1.0, 0])],
    ],
)
def test_a_file_that_holds_no_training_state_is_not_resumed(saved, path, value):
    document = Document(replaced(saved.head, parts(path), value))
    assert refusal(trainer_of(), document, code="not_resumable") == []


def nodes(tree, path=()):
    """Yields the path of every part of a tree."""
    if path:
        yield path
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        yield from nodes(value, (*path, key))


JUNK = [LEFT_OUT, None, True, -1, 2**64 - 1, 0.25, math.nan, "x", b"\0", [], [[]], {}, {"x": {}}, tensor(0.5)]
TAKEN_WHOLE = ("model_state", "optimizer_state", "scheduler_state", "rng_state", "trainer_state")


@pytest.mark.req("TR-REST-001", "TR-REST-002", "TR-REST-004", "TR-REST-014")
@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_a_state_with_junk_anywhere_is_refused_or_taken_over_whole(saved, junk):
    trainer = trainer_of()
    before = trainer.capture_state()
    taken = 0
    for path in nodes(saved.head):
        if len(path) == 1 and (junk is LEFT_OUT or path[0] not in {"model_state", "trainer_state"}):
            continue  # that each part is there, and which are maps, is the reader's to check
        document = Document(replaced(saved.head, path, junk))
        try:
            trainer.restore_state(document)
        except RestoreError:
            assert first_difference(before, trainer.capture_state()) is None
            continue
        taken += 1
        state = trainer.capture_state()
        for part in TAKEN_WHOLE:
            one, other = (Document({**before.head, part: found.head[part]}) for found in (state, document))
            assert first_difference(one, other) is None
        trainer = trainer_of()
    assert taken < len(list(nodes(saved.head))) / 2
