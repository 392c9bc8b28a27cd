"""The checkpoint callback of the contract, on the reference workload."""

from __future__ import annotations

import errno
import logging
import math

import pytest
from recorder import Recorder, heads, saving, small

from tenuto.callbacks.policies.monitors import MonitorSettings
from tenuto.callbacks.policies.ranking import BestEntry, admit
from tenuto.callbacks.policies.retention import KeepLast
from tenuto.callbacks.repository import Repaired, Repository, SaveJob
from tenuto.reference.checkpoint.storage import PosixStorage
from tenuto.reference.errors import CheckpointError, ConfigError
from tenuto.reference.events.contexts import Progress, RunIdentity


def epochs_of(best):
    return {monitor: [entry["epoch"] for entry in entries] for monitor, entries in best.items()}


@pytest.mark.req("CPC-STATE-001", "CPC-STATE-002", "CPC-STATE-003", "CPC-BEST-013", "CPC-WHEN-012", "CPC-NAME-013")
def test_what_each_file_says_of_the_best(tmp_path):
    recorder, names = Recorder(), []
    recorder.act["on_checkpoint_saved"] = lambda context: names.append(context.saved.names)
    trainer = small(recorder, saving(tmp_path, save_top_k=2), max_epochs=3, script={"loss": [0.5, 0.5, 0.4]})
    trainer.fit()
    found = heads(tmp_path)
    assert epochs_of(found["checkpoint_epoch_0001.ckpt"]["metadata"]["best"]) == {"val_loss": [1]}
    assert epochs_of(found["checkpoint_epoch_0002.ckpt"]["metadata"]["best"]) == {"val_loss": [1, 2]}
    last = found["checkpoint_epoch_0003.ckpt"]
    entries = [
        {"value": 0.4, "epoch": 3, "step": 6, "file": "best_model_val_loss_epoch_0003.ckpt"},
        {"value": 0.5, "epoch": 1, "step": 2, "file": "best_model_val_loss_epoch_0001.ckpt"},
    ]
    assert last["metadata"]["best"] == {"val_loss": entries}
    state = {"last_epoch": 3, "last_step": 0, "best": {"val_loss": {"mode": "min", "entries": entries}}}
    assert last["callback_state"] == {"CheckpointCallback": state}
    assert last["metadata"]["origin"]["reasons"] == ["periodic", "best"]
    assert names[2] == (
        "checkpoint_epoch_0003.ckpt",
        "best_model_val_loss_epoch_0003.ckpt",
        "best_model_val_loss.ckpt",
        "latest.ckpt",
    )


@pytest.mark.req("CPC-STATE-003", "CPC-STATE-001")
def test_without_a_monitor_there_are_no_lists(tmp_path):
    small(saving(tmp_path, save_best=False), max_epochs=1).fit()
    head = heads(tmp_path)["latest.ckpt"]
    assert head["metadata"]["best"] == {}
    assert head["callback_state"]["CheckpointCallback"] == {"last_epoch": 1, "last_step": 0, "best": {}}


@pytest.mark.req("CPC-BEST-012")
def test_the_file_of_an_evicted_entry_goes(tmp_path):
    small(saving(tmp_path, save_top_k=2), max_epochs=3, script={"loss": [0.5, 0.5, 0.4]}).fit()
    names = {path.name for path in tmp_path.glob("best_*")}
    assert names == {f"best_model_val_loss{end}.ckpt" for end in ("", "_epoch_0001", "_epoch_0003")}


@pytest.mark.req("CPC-BEST-010")
@pytest.mark.parametrize(
    ("first", "value", "mode", "enters"),
    [
        (1.0, 0.875, "min", False),
        (1.0, math.nextafter(0.875, 0.0), "min", True),
        (1.0, 1.125, "max", False),
        (1.0, math.nextafter(1.125, 2.0), "max", True),
        (math.inf, 1.0, "min", True),
        (math.inf, math.inf, "min", False),
        (-math.inf, -math.inf, "max", False),
    ],
)
def test_the_distance_that_counts_as_better(first, value, mode, enters):
    entries = (BestEntry(first, 1, 1, "a"),)
    change = admit(entries, BestEntry(value, 2, 2, "b"), mode=mode, slots=1, min_delta=0.125)
    assert (change is not None) == enters


@pytest.mark.req("CPC-BEST-009", "CPC-CALL-003", "CPC-CALL-004")
def test_a_manual_save_of_a_state_in_the_list_takes_no_second_slot(tmp_path):
    saver = saving(tmp_path, save_top_k=3, keep_last_n=1)
    trainer = small(saver, max_epochs=2, script={"loss": [0.5, 0.4]})
    trainer.fit()
    path = saver.save_checkpoint(trainer, metrics={"val_loss": 0.1, "extra": 2.0})
    assert path == str(tmp_path / "checkpoint_epoch_0002.ckpt")
    head = heads(tmp_path)["checkpoint_epoch_0002.ckpt"]
    assert epochs_of(head["metadata"]["best"]) == {"val_loss": [2, 1]}
    assert head["metadata"]["metrics"]["extra"] == {"value": 2.0, "step": 4}
    assert head["metadata"]["origin"]["reasons"] == ["manual"]


@pytest.mark.req("CPC-BEST-014")
def test_another_mode_drops_the_saved_list_and_says_so(tmp_path, caplog):
    script = {"loss": [0.5, 0.4, 0.6]}
    small(saving(tmp_path), max_epochs=2, script=script).fit()
    with caplog.at_level(logging.WARNING, "tenuto"):
        small(saving(tmp_path, mode="max"), max_epochs=3, script=script).fit("auto")
    assert any("val_loss (min)" in record.message for record in caplog.records)
    assert epochs_of(heads(tmp_path)["checkpoint_epoch_0003.ckpt"]["metadata"]["best"]) == {"val_loss": [3]}


@pytest.mark.req("CPC-BEST-014")
def test_fewer_slots_keep_the_best(tmp_path):
    script = {"loss": [0.5, 0.4, 0.6]}
    small(saving(tmp_path, save_top_k=3), max_epochs=2, script=script).fit()
    small(saving(tmp_path, save_top_k=None), max_epochs=3, script=script).fit("auto")
    assert epochs_of(heads(tmp_path)["checkpoint_epoch_0003.ckpt"]["metadata"]["best"]) == {"val_loss": [2]}


@pytest.mark.req("CPC-BEST-015")
def test_a_save_by_steps_chooses_no_best(tmp_path):
    saver = saving(tmp_path, save_every_steps=1, save_frequency=None, monitor="train_loss_step")
    small(saver, max_epochs=1).fit()
    found = heads(tmp_path)
    assert found["checkpoint_epoch_0000_step_00000001.ckpt"]["metadata"]["best"] == {"train_loss_step": []}


class OneNameFails(PosixStorage):
    """Cannot put a file in the place of one name."""

    def __init__(self, name):
        super().__init__()
        self.name = name

    def rename(self, old, new):
        if new.endswith(self.name):
            raise OSError(errno.ENOSPC, "full", new)
        super().rename(old, new)


@pytest.mark.req("CPC-ERR-006", "CPC-ERR-007")
def test_a_second_name_that_fails_keeps_no_other_from_being_made(tmp_path, make_document):
    run = RunIdentity("r")
    ops, monitors = OneNameFails("best_model_a.ckpt"), (MonitorSettings("a"), MonitorSettings("b"))
    settings = {"latest": "auto", "retention": KeepLast(1), "verify": False, "monitors": monitors}
    repository = Repository(str(tmp_path), run, **settings, ops=ops)
    origin = {"checkpoint_id": "0", "run_id": "r", "attempt": 1, "parent": None, "lineage": [], "reasons": ["best"]}
    progress = {"epoch": 1, "batch_in_epoch": 0, "global_step": 2}
    document = make_document(metadata={"origin": origin, "progress": progress, "exact": True, "kind": "full"})
    names = ("checkpoint_epoch_0001.ckpt", "best_model_a.ckpt", "best_model_b.ckpt")
    outcome = repository.write(SaveJob(document, names, True, (), Progress(1, 0, 2), ("best",)))
    assert outcome.saved.names == ("checkpoint_epoch_0001.ckpt", "best_model_b.ckpt", "latest.ckpt")
    assert outcome.problem is not None
    assert outcome.problem.code == "disk_full"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best_model_b.ckpt",
        "checkpoint_epoch_0001.ckpt",
        "latest.ckpt",
    ]
    ops.name = "nothing"
    (tmp_path / "latest.ckpt").unlink()
    del repository._folder._found["latest.ckpt"]
    entry = BestEntry(0.5, 1, 2, "best_model_a.ckpt")
    assert repository.repair({"a": (entry,)}) == Repaired((), {})
    assert {"best_model_a.ckpt", "latest.ckpt"} <= {path.name for path in tmp_path.iterdir()}


@pytest.mark.req("CPC-ERR-008", "CPC-ERR-010")
def test_a_manual_save_that_fails_tells_its_caller_alone(tmp_path, monkeypatch):
    recorder, saver = Recorder(), saving(tmp_path, max_save_failures=1)
    trainer = small(recorder, saver, max_epochs=1)
    trainer.fit()
    before, told = saver.best_k_models, recorder.hooks.count("on_checkpoint_saved")

    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(PosixStorage, "create", full)
        for _ in range(3):
            with pytest.raises(CheckpointError) as caught:
                saver.save_checkpoint(trainer, metrics={"val_loss": -1.0})
            assert caught.value.code == "disk_full"
    assert saver.best_k_models == before
    assert recorder.hooks.count("on_checkpoint_saved") == told


@pytest.mark.req("CPC-SET-002")
def test_an_unknown_setting_is_refused(tmp_path):
    with pytest.raises((TypeError, ConfigError)):
        saving(tmp_path, keep_last=3)


@pytest.mark.req("CPC-SET-005")
def test_a_relative_folder_is_resolved_when_the_callback_is_made(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    saver = saving("runs", save_best=False)
    monkeypatch.chdir(tmp_path / "elsewhere")
    small(saver, max_epochs=1).fit()
    assert (tmp_path / "runs" / "latest.ckpt").exists()


@pytest.mark.req("CPC-CALL-006")
def test_what_the_callback_says_of_its_files(tmp_path):
    saver = saving(tmp_path, save_top_k=2)
    assert (saver.best_model_path, saver.best_model_score, saver.best_k_models, saver.last_model_path) == (
        None,
        None,
        {},
        None,
    )
    small(saver, max_epochs=2, script={"loss": [0.5, 0.4]}).fit()
    names = [str(tmp_path / f"best_model_val_loss_epoch_000{epoch}.ckpt") for epoch in (2, 1)]
    assert saver.best_model_path == names[0]
    assert saver.best_model_score == 0.4
    assert list(saver.best_k_models.items()) == [(names[0], 0.4), (names[1], 0.5)]
    assert saver.last_model_path == str(tmp_path / "checkpoint_epoch_0002.ckpt")


@pytest.mark.req("TR-STATE-012")
def test_a_file_says_which_value_caused_it(tmp_path):
    small(saving(tmp_path, save_frequency=None), max_epochs=2, script={"loss": [0.5, 0.4]}).fit()
    trigger = heads(tmp_path)["best_model_val_loss.ckpt"]["metadata"]["origin"]["trigger"]
    assert trigger == {"monitor": "val_loss", "value": 0.4, "mode": "min", "strategy": "best", "previous_best": 0.5}


@pytest.mark.req("TR-STATE-012")
def test_a_file_that_no_value_caused_has_no_trigger(tmp_path):
    small(saving(tmp_path, save_best=False), max_epochs=1).fit()
    assert "trigger" not in heads(tmp_path)["latest.ckpt"]["metadata"]["origin"]


@pytest.mark.req("CPC-CALL-008", "TR-STATE-021")
def test_a_manual_save_inside_a_hook_is_not_exact(tmp_path):
    saver = saving(tmp_path, save_best=False, save_on_train_end=False, save_frequency=None)
    observer = Recorder()
    trainer = small(observer, saver, max_epochs=1)

    def save(context):
        if context.progress.batch_in_epoch == 1:
            saver.save_checkpoint(trainer)

    observer.act["on_batch_end"] = save
    trainer.fit()
    metadata = heads(tmp_path)["checkpoint_epoch_0000_step_00000001.ckpt"]["metadata"]
    assert (metadata["exact"], metadata["progress"]["batch_in_epoch"]) == (False, 1)
    assert saver.save_checkpoint(trainer) == str(tmp_path / "checkpoint_epoch_0001.ckpt")
    assert heads(tmp_path)["checkpoint_epoch_0001.ckpt"]["metadata"]["exact"] is True


@pytest.mark.req("CB-ORDER-006")
def test_the_callback_that_saves_is_the_last_of_its_phase(tmp_path):
    log = []
    late = Recorder(log, "late")
    late.phase = "checkpoint"
    late.state_dict = lambda: {"calls": len(log)}
    small(saving(tmp_path, save_best=False), late, max_epochs=1).fit()
    calls = next(number for number, (hook, *_) in enumerate(log, 1) if hook == "on_epoch_end")
    assert heads(tmp_path)["checkpoint_epoch_0001.ckpt"]["callback_state"]["Recorder"] == {"calls": calls}


@pytest.mark.req("CPC-BEST-007")
def test_a_monitor_is_not_missing_before_its_first_validation(tmp_path):
    trainer = small(saving(tmp_path / "a", strict_monitor=True), max_epochs=2, validate_every=2)
    assert trainer.fit().progress.epoch == 2
    with pytest.raises(ConfigError) as caught:
        small(saving(tmp_path / "b", strict_monitor=True, monitor="val_typo"), max_epochs=4, validate_every=2).fit()
    assert caught.value.code == "monitor_missing"
    assert max(head["metadata"]["progress"]["epoch"] for head in heads(tmp_path / "b").values()) == 2


@pytest.mark.req("TR-STATE-004", "CPC-WHEN-012")
def test_the_news_has_the_reasons_in_their_order(tmp_path):
    saver, told = saving(tmp_path), []
    observer = Recorder(on_checkpoint_saved=lambda context: told.append(context.saved.reasons))
    trainer = small(observer, saver, max_epochs=2, script={"loss": [0.5, 0.4]})

    def save(context):
        if context.progress.epoch == 1:
            saver.save_checkpoint(trainer, metrics={"val_loss": 0.1})

    observer.act["on_epoch_end"] = save
    trainer.fit()
    assert told[0] == ("best", "manual")
