"""Hooks, stops, failures and metrics of the contract, on the reference workload."""

from __future__ import annotations

import math
import re

import pytest
from recorder import Recorder, saving, small

from tenuto.reference.errors import CheckpointError, TenutoError
from tenuto.reference.trainer.metrics import flatten

_LETTERS = {
    "on_train_start": "S",
    "on_epoch_start": "e",
    "on_batch_start": "b",
    "on_batch_end": "B",
    "on_validation_start": "v",
    "on_validation_end": "V",
    "on_epoch_end": "E",
    "on_train_end": "T",
    "on_exception": "X",
    "on_teardown": "Z",
}
_EPOCH = "e?(bB)*(vV)?E"
_GRAMMAR = re.compile(f"S({_EPOCH})*(e?(bB)*)?TZ")
INSIDE = ["on_train_start", "on_epoch_start", "on_batch_start", "on_batch_end", "on_validation_start"]
INSIDE += ["on_validation_end", "on_epoch_end", "on_train_end"]


def word(hooks):
    return "".join(_LETTERS[hook] for hook in hooks)


@pytest.mark.req("CB-HOOK-007", "CB-HOOK-013")
def test_the_events_of_an_undisturbed_run():
    recorder = Recorder()
    small(recorder).fit()
    assert word(recorder.hooks) == "S" + "ebBbBvVE" * 2 + "TZ"
    assert [place for _, place in recorder.log[:9]] == [
        (0, 0, 0),
        (0, 0, 0),
        (0, 0, 0),
        (0, 1, 1),
        (0, 1, 1),
        (0, 2, 2),
        (0, 2, 2),
        (0, 2, 2),
        (1, 0, 2),
    ]


def beginnings(sentence):
    return {sentence[:length] for length in range(1, len(sentence))}


@pytest.mark.req("CB-HOOK-007", "CB-FAIL-004", "CB-FAIL-006")
@pytest.mark.parametrize("hook", INSIDE)
def test_a_failure_cuts_the_events_and_the_failing_callback_hears_of_it(hook):
    def fail(_):
        raise RuntimeError(hook)

    recorder = Recorder(**{hook: fail})
    with pytest.raises(RuntimeError, match=hook):
        small(recorder).fit()
    told = word(recorder.hooks)
    assert told.endswith("XZ")
    assert told[:-2] in beginnings("S" + "ebBbBvVE" * 2 + "TZ")
    assert told[-3] == _LETTERS[hook]


@pytest.mark.req("CB-STOP-001", "CB-STOP-004", "CB-HOOK-007")
@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ("on_train_start", "STZ"),
        ("on_epoch_start", "SebBTZ"),
        ("on_batch_start", "SebBTZ"),
        ("on_batch_end", "SebBTZ"),
        ("on_validation_start", "SebBbBvVETZ"),
        ("on_validation_end", "SebBbBvVETZ"),
        ("on_epoch_end", "SebBbBvVETZ"),
    ],
)
def test_the_moment_at_which_a_stop_is_honored(hook, expected):
    recorder = Recorder(**{hook: lambda context: context.request_stop(hook)})
    result = small(recorder).fit()
    assert word(recorder.hooks) == expected
    assert _GRAMMAR.fullmatch(expected)
    assert result.stop_reason == hook


@pytest.mark.req("CB-STOP-004")
def test_a_stop_at_the_last_batch_leaves_the_rest_of_the_epoch_to_the_resume(tmp_path):
    def stop(context):
        if context.progress.batch_in_epoch == 2:
            context.request_stop("enough")

    first = Recorder(on_batch_end=stop)
    small(first, saving(tmp_path, save_best=False), max_epochs=1).fit()
    hooks = [hook for hook in first.hooks if not hook.startswith("on_checkpoint")]
    assert word(hooks) == "SebBbBTZ"
    second = Recorder()
    small(second, saving(tmp_path, save_best=False), max_epochs=1).fit("auto")
    hooks = [hook for hook in second.hooks if not hook.startswith("on_checkpoint")]
    assert word(hooks) == "SvVETZ"


@pytest.mark.req("CB-STOP-003")
@pytest.mark.parametrize("reasons", ["ab", ["", "b"]])
def test_the_first_of_several_requests_wins(reasons):
    asks = [Recorder(on_batch_end=lambda context, reason=reason: context.request_stop(reason)) for reason in reasons]
    assert small(*asks).fit().stop_reason == reasons[0]


@pytest.mark.req("CB-STOP-005")
@pytest.mark.parametrize("hook", ["on_train_end", "on_teardown"])
def test_a_request_after_the_end_changes_nothing(hook):
    result = small(Recorder(**{hook: lambda context: context.request_stop("late")})).fit()
    assert (result.stop_reason, result.progress.epoch) == (None, 2)


@pytest.mark.req("CB-STOP-006")
@pytest.mark.parametrize(
    ("settings", "expected"),
    [({"save_every_steps": 1, "save_frequency": None}, (0, 1, 1)), ({"save_frequency": 1}, (1, 0, 2))],
)
def test_a_request_in_on_checkpoint_saved_counts_for_the_hook_around_it(tmp_path, settings, expected):
    recorder = Recorder(on_checkpoint_saved=lambda context: context.request_stop("saved"))
    result = small(recorder, saving(tmp_path, save_best=False, **settings)).fit()
    assert (result.progress.epoch, result.progress.batch_in_epoch, result.progress.global_step) == expected


@pytest.mark.req("CB-HOOK-008")
def test_an_attempt_that_is_refused_calls_no_hook(tmp_path):
    recorder = Recorder()
    with pytest.raises(CheckpointError):
        small(recorder).fit(tmp_path / "missing.ckpt")
    assert recorder.log == []


@pytest.mark.req("CB-HOOK-009", "CB-ORDER-005", "CB-HOOK-010")
def test_news_of_a_save_reaches_observers_first_and_inside_the_event(tmp_path):
    log = []
    before, after = Recorder(log, "before"), Recorder(log, "after")
    recorded = saving(tmp_path, save_best=False, keep_last_n=1)
    small(before, recorded, after).fit()
    told = [(hook, name) for hook, _, name in log if hook.startswith(("on_checkpoint", "on_epoch_end", "on_train_end"))]
    both = [("before",), ("after",)]
    saved, deleted, ends = (
        [(hook, *name) for name in both] for hook in ("on_checkpoint_saved", "on_checkpoint_deleted", "on_epoch_end")
    )
    assert told == [*ends, *saved, *ends, *saved, *deleted, ("on_train_end", "before"), ("on_train_end", "after")]


@pytest.mark.req("CB-HOOK-011")
def test_the_list_of_callbacks_is_taken_once():
    recorder, late = Recorder(), Recorder()
    callbacks = [recorder]
    trainer = small(*callbacks)
    callbacks.append(late)
    recorder.act["on_train_start"] = lambda _: callbacks.clear()
    trainer.fit()
    assert len(recorder.log) > 10
    assert late.log == []


@pytest.mark.req("CB-HOOK-012")
def test_a_callback_cannot_write_to_the_metrics():
    def write(context):
        context.metrics["val_loss"] = 0.0

    with pytest.raises(TypeError):
        small(Recorder(on_epoch_end=write)).fit()


@pytest.mark.req("CB-FAIL-005")
def test_a_failure_in_the_news_leaves_the_checkpoint(tmp_path):
    def fail(_):
        raise RuntimeError("news")

    with pytest.raises(RuntimeError, match="news"):
        small(Recorder(on_checkpoint_saved=fail), saving(tmp_path, save_best=False)).fit()
    assert (tmp_path / "checkpoint_epoch_0001.ckpt").exists()


@pytest.mark.req("CB-METRIC-007", "CB-METRIC-009", "CB-METRIC-010")
def test_names_and_steps_of_metrics():
    seen = {}

    def keep(hook):
        return lambda context: seen.setdefault((hook, context.progress.global_step), dict(context.metrics))

    hooks = ("on_batch_end", "on_validation_end", "on_epoch_end")
    small(Recorder(**{hook: keep(hook) for hook in hooks})).fit()
    steps = {key: {name: metric.step for name, metric in metrics.items()} for key, metrics in seen.items()}
    assert steps["on_batch_end", 1] == {"train_loss_step": 1}
    assert steps["on_validation_end", 2] == {"train_loss_step": 2, "val_loss": 2, "val_parts.abs": 2}
    assert steps["on_epoch_end", 2] == {"train_loss_step": 2, "val_loss": 2, "val_parts.abs": 2, "train_loss": 2}
    assert steps["on_batch_end", 3] == {**steps["on_epoch_end", 2], "train_loss_step": 3}  # stale ones keep their step


@pytest.mark.req("CB-METRIC-008")
def test_the_mean_of_an_epoch_is_the_sum_in_order_divided():
    losses, means = [], []
    recorder = Recorder(
        on_batch_end=lambda context: losses.append(context.metrics["train_loss_step"].value),
        on_epoch_end=lambda context: means.append(context.metrics["train_loss"].value),
    )
    small(recorder, max_epochs=1, samples=22).fit()
    total = 0.0
    for loss in losses:
        total += loss
    assert means == [total / 6]


@pytest.mark.req("CB-METRIC-011")
def test_odd_values_are_values():
    script = {"odd": [math.nan, math.inf], "nested": [{}, {}]}
    seen = []
    recorder = Recorder(on_epoch_end=lambda context: seen.append(dict(context.metrics)))
    small(recorder, script=script).fit()
    assert math.isnan(seen[0]["val_odd"].value)
    assert seen[1]["val_odd"].value == math.inf
    assert not any(name.startswith("val_nested") for name in seen[1])


@pytest.mark.req("CB-METRIC-012")
@pytest.mark.parametrize("metrics", [{"": 1.0}, {"a": {"": 1.0}}, {3: 1.0}])
def test_a_name_has_to_be_text(metrics):
    with pytest.raises(TenutoError) as caught:
        flatten(metrics)
    assert caught.value.code == "invalid_metric"
