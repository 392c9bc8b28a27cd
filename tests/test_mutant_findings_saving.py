"""Saves, saves that fail, and saves by hand: what only trainings with torch have shown, without torch."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from recorder import Recorder, heads, refusal, saving, small

from tenuto.callbacks.checkpoint import CheckpointCallback
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.storage import PosixStorage
from tenuto.reference.errors import CheckpointError, ConfigError
from tenuto.reference.trainer.metrics import MetricBook


def files(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".tmp"))


@pytest.fixture
def watched(monkeypatch):
    """The operations on files that change something, in order: `(operation, name)`."""
    operations = []
    for name in ("create", "write", "sync", "rename", "unlink", "sync_folder"):
        monkeypatch.setattr(PosixStorage, name, _noting(name, getattr(PosixStorage, name), operations))
    return operations


def _noting(name, operation, operations):
    def call(self, *arguments):
        result = operation(self, *arguments)
        told = arguments[-1] if name in {"rename", "unlink"} else ""
        operations.append((name, Path(told).name))
        return result

    return call


@pytest.fixture
def full(monkeypatch):
    """Returns a set of texts: there is no room for a file whose name holds one of them."""
    texts, create = set(), PosixStorage.create

    def checked(self, path):
        if any(text in path for text in texts):
            raise OSError(errno.ENOSPC, "full", path)
        return create(self, path)

    monkeypatch.setattr(PosixStorage, "create", checked)
    return texts


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.req("CPC-SET-001")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("save_frequency", value) for value in (0, True, 1.0, "1")],
        *[("min_delta", value) for value in (-0.5, float("nan"), float("inf"), True)],
        ("save_every_steps", -1),
        ("mode", "best"),
        ("monitor", ""),
        ("save_best", 1),
        ("max_save_failures", None),
        ("latest", "yes"),
        ("verify", "maybe"),
        ("checkpoint_dir", b"x"),
    ],
)
def test_a_setting_out_of_range_or_of_another_type_is_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=f"^{name}: ") as caught:
        CheckpointCallback(**{name: value})
    assert caught.value.code == "invalid_setting"
    assert CheckpointCallback(min_delta=1).min_delta == 1  # an integer is taken for a float64


# -- what is durable when ---------------------------------------------------------------------------------------------


@pytest.mark.req("CB-HOOK-004", "CPC-KEEP-002", "STORE-KEEP-002", "STORE-SAVE-007")
def test_a_save_is_told_and_old_files_are_deleted_when_the_new_ones_are_durable(tmp_path, watched):
    told = Recorder(on_checkpoint_saved=lambda context: watched.append(("told", Path(context.saved.path).name)))
    small(told, saving(tmp_path, save_best=False, keep_last_n=1)).fit()
    first, second = (f"checkpoint_epoch_000{epoch}.ckpt" for epoch in (1, 2))
    start = watched.index(("told", first)) + 1
    saved = [(name, path) for name, path in watched[start:] if name not in {"create", "write"}]
    assert saved == [
        ("sync", ""),
        ("rename", second),
        ("sync_folder", ""),
        ("rename", "latest.ckpt"),
        ("sync_folder", ""),
        ("unlink", first),
        ("sync_folder", ""),
        ("told", second),
    ]


@pytest.mark.req("STORE-SAVE-007")
def test_the_parent_of_each_folder_that_is_made_is_synced(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(PosixStorage, "sync_folder", lambda _, path: synced.append(path))
    PosixStorage().make_folder(str(tmp_path / "a" / "b"))
    assert synced == [str(tmp_path), str(tmp_path / "a")]


@pytest.mark.req("CPC-NAME-005", "CPC-WHEN-005")
@pytest.mark.parametrize(("mode", "links"), [("auto", (2, False)), ("symlink", (2, True)), ("copy", (1, False))])
def test_how_latest_leads_to_the_newest(tmp_path, mode, links):
    small(saving(tmp_path, save_best=False, latest=mode), max_epochs=1).fit()
    latest, newest = tmp_path / "latest.ckpt", tmp_path / "checkpoint_epoch_0001.ckpt"
    assert latest.read_bytes() == newest.read_bytes()
    assert (newest.stat().st_nlink + latest.is_symlink(), latest.is_symlink()) == links


@pytest.mark.req("STORE-SAVE-011")
def test_a_folder_that_takes_no_file_fails_the_start(tmp_path, full):
    full.add("probe")
    recorder = Recorder()
    assert refusal(small(recorder, saving(tmp_path)).fit) == ("disk_full", "io")
    assert recorder.hooks == ["on_train_start", "on_exception", "on_teardown"]


@pytest.mark.req("STORE-SAVE-001", "TR-LOOP-004", "CPC-ERR-003")
def test_what_a_batch_that_was_not_counted_has_moved_is_not_in_the_emergency_save(tmp_path, monkeypatch):
    add, batches = MetricBook.add_batch, []

    def fail_late(self, *arguments):
        batches.append(1)
        if len(batches) == 2:
            raise RuntimeError("after the second update, before it is counted")
        add(self, *arguments)

    small(saving(tmp_path / "whole", save_every_steps=1), max_epochs=1).fit()
    monkeypatch.setattr(MetricBook, "add_batch", fail_late)
    with pytest.raises(RuntimeError):
        small(saving(tmp_path / "failed")).fit()
    (found,) = heads(tmp_path / "failed").values()
    expected = heads(tmp_path / "whole")["checkpoint_epoch_0000_step_00000001.ckpt"]
    assert found["metadata"]["progress"] == expected["metadata"]["progress"]
    assert found["rng_state"] == expected["rng_state"]
    for name, weight in expected["model_state"].items():
        assert bytes(found["model_state"][name].data) == bytes(weight.data)


@pytest.mark.req("CPC-ERR-003")
def test_before_the_first_batch_and_when_it_is_not_wanted_there_is_no_emergency_save(tmp_path):
    def fail(_):
        raise RuntimeError

    for name, hook, settings in (
        ("a", "on_batch_start", {}),
        ("b", "on_batch_end", {"save_on_exception": False}),
        ("c", "on_batch_end", {}),
    ):
        with pytest.raises(RuntimeError):
            small(Recorder(**{hook: fail}), saving(tmp_path / name, **settings)).fit()
    emergency = ["emergency_epoch_0000_step_00000001.ckpt"]
    assert [files(tmp_path / name) for name in "abc"] == [[], [], emergency]


# -- saves that fail --------------------------------------------------------------------------------------------------

FALLING = {"script": {"loss": [0.1, 0.3, 0.2]}, "max_epochs": 3}  # the first epoch would stay the best


@pytest.mark.req("CPC-ERR-001", "CPC-ERR-010", "CPC-ASYNC-004")
@pytest.mark.parametrize("in_background", [False, True])
def test_a_save_that_fails_is_logged_and_leaves_files_and_best_list(tmp_path, full, caplog, in_background):
    full.add("checkpoint_epoch_0001")
    recorder = Recorder()
    result = small(recorder, saving(tmp_path, async_save=in_background), **FALLING).fit()
    assert result.progress.epoch == 3
    assert "disk_full" in caplog.text
    assert files(tmp_path) == [
        "best_model_val_loss.ckpt",
        *(f"checkpoint_epoch_000{epoch}.ckpt" for epoch in (2, 3)),
        "latest.ckpt",
    ]
    best = heads(tmp_path)["checkpoint_epoch_0002.ckpt"]["metadata"]["best"]["val_loss"]
    assert [entry["epoch"] for entry in best] == [2]
    assert recorder.hooks.count("on_checkpoint_saved") == 2


@pytest.mark.req("CPC-ERR-002")
@pytest.mark.parametrize(("failures", "epoch"), [(1, 1), (2, 2)])
def test_so_many_failures_in_a_row_fail_the_run(tmp_path, full, failures, epoch):
    full.add("checkpoint_epoch")
    trainer = small(saving(tmp_path, max_save_failures=failures), max_epochs=4)
    with pytest.raises(CheckpointError) as caught:
        trainer.fit()
    assert (caught.value.code, trainer.progress.epoch) == ("disk_full", epoch)


@pytest.mark.req("CPC-ERR-004")
def test_a_final_save_that_fails_fails_the_run(tmp_path, full):
    full.add("checkpoint_epoch")
    trainer = small(saving(tmp_path, save_frequency=None, save_best=False))
    assert refusal(trainer.fit) == ("disk_full", "io")


@pytest.mark.req("CPC-ERR-005")
def test_a_save_that_failed_counts_as_made(tmp_path, full):
    full.add("checkpoint_epoch_0002")
    small(saving(tmp_path, save_frequency=2, save_best=False), max_epochs=5).fit()
    assert [name for name in files(tmp_path) if name.startswith("checkpoint")] == [
        "checkpoint_epoch_0004.ckpt",
        "checkpoint_epoch_0005.ckpt",
    ]
    reasons = heads(tmp_path)["checkpoint_epoch_0005.ckpt"]["metadata"]["origin"]["reasons"]
    assert reasons == ["train_end"]  # after epoch 3 the save would have been made up for


# -- by hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.req("CPC-CALL-001")
def test_a_save_by_hand_returns_its_path_and_refuses_another_epoch(tmp_path):
    saver = saving(tmp_path)
    trainer = small(saver, max_epochs=1)
    trainer.fit()
    path = saver.save_checkpoint(trainer, epoch=1)
    assert path == str(tmp_path / "checkpoint_epoch_0001.ckpt")
    assert read_checkpoint(path).head["metadata"]["origin"]["reasons"] == ["manual"]
    assert refusal(lambda: saver.save_checkpoint(trainer, epoch=2)) == ("epoch_mismatch", "config")


@pytest.mark.req("CPC-ERR-008")
def test_a_value_whose_save_by_hand_failed_is_not_in_the_best_list(tmp_path, full):
    """Of a state that no save has put into the list: one that is in it could not enter it again in any case."""
    saver = saving(tmp_path, save_on_train_end=False)
    trainer = small(Recorder(on_batch_end=lambda context: context.request_stop("here")), saver)
    trainer.fit()
    full.add("checkpoint_epoch")
    assert refusal(lambda: saver.save_checkpoint(trainer, metrics={"val_loss": 0.1})) == ("disk_full", "io")
    assert saver.best_k_models == {}
    full.clear()
    saver.save_checkpoint(trainer)
    assert saver.best_k_models == {str(tmp_path / "best_model_val_loss.ckpt"): 0.1}  # the metrics stay recorded


@pytest.mark.req("CPC-CALL-002")
def test_a_bare_name_is_looked_up_as_given_and_then_in_the_folder(tmp_path, monkeypatch):
    saver = saving(tmp_path / "run", save_best=False)
    small(saver, max_epochs=1).fit()
    monkeypatch.chdir(tmp_path)
    assert saver.load_checkpoint("latest.ckpt").head["metadata"]["progress"]["epoch"] == 1
    (tmp_path / "latest.ckpt").write_bytes(b"mine")
    assert refusal(lambda: saver.load_checkpoint("latest.ckpt")) == ("file_too_small", "open")
    path = tmp_path / "run" / "latest.ckpt"
    data = bytearray(path.read_bytes())
    data[data.rindex(b"\xadsegment_table") - 1] ^= 1
    path.write_bytes(data)
    assert refusal(lambda: saver.load_checkpoint(path)) == ("segment_digest_mismatch", "segment")
