"""Resuming by the contract, on the reference workload: what is taken, refused, and left alone."""

from __future__ import annotations

import logging
import shutil

import pytest
from recorder import Recorder, heads, saving, small

from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.store import write_checkpoint
from tenuto.reference.errors import CheckpointError, ConfigError, RestoreError, TenutoError


@pytest.fixture
def folder(tmp_path):
    """A folder with a run of two epochs."""
    small(saving(tmp_path / "run", save_best=False)).fit()
    return tmp_path / "run"


def rewrite(path, change, name=None):
    """Writes a checkpoint with something changed, under its own name or another."""
    document = read_checkpoint(path)
    change(document.head)
    write_checkpoint(path.with_name(name) if name else path, document)


def set_in(*path, to):
    def change(head):
        *way, last = path
        for key in way:
            head = head[key]
        head[last] = to

    return change


def refusal(call):
    with pytest.raises(TenutoError) as caught:
        call()
    return caught.value.code, caught.value.phase


@pytest.mark.req("TR-REST-014", "TR-STATE-020")
@pytest.mark.parametrize(
    "change",
    [
        set_in("metadata", "progress", to={"epoch": 1}),
        set_in("metadata", "progress", to={"epoch": -1, "global_step": 0, "batch_in_epoch": 0}),
        set_in("metadata", "progress", to={"epoch": "1", "global_step": 0, "batch_in_epoch": 0}),
        set_in("metadata", "progress", to=[1, 2, 3]),
        set_in("metadata", "origin", to={}),
        set_in("metadata", "origin", "run_id", to="../run"),
        set_in("metadata", "origin", "run_id", to=""),
        set_in("metadata", "origin", "run_id", to=".hidden"),
        set_in("metadata", "origin", "run_id", to="a" * 65),
        set_in("metadata", "origin", "run_id", to=7),
    ],
)
def test_what_is_no_training_state_is_not_resumable(folder, change):
    rewrite(folder / "latest.ckpt", change, "odd.ckpt")
    recorder = Recorder()
    trainer = small(recorder)
    before = trainer.capture_state().head["model_state"]
    assert refusal(lambda: trainer.fit(folder / "odd.ckpt")) == ("not_resumable", "restore")
    assert recorder.log == []
    after = trainer.capture_state().head["model_state"]
    assert {name: bytes(value.data) for name, value in after.items()} == {
        name: bytes(value.data) for name, value in before.items()
    }


@pytest.mark.req("CPC-STATE-005")
@pytest.mark.parametrize(
    "entry",
    [
        {"file": "../outside.ckpt"},
        {"file": "/tmp/outside.ckpt"},  # noqa: S108 - a hostile name, never opened
        {"file": ".hidden.ckpt"},
        {"file": "best.pt"},
        {"file": 3},
        {"value": "0.5"},
        {"epoch": -1},
        {"step": True},
        {"extra": 1},
    ],
)
def test_a_callback_state_that_leads_out_of_the_folder_is_refused(tmp_path, entry):
    small(saving(tmp_path / "run"), script={"loss": [0.5, 0.4]}).fit()

    def change(head):
        best = head["callback_state"]["CheckpointCallback"]["best"]["val_loss"]["entries"]
        best[0].update(entry)

    rewrite(tmp_path / "run" / "latest.ckpt", change, "odd.ckpt")
    outside = sorted(path.name for path in tmp_path.iterdir())
    trainer = small(saving(tmp_path / "run"), max_epochs=3)
    assert refusal(lambda: trainer.fit(tmp_path / "run" / "odd.ckpt")) == ("not_resumable", "restore")
    assert sorted(path.name for path in tmp_path.iterdir()) == outside


@pytest.mark.req("CPC-STATE-005")
@pytest.mark.parametrize("state", [{}, {"last_epoch": 1, "last_step": 0, "best": []}, {"last_epoch": "1"}])
def test_a_callback_state_of_another_form_is_refused(folder, state):
    rewrite(folder / "latest.ckpt", set_in("callback_state", "CheckpointCallback", to=state), "odd.ckpt")
    trainer = small(saving(folder, save_best=False), max_epochs=3)
    assert refusal(lambda: trainer.fit(folder / "odd.ckpt")) == ("not_resumable", "restore")


@pytest.mark.req("TR-REST-007", "TR-REST-015", "RW-STATE-008")
def test_every_difference_is_listed_with_its_path_in_order(folder):
    with pytest.raises(RestoreError) as caught:
        small(hidden=5, lr=0.1).fit(folder / "latest.ckpt")
    paths = [mismatch.partition(": ")[0] for mismatch in caught.value.mismatches]
    assert caught.value.code == "state_mismatch"
    assert paths == sorted(paths, key=str.encode)
    assert {
        "metadata.config.hidden",
        "metadata.config.lr",
        "model_state.layer1.weight",
        "model_state.layer2.weight",
        "optimizer_state.optimizer.state[0].momentum_buffer",
    } <= set(paths)


@pytest.mark.req("TR-REST-008", "TR-RES-009")
def test_a_run_that_is_extended_ends_like_a_longer_one(folder, tmp_path):
    small(saving(folder, save_best=False), max_epochs=4).fit("auto")
    small(saving(tmp_path / "long", save_best=False), max_epochs=4).fit()
    ends = [heads(place)["latest.ckpt"] for place in (folder, tmp_path / "long")]
    for head in ends:
        head["metadata"] = {key: value for key, value in head["metadata"].items() if key != "origin"}
    weights = [{name: bytes(value.data) for name, value in head.pop("model_state").items()} for head in ends]
    states = [head.pop("optimizer_state") for head in ends]
    assert weights[0] == weights[1]
    assert len(states[0]["optimizer"]["state"]) == 4
    assert ends[0] == ends[1]


@pytest.mark.req("TR-REST-016", "GEN-VER-002")
def test_unknown_keys_are_read_over_and_not_carried_on(folder):
    rewrite(folder / "latest.ckpt", set_in("later", to={"a": 1}), "odd.ckpt")
    for name in ("checkpoint_epoch_0001.ckpt", "checkpoint_epoch_0002.ckpt", "latest.ckpt"):
        (folder / name).unlink()
    small(saving(folder, save_best=False), max_epochs=3).fit("auto")
    assert "later" not in heads(folder)["checkpoint_epoch_0003.ckpt"]
    assert heads(folder)["odd.ckpt"]["later"] == {"a": 1}


def damage(path):
    whole = path.read_bytes()
    path.unlink()  # another name of the same file stays whole
    path.write_bytes(whole[:-1] + b"\x00")


@pytest.mark.req("TR-RES-012")
@pytest.mark.parametrize("bad", ["checkpoint_epoch_0002.ckpt", "latest.ckpt"])
def test_one_damaged_copy_of_two_does_not_matter(folder, bad):
    whole = (folder / "checkpoint_epoch_0002.ckpt").read_bytes()
    (folder / "latest.ckpt").unlink()
    (folder / "latest.ckpt").write_bytes(whole)
    damage(folder / bad)
    result = small(saving(folder, save_best=False)).fit("auto")
    assert (result.progress.epoch, result.run.attempt) == (2, 2)


@pytest.mark.req("TR-RES-013")
def test_weights_and_temporary_files_are_passed_over_without_a_word(folder, caplog):
    rewrite(folder / "latest.ckpt", set_in("metadata", "kind", to="weights"), "final_model.ckpt")
    (folder / ".other.checkpoint.0.tmp").write_bytes(b"cut")
    (folder / "quarantine").mkdir()
    shutil.copy(folder / "latest.ckpt", folder / "quarantine" / "old.ckpt")
    with caplog.at_level(logging.WARNING, "tenuto"):
        small(saving(folder, save_best=False), max_epochs=3).fit("auto")
    assert [record.message for record in caplog.records if "passing over" in record.message] == []


@pytest.mark.req("TR-RES-002")
def test_an_inexact_file_is_named_with_its_code(folder, caplog):
    rewrite(folder / "checkpoint_epoch_0002.ckpt", set_in("metadata", "exact", to=False))
    (folder / "latest.ckpt").unlink()
    with caplog.at_level(logging.WARNING, "tenuto"):
        result = small(saving(folder, save_best=False)).fit("auto")
    assert any("checkpoint_epoch_0002.ckpt" in r.message and "inexact_state" in r.message for r in caplog.records)
    assert result.progress.epoch == 2


@pytest.mark.req("TR-RES-014")
def test_a_path_may_be_a_folder(folder, tmp_path):
    assert small().fit(folder).run.attempt == 2
    (tmp_path / "empty").mkdir()
    assert refusal(lambda: small().fit(tmp_path / "empty")) == ("no_usable_checkpoint", "restore")


@pytest.mark.req("TR-RES-015")
def test_a_run_resumed_from_elsewhere_saves_in_its_own_folder(folder, tmp_path):
    run_id = heads(folder)["latest.ckpt"]["metadata"]["origin"]["run_id"]
    small(saving(tmp_path / "new", save_best=False), max_epochs=3).fit(folder / "latest.ckpt")
    assert heads(tmp_path / "new")["checkpoint_epoch_0003.ckpt"]["metadata"]["origin"]["run_id"] == run_id
    assert not (folder / "checkpoint_epoch_0003.ckpt").exists()
    small(saving(tmp_path / "other", save_best=False), max_epochs=1).fit()
    into_other = small(saving(tmp_path / "other", save_best=False), max_epochs=3)
    assert refusal(lambda: into_other.fit(folder / "latest.ckpt")) == ("directory_in_use", "config")


@pytest.mark.req("TR-RES-016")
def test_auto_needs_a_folder():
    assert refusal(lambda: small().fit("auto")) == ("no_checkpoint_dir", "config")


@pytest.mark.req("TR-RES-018")
def test_names_in_the_way_are_freed(folder):
    damage(folder / "checkpoint_epoch_0002.ckpt")
    (folder / "latest.ckpt").unlink()
    broken = (folder / "checkpoint_epoch_0002.ckpt").read_bytes()
    (folder / "checkpoint_epoch_0002_damaged.ckpt").write_bytes(b"taken")
    small(saving(folder, save_best=False)).fit("auto")
    assert (folder / "checkpoint_epoch_0002_damaged_2.ckpt").read_bytes() == broken
    assert (folder / "checkpoint_epoch_0002_damaged.ckpt").read_bytes() == b"taken"
    assert heads_of_whole(folder / "checkpoint_epoch_0002.ckpt")["metadata"]["origin"]["attempt"] == 2


def heads_of_whole(path):
    return read_checkpoint(path).head


@pytest.mark.req("TR-RES-020")
def test_a_state_that_does_not_fit_is_no_reason_to_take_an_older_one(folder):
    before = sorted(path.name for path in folder.iterdir())
    trainer = small(saving(folder, save_best=False), hidden=5)
    assert refusal(lambda: trainer.fit("auto")) == ("state_mismatch", "restore")
    assert sorted(path.name for path in folder.iterdir()) == before


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


@pytest.mark.req("TR-STATE-011", "TR-STATE-015", "RW-OPT-002")
def test_a_state_before_the_first_update():
    head = small().capture_state().head
    assert head["optimizer_state"]["optimizer"]["state"] == []
    assert head["scheduler_state"] == {}
    assert head["metadata"]["progress"] == {"epoch": 0, "global_step": 0, "batch_in_epoch": 0}
    assert head["trainer_state"] == {"sums": {}}


@pytest.mark.req("CPC-NAME-006", "STORE-DIR-004")
def test_second_names_are_made_good_in_a_folder_that_was_moved(tmp_path):
    script = {"loss": [0.4, 0.5, 0.3]}
    small(saving(tmp_path / "a"), script=script).fit()
    (tmp_path / "a").rename(tmp_path / "b")
    (tmp_path / "b" / "best_model_val_loss.ckpt").unlink()
    (tmp_path / "b" / "latest.ckpt").unlink()
    saver = saving(tmp_path / "b", keep_last_n=1)
    seen = []

    def look(_):
        seen.extend(sorted(path.name for path in (tmp_path / "b").glob("[bl]*.ckpt")))

    small(saver, Recorder(on_epoch_start=look), max_epochs=3, script=script).fit("auto")
    assert seen == ["best_model_val_loss.ckpt", "latest.ckpt"]
    assert heads(tmp_path / "b")["best_model_val_loss.ckpt"]["metadata"]["progress"]["epoch"] == 3


@pytest.mark.req("CPC-WHEN-009")
def test_with_nothing_left_to_do_the_state_resumed_from_is_saved_already(folder):
    before = {path.name: path.stat().st_ino for path in folder.iterdir()}
    small(saving(folder, save_best=False)).fit("auto")
    assert {path.name: path.stat().st_ino for path in folder.iterdir()} == before


@pytest.mark.req("TR-LOOP-017", "TR-FAIL-011", "TR-FAIL-014")
@pytest.mark.parametrize(
    ("hook", "name"), [("on_batch_end", "0000_step_00000001"), ("on_epoch_end", "0001_step_00000002")]
)
def test_what_was_counted_when_a_hook_failed(tmp_path, hook, name):
    def fail(_):
        raise RuntimeError

    seen = []
    observer = Recorder(**{hook: fail, "on_exception": lambda context: seen.append((context.progress, context.exact))})
    with pytest.raises(RuntimeError):
        small(observer, saving(tmp_path, save_best=False)).fit()
    head = heads(tmp_path)[f"emergency_epoch_{name}.ckpt"]
    ((progress, exact),) = seen
    assert head["metadata"]["progress"] == {
        "epoch": progress.epoch,
        "global_step": progress.global_step,
        "batch_in_epoch": progress.batch_in_epoch,
    }
    assert (exact, head["metadata"]["exact"]) == (False, False)
