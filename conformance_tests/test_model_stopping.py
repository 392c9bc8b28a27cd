"""Laws of stops, failures and signals."""

from itertools import product

import pytest

from tenuto.conformance_tests.oracle.model import UnforeseenError
from tenuto.conformance_tests.test_model_deciding import ALPHABET, MODES, lists
from tenuto.conformance_tests.test_model_loop import LOOP_HOOKS, SAVER, TINY, doing, letters, of, position, run


def test_a_stop_at_the_end_of_the_last_epoch_changes_nothing_but_the_reason() -> None:
    alone = run({"name": "A"}, SAVER)
    for hook, call in (("on_epoch_end", 2), ("on_validation_end", 2), ("on_validation_start", 2)):
        stopped = run(doing(hook, call, "stop", reason="enough"), SAVER)
        assert (stopped.events, stopped.files) == (alone.events, alone.files)
        assert stopped.reply == {**alone.reply, "outcome": "stopped", "detail": "enough"}


def test_a_stop_at_the_end_of_an_epoch_is_a_training_of_fewer_epochs() -> None:
    for hook in ("on_validation_start", "on_validation_end", "on_epoch_end"):
        stopped = run(doing(hook, 1, "stop", reason="enough"), SAVER, max_epochs=3)
        assert stopped.events == run({"name": "A"}, SAVER, max_epochs=1).events, hook


def test_a_stop_of_a_batch_ends_at_the_end_of_that_batch() -> None:
    whole = of(run({"name": "A"}), "A")
    for hook, call in product(("on_batch_start", "on_batch_end"), (1, 2, 3, 4)):
        stopped = of(run(doing(hook, call, "stop", reason="enough")), "A")
        ends = [at for at, event in enumerate(whole) if event["hook"] == "on_batch_end"]
        assert stopped[:-2] == whole[: ends[call - 1] + 1]
        assert [event["hook"] for event in stopped[-2:]] == ["on_train_end", "on_teardown"]


def test_the_first_of_several_stops_gives_the_reason() -> None:
    for hook in ("on_batch_start", "on_epoch_end"):
        two = run(doing(hook, 1, "stop", reason="one"), doing(hook, 1, "stop", name="B", reason="two"))
        assert two.reply["detail"] == "one"
    late = run(
        doing("on_batch_start", 1, "stop", reason="one"), doing("on_train_end", 1, "stop", name="B", reason="two")
    )
    assert late.reply["detail"] == "one"
    for hook in ("on_train_end", "on_teardown"):
        assert run(doing(hook, 1, "stop", reason="late")).reply["outcome"] == "finished"


def test_a_stop_in_the_news_of_a_save_counts_as_one_of_the_outer_hook() -> None:
    inside = run(doing("on_checkpoint_saved", 1, "stop", reason="one"), SAVER, max_epochs=3)
    outside = run(doing("on_epoch_end", 1, "stop", reason="one"), SAVER, max_epochs=3)
    assert (inside.events, inside.reply) == (outside.events, outside.reply)


def test_a_failure_leaves_the_later_callbacks_of_its_event_out() -> None:
    for hook, call in product(LOOP_HOOKS, (1, 2)):
        failed = run({"name": "Z"}, doing(hook, call, "raise", code="x_user"), {"name": "B"})
        if call > 1 and hook == "on_train_start":
            continue
        before, mine, after = (of(failed, name) for name in "ZAB")
        assert before == mine, hook
        assert after == mine[:-3] + mine[-2:], hook
        assert [event["hook"] for event in mine[-2:]] == ["on_exception", "on_teardown"]
        assert (mine[-2]["code"], mine[-2]["exact"], mine[-2]["is_signal"]) == ("x_user", False, False)


def test_what_fails_after_the_first_failure_changes_nothing() -> None:
    first = doing("on_batch_end", 2, "raise", code="x_user")
    alone = run(first, {"name": "B"}, SAVER)
    for hook in ("on_exception", "on_teardown"):
        again = run(first, doing(hook, 1, "raise", name="B", code="x_late"), SAVER)
        assert (again.events, again.files, again.reply) == (alone.events, alone.files, alone.reply)
    quiet = run({"name": "B"}, SAVER)
    assert run(doing("on_teardown", 1, "raise", name="B", code="x_late"), SAVER) == quiet


def test_a_signal_is_honored_at_the_end_of_the_batch_in_which_it_arrives() -> None:
    whole = of(run({"name": "A"}), "A")
    ends = [at for at, event in enumerate(whole) if event["hook"] == "on_batch_end"]
    for hook, call in product(("on_batch_start", "on_batch_end"), range(1, 7)):
        ended = of(run(doing(hook, call, "signal", signal="SIGTERM"), {"name": "B"}, SAVER), "B", "on_checkpoint_saved")
        assert list(ended[:-2]) == whole[: ends[call - 1] + 1], (hook, call)
        assert (ended[-2]["code"], ended[-2]["exact"], ended[-2]["is_signal"]) == ("SIGTERM", True, True)


def test_of_a_signal_and_a_stop_the_signal_is_honored_in_an_epoch() -> None:
    for at, outcome in (("on_batch_end", "interrupted"), ("on_epoch_end", "stopped"), ("on_validation_end", "stopped")):
        both = run(doing(at, 1, "stop", reason="enough"), doing(at, 1, "signal", name="B", signal="SIGINT"))
        assert both.reply["outcome"] == outcome


def test_a_signal_in_validation_comes_before_its_metrics() -> None:
    ended = run(doing("on_validation_start", 1, "signal", signal="SIGTERM"), {"name": "B"})
    last = of(ended, "B")[-1]
    assert letters(of(ended, "B")) == "SebBbBbBvxD"
    assert isinstance(last["metrics"], dict)
    assert set(last["metrics"]) == {"train_loss_step"}


def test_a_signal_when_the_work_is_done_changes_nothing() -> None:
    alone = run({"name": "A"}, SAVER)
    for hook, call in (("on_validation_end", 2), ("on_epoch_end", 2), ("on_train_end", 1), ("on_teardown", 1)):
        late = run(doing(hook, call, "signal", signal="SIGINT"), SAVER)
        assert (late.events, late.reply, late.files) == (alone.events, alone.reply, alone.files)


def test_a_signal_between_epochs_is_honored_before_the_next_begins() -> None:
    for hook in ("on_validation_end", "on_epoch_end"):
        assert letters(of(run(doing(hook, 1, "signal", signal="SIGTERM")), "A")) == "SebBbBbBvVExD"


def test_where_a_second_interrupt_ends_the_attempt_is_not_foretold() -> None:
    with pytest.raises(UnforeseenError, match="another signal"):
        run(
            doing("on_batch_start", 1, "signal", signal="SIGTERM"),
            doing("on_batch_end", 1, "signal", "B", signal="SIGINT"),
        )
    later = run(
        doing("on_batch_start", 1, "signal", signal="SIGINT"), doing("on_batch_end", 1, "signal", "B", signal="SIGTERM")
    )
    assert later.reply["detail"] == "SIGINT"


def test_the_last_step_ends_the_run_like_a_stop() -> None:
    for steps in (1, 2, 3, 4):
        ended = run({"name": "A"}, SAVER, max_steps=steps)
        stopped = run(doing("on_batch_end", steps, "stop", reason="max_steps"), SAVER)
        assert (ended.events, ended.files, ended.reply) == (stopped.events, stopped.files, stopped.reply)
    first = run(doing("on_batch_end", 2, "stop", reason="mine"), max_steps=2)
    assert first.reply["detail"] == "mine"


def test_early_stopping_ends_when_no_look_of_the_last_ones_was_an_improvement() -> None:
    """An improvement is what would have replaced rank 1 of a list with one slot."""
    for values, mode, patience, min_delta in product(product(ALPHABET, repeat=3), MODES, (1, 2), (0.0, 1.0)):
        settings = {"mode": mode, "patience": patience, "min_delta": min_delta}
        found = run(
            {"name": "E", "early_stopping": settings}, workload=TINY, max_epochs=3, metrics={"val_loss": values}
        )
        kept = lists(values, mode, 1, min_delta)
        looks = [at for at, value in enumerate(values) if value is not None]
        improved = [kept[at] != kept[at + 1] for at in looks]
        ends = [
            look for n, look in enumerate(looks) if n + 1 >= patience and not any(improved[n + 1 - patience : n + 1])
        ]
        expected = ends[0] + 1 if ends else 3
        assert position(found.events[-1]) == f"{expected}/0/{expected}", (values, settings)
        assert found.reply["outcome"] == ("stopped" if ends else "finished")
        assert ("detail" in found.reply) == (not ends), "the text gives no reason"


def test_two_that_stop_early_watch_two_metrics() -> None:
    metrics = {"val_a": [3.0, 2.0, 1.0, 1.0], "val_b": [1.0, 1.0, 1.0, 1.0]}
    both = [
        {"name": name, "early_stopping": {"monitor": f"val_{name}", "patience": 2, "state_key": name}} for name in "ab"
    ]
    assert position(run(*both, workload=TINY, max_epochs=4, metrics=metrics).events[-1]) == "3/0/3"
    alike = [{"name": name, "early_stopping": {}} for name in "ab"]
    assert run(*alike).reply == {"reply": "error", "code": "duplicate_state_key", "phase": "config"}
