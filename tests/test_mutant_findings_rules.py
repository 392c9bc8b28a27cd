"""Rules that scenarios alone have shown, of a port as a process: here of the reference, in this process."""

from __future__ import annotations

import errno
import logging
import os
import re
import signal
import threading

import pytest
from recorder import Recorder, heads, refusal, rewrite, saving, set_in, small

from tenuto.callbacks.base import BaseCallback
from tenuto.callbacks.checkpoint import CheckpointCallback
from tenuto.callbacks.policies.naming import is_periodic
from tenuto.callbacks.repository import Repository
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.storage import PosixStorage
from tenuto.reference.errors import TrainingInterrupted
from tenuto.reference.events.contexts import RunIdentity


def names(folder):
    return sorted(path.name for path in folder.iterdir())


class Seen(BaseCallback):
    """Has a list for its state, and goes on with it at each start of a batch."""

    def __init__(self, key="Seen"):
        self.key, self.seen = key, []

    @property
    def state_key(self):
        return self.key

    def state_dict(self):
        return {"seen": self.seen} if self.seen else {}

    def load_state_dict(self, state):
        self.seen = state.get("seen", [])

    def on_batch_start(self, context):
        self.seen.append(context.progress.global_step)


def send(*numbers):
    """Returns a hook that sends signals to this process."""
    return lambda _: [signal.raise_signal(number) for number in numbers]


# -- training ---------------------------------------------------------------------------------------------------------


@pytest.mark.req("TR-LOOP-009", "TR-LOOP-015")
def test_what_a_training_returns():
    trainer = small(Recorder(on_epoch_end=lambda context: context.request_stop("enough")))
    result = trainer.fit()
    progress = result.progress
    assert (progress.epoch, progress.batch_in_epoch, progress.global_step) == (1, 0, 2)
    assert result.metrics == {name: metric.value for name, metric in trainer.metrics.view.items()}
    assert set(result.metrics) == {"train_loss", "train_loss_step", "val_loss", "val_parts.abs"}
    assert (result.run, result.run.attempt, result.stop_reason) == (trainer.run, 1, "enough")


@pytest.mark.req("TR-LOOP-018")
def test_what_a_callback_does_after_the_boundary_is_not_in_the_state_of_it(tmp_path):
    def fail(context):
        if context.progress.global_step == 1:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        small(Seen(), Recorder(on_batch_start=fail), saving(tmp_path)).fit()
    assert heads(tmp_path)["emergency_epoch_0000_step_00000001.ckpt"]["callback_state"]["Seen"] == {"seen": [0]}


@pytest.mark.req("TR-FAIL-012", "TR-FAIL-013")
def test_what_fails_in_on_exception_is_attached_in_order_and_logged(caplog):
    def fail(text):
        def call(_):
            raise RuntimeError(text)

        return call

    late = [Recorder(on_exception=fail("second")), Recorder(on_exception=fail("third"))]
    with pytest.raises(RuntimeError, match="first") as caught:
        small(Recorder(on_epoch_end=fail("first")), *late).fit()
    assert caught.value.__notes__ == [f"and in on_exception: RuntimeError: {text}" for text in ("second", "third")]
    assert [text in caplog.text for text in ("second", "third")] == [True, True]


# -- signals ----------------------------------------------------------------------------------------------------------


@pytest.mark.req("TR-FAIL-017")
def test_of_two_signals_the_first_decides():
    with pytest.raises(KeyboardInterrupt):
        small(Recorder(on_batch_start=send(signal.SIGINT, signal.SIGTERM))).fit()


@pytest.mark.req("TR-FAIL-018")
def test_a_signal_in_on_train_start_comes_before_any_other_hook(tmp_path):
    recorder = Recorder(on_train_start=send(signal.SIGTERM))
    with pytest.raises(TrainingInterrupted):
        small(recorder, saving(tmp_path)).fit()
    assert recorder.hooks == ["on_train_start", "on_exception", "on_teardown"]
    assert names(tmp_path) == []


@pytest.mark.req("TR-FAIL-024")
def test_of_a_signal_and_a_stop_the_signal_is_honored_at_the_end_of_a_batch():
    both = {"on_batch_start": send(signal.SIGTERM), "on_batch_end": lambda context: context.request_stop("enough")}
    with pytest.raises(TrainingInterrupted):
        small(Recorder(**both)).fit()


@pytest.mark.req("TR-FAIL-025")
def test_a_signal_in_validation_comes_before_its_metrics():
    seen = []
    recorder = Recorder(
        on_validation_start=send(signal.SIGTERM), on_exception=lambda context: seen.append(set(context.metrics))
    )
    with pytest.raises(TrainingInterrupted):
        small(recorder).fit()
    assert seen == [{"train_loss_step"}]
    assert "on_validation_end" not in recorder.hooks


@pytest.mark.req("TR-FAIL-026")
@pytest.mark.parametrize("hook", ["on_train_end", "on_teardown"])
def test_a_signal_at_the_end_changes_nothing(hook):
    result = small(Recorder(**{hook: send(signal.SIGTERM)})).fit()
    assert (result.progress.epoch, result.stop_reason) == (2, None)


# -- saving -----------------------------------------------------------------------------------------------------------


@pytest.mark.req("CB-HOOK-016", "CPC-STATE-004", "CPC-NAME-016")
def test_what_lies_in_the_folder_when_a_save_is_told(tmp_path):
    seen = []
    recorder = Recorder(on_checkpoint_saved=lambda _: seen.append(names(tmp_path)))
    saver = saving(tmp_path, keep_last_n=1, latest="symlink")
    small(recorder, saver, script={"loss": [0.5, 0.4]}).fit()
    best = ["best_model_val_loss.ckpt"]
    assert seen == [[*best, f"checkpoint_epoch_000{epoch}.ckpt", "latest.ckpt"] for epoch in (1, 2)]
    assert not (tmp_path / best[0]).is_symlink()
    entries = heads(tmp_path)["checkpoint_epoch_0002.ckpt"]["metadata"]["best"]["val_loss"]
    assert [entry["file"] for entry in entries] == best


@pytest.mark.req("STORE-SAVE-012", "STORE-DIR-003", "STORE-NAME-005")
def test_temporary_files_lie_in_the_folder_and_carry_the_name_of_the_run(tmp_path, monkeypatch):
    made, create = [], PosixStorage.create
    monkeypatch.setattr(PosixStorage, "create", lambda self, path: made.append(path) or create(self, path))
    trainer = small(saving(tmp_path / "run", latest="symlink", save_best=False), max_epochs=1)
    trainer.fit()
    assert {os.path.dirname(path) for path in made} == {str(tmp_path / "run")}
    form = re.compile(rf"\.{trainer.run.run_id}\..+\.tmp")
    assert [path for path in made if not form.fullmatch(os.path.basename(path))] == []
    assert names(tmp_path) == ["run"]
    assert os.readlink(tmp_path / "run" / "latest.ckpt") == "checkpoint_epoch_0001.ckpt"


@pytest.mark.req("CPC-NAME-010")
def test_the_best_and_latest_replace_what_has_the_name(finished_run, tmp_path):
    for epochs, values in ((1, [0.5]), (2, [0.5, 0.4])):
        saver = saving(tmp_path / "best", save_frequency=None, latest="none")
        small(saver, max_epochs=epochs, script={"loss": values}).fit("auto")
    assert names(tmp_path / "best") == ["best_model_val_loss.ckpt"]
    (finished_run / "latest.ckpt").unlink()
    (finished_run / "latest.ckpt").write_bytes(b"somebody's")
    small(saving(finished_run, save_best=False), max_epochs=3).fit("auto")
    assert (finished_run / "latest.ckpt").samefile(finished_run / "checkpoint_epoch_0003.ckpt")
    assert not list(finished_run.glob("latest_*"))


@pytest.mark.req("CPC-NAME-015")
def test_a_save_inside_a_window_is_named_by_its_batch_and_is_a_periodic_one(tmp_path):
    saver = saving(tmp_path, save_best=False, save_frequency=None, latest="none")
    acts = {"on_batch_end": lambda context: context.progress.batch_in_epoch == 1 and context.request_stop("here")}
    small(Recorder(**acts), saver, max_epochs=1, accumulate=2).fit()
    assert names(tmp_path) == ["checkpoint_epoch_0000_step_00000000_batch_000001.ckpt"]
    assert is_periodic(names(tmp_path)[0])


@pytest.mark.req("CPC-NAME-017")
@pytest.mark.parametrize(("longest", "too_long"), [("x" * 180, "x" * 181), ("é" * 30, "é" * 30 + "x")])
def test_a_monitor_whose_escaped_name_is_too_long_is_refused(longest, too_long):
    assert CheckpointCallback(monitor=longest).monitor == longest
    assert refusal(lambda: CheckpointCallback(monitor=too_long)) == ("invalid_setting", "config")


@pytest.mark.req("CPC-ERR-009")
def test_a_save_that_succeeds_ends_the_row_of_failures(tmp_path, monkeypatch):
    create = PosixStorage.create

    def full(self, path):
        if "_0001" in path or "_0003" in path:
            raise OSError(errno.ENOSPC, "full", path)
        return create(self, path)

    monkeypatch.setattr(PosixStorage, "create", full)
    assert small(saving(tmp_path, max_save_failures=2, save_best=False), max_epochs=4).fit().progress.epoch == 4


@pytest.mark.req("CPC-ASYNC-005", "CPC-ASYNC-006")
@pytest.mark.parametrize(("fails", "more"), [(False, []), (True, ["emergency_epoch_0001_step_00000002.ckpt", "told"])])
def test_the_end_waits_for_a_save_in_flight(tmp_path, monkeypatch, fails, more):
    order, write, started = [], Repository.write, threading.Event()

    def slow(repository, job):
        started.set()
        threading.Event().wait(0.3)
        result = write(repository, job)
        order.append(job.names[0])
        return result

    def end(_):
        started.wait(5)
        if fails:
            raise RuntimeError("in on_train_end")

    monkeypatch.setattr(Repository, "write", slow)
    recorder = Recorder(on_train_end=end, on_checkpoint_saved=lambda _: order.append("told"))
    saver = saving(tmp_path, async_save=True, save_best=False, save_on_train_end=False)  # a final save waits anyhow
    trainer = small(recorder, saver, max_epochs=1)
    if fails:
        with pytest.raises(RuntimeError):
            trainer.fit()
    else:
        trainer.fit()
    assert order == ["checkpoint_epoch_0001.ckpt", "told", *more]
    assert recorder.hooks[-1] == "on_teardown"
    assert recorder.hooks[recorder.hooks.index("on_checkpoint_saved") - 1] == (
        "on_exception" if fails else "on_train_end"
    )


@pytest.mark.req("CPC-CALL-007")
def test_the_news_of_a_save_by_hand_wait_for_the_next_event_of_the_callback(tmp_path):
    saver = saving(tmp_path, save_best=False, save_frequency=None, save_on_train_end=False)
    recorder = Recorder()
    trainer = small(recorder, saver, max_epochs=1)
    recorder.act["on_batch_start"] = lambda _: saver.save_checkpoint(trainer)
    trainer.fit()
    place = recorder.hooks.index("on_checkpoint_saved")
    assert recorder.hooks[place - 1 : place + 3] == ["on_epoch_end", *["on_checkpoint_saved"] * 2, "on_train_end"]
    told = recorder.hooks.count("on_checkpoint_saved")
    saver.save_checkpoint(trainer)
    assert recorder.hooks.count("on_checkpoint_saved") == told


# -- restore and resume -----------------------------------------------------------------------------------------------


@pytest.mark.req("CB-STATE-005", "TR-REST-011")
def test_the_report_of_a_restore(tmp_path):
    small(Seen("old"), saving(tmp_path, save_best=False)).fit()
    rewrite(tmp_path / "latest.ckpt", set_in("metadata", "exact", to=False), "odd.ckpt")
    kept = Seen("new")
    kept.seen = [9]
    for name, exact in (("latest.ckpt", True), ("odd.ckpt", False)):
        report = small(kept).restore_state(read_checkpoint(tmp_path / name))
        assert (report.progress.epoch, report.progress.global_step, report.exact) == (2, 4, exact)
        assert [any(key in note for note in report.notes) for key in ("old", "CheckpointCallback", "new")] == [True] * 3
        assert kept.seen == [9]


@pytest.mark.req("TR-RES-019")
def test_what_is_superseded():
    run = RunIdentity("run", attempt=4, lineage=((1, (1, 0, 2)), (3, (2, 0, 4))))
    states = [(1, (1, 0, 2)), (1, (1, 1, 3)), (2, (0, 1, 1)), (3, (2, 0, 4)), (3, (3, 0, 6)), (4, (9, 0, 9))]
    assert [run.has_superseded(*state) for state in states] == [False, True, True, False, True, False]


@pytest.mark.req("TR-RES-023")
@pytest.mark.parametrize("run_id", ["../outside", 3])
def test_a_file_of_no_training_state_is_passed_over_like_a_damaged_one(finished_run, caplog, run_id):
    rewrite(finished_run / "latest.ckpt", set_in("metadata", "origin", "run_id", to=run_id), "odd.ckpt")
    with caplog.at_level(logging.WARNING, "tenuto"):
        assert small(saving(finished_run, save_best=False), max_epochs=3).fit("auto").progress.epoch == 3
    assert "odd.ckpt" in caplog.text
    assert "not_resumable" in caplog.text


@pytest.mark.req("STORE-DIR-001")
def test_what_is_no_checkpoint_of_a_folder(finished_run, tmp_path):
    for name in (".hidden.ckpt", "old.bin", "x.ckpt.tmp"):
        (tmp_path / name).write_bytes((finished_run / "latest.ckpt").read_bytes())
    (tmp_path / "folder.ckpt").mkdir()
    trainer = small(saving(tmp_path, save_best=False))
    assert trainer.fit().run.attempt == 1
    assert refusal(lambda: small(saving(tmp_path)).fit()) == ("directory_in_use", "config")
