"""What users of other frameworks have met when the best checkpoint was chosen. See docs/peers.md."""

import math
import shutil

import pytest
from recorder import Recorder, heads, saving, small

import tenuto

NAN = math.nan


def trained(folder, scores, resume="never", validate_every=1, **settings):
    """Trains an epoch for each score, and returns the checkpoint callback."""
    callback = saving(folder, **{"monitor": "val_score", **settings})
    script = {"score": scores}
    small(callback, max_epochs=len(scores), validate_every=validate_every, script=script).fit(resume)
    return callback


def kept(callback):
    """Returns the best list as (epoch, value), best first, as it is in the files."""
    told = callback.best_k_models.items()
    return [(tenuto.read_checkpoint(path).head["metadata"]["progress"]["epoch"], value) for path, value in told]


@pytest.mark.req("CPC-BEST-001", "CPC-BEST-002")
def test_of_tied_values_the_later_one_is_evicted(tmp_path):
    assert kept(trained(tmp_path, [0.5, 0.5, 0.4], save_top_k=2)) == [(3, 0.4), (1, 0.5)]


@pytest.mark.req("CPC-BEST-001")
@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_earlier_of_tied_values_is_better_in_both_modes(tmp_path, mode):
    assert kept(trained(tmp_path, [0.5, 0.5, 0.5], mode=mode, save_top_k=3)) == [(1, 0.5), (2, 0.5), (3, 0.5)]
    best = tenuto.read_checkpoint(tmp_path / "best_model_val_score.ckpt").head
    assert best["metadata"]["progress"]["epoch"] == 1


@pytest.mark.req("CPC-BEST-003")
@pytest.mark.parametrize("mode", ["min", "max"])
def test_nan_takes_no_place_and_keeps_no_later_value_out(tmp_path, mode):
    expected = {"min": [(3, 0.1), (4, 0.8)], "max": [(1, 0.9), (4, 0.8)]}
    assert kept(trained(tmp_path, [0.9, NAN, 0.1, 0.8], mode=mode, save_top_k=2)) == expected[mode]


@pytest.mark.req("CPC-BEST-003")
def test_a_first_value_that_is_nan_is_no_best(tmp_path):
    assert kept(trained(tmp_path, [NAN, 0.7, NAN])) == [(2, 0.7)]


@pytest.mark.req("CPC-BEST-001")
def test_a_loss_of_zero_is_a_value_like_any_other(tmp_path):
    assert kept(trained(tmp_path, [0.3, 0.0, 0.2], save_top_k=2)) == [(2, 0.0), (3, 0.2)]


@pytest.mark.req("CPC-BEST-008")
@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_the_best_of_before_is_not_overwritten_by_the_first_epoch_after_a_resume(tmp_path, epochs):
    scores = [0.5, 0.2, 0.4, 0.3]
    trained(tmp_path, scores[:epochs])
    assert kept(trained(tmp_path, scores, "auto")) == [(2, 0.2)]


@pytest.mark.req("CPC-BEST-006")
@pytest.mark.parametrize("validate_every", [1, 2])
def test_a_save_does_not_take_the_metric_of_an_earlier_validation(tmp_path, validate_every):
    scores = [0.1, 0.5, 0.4, 0.3]
    callback = trained(tmp_path, scores, validate_every=validate_every, save_every_steps=1, save_top_k=4)
    measured = [(epoch, value) for epoch, value in enumerate(scores, 1) if epoch % validate_every == 0]
    assert sorted(kept(callback)) == measured
    for head in heads(tmp_path).values():
        for entry in head["metadata"]["best"]["val_score"]:
            assert entry["step"] == 2 * entry["epoch"]  # each was measured at the state that it stands for


@pytest.mark.req("CPC-BEST-007")
def test_a_metric_that_is_missing_is_told_of_once_or_refused_at_the_first_validation(tmp_path, caplog):
    callback = saving(tmp_path / "a", monitor="val_acuracy")
    small(callback, max_epochs=3).fit()
    assert caplog.text.count("val_acuracy") == 1
    assert callback.best_model_path is None
    with pytest.raises(tenuto.ConfigError) as caught:
        small(saving(tmp_path / "b", monitor="val_acuracy", strict_monitor=True), max_epochs=3).fit()
    assert caught.value.code == "monitor_missing"
    assert "val_loss" in str(caught.value)  # what could have been meant


@pytest.mark.req("CPC-BEST-004", "CPC-KEEP-002")
def test_every_path_that_is_told_exists_when_it_is_told(tmp_path):
    callback = saving(tmp_path, monitor="val_score", save_top_k=2, keep_last_n=1)
    seen = []

    def look(_):
        for path in (callback.best_model_path, callback.last_model_path, *callback.best_k_models):
            assert path is None or tenuto.verify_checkpoint(path)
            seen.append(path)

    hooks = ("on_batch_end", "on_epoch_end", "on_train_end", "on_teardown")
    recorder = Recorder(**dict.fromkeys(hooks, look))
    small(recorder, callback, max_epochs=6, script={"score": [0.5, 0.6, 0.4, 0.3, 0.7, 0.35]}).fit()
    look(None)
    assert len({path for path in seen if path}) > 3


@pytest.mark.req("CPC-BEST-008")
def test_a_run_that_was_moved_keeps_its_best_list(tmp_path):
    scores = [0.5, 0.2, 0.4, 0.3]
    trained(tmp_path / "here", scores[:2], save_top_k=2)
    shutil.move(tmp_path / "here", tmp_path / "there")
    callback = trained(tmp_path / "there", scores, "auto", save_top_k=2)
    assert kept(callback) == [(2, 0.2), (4, 0.3)]
    assert all(path.startswith(str(tmp_path / "there")) for path in callback.best_k_models)
    assert not (tmp_path / "here").exists()


@pytest.mark.req("CPC-SET-001", "CPC-NAME-004")
def test_the_name_of_the_best_file_holds_no_value_that_could_be_made_up(tmp_path):
    trained(tmp_path, [0.5, 0.4])
    assert (tmp_path / "best_model_val_score.ckpt").exists()
    assert {name for name in heads(tmp_path) if "best" in name} == {"best_model_val_score.ckpt"}
