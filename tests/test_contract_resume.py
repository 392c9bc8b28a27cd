"""Resuming by the contract, on the reference workload: what is taken, refused, and left alone."""

from __future__ import annotations

import signal

import pytest
from recorder import Recorder, heads, refusal, rewrite, saving, set_in, small

from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.errors import RestoreError, TrainingInterrupted


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
def test_what_is_no_training_state_is_not_resumable(finished_run, change):
    rewrite(finished_run / "latest.ckpt", change, "odd.ckpt")
    recorder = Recorder()
    trainer = small(recorder)
    before = trainer.capture_state().head["model_state"]
    assert refusal(lambda: trainer.fit(finished_run / "odd.ckpt")) == ("not_resumable", "restore")
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
def test_further_keys_of_a_callback_state_are_ignored(tmp_path):
    small(saving(tmp_path), script={"loss": [0.5, 0.4]}).fit()

    def change(head):
        state = head["callback_state"]["CheckpointCallback"]
        for one in (state, state["best"]["val_loss"], state["best"]["val_loss"]["entries"][0]):
            one["extra"] = 1

    rewrite(tmp_path / "latest.ckpt", change, "odd.ckpt")
    small(saving(tmp_path), max_epochs=3, script={"loss": [0.5, 0.4, 0.6]}).fit(tmp_path / "odd.ckpt")
    assert heads(tmp_path)["latest.ckpt"]["callback_state"]["CheckpointCallback"]["best"] == {
        "val_loss": {
            "mode": "min",
            "entries": [{"value": 0.4, "epoch": 2, "step": 4, "file": "best_model_val_loss.ckpt"}],
        }
    }


@pytest.mark.req("CPC-STATE-005")
@pytest.mark.parametrize("state", [{}, {"last_epoch": 1, "last_step": 0, "best": []}, {"last_epoch": "1"}])
def test_a_callback_state_of_another_form_is_refused(finished_run, state):
    rewrite(finished_run / "latest.ckpt", set_in("callback_state", "CheckpointCallback", to=state), "odd.ckpt")
    trainer = small(saving(finished_run, save_best=False), max_epochs=3)
    assert refusal(lambda: trainer.fit(finished_run / "odd.ckpt")) == ("not_resumable", "restore")


@pytest.mark.req("TR-REST-007", "TR-REST-015", "RW-STATE-008")
def test_every_difference_is_listed_with_its_path_in_order(finished_run):
    with pytest.raises(RestoreError) as caught:
        small(hidden=5, lr=0.1).fit(finished_run / "latest.ckpt")
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
def test_a_run_that_is_extended_ends_like_a_longer_one(finished_run, tmp_path):
    small(saving(finished_run, save_best=False), max_epochs=4).fit("auto")
    small(saving(tmp_path / "long", save_best=False), max_epochs=4).fit()
    ends = [heads(place)["latest.ckpt"] for place in (finished_run, tmp_path / "long")]
    for head in ends:
        head["metadata"] = {key: value for key, value in head["metadata"].items() if key != "origin"}
    weights = [{name: bytes(value.data) for name, value in head.pop("model_state").items()} for head in ends]
    states = [head.pop("optimizer_state") for head in ends]
    assert weights[0] == weights[1]
    assert len(states[0]["optimizer"]["state"]) == 4
    assert ends[0] == ends[1]


@pytest.mark.req("TR-REST-016", "GEN-VER-002")
def test_unknown_keys_are_read_over_and_not_carried_on(finished_run):
    rewrite(finished_run / "latest.ckpt", set_in("later", to={"a": 1}), "odd.ckpt")
    for name in ("checkpoint_epoch_0001.ckpt", "checkpoint_epoch_0002.ckpt", "latest.ckpt"):
        (finished_run / name).unlink()
    small(saving(finished_run, save_best=False), max_epochs=3).fit("auto")
    assert "later" not in heads(finished_run)["checkpoint_epoch_0003.ckpt"]
    assert heads(finished_run)["odd.ckpt"]["later"] == {"a": 1}


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
def test_with_nothing_left_to_do_the_state_resumed_from_is_saved_already(finished_run):
    before = {path.name: path.stat().st_ino for path in finished_run.iterdir()}
    small(saving(finished_run, save_best=False)).fit("auto")
    assert {path.name: path.stat().st_ino for path in finished_run.iterdir()} == before


@pytest.mark.req("CPC-WHEN-009", "CPC-CALL-008")
@pytest.mark.parametrize("hook", ["on_train_start", "on_train_end"])
def test_an_inexact_save_by_hand_does_not_stand_for_the_exact_final_one(finished_run, hook):
    saver = saving(finished_run, save_best=False)
    observer = Recorder(**{hook: lambda _: saver.save_checkpoint(trainer)})
    trainer = small(observer, saver)
    trainer.fit("auto")
    head = heads(finished_run)["checkpoint_epoch_0002.ckpt"]["metadata"]
    assert (head["exact"], head["origin"]["reasons"]) == (True, ["train_end"])


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


@pytest.mark.req("TR-REST-017")
def test_after_an_inexact_restore_the_next_boundary_is_exact_again(finished_run, tmp_path):
    rewrite(finished_run / "latest.ckpt", set_in("metadata", "exact", to=False), "odd.ckpt")
    trainer = small(saving(tmp_path / "new", save_best=False), max_epochs=3)
    report = trainer.restore_state(read_checkpoint(finished_run / "odd.ckpt"))
    assert report.exact is False
    assert trainer.capture_state().head["metadata"]["exact"] is False
    trainer.fit()
    assert heads(tmp_path / "new")["checkpoint_epoch_0003.ckpt"]["metadata"]["exact"] is True


@pytest.mark.req("TR-RES-008")
def test_an_inexact_state_never_takes_the_place_of_the_exact_one_resumed_from(tmp_path):
    def stop(_):
        signal.raise_signal(signal.SIGTERM)

    with pytest.raises(TrainingInterrupted):
        small(Recorder(on_batch_end=stop), saving(tmp_path, save_best=False)).fit()
    name = "emergency_epoch_0000_step_00000001"
    whole = (tmp_path / f"{name}.ckpt").read_bytes()

    def fail(_):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        small(Recorder(on_batch_start=fail), saving(tmp_path, save_best=False)).fit("auto")
    assert (tmp_path / f"{name}_attempt1.ckpt").read_bytes() == whole
    assert heads(tmp_path)[f"{name}.ckpt"]["metadata"]["exact"] is False
    assert small(saving(tmp_path, save_best=False)).fit("auto").progress.epoch == 2
