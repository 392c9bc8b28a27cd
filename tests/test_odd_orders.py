"""Resuming and calling in odd orders: other slots, damaged names, again and again, by hand."""

import os
import signal
from pathlib import Path

import pytest
from small_job import Recorder, make_trainer
from test_checkpoint_callback import files, saver
from test_resume import damage, stopped_at

import tenuto
from tenuto.reference.checkpoint.compare import first_difference

FINAL = "checkpoint_epoch_0003.ckpt"


def origin(path):
    return tenuto.read_checkpoint(path).head["metadata"]["origin"]


@pytest.mark.req("CPC-NAME-003", "CPC-BEST-008", "CPC-KEEP-004")
@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 1), (3, 2)])
def test_another_number_of_slots_after_a_resume_loses_no_best(tmp_path, before, after):
    settings = {"monitor": "train_loss", "mode": "max", "save_frequency": None, "save_on_train_end": False}
    stopped_at(tmp_path, 9, save_top_k=before, monitor="train_loss", mode="max", save_every_steps=9, latest="none")
    trainer = make_trainer(tmp_path, save_top_k=after, latest="none", **settings)
    trainer.fit(resume="auto")
    kept = saver(trainer).best_k_models
    assert len(kept) == after
    for path, value in kept.items():
        metrics = tenuto.read_checkpoint(path).head["metadata"]["metrics"]
        assert metrics["train_loss"]["value"] == value
    first = tenuto.read_checkpoint(tmp_path / "best_model_train_loss.ckpt").head["metadata"]
    assert first["progress"]["epoch"] == 1


@pytest.mark.req("TR-RES-001")
def test_an_intact_copy_is_used_when_the_first_name_is_damaged(tmp_path):
    stopped_at(tmp_path, 7, latest="copy", save_every_steps=6, save_best=False)
    damage(tmp_path / "checkpoint_epoch_0001_step_00000006.ckpt")
    recorder = Recorder()
    make_trainer(tmp_path, [recorder], latest="copy", save_best=False).fit(resume="auto")
    assert recorder.log[0][2] == 6


@pytest.mark.req("TR-RES-010", "TR-RES-007")
def test_fit_after_restore_state_continues_and_fit_again_is_refused(tmp_path):
    make_trainer(tmp_path / "whole").fit()
    point = tmp_path / "whole" / "checkpoint_epoch_0001.ckpt"
    trainer = make_trainer(tmp_path / "rest")
    trainer.restore_state(tenuto.read_checkpoint(point))
    trainer.fit()
    one, other = (tenuto.read_checkpoint(tmp_path / name / FINAL) for name in ("whole", "rest"))
    assert first_difference(one, other) is None
    assert origin(tmp_path / "rest" / FINAL)["parent"] == origin(point)["checkpoint_id"]
    lone = make_trainer()
    lone.fit()
    with pytest.raises(tenuto.ConfigError) as caught:
        lone.fit()
    assert caught.value.code == "already_trained"


@pytest.mark.req("TR-RES-008", "CPC-KEEP-005")
def test_interrupted_again_and_again_leaves_one_emergency_file(tmp_path):
    def stop(_):
        os.kill(os.getpid(), signal.SIGTERM)

    for attempt in range(3):
        hook = ("on_batch_end", 5) if attempt == 0 else ("on_train_start", 5)
        with pytest.raises(tenuto.TrainingInterrupted):
            make_trainer(tmp_path, [Recorder(at=hook, act=stop)]).fit(resume="auto" if attempt else "never")
    assert len(list(tmp_path.glob("emergency_*.ckpt"))) == 1
    make_trainer(tmp_path, [Recorder()], keep_last_n=1).fit(resume="auto")
    lineage = origin(tmp_path / FINAL)["lineage"]
    assert [entry[0] for entry in lineage] == [1, 2, 3]


@pytest.mark.req("TR-RES-008", "CPC-KEEP-001")
def test_superseded_files_stay_through_later_attempts_too(tmp_path):
    make_trainer(tmp_path, save_best=False).fit()
    make_trainer(tmp_path, save_best=False, keep_last_n=1).fit(resume=tmp_path / "checkpoint_epoch_0001.ckpt")
    extended = make_trainer(tmp_path, save_best=False, keep_last_n=1)
    extended.max_epochs = 5
    extended.fit(resume="auto")
    kept = files(tmp_path)
    assert {"checkpoint_epoch_0002_attempt1.ckpt", "checkpoint_epoch_0003_attempt1.ckpt"} <= set(kept)


@pytest.mark.req("CPC-CALL-001", "CB-METRIC-001")
def test_metrics_of_a_manual_save_are_flattened_and_announced(tmp_path):
    import torch

    recorder = Recorder()
    trainer = make_trainer(tmp_path, [recorder])
    act = {"metrics": {"score": {"top": torch.tensor(0.5)}}}
    manual = Recorder("m", at=("on_batch_end", 2), act=lambda _: saver(trainer).save_checkpoint(trainer, **act))
    trainer = make_trainer(tmp_path, [recorder, manual])
    trainer.fit()
    saved = tenuto.read_checkpoint(tmp_path / "checkpoint_epoch_0000_step_00000002.ckpt").head["metadata"]
    assert saved["metrics"]["score.top"] == {"value": 0.5, "step": 2}
    assert [hook for _, hook, _ in recorder.log].count("on_checkpoint_saved") == 4


@pytest.mark.req("CPC-SET-001")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("monitor", ""),
        ("monitor", None),
        ("save_best", "no"),
        ("async_save", 1),
        ("max_save_failures", None),
        ("checkpoint_dir", None),
        ("checkpoint_dir", b"x"),
    ],
)
def test_settings_of_another_type_are_refused(name, value):
    with pytest.raises(tenuto.ConfigError, match=name):
        tenuto.CheckpointCallback(**{name: value})


def test_a_relative_folder_stays_where_it_was_when_the_job_changes_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    mover = Recorder(at=("on_epoch_end", 4), act=lambda _: os.chdir(tmp_path / "elsewhere"))
    make_trainer(Path("run"), [mover]).fit()
    assert FINAL in files(tmp_path / "run")


@pytest.mark.req("CPC-ASYNC-001")
def test_a_background_save_holds_the_callback_states_of_its_moment(tmp_path):
    class Lists(tenuto.BaseCallback):
        def __init__(self):
            self.seen = []

        def state_dict(self):
            return {"seen": self.seen}

        def on_batch_end(self, context):
            self.seen.append(context.progress.global_step)

    make_trainer(tmp_path, [Lists()], async_save=True, save_every_steps=2).fit()
    saved = tenuto.read_checkpoint(tmp_path / "checkpoint_epoch_0000_step_00000002.ckpt").head["callback_state"]
    assert saved["Lists"]["seen"] == [1, 2]
