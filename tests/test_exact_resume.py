"""Training resumed from any save point ends in the same file as training that was never interrupted."""

from pathlib import Path

import pytest
import torch
from small_job import OPTIMIZERS, SCHEDULERS, STEPS, make_trainer

import tenuto
from tenuto.reference.checkpoint.compare import digest, first_difference

FINAL = "checkpoint_epoch_0003.ckpt"


def _final(folder):
    return tenuto.read_checkpoint(Path(folder) / FINAL)


@pytest.mark.req(
    "TR-REST-005", "TR-REST-003", "TR-REST-004", "TR-STATE-001", "TR-STATE-005", "TR-LOOP-002", "STORE-SAVE-001"
)
@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_resume_from_every_save_point_is_exact(tmp_path, optimizer, scheduler):
    kinds = {"optimizer": optimizer, "scheduler": scheduler}
    make_trainer(tmp_path / "a", save_every_steps=1, **kinds).fit()
    expected = _final(tmp_path / "a")
    points = sorted((tmp_path / "a").glob("checkpoint_*.ckpt"))
    assert len(points) == STEPS + 3

    for point in points[:-1]:
        other = tmp_path / point.stem
        trainer = make_trainer(other, save_every_steps=1, **kinds)
        saved = tenuto.read_checkpoint(point)
        trainer.restore_state(saved)
        recaptured = trainer.capture_state(best=saved.head["metadata"]["best"])
        assert first_difference(saved, recaptured) is None

        make_trainer(other, save_every_steps=1, **kinds).fit(resume=point)
        assert first_difference(expected, _final(other)) is None
        assert digest(expected) == digest(_final(other))


@pytest.mark.req("TR-LOOP-003", "TR-LOOP-002")
@pytest.mark.parametrize("workers", [0, 2])
def test_any_number_of_loader_workers_gives_the_same_training(tmp_path, workers):
    make_trainer(tmp_path / "a").fit()
    make_trainer(tmp_path / "b", workers=workers, save_every_steps=6).fit()
    point = tmp_path / "b" / "checkpoint_epoch_0001_step_00000006.ckpt"
    resumed = make_trainer(tmp_path / "c", workers=2 - workers)
    resumed.fit(resume=point)

    for name in ("model_state", "optimizer_state", "rng_state"):
        one, other, third = (_final(tmp_path / folder).head[name] for folder in "abc")
        assert _bytes(one) == _bytes(other) == _bytes(third)


def _bytes(tree):
    if isinstance(tree, dict):
        return {key: _bytes(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_bytes(value) for value in tree]
    return bytes(tree.data) if hasattr(tree, "data") else tree


def test_another_seed_gives_another_training(tmp_path):
    """Shows that the comparison can fail."""
    make_trainer(tmp_path / "a").fit()
    trainer = make_trainer(tmp_path / "b")
    torch.manual_seed(99)
    trainer.fit()
    assert first_difference(_final(tmp_path / "a"), _final(tmp_path / "b")) is not None


@pytest.mark.req("TR-RES-009")
def test_a_completed_run_is_extended_or_has_nothing_to_do(tmp_path, caplog):
    trainer = make_trainer(tmp_path)
    trainer.max_epochs = 2
    trainer.fit()
    with caplog.at_level("INFO"):
        again = make_trainer(tmp_path)
        again.max_epochs = 2
        result = again.fit(resume="auto")
    assert "nothing left to do" in caplog.text
    assert result.progress.epoch == 2
    extended = make_trainer(tmp_path)
    assert extended.fit(resume="auto").progress.epoch == 3

    make_trainer(tmp_path / "straight").fit()
    assert first_difference(_final(tmp_path), _final(tmp_path / "straight")) is None
