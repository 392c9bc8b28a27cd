"""The documents of the workload: their form, read with a stock library, and the laws of resuming."""

import math
import struct
from typing import Any

import msgpack
import pytest
import xxhash
from attrs import evolve

from tenuto.conformance_tests.oracle.document import dump
from tenuto.conformance_tests.oracle.frame import file
from tenuto.conformance_tests.oracle.make_kat import FOLDER
from tenuto.conformance_tests.oracle.workload import restore, state
from tenuto.conformance_tests.oracle.workload.cases import SavePoint, save_points
from tenuto.conformance_tests.oracle.workload.settings import Settings
from tenuto.conformance_tests.oracle.workload.training import Training, start

WEIGHTS = ["layer1.weight", "layer1.bias", "layer2.weight", "layer2.bias"]
RESUMED = {
    "plain": Settings(),
    "windows": Settings(accumulate=4, optimizer="adam", scheduler="warmup_step", warmup=2, step_size=1),
    "plateau": Settings(accumulate=3, scheduler="plateau", threshold=0.1, patience=0),
    "nan": Settings(lr=1e4, hidden=2),
    "no-validation": Settings(validation_samples=0, optimizer="adam", batch_size=5),
}
POINTS = {point.name: point for point in save_points()}


def stock(data: bytes) -> dict[str, Any]:
    """A file as a stock library reads it, tensors as (dtype, shape, values)."""
    top: dict[str, Any] = msgpack.unpackb(data)

    def tensor(code: int, payload: bytes) -> tuple[str, list[int], list[float]]:
        assert code == 1
        dtype, shape, numbers = msgpack.unpackb(payload)
        stored = b"".join(top["segments"][number][-top["segment_table"][number][1] :] for number in numbers)
        form = {"float64": "<d", "int64": "<q"}[dtype]
        return dtype, shape, [one for (one,) in struct.iter_unpack(form, stored)]

    read: dict[str, Any] = msgpack.unpackb(data, ext_hook=tensor)
    return read


def reached(name: str) -> tuple[SavePoint, Training, dict[str, Any]]:
    """A save point, the training there, and its file as it is read."""
    training = POINTS[name].reach()
    return POINTS[name], training, stock(file(state.document(training)))


def four(values: dict[str, list[float]]) -> dict[str, Any]:
    """The four tensors of the default settings that hold these values."""
    sizes = dict(zip(WEIGHTS, ([4, 3], [4], [1, 4], [1]), strict=True))
    return {name: ("float64", sizes[name], values[name]) for name in WEIGHTS}


@pytest.mark.req("RW-STATE-006")
@pytest.mark.parametrize("name", POINTS)
def test_the_head_but_its_states(name: str) -> None:
    point, training, top = reached(name)
    trainer = {"max_epochs": point.max_epochs, "validate_every": point.validate_every}
    config = {**point.settings.values(), **trainer}
    progress = {"epoch": point.epoch, "batch_in_epoch": point.batch_in_epoch, "global_step": training.global_step}
    metadata = top["metadata"]
    expected = {"progress": progress, "config": config, "exact": True, "kind": "full", "best": {}, "origin": {}}
    assert metadata == expected | {key: metadata[key] for key in ("metrics", "architecture")}
    assert repr(sorted(metadata["config"].items())) == repr(sorted(config.items()))  # 0 is not 0.0
    assert (top["version"], top["requires"], top["callback_state"]) == ("1.0", [], {})


@pytest.mark.req("RW-MODEL-004", "RW-MODEL-006")
def test_metrics_carry_the_step_at_which_they_were_measured() -> None:
    _, training, top = reached("mid-epoch")
    at_end = start(training.settings, 1).finish()
    expected = {name: {"value": value, "step": step} for name, (value, step) in at_end.metrics.items()}
    assert {one["step"] for one in expected.values()} == {6}
    expected["train_loss_step"] = {"value": training.metrics["train_loss_step"][0], "step": 8}
    assert top["metadata"]["metrics"] == expected
    assert set(expected) == {"train_loss_step", "train_loss", "val_loss", "val_parts.abs"}


@pytest.mark.req("RW-STATE-007")
def test_the_architecture_and_its_fingerprint() -> None:
    """Packed by the stock library: maps in ascending order, names without a dot before those with one."""
    _, _, top = reached("end")
    trainable = dict.fromkeys(sorted(WEIGHTS), True)
    modules = {"": "ReferenceNetwork", "layer1": "Linear", "layer2": "Linear"}
    shapes = {
        "layer1.bias": ["float64", 4],
        "layer1.weight": ["float64", 4, 3],
        "layer2.bias": ["float64", 1],
        "layer2.weight": ["float64", 1, 4],
        "seen": ["int64"],
    }
    digest = xxhash.xxh64_hexdigest(msgpack.packb([modules, trainable, shapes]))
    assert top["metadata"]["architecture"] == {
        "modules": modules,
        "trainable": trainable,
        "parameter_count": 12 + 4 + 4 + 1,
        "fingerprint": digest,
    }


@pytest.mark.req("RW-STATE-001", "RW-STATE-003", "RW-STATE-004")
def test_the_states_of_sgd_without_a_scheduler() -> None:
    _, training, top = reached("mid-epoch")
    assert top["model_state"] == four(training.model.weights) | {"seen": ("int64", [], [30])}
    assert top["scheduler_state"] == {}
    assert top["rng_state"] == {"dropout": {"kind": "splitmix64", "state": training.dropout.state}}
    assert top["trainer_state"] == {"sums": {"loss": [training.sums["loss"][0], 2]}}


@pytest.mark.req("RW-STATE-002")
def test_the_state_of_sgd() -> None:
    _, training, top = reached("mid-epoch")
    found = top["optimizer_state"]["optimizer"]
    assert found["param_groups"] == [{"kind": "sgd", "lr": 0.05, "momentum": 0.9, "params": [0, 1, 2, 3]}]
    buffers = four(training.optimizer.state["momentum_buffer"])
    assert found["state"] == [[at, {"momentum_buffer": buffers[name]}] for at, name in enumerate(WEIGHTS)]
    assert set(top["optimizer_state"]) == {"optimizer"}
    assert set(found) == {"param_groups", "state"}


@pytest.mark.req("RW-STATE-002", "RW-STATE-003")
def test_the_states_of_adam_and_warmup() -> None:
    _, training, top = reached("mid-window")
    found = top["optimizer_state"]["optimizer"]
    group = {"kind": "adam", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "lr": 0.05 * 4 / 5, "params": [0, 1, 2, 3]}
    powers = {"beta1_power": 1.0 * 0.9 * 0.9 * 0.9, "beta2_power": 1.0 * 0.999 * 0.999 * 0.999}
    assert found["param_groups"] == [group | powers]
    averages, squares = (four(training.optimizer.state[name]) for name in ("exp_avg", "exp_avg_sq"))
    assert found["state"] == [
        [at, {"exp_avg": averages[name], "exp_avg_sq": squares[name]}] for at, name in enumerate(WEIGHTS)
    ]
    assert top["scheduler_state"] == {"scheduler": {"kind": "warmup_step", "steps": 3}}


@pytest.mark.req("RW-STATE-003")
def test_the_state_of_plateau() -> None:
    _, training, top = reached("plateau")
    first = start(training.settings, 1).finish().metrics["val_loss"][0]
    expected = {"kind": "plateau", "best": first, "bad_epochs": 0, "cooldown_left": 1}
    assert top["scheduler_state"] == {"scheduler": expected}


@pytest.mark.req("RW-STATE-009")
def test_a_nan_has_one_form() -> None:
    """Read as integers, for a NaN is equal to nothing."""
    training = POINTS["nan"].reach()
    found = state.packed(training.model.weights["layer2.bias"])
    assert math.isnan(training.model.weights["layer2.bias"][0])
    assert int.from_bytes(found, "little") == 0x7FF8000000000000
    assert state.packed([math.inf, -math.nan, -0.0]).hex() == "000000000000f07f000000000000f87f0000000000000080"


@pytest.mark.req("RW-STATE-002", "RW-OPT-002")
def test_before_the_first_update_the_optimizer_has_no_state() -> None:
    _, training, top = reached("first-window")
    assert top["optimizer_state"]["optimizer"]["state"] == []
    assert top["optimizer_state"]["optimizer"]["param_groups"][0]["beta1_power"] == 1.0
    assert training.gradients is not None
    assert top["trainer_state"]["gradients"] == four(training.gradients)


@pytest.mark.req("RW-STATE-005")
@pytest.mark.parametrize("settings", RESUMED.values(), ids=RESUMED)
def test_gradients_are_kept_inside_of_a_window_alone(settings: Settings) -> None:
    training = start(settings, 2)
    batches = -(-settings.samples // settings.batch_size)
    for _ in training.boundaries():
        inside = training.batch_in_epoch % settings.accumulate != 0 and training.batch_in_epoch < batches
        assert ("gradients" in state.trainer_state(training)) == inside


def test_sums_run_through_an_epoch_and_give_its_mean() -> None:
    training = start(Settings(), 3)
    losses: list[float] = []
    for _ in training.boundaries():
        sums: Any = state.trainer_state(training)["sums"]
        if training.batch_in_epoch:
            losses.append(training.metrics["train_loss_step"][0])
            assert sums == {"loss": [sum_in_order(losses), training.batch_in_epoch]}
        else:
            assert sums == {}
            assert training.metrics["train_loss"] == (sum_in_order(losses) / 6, training.global_step)
            losses = []


def sum_in_order(values: list[float]) -> float:
    """Since Python 3.12 `sum` compensates what rounding loses."""
    total = 0.0
    for value in values:
        total = total + value
    return total


@pytest.mark.req("RW-STATE-001", "RW-STATE-005")
@pytest.mark.parametrize("settings", RESUMED.values(), ids=RESUMED)
def test_a_training_resumed_at_any_boundary_ends_alike(settings: Settings) -> None:
    training, end = start(settings, 3), file(state.document(start(settings, 3).finish()))
    restored = 0
    for _ in training.boundaries():
        document = state.document(training)
        again = restore.restore(document)
        assert dump(state.document(again)) == dump(document)
        assert file(state.document(again.finish())) == end
        restored += 1
    assert restored == 3 * (1 + -(-settings.samples // settings.batch_size))


def test_a_completed_training_is_extended() -> None:
    longer = start(Settings(), 5).finish()
    resumed = restore.restore(state.document(start(Settings(), 3).finish()))
    resumed.max_epochs = 5
    assert file(state.document(resumed.finish())) == file(state.document(longer))


@pytest.mark.req("RW-KAT-001")
@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        ("end", ["mid-epoch", "last-batch", "epoch"]),
        ("mid-window-end", ["first-window", "mid-window"]),
        ("plateau-end", ["plateau"]),
        ("every-2-end", ["every-2"]),
        ("no-validation-end", ["no-validation"]),
    ],
)
def test_the_committed_files_lead_to_one_another(later: str, earlier: list[str]) -> None:
    same = evolve(POINTS[later], shows="", epoch=0, batch_in_epoch=0)
    for point in (POINTS[name] for name in earlier):
        assert evolve(point, name=later, shows="", epoch=0, batch_in_epoch=0) == same
        resumed = restore.restore(state.document(point.reach())).finish()
        assert file(state.document(resumed)) == (FOLDER / f"checkpoint-{later}.ckpt").read_bytes()
