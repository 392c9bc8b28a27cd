"""Early stopping: what it counts, what it remembers, what it refuses."""

import math

import pytest
from recorder import heads, refusal, saving, small

from tenuto.callbacks.early_stopping import EarlyStopping

NAN, INF = math.nan, math.inf


def epochs(values, **settings):
    """Trains on a script of `val_loss` and returns after how many epochs the run ended."""
    stopping = EarlyStopping(**{"patience": 2, **settings})
    return small(stopping, max_epochs=len(values), script={"loss": values}).fit().progress.epoch


@pytest.mark.req("CB-EARLY-001", "CB-EARLY-002", "CB-EARLY-003")
@pytest.mark.parametrize(
    ("values", "settings", "ended"),
    [
        ([3, 2, 2, 2, 1], {}, 4),  # a plateau counts
        ([3, 2, 2, 1, 1, 0], {}, 6),  # an improvement starts anew
        ([3, 4, 2, 4, 4, 1], {"patience": 2}, 5),
        ([3, 2.5, 2.5, 1], {"min_delta": 0.5}, 3),  # by exactly min_delta is no improvement
        ([3, 2.5, 1.9, 1.5, 1], {"min_delta": 0.5}, 5),
        ([NAN, 5, 5, 1, 0], {}, 5),
        ([NAN, NAN, 1], {}, 2),
        ([2, NAN, NAN, 1], {}, 3),
        ([INF, INF, INF, 1], {"min_delta": 1}, 3),
        ([1, 2, 2, 3, 4], {"mode": "max"}, 5),
        ([1, None, None, 2, 2, 0], {}, 5),  # what is missing counts nothing
    ],
)
def test_it_stops_after_patience_looks_without_improvement(values, settings, ended):
    assert epochs(values, **settings) == ended


@pytest.mark.req("CB-EARLY-001")
def test_an_epoch_without_validation_is_no_look():
    stopping = EarlyStopping(patience=1)
    script = {"loss": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]}
    result = small(stopping, max_epochs=6, validate_every=2, script=script).fit()
    assert (result.progress.epoch, result.stop_reason) == (4, "val_loss has not improved for 1 measurements")


@pytest.mark.req("CB-EARLY-004")
def test_a_resumed_run_has_the_patience_that_is_left_and_a_fresh_one_has_all(tmp_path):
    script = {"loss": [1.0] * 6}
    small(EarlyStopping(patience=4), saving(tmp_path), max_epochs=3, script=script).fit()
    state = heads(tmp_path)["checkpoint_epoch_0003.ckpt"]["callback_state"]["EarlyStopping"]
    assert state == {"best": 1.0, "waited": 2}
    stopping = EarlyStopping(patience=4)
    assert small(stopping, saving(tmp_path), max_epochs=6, script=script).fit("auto").progress.epoch == 5
    assert small(stopping, max_epochs=6, script=script).fit().progress.epoch == 5


@pytest.mark.req("CB-EARLY-004")
@pytest.mark.parametrize(
    "state", [{}, {"best": 1, "waited": 0}, {"best": NAN, "waited": 0}, {"best": 1.0, "waited": -1}]
)
def test_a_state_of_another_form_is_not_resumable(state):
    stopping = EarlyStopping()
    assert refusal(lambda: stopping.load_state_dict(state)) == ("not_resumable", "restore")
    assert stopping.state_dict() == {"best": None, "waited": 0}


@pytest.mark.req("CB-EARLY-005")
def test_a_missing_monitor_gives_one_warning_for_each_attempt(tmp_path, caplog):
    small(EarlyStopping(monitor="val_typo"), saving(tmp_path), max_epochs=3).fit()
    assert caplog.text.count("early stopping: 'val_typo'") == 1
    small(EarlyStopping(monitor="val_typo"), saving(tmp_path), max_epochs=5).fit("auto")
    assert caplog.text.count("early stopping: 'val_typo'") == 2


@pytest.mark.req("CB-EARLY-005")
def test_a_monitor_that_could_not_be_measured_yet_is_not_missing(caplog):
    small(EarlyStopping(), max_epochs=1, validate_every=2).fit()
    assert caplog.text == ""


@pytest.mark.req("CB-EARLY-006")
def test_two_of_them_have_two_keys_and_the_one_with_less_patience_stops():
    pair = EarlyStopping(patience=3), EarlyStopping(patience=2, monitor="val_other", state_key="other")
    script = {"loss": [1.0] * 5, "other": [1.0] * 5}
    assert small(*pair, max_epochs=5, script=script).fit().stop_reason.startswith("val_other")
    code = refusal(lambda: small(EarlyStopping(), EarlyStopping(monitor="val_other")))
    assert code == ("duplicate_state_key", "config")


@pytest.mark.req("CB-EARLY-007")
@pytest.mark.parametrize(
    "settings",
    [{"monitor": ""}, {"mode": "less"}, {"mode": []}, {"patience": True}, {"min_delta": NAN}, {"state_key": ""}],
)
def test_settings_out_of_range_are_refused(settings):
    assert refusal(lambda: EarlyStopping(**settings)) == ("invalid_setting", "config")
