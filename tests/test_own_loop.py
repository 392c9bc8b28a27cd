"""The checkpoint manager: what is saved when, under which name, and what is in it."""

import math
import os

import pytest
import torch
from own_loop import manager
from recorder import refusal
from torch import nn

import tenuto

LOSS = {"monitor": "val_loss"}
FULL = {"model_state": {"w": torch.ones(2)}, "optimizer_state": {"state": {}, "param_groups": []}}


def head(path):
    return tenuto.read_checkpoint(path).head


def weights(value):
    return {"w": torch.full((2,), float(value))}


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.req("CPC-MAN-001", "CPC-MAN-010")
@pytest.mark.parametrize(
    ("configs", "path"),
    [
        ([{"monitor": "a", "filname": "x.ckpt"}], "checkpoint_configs[0].filname"),
        ([LOSS, {"monitor": "a", "mode": "most"}], "checkpoint_configs[1].mode"),
        ([{"monitor": "a", "metric_name": "a"}], "checkpoint_configs[0].metric_name"),
        ([{"mode": "min"}], "checkpoint_configs[0].metric_name"),
        ([{"metric_name": ""}], "checkpoint_configs[0].metric_name"),
        ([{"monitor": 3}], "checkpoint_configs[0].monitor"),
        ([{"monitor": "a", "overwrite": 1}], "checkpoint_configs[0].overwrite"),
        *(
            ([{"monitor": "a", "filename": name}], "checkpoint_configs[0].filename")
            for name in ("sub/a.ckpt", "..ckpt", ".ckpt", "a.bin", "a", "a\0.ckpt", "/a.ckpt", 5, "a" * 180 + ".pt")
        ),
        ([{"monitor": "a" * 200}], "checkpoint_configs[0].filename"),
        ([{"monitor": "a"}, {"metric_name": "a", "filename": "b.ckpt"}], "checkpoint_configs[1].metric_name"),
        (["val_loss"], "checkpoint_configs[0]"),
        ("val_loss", "checkpoint_configs"),
        (LOSS, "checkpoint_configs"),
        (None, "checkpoint_configs"),
    ],
)
def test_a_configuration_with_a_fault_is_refused_with_its_path(tmp_path, configs, path):
    with pytest.raises(tenuto.ConfigError) as caught:
        tenuto.CheckpointManager(tmp_path / "new", configs)
    assert caught.value.code == "invalid_setting"
    assert str(caught.value).startswith(f"{path}: ")
    assert not (tmp_path / "new").exists()


@pytest.mark.req("CPC-MAN-001")
def test_two_equal_file_names_are_refused_in_any_case(tmp_path):
    configs = [
        {"monitor": "a", "filename": "Best.ckpt"},
        {"monitor": "b", "filename": "best.CKPT".replace("CKPT", "ckpt")},
    ]
    assert refusal(lambda: manager(tmp_path, *configs)) == ("duplicate_file_name", "config")


@pytest.mark.req("CPC-MAN-001")
def test_a_configuration_may_be_an_object_and_its_name_may_hold_the_metric(tmp_path):
    made = manager(tmp_path, tenuto.CheckpointConfig(monitor="part/acc", mode="max", filename="top_{metric}.ckpt"))
    made.update({"part/acc": 0.5}, weights(1), 1)
    assert os.listdir(tmp_path) == ["top_part%2Facc.ckpt"]


# -- what is saved ----------------------------------------------------------------------------------------------------


@pytest.mark.req("CPC-MAN-002", "CPC-MAN-010")
@pytest.mark.parametrize(
    ("mode", "values", "saved"),
    [
        ("min", [0.5, 0.5, 0.4, 0.6, math.nan, -math.inf, -math.inf], [1, 3, 6]),
        ("max", [math.nan, 0.5, 0.5, 0.4, 0.6, math.inf, math.nan], [2, 5, 6]),
        ("min", [0.0, -0.0, 1], [1]),
    ],
)
def test_a_file_is_saved_when_the_metric_is_better_than_ever(tmp_path, mode, values, saved):
    made = manager(tmp_path, {"monitor": "val_loss", "mode": mode})
    paths = [made.update({"val_loss": value}, weights(epoch), epoch) for epoch, value in enumerate(values, 1)]
    path = str(tmp_path / "best_val_loss.ckpt")
    assert [epoch for epoch, found in enumerate(paths, 1) if found == [path]] == saved
    assert all(found in ([], [path]) for found in paths)
    assert made.best_values == {"val_loss": values[saved[-1] - 1]}
    assert made.saved_files == {"val_loss": path}
    assert torch.equal(made.load_checkpoint(path)[0]["w"], weights(saved[-1])["w"])


@pytest.mark.req("CPC-MAN-002")
def test_several_updates_of_one_epoch_are_several_states_and_each_configuration_stands_alone(tmp_path):
    made = manager(tmp_path, LOSS, {"metric_name": "score.f1", "mode": "max"})
    assert len(made.update({"val_loss": 0.5, "score": {"f1": 0.1}}, weights(1), 1)) == 2
    assert made.update({"val_loss": 0.4, "score": {"f1": 0.1}}, weights(2), 1) == [str(tmp_path / "best_val_loss.ckpt")]
    assert made.update({"val_loss": 0.6, "score": {"f1": 0.2}}, weights(3), 1) == [str(tmp_path / "best_score.f1.ckpt")]
    assert [int(made.load_checkpoint(path)[0]["w"][0]) for path in made.saved_files.values()] == [2, 3]


@pytest.mark.req("CPC-MAN-003")
def test_a_metric_that_is_missing_gives_one_warning_and_the_other_file(tmp_path, caplog):
    made = manager(tmp_path, {"monitor": "auc"}, LOSS)
    for epoch, value in ((1, 0.5), (2, 0.4)):
        assert made.update({"val_loss": value}, weights(epoch), epoch) == [str(tmp_path / "best_val_loss.ckpt")]
    assert [record.getMessage() for record in caplog.records] == [
        "metric 'auc': not measured; expected one of val_loss; nothing is saved for it"
    ]


@pytest.mark.req("CPC-MAN-004")
def test_a_save_that_fails_keeps_no_other_from_being_made_and_is_tried_again(tmp_path):
    configs = [{"monitor": name, "filename": f"{name}.ckpt"} for name in "abc"]
    made = manager(tmp_path, *configs)
    made.update(dict.fromkeys("abc", 0.9), weights(0), 0)
    for name in "ab":
        (tmp_path / f"{name}.ckpt").unlink()
        (tmp_path / f"{name}.ckpt").mkdir()
    with pytest.raises(tenuto.CheckpointError, match=r"a\.ckpt") as caught:
        made.update(dict.fromkeys("abc", 0.5), weights(1), 1)
    assert caught.value.phase == "io"
    assert made.best_values == {"a": 0.9, "b": 0.9, "c": 0.5}
    assert int(made.load_checkpoint(tmp_path / "c.ckpt")[0]["w"][0]) == 1
    for name in "ab":
        (tmp_path / f"{name}.ckpt").rmdir()
    assert [os.path.basename(path) for path in made.update(dict.fromkeys("abc", 0.7), weights(2), 2)] == [
        "a.ckpt",
        "b.ckpt",
    ]


@pytest.mark.req("CPC-MAN-002", "CB-METRIC-001", "CPC-MAN-017")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (({"val_loss": "low"}, weights(1), 1), "invalid_metric"),
        (({"val_loss": 0.5}, weights(1), -1), "invalid_setting"),
        (({"val_loss": 0.5}, weights(1), True), "invalid_setting"),
        (({"val_loss": 0.5}, weights(1), 1.0), "invalid_setting"),
        (({"val_loss": 0.5}, [1], 1), "invalid_setting"),
        (({"val_loss": 0.5}, {**FULL, "ema": {}}, 1), "invalid_setting"),
        (({"val_loss": 0.5}, {"w": object()}, 1), "unserializable_value"),
    ],
)
def test_arguments_that_cannot_be_saved_are_refused_and_change_nothing(tmp_path, arguments, code):
    made = manager(tmp_path, LOSS)
    assert refusal(lambda: made.update(*arguments))[0] == code
    assert (made.best_values, list(tmp_path.iterdir())) == ({}, [])


# -- what is in a file ------------------------------------------------------------------------------------------------


@pytest.mark.req("CPC-MAN-005", "CPC-MAN-009", "TR-STATE-002", "TR-STATE-003", "TR-STATE-012", "TR-STATE-019")
def test_a_map_without_model_state_is_saved_as_weights(tmp_path):
    made = manager(tmp_path, LOSS)
    made.update({"val_loss": 0.5}, weights(0), 3)
    made.update({"val_loss": 0.25, "acc": 1}, weights(1), 4)
    found = head(tmp_path / "best_val_loss.ckpt")
    origin = found["metadata"].pop("origin")
    assert found["metadata"] == {
        "progress": {"epoch": 4, "global_step": 0, "batch_in_epoch": 0},
        "metrics": {"val_loss": {"value": 0.25, "step": 0}, "acc": {"value": 1.0, "step": 0}},
        "best": {"val_loss": [{"value": 0.25, "epoch": 4, "step": 0, "file": "best_val_loss.ckpt"}]},
        "config": {},
        "architecture": {},
        "exact": False,
        "kind": "weights",
    }
    assert [key for key, value in found.items() if value in ({}, [])] == [
        "requires", "optimizer_state", "scheduler_state", "rng_state", "callback_state", "trainer_state"
    ]  # fmt: skip
    assert (origin["reasons"], origin["trigger"]) == (
        ["best"],
        {"monitor": "val_loss", "value": 0.25, "mode": "min", "strategy": "best", "previous_best": 0.5},
    )
    assert {"checkpoint_id", "run_id", "attempt", "parent", "lineage", "timestamp", "producer"} < set(origin)
    assert "files" not in origin


@pytest.mark.req("CPC-MAN-005", "CPC-MAN-009", "CPC-MAN-013")
def test_a_map_with_model_state_is_saved_whole_with_what_the_manager_remembers(tmp_path):
    made = manager(tmp_path, LOSS, {"monitor": "acc", "mode": "max"})
    given = {"config": {"lr": 0.1}, "architecture": {"fingerprint": "x"}}
    rng = {"python": b"1"}
    made.update({"val_loss": 0.5, "acc": 0.5}, {**FULL, "rng_state": rng, "metadata": given}, 1)
    first, second = (head(tmp_path / f"best_{name}.ckpt") for name in ("val_loss", "acc"))
    assert (first["metadata"]["kind"], first["metadata"]["exact"]) == ("full", True)
    assert {name: first["metadata"][name] for name in given} == given
    assert first["rng_state"] == rng
    assert first["callback_state"] == {
        "CheckpointManager": {"best_values": {"val_loss": 0.5}, "saved_files": {"val_loss": "best_val_loss.ckpt"}}
    }
    assert second["callback_state"] == {"CheckpointManager": made.state_dict()}
    made.save_checkpoint({**FULL, "callback_state": {"Mine": {"x": 1}}}, "own.ckpt")
    assert head(tmp_path / "own.ckpt")["callback_state"] == {"Mine": {"x": 1}}
    assert head(tmp_path / "own.ckpt")["metadata"]["exact"] is False


@pytest.mark.req("CPC-MAN-007", "TR-STATE-005")
def test_what_is_loaded_can_be_given_to_the_live_objects(tmp_path):
    model = nn.Linear(2, 1)
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.8, 0.9))
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    made = manager(tmp_path, LOSS)
    for state in (
        {"model_state": model.state_dict(), "optimizer_state": optimizer.state_dict()},
        tenuto.training_state(model, optimizer),
    ):
        made.save_checkpoint(state, "now.ckpt")
        loaded, metadata = tenuto.CheckpointManager.load_checkpoint(tmp_path / "now.ckpt")
        other = torch.optim.Adam((live := nn.Linear(2, 1)).parameters())
        live.load_state_dict(loaded["model_state"])
        saved = loaded["optimizer_state"]
        other.load_state_dict(saved.get("optimizer", saved))
        assert torch.equal(live.weight, model.weight)
        assert torch.equal(other.state[live.weight]["exp_avg"], optimizer.state[model.weight]["exp_avg"])
        assert metadata["kind"] == "full"
    made.save_checkpoint(loaded, "again.ckpt", metadata=metadata)
    assert torch.equal(made.load_checkpoint(tmp_path / "again.ckpt")[0]["model_state"]["weight"], model.weight)


@pytest.mark.req("CPC-MAN-007")
@pytest.mark.parametrize("name", ["none.ckpt", "none.pt"])
def test_a_file_that_is_missing_is_refused(tmp_path, name):
    assert refusal(lambda: tenuto.CheckpointManager.load_checkpoint(tmp_path / name)) == ("file_not_found", "io")
