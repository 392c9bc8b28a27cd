"""Policies at work: when a small training saves under them, what they keep, and which settings are refused."""

import logging
import os
import time

import pytest
from recorder import Recorder, epochs, full_at, heads, losses, names, saving, small

from tenuto.callbacks.checkpoint import CheckpointCallback
from tenuto.callbacks.policies.retention import KeepBest, KeepEvery, KeepLast, KeepUnion
from tenuto.callbacks.policies.schedule import AnyOf, SaveEvery, SaveOnImprovement
from tenuto.callbacks.stopwatch import Stopwatch
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.storage import PosixStorage
from tenuto.reference.errors import ConfigError

# -- when to save -----------------------------------------------------------------------------------------------------


class Clock:
    """A clock that stands still until it is moved."""

    now = 100.0

    def __call__(self):
        return self.now


def timed(folder, moves, **settings):
    """A training in which the clock moves by so much before the end of each batch; returns its recorder."""
    clock, left = Clock(), list(moves)

    def move(context):  # noqa: ARG001 - the signature of a hook
        clock.now += left.pop(0)

    recorder, saver = Recorder(on_batch_end=move), saving(folder, save_frequency=None, save_best=False, **settings)
    saver._saver.stopwatch = Stopwatch(clock)
    small(recorder, saver, max_epochs=len(moves) // 2).fit()
    return recorder


def saved_at(recorder):
    return [place for hook, place in recorder.log if hook == "on_checkpoint_saved"]


@pytest.mark.req("CPC-WHEN-008", "CPC-WHEN-007", "GEN-TIME-001")
def test_saves_by_seconds_count_from_the_last_one(tmp_path):
    recorder = timed(tmp_path, [4, 4, 4, 9, 12, 0], save_every_seconds=10, save_on_train_end=False)
    assert saved_at(recorder) == [(1, 1, 3), (2, 1, 5)]  # 12 s; then 9 s are too few, and 21 s are one save
    both = timed(
        tmp_path / "b", [4, 4, 4, 9, 12, 0], save_every_seconds=10, save_every_steps=2, save_on_train_end=False
    )
    assert saved_at(both) == [(0, 2, 2), (1, 1, 3), (1, 2, 4), (2, 1, 5), (2, 2, 6)]


@pytest.mark.req("CPC-WHEN-008", "CPC-ERR-005")
def test_a_save_by_seconds_that_fails_counts_as_made(tmp_path, monkeypatch):
    monkeypatch.setattr(PosixStorage, "create", full_at(PosixStorage.create, {1}))
    recorder = timed(tmp_path, [11, 4, 4, 4], save_every_seconds=10, save_on_train_end=False)
    assert saved_at(recorder) == [(1, 2, 4)]


@pytest.mark.req("GEN-TIME-001")
def test_a_time_of_day_that_jumps_saves_nothing(tmp_path, monkeypatch):
    jumps = iter(range(0, 10**9, 10**5))
    monkeypatch.setattr(time, "time", lambda: float(next(jumps)))
    recorder, saver = Recorder(), saving(tmp_path, save_frequency=None, save_every_seconds=5000, save_best=False)
    small(recorder, saver).fit()
    assert saved_at(recorder) == [(2, 0, 4)]  # the final one


class OddSteps:
    """Saves at odd steps; what it was asked is kept."""

    def __init__(self):
        self.asked = []

    def should_save(self, moment):
        self.asked.append((moment.event, moment.last_save and moment.last_save.global_step))
        return moment.event == "batch" and moment.progress.global_step % 2 == 1


@pytest.mark.req("CPC-WHEN-011", "CPC-STATE-006")
def test_a_save_policy_of_the_user_is_asked_at_each_batch_and_epoch_and_survives_a_resume(tmp_path):
    policy = OddSteps()
    small(saving(tmp_path, save_policy=policy, save_best=False), max_epochs=2).fit()
    assert policy.asked == [("batch", None), ("batch", 1), ("epoch", 1), ("batch", 1), ("batch", 3), ("epoch", 3)]
    found = heads(tmp_path)
    first = found["checkpoint_epoch_0000_step_00000001.ckpt"]
    assert first["metadata"]["origin"]["reasons"] == ["periodic"]
    assert first["callback_state"]["CheckpointCallback"]["last_policy"] == {
        "epoch": 0,
        "global_step": 1,
        "batch_in_epoch": 1,
    }
    again = OddSteps()
    small(saving(tmp_path, save_policy=again, save_best=False), max_epochs=3).fit("auto")
    assert again.asked == [("batch", 3), ("batch", 5), ("epoch", 5)]


@pytest.mark.req("CPC-WHEN-011", "CPC-WHEN-003")
def test_a_policy_on_improvement_adds_the_periodic_name_to_the_best(tmp_path):
    policy = AnyOf((SaveOnImprovement("val_loss"), SaveEvery(epochs=4)))
    script = losses(0.5, 0.6, 0.4, 0.7)
    small(saving(tmp_path, save_frequency=None, save_policy=policy), max_epochs=4, script=script).fit()
    assert [name for name in names(tmp_path) if name.startswith("checkpoint")] == epochs(1, 3, 4)


# -- what to keep -----------------------------------------------------------------------------------------------------


@pytest.mark.req("CPC-KEEP-008")
def test_the_best_two_remain_and_the_newest_stands_under_latest(tmp_path):
    recorder, saver = Recorder(), saving(tmp_path, retention=KeepBest(2), save_top_k=2)
    script = losses(0.5, 0.9, 0.4, 0.8, 0.7)
    small(recorder, saver, max_epochs=5, script=script).fit()
    entries = [f"best_model_val_loss_epoch_{epoch:04d}.ckpt" for epoch in (1, 3)]
    assert names(tmp_path) == ["best_model_val_loss.ckpt", *entries, *epochs(1, 3), "latest.ckpt"]
    assert read_checkpoint(tmp_path / "latest.ckpt").head["metadata"]["progress"]["epoch"] == 5
    assert saver.last_model_path == str(tmp_path / "latest.ckpt")
    small(saving(tmp_path, retention=KeepBest(2), save_top_k=2), max_epochs=6, script=losses(*[0.5] * 5, 0.3)).fit(
        "auto"
    )
    assert [name for name in names(tmp_path) if name.startswith("checkpoint")] == epochs(3, 6)


@pytest.mark.req("CPC-KEEP-008")
@pytest.mark.parametrize("latest", ["symlink", "none"])
def test_without_bytes_under_latest_the_newest_keeps_its_name_until_the_next_save(tmp_path, latest):
    saver = saving(tmp_path, retention=KeepBest(1), latest=latest)
    small(saver, max_epochs=3, script=losses(0.5, 0.9, 0.8)).fit()
    assert [name for name in names(tmp_path) if name.startswith("checkpoint")] == epochs(1, 3)
    assert saver.last_model_path == str(tmp_path / epochs(3)[0])


@pytest.mark.req("CPC-KEEP-007", "CPC-KEEP-001")
def test_a_union_deletes_what_each_of_its_policies_would_delete(tmp_path):
    small(saving(tmp_path, retention=KeepUnion((KeepLast(1), KeepEvery(2))), save_best=False), max_epochs=5).fit()
    assert names(tmp_path) == [*epochs(2, 4, 5), "latest.ckpt"]


class Fails:
    """Keeps nothing, but fails at some calls."""

    def __init__(self, *failing):
        self.failing, self.calls = failing, 0

    def names_to_keep(self, checkpoints):
        self.calls += 1
        if self.calls in self.failing:
            raise RuntimeError("of the user")
        return ()


@pytest.mark.req("CPC-KEEP-010", "CPC-KEEP-006")
def test_a_retention_policy_that_fails_deletes_nothing_and_harms_no_save(tmp_path, caplog):
    recorder, policy = Recorder(), Fails(2, 3)
    saver = saving(tmp_path, retention=policy, save_top_k=2)
    with caplog.at_level(logging.ERROR, "tenuto"):
        small(recorder, saver, max_epochs=3, script=losses(0.9, 0.8, 0.7)).fit()
    assert caplog.text.count("retention failed, nothing is deleted: RuntimeError: of the user") == 2
    assert saver._saver._failures == 0
    entries = [f"best_model_val_loss_epoch_{epoch:04d}.ckpt" for epoch in (1, 2, 3)]
    assert names(tmp_path) == ["best_model_val_loss.ckpt", *entries, *epochs(1, 2, 3), "latest.ckpt"]
    later = saving(tmp_path / "later", retention=Fails(2, 3), save_top_k=2)
    small(later, max_epochs=4, script=losses(0.9, 0.8, 0.7, 0.6)).fit()  # what had left the list goes with the next
    assert names(tmp_path / "later") == [
        "best_model_val_loss.ckpt",
        entries[2],
        entries[2].replace("3", "4"),
        *epochs(4),
        "latest.ckpt",
    ]


@pytest.mark.req("CPC-KEEP-010")
@pytest.mark.parametrize("answer", ["checkpoint_epoch_0001.ckpt", [3]])
def test_an_answer_that_is_no_list_of_names_deletes_nothing(tmp_path, answer):
    class Odd:
        def names_to_keep(self, checkpoints):
            return answer

    small(saving(tmp_path, retention=Odd(), save_best=False), max_epochs=3).fit()
    assert names(tmp_path) == [*epochs(1, 2, 3), "latest.ckpt"]


@pytest.mark.req("CPC-ERR-006", "CPC-BEST-012")
def test_a_deletion_that_fails_is_made_good_before_a_later_save(tmp_path, monkeypatch):
    unlink, failing = PosixStorage.unlink, ["best_model_val_loss_epoch_0001.ckpt"]

    def stuck(self, path):
        if os.path.basename(path) in failing:
            failing.clear()
            raise OSError(5, "stuck", path)
        unlink(self, path)

    monkeypatch.setattr(PosixStorage, "unlink", stuck)
    small(saving(tmp_path, save_frequency=None, save_top_k=2), max_epochs=4, script=losses(4.0, 3.0, 2.0, 1.0)).fit()
    assert failing == []
    entries = [f"best_model_val_loss_epoch_{epoch:04d}.ckpt" for epoch in (3, 4)]
    assert names(tmp_path) == ["best_model_val_loss.ckpt", *entries, "latest.ckpt"]


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.req("CPC-SET-001", "CPC-SET-003")
@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"retention": KeepLast(1), "keep_last_n": 1}, "invalid_setting"),
        ({"retention": KeepLast(1), "keep_best_latest": True}, "invalid_setting"),
        ({"retention": KeepLast}, "invalid_setting"),
        ({"retention": lambda entries: entries}, "invalid_setting"),
        ({"save_policy": "always"}, "invalid_setting"),
        ({"save_policy": SaveEvery}, "invalid_setting"),
        ({"compression": "gzip"}, "invalid_setting"),
        ({"layout": True}, "invalid_setting"),
        ({"save_every_seconds": float("nan")}, "invalid_setting"),
    ],
)
def test_settings_that_contradict_or_are_no_policies(tmp_path, settings, code):
    with pytest.raises(ConfigError) as refused:
        CheckpointCallback(tmp_path, **settings)
    assert refused.value.code == code
    assert any(name in refused.value.message for name in settings)


@pytest.mark.req("CPC-CALL-007")
@pytest.mark.parametrize(
    ("settings", "told"),
    [({}, (1, 0, 2)), ({"save_every_seconds": 1e9}, (0, 2, 2)), ({"save_policy": OddSteps()}, (0, 2, 2))],
    ids=["plain", "seconds", "policy"],
)
def test_news_of_a_manual_save_waits_for_the_next_event_at_which_the_callback_acts(tmp_path, settings, told):
    saver = saving(tmp_path, save_best=False, save_frequency=None, **settings)

    def save(context):
        if context.progress.global_step == 1:
            saver.save_checkpoint(trainer)

    recorder = Recorder(on_batch_start=save)
    trainer = small(recorder, saver)
    trainer.fit()
    manual = [place for hook, place in recorder.log if hook == "on_checkpoint_saved"]
    assert told in manual
