"""Which checkpoint of a folder is taken, and what becomes of the others, on the reference workload."""

from __future__ import annotations

import logging
import shutil

import pytest
from recorder import heads, refusal, rewrite, saving, set_in, small

from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.errors import CheckpointError, ConfigError


def damage(path):
    whole = path.read_bytes()
    path.unlink()  # another name of the same file stays whole
    path.write_bytes(whole[:-1] + b"\x00")


@pytest.mark.req("TR-RES-012")
@pytest.mark.parametrize("bad", ["checkpoint_epoch_0002.ckpt", "latest.ckpt"])
def test_one_damaged_copy_of_two_does_not_matter(finished_run, bad):
    whole = (finished_run / "checkpoint_epoch_0002.ckpt").read_bytes()
    (finished_run / "latest.ckpt").unlink()
    (finished_run / "latest.ckpt").write_bytes(whole)
    damage(finished_run / bad)
    result = small(saving(finished_run, save_best=False)).fit("auto")
    assert (result.progress.epoch, result.run.attempt) == (2, 2)


@pytest.mark.req("TR-RES-013")
def test_weights_and_temporary_files_are_passed_over_without_a_word(finished_run, caplog):
    rewrite(finished_run / "latest.ckpt", set_in("metadata", "kind", to="weights"), "final_model.ckpt")
    (finished_run / ".other.checkpoint.0.tmp").write_bytes(b"cut")
    (finished_run / "quarantine").mkdir()
    shutil.copy(finished_run / "latest.ckpt", finished_run / "quarantine" / "old.ckpt")
    with caplog.at_level(logging.WARNING, "tenuto"):
        small(saving(finished_run, save_best=False), max_epochs=3).fit("auto")
    assert [record.message for record in caplog.records if "passing over" in record.message] == []


@pytest.mark.req("TR-RES-002")
def test_an_inexact_file_is_named_with_its_code(finished_run, caplog):
    rewrite(finished_run / "checkpoint_epoch_0002.ckpt", set_in("metadata", "exact", to=False))
    (finished_run / "latest.ckpt").unlink()
    with caplog.at_level(logging.WARNING, "tenuto"):
        result = small(saving(finished_run, save_best=False)).fit("auto")
    assert any("checkpoint_epoch_0002.ckpt" in r.message and "inexact_state" in r.message for r in caplog.records)
    assert result.progress.epoch == 2


@pytest.mark.req("TR-RES-014")
def test_a_path_may_be_a_folder(finished_run, tmp_path):
    assert small().fit(finished_run).run.attempt == 2
    (tmp_path / "empty").mkdir()
    assert refusal(lambda: small().fit(tmp_path / "empty")) == ("no_usable_checkpoint", "restore")


@pytest.mark.req("TR-RES-015")
def test_a_run_resumed_from_elsewhere_saves_in_its_own_folder(finished_run, tmp_path):
    run_id = heads(finished_run)["latest.ckpt"]["metadata"]["origin"]["run_id"]
    small(saving(tmp_path / "new", save_best=False), max_epochs=3).fit(finished_run / "latest.ckpt")
    assert heads(tmp_path / "new")["checkpoint_epoch_0003.ckpt"]["metadata"]["origin"]["run_id"] == run_id
    assert not (finished_run / "checkpoint_epoch_0003.ckpt").exists()
    small(saving(tmp_path / "other", save_best=False), max_epochs=1).fit()
    into_other = small(saving(tmp_path / "other", save_best=False), max_epochs=3)
    assert refusal(lambda: into_other.fit(finished_run / "latest.ckpt")) == ("directory_in_use", "config")


@pytest.mark.req("TR-RES-016")
def test_auto_needs_a_folder():
    assert refusal(lambda: small().fit("auto")) == ("no_checkpoint_dir", "config")


@pytest.mark.req("TR-RES-018")
def test_names_in_the_way_are_freed(finished_run):
    damage(finished_run / "checkpoint_epoch_0002.ckpt")
    (finished_run / "latest.ckpt").unlink()
    broken = (finished_run / "checkpoint_epoch_0002.ckpt").read_bytes()
    (finished_run / "checkpoint_epoch_0002_damaged.ckpt").write_bytes(b"taken")
    small(saving(finished_run, save_best=False)).fit("auto")
    assert (finished_run / "checkpoint_epoch_0002_damaged_2.ckpt").read_bytes() == broken
    assert (finished_run / "checkpoint_epoch_0002_damaged.ckpt").read_bytes() == b"taken"
    assert heads_of_whole(finished_run / "checkpoint_epoch_0002.ckpt")["metadata"]["origin"]["attempt"] == 2


def heads_of_whole(path):
    return read_checkpoint(path).head


@pytest.mark.req("TR-RES-020")
def test_a_state_that_does_not_fit_is_no_reason_to_take_an_older_one(finished_run):
    before = sorted(path.name for path in finished_run.iterdir())
    trainer = small(saving(finished_run, save_best=False), hidden=5)
    assert refusal(lambda: trainer.fit("auto")) == ("state_mismatch", "restore")
    assert sorted(path.name for path in finished_run.iterdir()) == before


@pytest.mark.req("TR-RES-021")
def test_what_counts_as_a_checkpoint_in_a_folder(tmp_path):
    (tmp_path / "junk.ckpt").write_bytes(b"no checkpoint")
    trainer = small(saving(tmp_path, save_best=False))
    with pytest.raises(ConfigError) as caught:
        trainer.fit()
    assert caught.value.code == "directory_in_use"
    with pytest.raises(CheckpointError) as refused:
        trainer.fit("auto")
    assert refused.value.code == "no_usable_checkpoint"
    (tmp_path / "junk.ckpt").rename(tmp_path / "junk.bin")
    assert trainer.fit().progress.epoch == 2


@pytest.mark.req("TR-RES-023")
def test_a_file_of_no_training_counts_as_damaged(finished_run, caplog):
    rewrite(finished_run / "latest.ckpt", set_in("metadata", "origin", to={}), "other.ckpt")
    with caplog.at_level(logging.WARNING, "tenuto"):
        assert small(saving(finished_run, save_best=False), max_epochs=3).fit("auto").progress.epoch == 3
    assert any("other.ckpt" in record.message and "not_resumable" in record.message for record in caplog.records)


@pytest.mark.req("TR-RES-012")
def test_an_emergency_file_gives_way_to_a_periodic_one_of_the_same_state(finished_run):
    emergency = set_in("metadata", "origin", "reasons", to=["signal"])
    rewrite(finished_run / "checkpoint_epoch_0002.ckpt", emergency, "emergency_epoch_0002_step_00000004.ckpt")
    rewrite(
        finished_run / "emergency_epoch_0002_step_00000004.ckpt",
        set_in("metadata", "origin", "checkpoint_id", to="f" * 32),
    )
    parent = small(saving(finished_run, save_best=False), max_epochs=3).fit("auto").run.parent
    assert parent == heads(finished_run)["checkpoint_epoch_0002.ckpt"]["metadata"]["origin"]["checkpoint_id"]


@pytest.mark.req("STORE-DIR-001")
def test_only_files_are_checkpoints(finished_run):
    (finished_run / "a_folder.ckpt").mkdir()
    (finished_run / "nowhere.ckpt").symlink_to("missing.ckpt")
    assert small(saving(finished_run, save_best=False), max_epochs=3).fit("auto").progress.epoch == 3
    assert (finished_run / "a_folder.ckpt").is_dir()
    assert (finished_run / "nowhere.ckpt").is_symlink()
