"""What waits for a save in flight: the next decision, and who loads the file; and what is not in flight at all."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager

import pytest
from recorder import Recorder, saving, small

from tenuto.callbacks.background import Background
from tenuto.callbacks.repository import Repository
from tenuto.reference.errors import CheckpointError


class Held:
    """Holds the writing of one epoch back until it is let go, and then fails it if it is told so."""

    def __init__(self, monkeypatch, epoch, *, fails):
        self.let_go, write = threading.Event(), Repository.write

        def held(repository, job):
            if job.progress.epoch == epoch:
                assert self.let_go.wait(20)
                if fails:
                    raise CheckpointError("disk_full", "no space; expected some", phase="io")
            return write(repository, job)

        monkeypatch.setattr(Repository, "write", held)


@pytest.mark.req("CPC-ASYNC-007")
def test_a_decision_waits_for_the_save_in_flight_and_knows_that_it_failed(tmp_path, monkeypatch):
    """0.1 is better than 0.3, but its save fails while the decision on 0.3 is due."""
    held = Held(monkeypatch, epoch=2, fails=True)
    later = threading.Timer(0.2, held.let_go.set)
    decide = Recorder(on_epoch_end=lambda context: context.progress.epoch == 3 and later.start())
    saver = saving(tmp_path, async_save=True, monitor="val_x")
    small(decide, saver, max_epochs=3, script={"x": [0.5, 0.1, 0.3]}).fit()
    assert saver.best_model_score == 0.3
    assert (tmp_path / "best_model_val_x.ckpt").samefile(tmp_path / "checkpoint_epoch_0003.ckpt")
    assert not (tmp_path / "checkpoint_epoch_0002.ckpt").exists()


@pytest.mark.req("CPC-CALL-005")
def test_loading_waits_for_the_save_in_flight(tmp_path, monkeypatch):
    held, loaded = Held(monkeypatch, epoch=1, fails=False), []
    saver = saving(tmp_path, async_save=True, save_best=False)

    def load(context):
        if context.progress.epoch == 1 and not loaded:
            assert not (tmp_path / "checkpoint_epoch_0001.ckpt").exists()
            threading.Timer(0.2, held.let_go.set).start()
            loaded.append(saver.load_checkpoint("checkpoint_epoch_0001.ckpt").head["metadata"]["progress"]["epoch"])

    small(Recorder(on_epoch_start=load), saver).fit()
    assert loaded == [1]


@contextmanager
def without_threads():
    """No thread can be started: none has room for such a stack."""
    before = threading.stack_size(1 << 56)
    try:
        with pytest.raises(RuntimeError):
            threading.Thread(target=print).start()
        yield
    finally:
        threading.stack_size(before)


@pytest.mark.req("CPC-ASYNC-008")
def test_without_threads_a_background_save_is_made_in_the_foreground(tmp_path, caplog):
    with without_threads():
        result = small(saving(tmp_path / "here", async_save=True, monitor="val_x"), script={"x": [0.5, 0.1]}).fit()
    small(saving(tmp_path / "there", monitor="val_x"), script={"x": [0.5, 0.1]}).fit()
    assert result.progress.epoch == 2
    names = [sorted(path.name for path in (tmp_path / folder).iterdir()) for folder in ("here", "there")]
    assert names[0] == names[1] != []
    warned = [one for one in caplog.records if "no thread can be started" in one.message]
    assert {one.levelno for one in warned} == {logging.WARNING}


@pytest.mark.req("CPC-ASYNC-008")
def test_a_task_without_a_thread_is_done_once_and_its_error_is_kept_for_who_takes_its_result():
    background, done = Background(), []

    def fail():
        done.append("failed")
        raise CheckpointError("disk_full", "no space; expected some", phase="io")

    with without_threads():
        background.start(fail)
    assert background.is_busy
    with pytest.raises(CheckpointError):
        background.take(wait=False)
    background.start(lambda: done.append(threading.get_ident()))
    background.take(wait=True)
    background.close()
    assert done[0] == "failed"
    assert len(done) == 2
    assert done[1] != threading.get_ident()
