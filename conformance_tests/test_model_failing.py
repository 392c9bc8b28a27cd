"""Laws of saves that fail, of emergency, final and manual saves."""

from itertools import product
from typing import Any

import pytest

from tenuto.conformance_tests.oracle.model import UnforeseenError
from tenuto.conformance_tests.test_model_loop import SMALL, TINY, doing, position, run
from tenuto.conformance_tests.test_model_saving import alone, best, newest, news, saver


def test_an_emergency_save_holds_the_last_boundary_and_moves_no_latest() -> None:
    for do, more in (("raise", {"code": "x_user"}), ("signal", {"signal": "SIGTERM"})):
        for hook, call in product(("on_batch_start", "on_batch_end", "on_epoch_end"), (1, 2)):
            found, folder = alone(doing(hook, call, do, **more), saver(save_every_steps=1, save_best=False))
            emergencies = [file for file in folder.files() if file.is_emergency]
            if found.reply["outcome"] == "finished" or found.events[-1]["progress"] == ["i:0"] * 3:
                assert emergencies == []
                continue
            (last,) = emergencies
            assert last.reasons == (("signal",) if do == "signal" else ("exception",))
            assert last.exact == (do == "signal")
            assert "/".join(map(str, last.progress)) == position(found.events[-1])
            latest = folder.names.get("latest.ckpt")
            assert latest is None or not latest.is_emergency
    nothing, folder = alone(doing("on_batch_start", 1, "raise", code="x_user"), saver())
    assert (nothing.files, folder.names) == ({}, {}), "no batch of the run was trained"


def test_without_its_setting_there_is_no_emergency_and_no_final_save() -> None:
    for setting, do, more in (
        ("save_on_exception", "raise", {"code": "x_user"}),
        ("save_on_train_end", "stop", {"reason": "enough"}),
    ):
        act = doing("on_batch_end", 2, do, **more)
        assert run(act, saver(**{setting: False})).files == {}
        assert len(run(act, saver(**{setting: True})).files) in {1, 2}


def broken(*calls: tuple[str, int, str]) -> dict[str, Any]:
    return {"name": "A", "actions": [{"hook": hook, "call": call, "do": do} for hook, call, do in calls]}


def test_a_failed_save_leaves_everything_as_it_was_and_counts_as_made() -> None:
    breaks = broken(("on_epoch_end", 2, "break"), ("on_epoch_start", 3, "mend"))
    values = {"val_loss": [3.0, 1.0, 2.0, 2.5]}
    settings = {"save_every_steps": 2, "save_top_k": 2}
    found, folder = alone(breaks, saver(**settings), workload=TINY, max_epochs=4, metrics=values)
    whole = run(broken(), saver(**settings), workload=TINY, max_epochs=4, metrics=values)
    assert [one for one in map(position, news(found)) if one != "2/0/2"] == list(map(position, news(found)))
    assert [one for one in map(position, news(whole)) if one != "2/0/2"] == list(map(position, news(found)))
    assert [(one["epoch"], one["value"]) for one in best(newest(folder))["val_loss"]] == [(3, 2.0), (4, 2.5)]
    rarely = run(breaks, saver(save_frequency=2, save_best=False), workload=TINY, max_epochs=4)
    assert list(map(position, news(rarely))) == ["4/0/4"], "it is not tried again at the next epoch"


def test_so_many_failures_in_a_row_fail_the_run() -> None:
    for most in (1, 2, 3):
        settings = {"max_save_failures": most, "save_best": False, "save_on_exception": False}
        lasting = broken(("on_epoch_end", 1, "break"), ("on_exception", 1, "mend"))
        found = run(lasting, saver(**settings), workload=TINY, max_epochs=5)
        assert (found.reply["outcome"], found.reply["detail"]) == ("raised", "not_a_folder")
        assert position(found.events[-1]) == f"{most}/0/{most}"
        assert found.files == {}
    short = [
        (hook, call, do) for call in (1, 3) for hook, do in (("on_epoch_end", "break"), ("on_epoch_start", "mend"))
    ]
    short = [(hook, call + (do == "mend"), do) for hook, call, do in short]
    assert run(broken(*short), saver(max_save_failures=2), workload=TINY, max_epochs=5).reply["outcome"] == "finished"


def test_a_final_save_that_fails_fails_the_run() -> None:
    found = run(
        broken(("on_train_end", 1, "break"), ("on_exception", 1, "mend")), saver(save_frequency=None, save_best=False)
    )
    assert found.reply["detail"] == "not_a_folder"
    assert list(found.files) == ["emergency_epoch_0002_step_00000006.ckpt"]
    away = run(broken(("on_train_start", 1, "break"), ("on_exception", 1, "mend")), saver())
    assert (away.reply["detail"], [event["hook"] for event in away.events][2:]) == (
        "not_a_folder",
        ["on_exception"] * 2 + ["on_teardown"] * 2,
    )


def test_a_manual_save_inside_a_hook_is_not_exact_and_told_later() -> None:
    by_epochs = doing("on_batch_start", 2, "save", metrics={"val_loss": 0.5}, callback="S")
    for settings, moment in (({}, "1/0/3"), ({"save_every_steps": 9}, "0/2/2")):
        found, folder = alone(by_epochs, saver(**settings), max_epochs=1)
        first = news(found)[0]
        assert (position(first), first["reasons"]) == (moment, ["best", "manual"])
        assert first["names"] == ["checkpoint_epoch_0000_step_00000001.ckpt", "best_model_val_loss.ckpt", "latest.ckpt"]
        file = folder.names["checkpoint_epoch_0000_step_00000001.ckpt"]
        assert (file.exact, file.progress) == (False, (0, 1, 1))
    last = doing("on_train_end", 1, "save", metrics={}, callback="S")
    both, folder = alone(last, saver(save_frequency=None, save_best=False))
    assert [event["reasons"] for event in news(both)] == [["manual"], ["train_end"]], (
        "an exact state is still to be saved"
    )
    assert [file.exact for file in folder.files()] == [True]


def test_a_manual_save_changes_no_later_periodic_one() -> None:
    settings = {"save_frequency": 2, "save_every_steps": 4, "save_best": False}
    plain = [position(event) for event in news(run({"name": "A"}, saver(**settings), max_epochs=4))]
    for hook in ("on_epoch_start", "on_batch_start", "on_batch_end", "on_validation_end"):
        manual = doing(hook, 2, "save", metrics={}, callback="S")
        told = news(run(manual, saver(**settings), max_epochs=4))
        assert [position(event) for event in told if event["reasons"] != ["manual"]] == plain, hook


def test_manual_saves_after_the_training_are_told_to_nobody_and_stay() -> None:
    then = [{"save": "S", "metrics": {"val_loss": 0.0}}, {"save": "S", "metrics": {}}]
    stop = doing("on_batch_end", 4, "stop", reason="enough")
    found, folder = alone(stop, saver(keep_last_n=1), then=then)
    without, _ = alone(stop, saver(keep_last_n=1))
    assert found.events == without.events
    file = folder.names["checkpoint_epoch_0001_step_00000004.ckpt"]
    assert (file.reasons, file.exact) == (("manual",), True)
    assert folder.names["best_model_val_loss.ckpt"].reasons == ("best", "manual"), "the first of the two"
    assert [one["epoch"] for one in best(file)["val_loss"]] == [1]


def test_a_strict_monitor_that_was_never_measured_fails_the_run() -> None:
    settings = {"monitor": "val_none", "strict_monitor": True, "save_frequency": None}
    assert run(saver(**settings), validate_every=2).reply["progress"] == {
        "epoch": "i:2",
        "batch_in_epoch": "i:0",
        "global_step": "i:6",
    }
    assert run(saver(**settings), validate_every=2).reply["detail"] == "monitor_missing"
    assert run(saver(**settings), validate_every=3).reply["outcome"] == "finished"
    unvalidated = {**SMALL, "validation_samples": 0}
    assert position(run(saver(**settings), workload=unvalidated).events[-1]) == "1/0/3"
    with pytest.raises(UnforeseenError, match="strict_monitor"):
        run(saver(**{**settings, "save_frequency": 1}))
