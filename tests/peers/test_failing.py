"""What users of other frameworks have met on Ctrl-C, on preemption and on exceptions. See docs/peers.md."""

import os
import signal
import threading

import pytest
from recorder import Recorder, heads, saving, small

import tenuto


def send(number):
    return lambda _: os.kill(os.getpid(), number)


@pytest.mark.req("TR-FAIL-001", "CB-FAIL-002")
def test_a_callback_that_handles_exceptions_does_not_swallow_them(tmp_path):
    error = ValueError("of the step")

    def fail(_):
        raise error

    handled = []
    watching = Recorder(on_exception=handled.append)
    with pytest.raises(ValueError, match="of the step") as caught:
        small(watching, Recorder(on_batch_end=fail), saving(tmp_path)).fit()
    assert caught.value is error
    assert handled[0].error is error


@pytest.mark.req("TR-FAIL-012", "TR-FAIL-013", "CPC-NAME-002", "CPC-ERR-003")
def test_the_emergency_save_is_made_under_a_name_of_its_own_and_no_hook_replaces_the_error(tmp_path):
    def fail(context):
        raise RuntimeError("again" if context.progress.global_step == 2 and failed else "first")

    failed = []

    def fail_second(_):
        if failed:
            return
        failed.append(1)
        raise RuntimeError("first")

    recorder = Recorder(
        on_batch_start=lambda c: fail_second(c) if c.progress.global_step == 2 else None, on_exception=fail
    )
    with pytest.raises(RuntimeError, match="first") as caught:
        small(recorder, saving(tmp_path, save_best=False)).fit()
    assert caught.value.__notes__ == ["and in on_exception: RuntimeError: again"]
    # the step has a checkpoint already; the emergency save is marked as one all the same
    found = {name: head["metadata"]["origin"]["reasons"] for name, head in heads(tmp_path).items()}
    assert found["checkpoint_epoch_0001.ckpt"] == ["periodic"]
    assert [reasons for name, reasons in found.items() if name.startswith("emergency")] == [["exception"]]


@pytest.mark.req("CPC-ERR-003", "TR-FAIL-001")
def test_a_clean_run_afterwards_keeps_the_emergency_file_of_the_failed_one(tmp_path):
    def fail(context):
        if context.progress.global_step == 3:
            raise RuntimeError("once")

    with pytest.raises(RuntimeError):
        small(Recorder(on_batch_start=fail), saving(tmp_path, save_best=False)).fit()
    emergency = next(name for name in heads(tmp_path) if name.startswith("emergency"))
    small(saving(tmp_path, save_best=False)).fit("auto")
    assert emergency in heads(tmp_path)


@pytest.mark.req("TR-FAIL-003", "TR-FAIL-004", "TR-FAIL-008", "TR-REST-005")
@pytest.mark.parametrize("hook", ["on_batch_start", "on_validation_start", "on_epoch_end"])
@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGTERM, tenuto.TrainingInterrupted), (signal.SIGINT, KeyboardInterrupt)]
)
def test_every_preemption_is_saved_in_training_and_in_validation(tmp_path, hook, number, kind):
    once = []

    def act(context):
        if context.progress.global_step >= 2 and not once:
            once.append(1)
            send(number)(context)

    with pytest.raises(kind):
        small(Recorder(**{hook: act}), saving(tmp_path, save_best=False)).fit()
    emergency = [head for name, head in heads(tmp_path).items() if name.startswith("emergency")]
    assert len(emergency) == 1
    assert emergency[0]["metadata"]["exact"] is True
    assert small(saving(tmp_path, save_best=False)).fit("auto").progress.epoch == 2


@pytest.mark.req("TR-FAIL-003", "TR-FAIL-004")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_nothing_is_done_inside_the_handler_of_a_signal(tmp_path, number):
    """The hooks that follow the signal within a batch are called, and the save is made by the loop."""
    recorder = Recorder(on_batch_start=lambda c: send(number)(c) if c.progress.global_step == 1 else None)
    with pytest.raises((tenuto.TrainingInterrupted, KeyboardInterrupt)):
        small(recorder, saving(tmp_path, save_best=False)).fit()
    after = [hook for hook, _ in recorder.log][-4:]
    assert after == ["on_batch_end", "on_exception", "on_checkpoint_saved", "on_teardown"]


@pytest.mark.req("TR-FAIL-003", "TR-FAIL-004", "TR-FAIL-005")
def test_after_ctrl_c_the_program_goes_on_where_it_catches_it(tmp_path):
    """Nothing exits in the place of the user's own code: what comes after `fit` is still done."""
    done = []
    try:
        small(Recorder(on_batch_end=send(signal.SIGINT)), saving(tmp_path)).fit()
    except KeyboardInterrupt:
        done.append("the model is exported")
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert threading.active_count() == 1


@pytest.mark.req("CB-FAIL-001", "CB-FAIL-003")
def test_an_observer_that_fails_at_the_end_does_not_make_a_finished_training_a_failed_one(tmp_path):
    def fail(_):
        raise RuntimeError("in a logger")

    result = small(Recorder(on_teardown=fail), saving(tmp_path)).fit()
    assert result.progress.epoch == 2
