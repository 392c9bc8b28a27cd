"""Laws of what an attempt takes over: states of callbacks, lists, and states that are not exact."""

from itertools import product
from typing import Any

from tenuto.conformance_tests.test_model_loop import SAVER, TINY, attempt, doing, position
from tenuto.conformance_tests.test_model_resuming import COUNTER
from tenuto.conformance_tests.test_model_saving import alone, best, newest, saver, state, told


def test_states_of_callbacks_go_with_the_run() -> None:
    signal = doing("on_batch_end", 2, "signal", signal="SIGTERM")
    _, folder = told([attempt(signal, COUNTER, SAVER), attempt(COUNTER, SAVER, resume="auto")])
    assert state(newest(folder))["C"] == {"batches": 6}
    _, folder = told([attempt(signal, COUNTER, SAVER), attempt(SAVER, resume="auto")])
    assert state(newest(folder)).keys() == {"CheckpointCallback"}, "a state without its callback is left out"
    _, folder = told([attempt(signal, SAVER), attempt(COUNTER, SAVER, resume="auto")])
    assert state(newest(folder))["C"] == {"batches": 4}, "a callback without a saved state keeps its own"


def test_a_list_is_cut_or_named_anew_on_a_resume_with_another_number_of_slots() -> None:
    values = {"val_loss": [3.0, 1.0, 2.0, 9.0]}
    for before, after in product((1, 2, 3), repeat=2):
        first = attempt(saver(save_top_k=before), workload=TINY, max_epochs=3, metrics=values)
        then = attempt(saver(save_top_k=after), workload=TINY, max_epochs=4, metrics=values, resume="auto")
        (one, two), folder = told([first, then])
        ranked = [2, 3, 1][:before]
        listed = best(newest(folder))["val_loss"]
        assert [entry["epoch"] for entry in listed] == [*ranked, 4][:after]
        for entry in listed:
            assert folder.names[entry["file"]].progress[0] == entry["epoch"]
        gone = {name for name in one.files if name not in two.files}
        assert gone == set(), "the names of what was cut stay"


def test_a_list_of_another_mode_is_dropped() -> None:
    given: dict[str, Any] = {"workload": TINY, "metrics": {"val_loss": [3.0, 1.0, 2.0]}}
    chain = [attempt(SAVER, max_epochs=2, **given), attempt(saver(mode="max"), max_epochs=3, resume="auto", **given)]
    _, folder = told(chain)
    assert [entry["epoch"] for entry in best(newest(folder))["val_loss"]] == [3]


def test_an_inexact_state_is_exact_again_from_the_next_boundary_on() -> None:
    failed = attempt(doing("on_batch_start", 2, "raise", code="x_user"), SAVER)
    name = "emergency_epoch_0000_step_00000001.ckpt"
    (_, ended), folder = told([failed, attempt(SAVER, resume=name)])
    assert [file.exact for file in folder.files()][1:] == [True] * (len(folder.files()) - 1)
    assert newest(folder).data() == newest(alone(SAVER)[1]).data(), "what the failure left was whole"
    stop = doing("on_train_start", 1, "stop", reason="now")
    (_, ended), folder = told([failed, attempt(stop, SAVER, resume=name)])
    assert [row["exact"] for row in ended.listing] == [False] * 3
    assert position(ended.events[-1]) == "0/1/1"
