"""Saves in the background: what only trainings with torch have shown, without torch."""

from __future__ import annotations

import threading

import pytest
from recorder import Recorder, heads, saving, small

from tenuto.callbacks.base import BaseCallback
from tenuto.callbacks.repository import Repository


def files(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".tmp"))


class Slow:
    """Lets a save begin only when told; notes which were asked for."""

    def __init__(self, monkeypatch):
        self.release, self.started, write = threading.Event(), [], Repository.write

        def wait(repository, job):
            self.started.append(job.names[0])
            assert self.release.wait(20)
            return write(repository, job)

        monkeypatch.setattr(Repository, "write", wait)


class Steps(BaseCallback):
    """Has a list for its state, and goes on with it."""

    def __init__(self):
        self.seen = []

    def state_dict(self):
        return {"seen": self.seen}

    def on_batch_end(self, context):
        self.seen.append(context.progress.global_step)


@pytest.mark.req("CPC-ASYNC-001", "CPC-ASYNC-003")
def test_a_background_save_holds_the_state_of_its_moment_and_is_told_when_it_is_durable(tmp_path, monkeypatch):
    slow, recorder, seen = Slow(monkeypatch), Recorder(), []

    def go_on(context):
        if context.progress.global_step == 3:  # the first batch after the save has begun
            seen.append((files(tmp_path), "on_checkpoint_saved" in recorder.hooks))
            slow.release.set()

    recorder.act.update(on_batch_end=go_on, on_checkpoint_saved=lambda _: seen.append(threading.current_thread()))
    small(Steps(), recorder, saving(tmp_path, async_save=True, save_best=False)).fit()
    assert seen == [([], False), threading.main_thread(), threading.main_thread()]
    saved = heads(tmp_path)["checkpoint_epoch_0001.ckpt"]
    assert saved["callback_state"]["Steps"] == {"seen": [1, 2]}


@pytest.mark.req("CPC-ASYNC-002")
def test_a_second_background_save_waits_for_the_first(tmp_path, monkeypatch):
    slow = Slow(monkeypatch)
    timer = threading.Timer(0.2, slow.release.set)
    recorder = Recorder(on_epoch_start=lambda context: context.progress.epoch and timer.start())
    small(recorder, saving(tmp_path, async_save=True, save_best=False)).fit()
    saved = [place for hook, place in recorder.log if hook == "on_checkpoint_saved"]
    assert len(saved) == 2
    assert slow.started == ["checkpoint_epoch_0001.ckpt", "checkpoint_epoch_0002.ckpt"]


@pytest.mark.req("CPC-CALL-006")
def test_the_best_is_that_of_the_last_durable_save_while_another_is_in_flight(tmp_path, monkeypatch):
    slow, seen = Slow(monkeypatch), []
    saver = saving(tmp_path, async_save=True)

    def look(context):
        if context.progress.global_step == 3:  # the first batch after the save has begun
            seen.append((saver.best_model_path, saver.best_k_models))
            slow.release.set()

    small(Recorder(on_batch_end=look), saver, script={"loss": [0.5, 0.6]}).fit()
    assert seen == [(None, {})]
    assert saver.best_model_score == 0.5
