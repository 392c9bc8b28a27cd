"""Hooks, states of callbacks, metrics and signals: what only trainings with torch have shown, without torch."""

from __future__ import annotations

import logging
import signal
import threading

import pytest
from attrs import fields_dict
from recorder import Recorder, heads, refusal, saving, small

from tenuto.callbacks.base import BaseCallback
from tenuto.reference.errors import TrainingInterrupted
from tenuto.reference.events import contexts
from tenuto.reference.events.hooks import Hook
from tenuto.reference.trainer.loop import Trainer
from tenuto.reference.trainer.metrics import MetricBook, flatten
from tenuto.reference.workload import ReferenceWorkload, WorkloadSettings

# -- hooks ------------------------------------------------------------------------------------------------------------

MORE = {
    "on_train_start": {"resumed", "max_epochs"},
    "on_epoch_end": {"measured"},
    "on_checkpoint_saved": {"saved"},
    "on_checkpoint_deleted": {"deleted"},
    "on_exception": {"error", "exact", "is_signal"},
}


class Keeping(BaseCallback):
    """Keeps what each hook is called with."""

    def __init__(self):
        self.calls = []

    def __getattribute__(self, wanted):
        if wanted in set(Hook):
            return lambda *arguments, **named: self.calls.append((wanted, arguments, named))
        return super().__getattribute__(wanted)

    def handles(self, hook):
        return True


def calls_of_every_hook(folder):
    """Trains so that every hook is called, and returns what each was called with, and the trainers."""
    kept = Keeping()

    def fail(_):
        raise RuntimeError

    ended = small(kept, saving(folder / "a", save_best=False, keep_last_n=1))
    ended.fit()
    failed = small(kept, Recorder(on_epoch_end=fail), saving(folder / "b", save_best=False))
    with pytest.raises(RuntimeError):
        failed.fit()
    return kept.calls, [ended, failed]


@pytest.mark.req("CB-HOOK-001")
def test_each_hook_gets_the_context_of_its_event_and_nothing_else(tmp_path):
    calls, _ = calls_of_every_hook(tmp_path)
    assert {hook for hook, _, _ in calls} == set(Hook)
    shared = fields_dict(contexts.Context).keys()
    for hook, arguments, named in calls:
        (context,) = arguments
        assert named == {}
        assert fields_dict(type(context)).keys() == shared | MORE.get(hook, set()), hook


@pytest.mark.req("CB-HOOK-002")
def test_no_field_of_a_context_is_the_trainer_or_its_workload(tmp_path):
    calls, trainers = calls_of_every_hook(tmp_path)
    hidden = [one for trainer in trainers for one in (trainer, trainer.workload)]
    for _, (context,), _ in calls:
        values = [getattr(context, name) for name in dir(context) if not name.startswith("_")]
        assert not any(value is one for value in values for one in hidden)


@pytest.mark.req("CB-HOOK-011")
def test_the_callbacks_are_those_that_the_trainer_was_made_with():
    first, late = Recorder(), Recorder()
    given = [first]
    trainer = Trainer(ReferenceWorkload(WorkloadSettings(samples=4)), max_epochs=1, callbacks=given)
    given[:] = [late]
    trainer.fit()
    assert first.hooks[-1] == "on_teardown"
    assert late.log == []


@pytest.mark.req("CB-HOOK-003")
def test_every_hook_of_the_base_callback_does_nothing():
    base = BaseCallback()
    assert [getattr(base, hook.value)(None) for hook in Hook] == [None] * len(Hook)
    assert not any(base.handles(hook) for hook in Hook)


def noting(log, name, method):
    """Returns a method that writes its name down first."""

    def call(*arguments, **named):
        log.append(name)
        return method(*arguments, **named)

    return call


@pytest.mark.req("CB-ORDER-002", "CB-ORDER-003")
def test_the_order_at_the_end_of_an_epoch(monkeypatch):
    log = []
    watched = ((ReferenceWorkload, "train_on"), (ReferenceWorkload, "validate"), (ReferenceWorkload, "end_epoch"))
    for kind, name in (*watched, (MetricBook, "record_means")):
        monkeypatch.setattr(kind, name, noting(log, name, getattr(kind, name)))

    def note(hook):
        return lambda context: log.append((hook, context.progress.epoch, sorted(context.metrics)))

    hooks = ("on_batch_end", "on_validation_end", "on_epoch_end")
    small(Recorder(**{hook: note(hook) for hook in hooks}), max_epochs=1, samples=4).fit()
    batch, validation = ["train_loss_step"], ["train_loss_step", "val_loss", "val_parts.abs"]
    assert log == [
        "train_on",
        ("on_batch_end", 0, batch),
        "validate",
        ("on_validation_end", 0, validation),
        "record_means",
        "end_epoch",
        ("on_epoch_end", 1, ["train_loss", *validation]),
    ]


# -- states of callbacks ----------------------------------------------------------------------------------------------


class Counting(BaseCallback):
    """Has state, and notes when it is given one."""

    def __init__(self):
        self.batches, self.order = 0, []

    def state_dict(self):
        return {"batches": self.batches, "nested": [1, None, b"x"]}

    def load_state_dict(self, state):
        self.order.append(("load", state))
        self.batches = state["batches"]

    def on_train_start(self, context):
        self.order.append(("start", self.batches))

    def on_batch_end(self, context):
        self.batches += 1


@pytest.mark.req("CB-STATE-001", "CB-STATE-003")
def test_a_callback_gets_the_state_that_was_saved_before_the_start(tmp_path):
    small(Recorder(), Counting(), saving(tmp_path, save_best=False)).fit()
    saved = heads(tmp_path)["checkpoint_epoch_0001.ckpt"]["callback_state"]
    state = {"batches": 2, "nested": [1, None, b"x"]}
    assert saved == {"Counting": state, "CheckpointCallback": saved["CheckpointCallback"]}
    again = Counting()
    small(again).fit(tmp_path / "checkpoint_epoch_0001.ckpt")
    assert again.order == [("load", state), ("start", 2)]


@pytest.mark.req("CB-STATE-002", "CB-ORDER-004")
def test_callbacks_that_would_mix_up_are_refused_when_the_trainer_is_made(tmp_path):
    assert refusal(lambda: small(Counting(), Counting())) == ("duplicate_state_key", "config")
    small(Recorder(), Recorder())  # without state there is nothing to mix up
    two = [saving(tmp_path / "a"), saving(tmp_path / "b", monitor="train_loss")]
    assert refusal(lambda: small(*two)) == ("several_checkpoint_callbacks", "config")


# -- metrics ----------------------------------------------------------------------------------------------------------


@pytest.mark.req("CB-METRIC-001")
def test_maps_of_metrics_are_flattened_and_their_values_are_floats():
    flat = flatten({"a": {"b": 1, "c": {"d": 2.5}}, "e": True})
    assert flat == {"a.b": 1.0, "a.c.d": 2.5, "e": 1.0}
    assert {type(value) for value in flat.values()} == {float}


@pytest.mark.req("CB-METRIC-002", "CB-METRIC-005")
def test_metrics_whose_names_would_be_equal_are_refused():
    assert refusal(lambda: flatten({"a.b": 1.0, "a": {"b": 2.0}})) == ("duplicate_metric", "train")
    for metrics in ({"x": 1.0, "x_step": 2.0}, {"x_step": 1.0, "x": 2.0}):
        assert refusal(lambda metrics=metrics: MetricBook().add_batch(metrics, 1)) == ("duplicate_metric", "train")


@pytest.mark.req("CB-METRIC-003")
@pytest.mark.parametrize("looks", [True, False])
def test_a_metric_that_later_batches_have_not_keeps_its_value_and_its_step(looks):
    book = MetricBook()
    for step, metrics in enumerate(({"a": 1.0}, {"b": 2.0}, {"b": 3.0}), start=1):
        book.add_batch(metrics, step)
        assert not looks or len(book.view) == min(step, 2)
    assert dict(book.view) == {"train_a_step": contexts.Metric(1.0, 1), "train_b_step": contexts.Metric(3.0, 3)}
    book.add_batch({"b": 4.0}, 4)
    assert book.capture()[0]["train_b_step"] == {"value": 4.0, "step": 4}
    book.add_batch({"b": 5.0}, 5)
    book.restore({}, {})
    assert dict(book.view) == {}


@pytest.mark.req("CB-METRIC-003")
def test_each_metric_has_the_step_at_which_it_was_measured():
    seen = []
    small(Recorder(on_batch_end=lambda context: seen.append(dict(context.metrics)))).fit()
    assert [metrics["train_loss_step"].step for metrics in seen] == [1, 2, 3, 4]
    assert seen[2]["val_loss"].step == 2


# -- signals ----------------------------------------------------------------------------------------------------------


def handlers():
    return signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)


@pytest.mark.req("TR-FAIL-005")
def test_the_handlers_of_before_are_there_again_after_any_end():
    before, during = handlers(), []
    small(Recorder(on_train_start=lambda _: during.append(handlers()))).fit()
    assert handlers() == before
    with pytest.raises(TrainingInterrupted):
        small(Recorder(on_batch_start=lambda _: signal.raise_signal(signal.SIGTERM))).fit()
    assert handlers() == before
    assert not set(during[0]) & set(before)


@pytest.mark.req("TR-FAIL-006")
def test_outside_the_main_thread_there_is_no_handler_and_a_warning(caplog):
    seen, before = [], handlers()
    trainer = small(Recorder(on_batch_end=lambda _: seen.append(handlers())), max_epochs=1)
    with caplog.at_level(logging.WARNING, "tenuto"):
        thread = threading.Thread(target=trainer.fit)
        thread.start()
        thread.join()
    assert seen == [before, before]
    assert "not in the main thread" in caplog.text


@pytest.mark.req("TR-FAIL-004")
def test_a_sigterm_ends_with_its_code_and_exit_code_when_the_batch_has_ended():
    recorder = Recorder(on_batch_start=lambda _: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(TrainingInterrupted) as caught:
        small(recorder).fit()
    assert (caught.value.code, caught.value.exit_code) == ("training_interrupted", 143)
    assert recorder.hooks[-3:] == ["on_batch_end", "on_exception", "on_teardown"]
