"""Saving and resuming when something goes wrong: full disks, failing hooks, signals and calls at bad moments."""

import errno
import os
import signal

import pytest
from small_job import Recorder, make_trainer
from test_checkpoint_callback import files, put_under, saver
from test_hooks import Counting

import tenuto
from tenuto.reference.checkpoint.compare import first_difference
from tenuto.reference.checkpoint.storage import PosixStorage

FINAL = "checkpoint_epoch_0003.ckpt"


def no_space(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FullFor(PosixStorage):
    """Has no room for files whose name holds a text."""

    def __init__(self, text):
        self.text = text

    def create(self, path):
        return no_space() if self.text in path else super().create(path)


@pytest.mark.req("CB-ORDER-004")
def test_two_checkpoint_callbacks_are_refused_when_the_trainer_is_made(tmp_path):
    second = tenuto.CheckpointCallback(tmp_path / "b", monitor="train_loss")
    with pytest.raises(tenuto.ConfigError) as caught:
        make_trainer(tmp_path / "a", [second])
    assert caught.value.code == "several_checkpoint_callbacks"


@pytest.mark.req("CB-STATE-002")
def test_equal_state_keys_are_refused_before_training(tmp_path):
    with pytest.raises(tenuto.ConfigError) as caught:
        make_trainer(tmp_path, [Counting(), Counting()])
    assert caught.value.code == "duplicate_state_key"


@pytest.mark.req("CPC-ERR-004", "CPC-WHEN-004")
@pytest.mark.parametrize("in_background", [False, True])
def test_a_final_save_that_fails_fails_the_run(tmp_path, monkeypatch, in_background):
    put_under(monkeypatch, FullFor("checkpoint_epoch_0003"))
    with pytest.raises(tenuto.CheckpointError) as caught:
        make_trainer(tmp_path, async_save=in_background).fit()
    assert caught.value.code == "disk_full"


@pytest.mark.req("CPC-ERR-005")
def test_after_a_failed_save_the_schedule_goes_on(tmp_path, monkeypatch):
    put_under(monkeypatch, FullFor("_step_00000003"))
    make_trainer(
        tmp_path, save_every_steps=3, save_frequency=None, save_best=False, latest="none", save_on_train_end=False
    ).fit()
    steps = [name[-13:-5] for name in files(tmp_path)]
    assert steps == ["00000006", "00000009", "00000012"]


class LinkFails(PosixStorage):
    """Fails to make one second name, once."""

    def __init__(self, text):
        self.text, self.left = text, 1

    def link(self, existing, new):
        if self.text in new and self.left:
            self.left -= 1
            no_space()
        super().link(existing, new)


@pytest.mark.req("CPC-ERR-006", "CPC-BEST-004")
@pytest.mark.parametrize("name", ["latest", "best_model"])
def test_a_failed_second_name_is_made_good_and_nothing_is_deleted_before(tmp_path, monkeypatch, caplog, name):
    put_under(monkeypatch, LinkFails(name))
    recorder = Recorder()
    trainer = make_trainer(tmp_path, [recorder], monitor="train_loss", mode="max", keep_last_n=1)
    trainer.fit()
    assert "a second name or deleting failed" in caplog.text
    assert [hook for _, hook, _ in recorder.log].count("on_checkpoint_saved") == 3
    assert saver(trainer).best_model_score == max(saver(trainer).best_k_models.values())
    best = tenuto.read_checkpoint(tmp_path / "best_model_train_loss.ckpt").head["metadata"]
    assert best["progress"]["epoch"] == 1
    assert (tmp_path / "latest.ckpt").samefile(tmp_path / FINAL)


@pytest.mark.req("STORE-SAVE-011", "STORE-SAVE-010")
def test_a_folder_that_takes_no_file_ends_the_run_before_the_first_batch(tmp_path):
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "sub"):
        recorder = Recorder()
        with pytest.raises(tenuto.CheckpointError) as caught:
            make_trainer(folder, [recorder]).fit()
        assert caught.value.code == "not_a_folder"
        assert "on_batch_start" not in {hook for _, hook, _ in recorder.log}


@pytest.mark.req("CPC-ERR-003")
def test_nothing_trained_leaves_no_emergency_file_behind(tmp_path):
    def fail(_):
        raise RuntimeError("a bug in the first batch")

    with pytest.raises(RuntimeError):
        make_trainer(tmp_path, [Recorder(at=("on_batch_start", 0), act=fail)]).fit()
    assert files(tmp_path) == []
    make_trainer(tmp_path).fit()  # the mended job starts fresh, with the same command


@pytest.mark.req("TR-FAIL-007", "TR-REST-005")
@pytest.mark.parametrize(("hook", "step"), [("on_epoch_end", 8), ("on_batch_end", 6), ("on_epoch_end", 12)])
def test_after_a_failed_hook_the_run_resumes_from_before_it(tmp_path, hook, step):
    """The callbacks after the failed one have missed the event: the emergency state is not exact and is passed over."""

    def fail(_):
        raise RuntimeError("in a hook")

    settings = {"save_every_steps": 3, "monitor": "train_loss", "mode": "max"}
    make_trainer(tmp_path / "whole", **settings).fit()
    with pytest.raises(RuntimeError):
        make_trainer(tmp_path / "run", [Recorder(at=(hook, step), act=fail)], **settings).fit()
    make_trainer(tmp_path / "run", **settings).fit(resume="auto")
    one, other = (tenuto.read_checkpoint(tmp_path / name / FINAL) for name in ("whole", "run"))
    assert first_difference(one, other) is None


class CountsStarts(Counting):
    """Changes its state in the hooks that are called again after an interruption."""

    def on_batch_start(self, context):
        self.batches += 1

    def on_validation_start(self, context):
        self.batches += 100


@pytest.mark.req("TR-LOOP-004", "TR-FAIL-008", "TR-REST-005")
@pytest.mark.parametrize(("hook", "step"), [("on_validation_start", 8), ("on_batch_start", 5)])
def test_callback_states_of_an_emergency_save_are_those_of_the_boundary(tmp_path, hook, step):
    make_trainer(tmp_path / "whole", [CountsStarts()]).fit()
    killer = Recorder(at=(hook, step), act=lambda _: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(tenuto.TrainingInterrupted):
        make_trainer(tmp_path / "run", [CountsStarts(), killer]).fit()
    (emergency,) = (tmp_path / "run").glob("emergency_*.ckpt")
    assert tenuto.read_checkpoint(emergency).head["metadata"]["exact"] is True
    make_trainer(tmp_path / "run", [CountsStarts(), Recorder()]).fit(resume="auto")
    one, other = (tenuto.read_checkpoint(tmp_path / name / FINAL) for name in ("whole", "run"))
    assert first_difference(one, other) is None


@pytest.mark.req("TR-FAIL-003")
def test_ctrl_c_after_sigterm_is_honored_at_once(tmp_path):
    def send(_):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)

    recorder = Recorder(at=("on_batch_start", 3), act=send)
    with pytest.raises(KeyboardInterrupt):
        make_trainer(tmp_path, [recorder]).fit()
    assert ("a", "on_batch_end", 4) not in recorder.log


@pytest.mark.req("CB-FAIL-002", "TR-FAIL-001")
def test_ctrl_c_inside_on_exception_does_not_replace_the_error(tmp_path):
    def interrupt(_):
        raise KeyboardInterrupt

    def fail(_):
        raise ValueError("the first")

    first = Recorder("a", at=("on_exception", 3), act=interrupt)
    second = Recorder("b", at=("on_batch_end", 3), act=fail)
    with pytest.raises(ValueError, match="the first"):
        make_trainer(tmp_path, [first, second]).fit()
    assert list(tmp_path.glob("emergency_*.ckpt"))


@pytest.mark.req("CPC-ERR-001", "CPC-ERR-003")
def test_an_interrupt_inside_a_save_does_not_move_what_is_remembered(tmp_path, monkeypatch):
    class Interrupting(PosixStorage):
        def create(self, path):
            if "checkpoint_epoch_0002" in path:
                raise KeyboardInterrupt
            return super().create(path)

    put_under(monkeypatch, Interrupting())
    with pytest.raises(KeyboardInterrupt):
        make_trainer(tmp_path).fit()
    monkeypatch.undo()
    (emergency,) = tmp_path.glob("emergency_*.ckpt")
    (memory,) = tenuto.read_checkpoint(emergency).head["callback_state"].values()
    assert memory["last_epoch"] == 1
    make_trainer(tmp_path).fit(resume="auto")
    assert "checkpoint_epoch_0002.ckpt" in files(tmp_path)
