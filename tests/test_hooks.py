"""Which hooks run, when, in which order, and what they receive."""

import pytest
from small_job import Recorder, make_trainer

import tenuto
from tenuto.reference.errors import TenutoError
from tenuto.reference.events.hooks import Hook
from tenuto.reference.trainer.metrics import flatten

EPOCH = ["on_epoch_start", *["on_batch_start", "on_batch_end"] * 4, "on_validation_start", "on_validation_end"]
SAVED = ["on_checkpoint_saved"]


def names(recorder):
    return [hook for _, hook, _ in recorder.log]


@pytest.mark.req("CB-HOOK-001", "CB-ORDER-002", "CB-HOOK-005", "CB-HOOK-004", "CB-ORDER-001")
def test_hooks_of_a_whole_run_in_order(tmp_path):
    recorder = Recorder()
    make_trainer(tmp_path, [recorder]).fit()
    epoch = [*EPOCH, "on_epoch_end", *SAVED]
    assert names(recorder) == ["on_train_start", *epoch * 3, "on_train_end", "on_teardown"]


@pytest.mark.req("CB-HOOK-006")
def test_events_of_two_attempts_are_those_of_one(tmp_path):
    whole = Recorder()
    make_trainer(tmp_path / "a", [whole]).fit()
    stopper = Recorder(at=("on_batch_end", 6), act=lambda context: context.request_stop("half"))
    make_trainer(tmp_path / "b", [stopper]).fit()
    rest = Recorder()
    make_trainer(tmp_path / "b", [rest]).fit(resume="auto")

    around = {"on_train_start", "on_train_end", "on_teardown", "on_checkpoint_saved"}
    joined = [entry for entry in stopper.log + rest.log if entry[1] not in around]
    assert joined == [entry for entry in whole.log if entry[1] not in around]


@pytest.mark.req("CB-ORDER-001")
def test_observers_run_before_checkpointing_callbacks_whatever_the_order_given():
    log = []
    saver = Recorder("saver", log=log)
    saver.phase = "checkpoint"
    make_trainer(callbacks=[saver, Recorder("first", log=log), Recorder("second", log=log)]).fit()
    assert [name for name, hook, step in log if (hook, step) == ("on_batch_end", 1)] == ["first", "second", "saver"]


@pytest.mark.req("CB-HOOK-002")
def test_a_context_has_no_way_to_the_trainer():
    seen = []
    trainer = make_trainer(callbacks=[Recorder(at=("on_batch_end", 1), act=seen.append)])
    trainer.fit()
    (context,) = seen
    values = [getattr(context, name) for name in dir(context) if not name.startswith("_")]
    assert not any(value is trainer or value is trainer.workload for value in values)


@pytest.mark.req("CB-HOOK-003")
def test_every_hook_of_the_base_does_nothing():
    base = tenuto.BaseCallback()
    assert [getattr(base, hook.value)(None) for hook in Hook] == [None] * len(Hook)
    assert not any(base.handles(hook) for hook in Hook)


@pytest.mark.req("CB-STOP-001", "CB-STOP-002", "CPC-WHEN-004")
@pytest.mark.parametrize(
    ("hook", "step", "last"),
    [("on_batch_end", 6, 6), ("on_batch_start", 6, 7), ("on_epoch_end", 4, 4), ("on_validation_end", 4, 4)],
)
def test_a_stop_request_is_honored_at_the_next_boundary(tmp_path, hook, step, last):
    recorder = Recorder(at=(hook, step), act=lambda context: context.request_stop("enough"))
    result = make_trainer(tmp_path, [recorder], save_frequency=None, save_best=False).fit()
    assert result.progress.global_step == last
    assert result.stop_reason == "enough"
    assert "on_train_end" in names(recorder)
    assert "on_exception" not in names(recorder)
    (final,) = tmp_path.glob("checkpoint_*.ckpt")
    assert tenuto.read_checkpoint(final).head["metadata"]["origin"]["reasons"] == ["train_end"]


@pytest.mark.req("CB-FAIL-001")
def test_the_callbacks_after_a_failed_hook_are_skipped_for_that_event(tmp_path):
    def fail(_):
        raise RuntimeError("no")

    log = []
    first, second = Recorder("a", at=("on_batch_end", 2), act=fail, log=log), Recorder("b", log=log)
    with pytest.raises(RuntimeError):
        make_trainer(tmp_path, [first, second]).fit()
    assert ("a", "on_batch_end", 2) in log
    assert ("b", "on_batch_end", 2) not in log


@pytest.mark.req("CB-ORDER-003", "CB-METRIC-003")
def test_metrics_of_the_epoch_end_carry_values_and_steps():
    seen = []
    make_trainer(
        callbacks=[Recorder(at=("on_epoch_end", 8), act=lambda context: seen.append(dict(context.metrics)))]
    ).fit()
    (metrics,) = seen
    assert sorted(metrics) == ["train_loss", "train_loss_step", "val_loss"]
    assert {metric.step for metric in metrics.values()} == {8}


@pytest.mark.req("CB-METRIC-001")
def test_nested_metrics_are_flattened():
    assert flatten({"a": {"b": 1, "c": {"d": 2.5}}, "e": True}) == {"a.b": 1.0, "a.c.d": 2.5, "e": 1.0}


@pytest.mark.req("CB-METRIC-002")
def test_a_flat_and_a_nested_metric_of_one_name_are_refused():
    with pytest.raises(TenutoError) as caught:
        flatten({"a.b": 1.0, "a": {"b": 2.0}})
    assert caught.value.code == "duplicate_metric"


class Counting(tenuto.BaseCallback):
    """Has state, and notes what it is given."""

    def __init__(self, key="counting"):
        self.key, self.batches, self.order = key, 0, []

    @property
    def state_key(self):
        return self.key

    def state_dict(self):
        return {"batches": self.batches, "nested": {"seen": [1, None, b"x"]}}

    def load_state_dict(self, state):
        self.order.append("load")
        self.batches = state["batches"]

    def on_train_start(self, context):
        self.order.append("start")

    def on_batch_end(self, context):
        self.batches += 1


@pytest.mark.req("CB-STATE-001", "CB-STATE-003", "CB-ORDER-001")
def test_callback_state_is_saved_fresh_and_given_back_before_the_start(tmp_path):
    make_trainer(tmp_path, [Counting()], save_every_steps=6, save_frequency=None).fit()
    saved = tenuto.read_checkpoint(tmp_path / "checkpoint_epoch_0001_step_00000006.ckpt").head["callback_state"]
    assert saved["counting"] == {"batches": 6, "nested": {"seen": [1, None, b"x"]}}

    again = Counting()
    trainer = make_trainer(None, [again])
    trainer.fit(resume=tmp_path / "checkpoint_epoch_0001_step_00000006.ckpt")
    assert again.order == ["load", "start"]
    assert again.batches == 12


@pytest.mark.req("CB-STATE-002")
def test_two_stateful_callbacks_of_one_key_are_refused(tmp_path):
    with pytest.raises(TenutoError) as caught:
        make_trainer(tmp_path, [Counting(), Counting()]).fit()
    assert caught.value.code == "duplicate_state_key"
    make_trainer(callbacks=[Recorder(), Recorder()]).fit()  # without state there is nothing to mix up
