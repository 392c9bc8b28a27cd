"""What users of other frameworks have lost when old checkpoints were deleted. See docs/peers.md."""

import errno
import os
import signal

import pytest
from recorder import Recorder, heads, saving, small
from test_checkpoint_callback import put_under

import tenuto
from tenuto.reference.checkpoint.storage import PosixStorage

WORSE = [0.1, 0.2, 0.3, 0.4, 0.5]


def trained(folder, scores=WORSE, resume="never", **settings):
    callback = saving(folder, monitor="val_score", **settings)
    small(callback, max_epochs=len(scores), script={"score": scores}).fit(resume)
    return callback


def epochs_in(folder):
    return {name: head["metadata"]["progress"]["epoch"] for name, head in heads(folder).items()}


@pytest.mark.req("CPC-KEEP-001", "CPC-KEEP-004")
def test_neither_the_newest_nor_the_best_is_deleted_for_the_other(tmp_path):
    trained(tmp_path, keep_last_n=1)
    found = epochs_in(tmp_path)
    assert found["best_model_val_score.ckpt"] == 1
    assert found["latest.ckpt"] == found["checkpoint_epoch_0005.ckpt"] == 5
    assert len({(tmp_path / name).stat().st_ino for name in found}) == 2  # what is kept twice is one file
    recorder = Recorder()
    small(recorder, saving(tmp_path, monitor="val_score"), max_epochs=6, script={"score": [*WORSE, 0.6]}).fit("auto")
    assert recorder.log[0] == ("on_train_start", (5, 0, 10))


class NoRoom(PosixStorage):
    """The disk is full from the third epoch on."""

    def create(self, path):
        if "epoch_0003" in path or "epoch_0004" in path:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().create(path)


@pytest.mark.req("CPC-KEEP-002", "CPC-ERR-001", "CPC-ERR-002")
def test_nothing_is_deleted_for_a_save_that_fails_and_the_failure_is_told(tmp_path, monkeypatch, caplog):
    put_under(monkeypatch, NoRoom())
    callback = saving(tmp_path, monitor="val_score", keep_last_n=1, save_top_k=1, max_save_failures=2)
    with pytest.raises(tenuto.CheckpointError) as caught:
        small(callback, max_epochs=5, script={"score": [0.5, 0.4, 0.3, 0.2, 0.1]}).fit()
    assert caught.value.code == "disk_full"
    assert caplog.text.count("saving failed") == 2
    found = epochs_in(tmp_path)
    assert found["checkpoint_epoch_0002.ckpt"] == found["best_model_val_score.ckpt"] == 2
    assert list(callback.best_k_models.values()) == [0.4]  # a file that was never written is in no list


class Counts(PosixStorage):
    """Looks, before each deletion, at what is whole on the disk."""

    def __init__(self, folder):
        self.folder, self.fewest = folder, 99

    def unlink(self, path):
        if path.endswith(".ckpt"):
            names = [one for one in os.listdir(self.folder) if one.startswith("checkpoint") and one.endswith(".ckpt")]
            self.fewest = min(self.fewest, len(names))
        super().unlink(path)


@pytest.mark.req("CPC-KEEP-002", "STORE-KEEP-002")
def test_the_new_file_is_there_before_the_old_one_goes(tmp_path, monkeypatch):
    counts = Counts(tmp_path)
    put_under(monkeypatch, counts)
    trained(tmp_path, keep_last_n=1)
    assert counts.fewest == 2


@pytest.mark.req("CPC-KEEP-003", "TR-RES-015")
def test_a_run_resumed_in_a_new_folder_deletes_nothing_of_the_old_one(tmp_path):
    trained(tmp_path / "old", WORSE[:3])
    before = {path.name: path.stat() for path in (tmp_path / "old").iterdir()}
    trained(tmp_path / "new", WORSE, tmp_path / "old" / "checkpoint_epoch_0003.ckpt", keep_last_n=1)
    assert {path.name: path.stat() for path in (tmp_path / "old").iterdir()} == before
    assert "checkpoint_epoch_0005.ckpt" in epochs_in(tmp_path / "new")


@pytest.mark.req("CPC-KEEP-003")
def test_files_that_are_not_of_the_run_are_never_touched(tmp_path):
    for name in ("lastly.ckpt", "notes.txt", "checkpoint_epoch_0001.pt"):
        (tmp_path / name).write_text("mine")
    small(saving(tmp_path / "other", save_best=False), max_epochs=1).fit()
    (tmp_path / "other" / "checkpoint_epoch_0001.ckpt").rename(tmp_path / "of_another_run.ckpt")
    with pytest.raises(tenuto.ConfigError):  # a folder with checkpoints of another run is refused, not cleaned up
        trained(tmp_path, keep_last_n=1)
    assert (tmp_path / "of_another_run.ckpt").exists()
    (tmp_path / "of_another_run.ckpt").unlink()
    (tmp_path / "lastly.ckpt").rename(tmp_path / "lastly.bin")
    trained(tmp_path, keep_last_n=1)
    assert {path.name for path in tmp_path.iterdir()} >= {"lastly.bin", "notes.txt", "checkpoint_epoch_0001.pt"}


@pytest.mark.req("CPC-KEEP-001", "TR-RES-019")
def test_after_a_resume_the_files_of_before_still_count(tmp_path):
    trained(tmp_path, WORSE[:3], keep_last_n=2, save_best=False)
    trained(tmp_path, WORSE, "auto", keep_last_n=2, save_best=False)
    names = [name for name in epochs_in(tmp_path) if name.startswith("checkpoint")]
    # of the first attempt the one resumed from is left, which is protected while its attempt lasts
    assert names == [f"checkpoint_epoch_000{epoch}.ckpt" for epoch in (3, 4, 5)]


@pytest.mark.req("STORE-SAVE-009", "CPC-KEEP-001")
def test_what_a_killed_save_has_left_takes_no_place_among_those_that_are_kept(tmp_path):
    trained(tmp_path, WORSE[:3], keep_last_n=2, save_best=False)
    (run_id,) = {head["metadata"]["origin"]["run_id"] for head in heads(tmp_path).values()}
    (tmp_path / f".{run_id}.checkpoint_epoch_0004.ckpt.tmp").write_bytes(b"half a checkpoint")
    trained(tmp_path, WORSE[:4], "auto", keep_last_n=2, save_best=False)
    assert [name for name in epochs_in(tmp_path) if name.startswith("checkpoint")] == [
        "checkpoint_epoch_0003.ckpt",
        "checkpoint_epoch_0004.ckpt",
    ]


@pytest.mark.req("CB-HOOK-004", "CB-HOOK-010")
def test_every_file_is_announced_when_it_is_there_and_when_it_is_gone(tmp_path):
    """What a store of artifacts needs, to hold neither too many uploads nor too few."""
    held = set()

    def saved(context):
        assert tenuto.verify_checkpoint(context.saved.path)
        held.update(context.saved.names)

    def deleted(context):
        assert not os.path.exists(context.deleted.path)
        held.discard(os.path.basename(context.deleted.path))

    recorder = Recorder(on_checkpoint_saved=saved, on_checkpoint_deleted=deleted)
    callback = saving(tmp_path, monitor="val_score", save_every_steps=1, keep_last_n=2, save_top_k=2)
    small(recorder, callback, max_epochs=5, script={"score": [0.5, 0.4, 0.6, 0.3, 0.2]}).fit()
    assert held == set(heads(tmp_path))


@pytest.mark.req("CPC-ERR-003", "CPC-KEEP-004", "TR-FAIL-004")
def test_emergency_saves_do_not_pile_up_where_old_checkpoints_are_deleted(tmp_path):
    def interrupt(_):
        os.kill(os.getpid(), signal.SIGTERM)

    for _ in range(4):
        recorder = Recorder(on_batch_end=interrupt)
        with pytest.raises(tenuto.TrainingInterrupted):
            small(recorder, saving(tmp_path, keep_last_n=1, save_best=False), max_epochs=5).fit("auto")
    small(saving(tmp_path, keep_last_n=1, save_best=False), max_epochs=5).fit("auto")
    parent = "emergency_epoch_0001_step_00000004.ckpt"  # of the attempt that lasts
    assert sorted(heads(tmp_path)) == ["checkpoint_epoch_0005.ckpt", parent, "latest.ckpt"]
