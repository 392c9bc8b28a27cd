"""Which checkpoint a run continues from, and what is said about the others."""

import shutil
from pathlib import Path

import pytest
from small_job import Recorder, make_trainer

import tenuto
from tenuto.reference.checkpoint.compare import first_difference
from tenuto.reference.checkpoint.ledger import read_ledger


def damage(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()  # another inode: best and latest may be names of the same file
    path.write_bytes(data)


def stopped_at(folder, step, **settings):
    """Trains until a step and leaves without a final save."""
    recorder = Recorder(at=("on_batch_end", step), act=lambda context: context.request_stop("here"))
    make_trainer(folder, [recorder], save_on_train_end=False, **settings).fit()


def position(folder, name):
    return tenuto.read_checkpoint(Path(folder) / name).head["metadata"]["progress"]["global_step"]


@pytest.fixture
def finished(tmp_path):
    make_trainer(tmp_path / "whole", save_every_steps=3).fit()
    return tenuto.read_checkpoint(tmp_path / "whole" / "checkpoint_epoch_0003.ckpt")


def resumed_step(folder, **settings):
    """Resumes and returns the step that training continued from."""
    recorder = Recorder()
    make_trainer(folder, [recorder], save_every_steps=3, **settings).fit(resume="auto")
    return recorder.log[0][2]


@pytest.mark.req("TR-RES-001", "STORE-NAME-004")
def test_auto_takes_the_newest_by_its_head_not_by_name_time_or_link(tmp_path, finished):
    folder = tmp_path / "run"
    stopped_at(folder, 7, save_every_steps=3)
    newest = folder / "checkpoint_epoch_0001_step_00000006.ckpt"
    newest.rename(folder / "aaa.ckpt")
    (folder / "checkpoint_epoch_0001.ckpt").touch()
    shutil.copy(folder / "checkpoint_epoch_0000_step_00000003.ckpt", folder / "checkpoint_epoch_0009.ckpt")
    (folder / "latest.ckpt").unlink()
    (folder / "latest.ckpt").symlink_to("checkpoint_epoch_0000_step_00000003.ckpt")
    assert resumed_step(folder) == 6
    assert first_difference(finished, tenuto.read_checkpoint(folder / "checkpoint_epoch_0003.ckpt")) is None


@pytest.mark.req("TR-RES-002", "TR-RES-001")
def test_auto_walks_back_over_damaged_files_and_names_each(tmp_path, caplog):
    folder = tmp_path / "run"
    stopped_at(folder, 7, save_every_steps=3, latest="none", save_best=False)
    damage(folder / "checkpoint_epoch_0001_step_00000006.ckpt")
    (folder / "checkpoint_epoch_0001.ckpt").write_bytes(b"")
    assert resumed_step(folder, latest="none", save_best=False) == 3
    assert "checkpoint_epoch_0001_step_00000006.ckpt" in caplog.text
    assert "segment_digest_mismatch" in caplog.text or "head_digest_mismatch" in caplog.text
    assert "checkpoint_epoch_0001.ckpt" in caplog.text
    assert "file_too_small" in caplog.text


@pytest.mark.req("TR-RES-002", "TR-FAIL-007")
def test_auto_passes_over_a_state_that_is_not_exact(tmp_path, caplog):
    folder = tmp_path / "run"
    trainer = make_trainer(folder, save_every_steps=3)
    calls = iter(range(99))

    def fail(*_):
        if next(calls) == 7:
            raise RuntimeError("boom")

    trainer.workload._updater.optimizers["optimizer"].register_step_post_hook(fail)
    with pytest.raises(RuntimeError):
        trainer.fit()
    assert list(folder.glob("emergency_*"))
    assert resumed_step(folder) == 6
    assert "not exact" in caplog.text


@pytest.mark.req("TR-RES-003")
def test_auto_starts_fresh_where_nothing_is_and_fails_where_nothing_is_usable(tmp_path, caplog):
    with caplog.at_level("INFO"):
        assert resumed_step(tmp_path / "run") == 0
    assert "starting fresh" in caplog.text
    for path in (tmp_path / "run").glob("*.ckpt"):
        path.unlink()
        path.write_bytes(b"garbage" * 100)
    with pytest.raises(tenuto.CheckpointError) as caught:
        make_trainer(tmp_path / "run").fit(resume="auto")
    assert caught.value.code == "no_usable_checkpoint"


@pytest.mark.req("TR-RES-004")
def test_a_path_that_is_missing_or_damaged_is_an_error(tmp_path):
    stopped_at(tmp_path / "run", 7, save_every_steps=3)
    with pytest.raises(tenuto.CheckpointError) as caught:
        make_trainer(tmp_path / "other").fit(resume=tmp_path / "nope.ckpt")
    assert caught.value.code == "file_not_found"
    point = tmp_path / "run" / "checkpoint_epoch_0001_step_00000006.ckpt"
    damage(point)
    with pytest.raises(tenuto.CheckpointError):
        make_trainer(tmp_path / "other").fit(resume=point)
    assert not (tmp_path / "other").exists()


@pytest.mark.req("TR-RES-005")
def test_a_fresh_start_in_a_used_folder_is_refused_with_advice(tmp_path):
    make_trainer(tmp_path).fit()
    with pytest.raises(tenuto.ConfigError, match="--resume auto") as caught:
        make_trainer(tmp_path).fit()
    assert caught.value.code == "directory_in_use"


@pytest.mark.req("TR-RES-006")
def test_several_runs_in_one_folder_are_ambiguous(tmp_path):
    for name in "ab":
        make_trainer(tmp_path / name).fit()
    shutil.copy(tmp_path / "b" / "checkpoint_epoch_0001.ckpt", tmp_path / "a" / "from_b.ckpt")
    with pytest.raises(tenuto.ConfigError) as caught:
        make_trainer(tmp_path / "a").fit(resume="auto")
    assert caught.value.code == "ambiguous_run"


@pytest.mark.req("TR-RES-007", "TR-STATE-003", "TR-STATE-004", "TR-STATE-002")
def test_attempts_count_up_and_name_their_parent(tmp_path):
    stopped_at(tmp_path, 7, save_every_steps=3)
    parent = tenuto.read_checkpoint(tmp_path / "checkpoint_epoch_0001_step_00000006.ckpt").head["metadata"]["origin"]
    make_trainer(tmp_path).fit(resume="auto")
    metadata = tenuto.read_checkpoint(tmp_path / "checkpoint_epoch_0003.ckpt").head["metadata"]
    origin = metadata["origin"]
    assert (parent["attempt"], parent["parent"], origin["attempt"]) == (1, None, 2)
    assert origin["parent"] == parent["checkpoint_id"]
    assert origin["run_id"] == parent["run_id"]
    assert set(origin) == {
        "checkpoint_id",
        "run_id",
        "attempt",
        "parent",
        "lineage",
        "timestamp",
        "producer",
        "reasons",
        "elapsed_seconds",
        "trigger",
    }
    assert origin["reasons"] == ["periodic", "best"]
    assert set(metadata) == {"progress", "metrics", "best", "config", "architecture", "exact", "kind", "origin"}
    assert len(bytes.fromhex(origin["checkpoint_id"])) == 16


@pytest.mark.req("TR-RES-008", "STORE-NAME-003", "TR-RES-007")
def test_superseded_files_are_moved_aside_never_deleted_never_chosen(tmp_path, finished):
    folder = tmp_path / "run"
    make_trainer(folder, save_every_steps=3).fit()
    old = (folder / "checkpoint_epoch_0002.ckpt").read_bytes()
    make_trainer(folder, save_every_steps=3, keep_last_n=1).fit(resume=folder / "checkpoint_epoch_0001.ckpt")
    assert (folder / "checkpoint_epoch_0002_attempt1.ckpt").read_bytes() == old
    assert first_difference(finished, tenuto.read_checkpoint(folder / "checkpoint_epoch_0003.ckpt")) is None
    first = read_ledger(str(folder)).newest_first()[0]
    assert (first.attempt, first.position) == (2, (3, 0, 12))


@pytest.mark.req("STORE-SAVE-009")
def test_the_next_attempt_removes_left_over_temporary_files_of_its_run_alone(tmp_path):
    stopped_at(tmp_path, 7, save_every_steps=3)
    run_id = read_ledger(str(tmp_path)).run_ids()[0]
    mine, other = tmp_path / f".{run_id}.x.ckpt.abcd.tmp", tmp_path / ".another.x.ckpt.abcd.tmp"
    mine.write_bytes(b"half")
    other.write_bytes(b"half")
    make_trainer(tmp_path).fit(resume="auto")
    assert not mine.exists()
    assert other.exists()
