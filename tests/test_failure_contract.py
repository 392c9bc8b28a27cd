"""Real processes, real signals: what runs, what is on disk, how the process ends, and that it resumes exactly."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_job import Recorder, make_trainer

import tenuto
from tenuto.reference.checkpoint.compare import first_difference

TENUTO = Path(sys.executable).parent / "tenuto"
JOB = Path(__file__).parent / "small_job.py"
FINAL = "checkpoint_epoch_0003.ckpt"
RAN, RAISED = 0, 1


def run_job(folder, **settings):
    """Runs `tenuto train` and returns the process, with the hooks that it called."""
    log = folder.parent / f"{folder.name}.log"
    options = [part for key, value in {**settings, "log": log}.items() for part in ("--set", f"{key}={value}")]
    command = [TENUTO, "train", JOB, "--output", folder, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done, [line.split()[0] for line in log.read_text().splitlines()]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    make_trainer(folder, save_every_steps=5, callbacks=[Recorder()]).fit()
    return tenuto.read_checkpoint(folder / FINAL)


SIGNAL_CASES = [
    ("SIGINT", "on_batch_start", 0, 130),
    ("SIGINT", "on_batch_end", 6, 130),
    ("SIGTERM", "on_batch_start", 6, 143),
    ("SIGTERM", "on_validation_start", 4, 143),
    ("SIGTERM", "on_epoch_end", 8, 143),
    ("SIGTERM", "on_checkpoint_saved", 5, 143),
]


@pytest.mark.req(
    "TR-FAIL-002",
    "TR-FAIL-003",
    "TR-FAIL-004",
    "TR-FAIL-007",
    "TR-FAIL-008",
    "CB-HOOK-005",
    "CPC-ERR-003",
    "CPC-NAME-002",
    "STORE-CLI-004",
    "TR-REST-005",
    "CPC-WHEN-006",
)
@pytest.mark.parametrize(("name", "hook", "step", "code"), SIGNAL_CASES)
def test_a_signal_ends_in_order_and_the_run_resumes_exactly(tmp_path, uninterrupted, name, hook, step, code):
    folder = tmp_path / "run"
    done, hooks = run_job(folder, hook=hook, step=step, signals=name)

    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert hooks[-1] == "on_teardown"
    assert hooks.count("on_exception") == 1
    assert "on_train_end" not in hooks
    (emergency,) = folder.glob("emergency_*.ckpt")
    metadata = tenuto.read_checkpoint(emergency).head["metadata"]
    assert metadata["exact"] is True
    assert metadata["origin"]["reasons"] == ["signal"]

    make_trainer(folder, save_every_steps=5, callbacks=[Recorder()]).fit(resume="auto")
    assert first_difference(uninterrupted, tenuto.read_checkpoint(folder / FINAL)) is None


@pytest.mark.req("TR-FAIL-001", "TR-FAIL-002", "CPC-ERR-003", "STORE-CLI-004", "CB-FAIL-001")
def test_an_exception_ends_with_code_1_and_a_traceback(tmp_path, uninterrupted):
    folder = tmp_path / "run"
    done, hooks = run_job(folder, hook="on_batch_start", step=7, **{"raise": "the users own"})

    assert done.returncode == RAISED
    assert "RuntimeError: the users own" in done.stderr
    assert hooks[-3:] == ["on_exception", "on_checkpoint_saved", "on_teardown"]
    (emergency,) = folder.glob("emergency_*.ckpt")
    assert tenuto.read_checkpoint(emergency).head["metadata"]["origin"]["reasons"] == ["exception"]

    make_trainer(folder, save_every_steps=5, callbacks=[Recorder()]).fit(resume="auto")
    assert first_difference(uninterrupted, tenuto.read_checkpoint(folder / FINAL)) is None


@pytest.mark.req("STORE-CLI-004")
def test_a_run_without_incident_ends_with_code_0(tmp_path):
    done, hooks = run_job(tmp_path / "run")

    assert done.returncode == RAN
    assert done.stdout.startswith("TRAINING COMPLETE: epoch 3, step 12")
    assert hooks[-2:] == ["on_train_end", "on_teardown"]


@pytest.mark.req("TR-FAIL-001")
def test_the_same_exception_object_comes_out(tmp_path):
    error = ValueError("mine")

    def fail(_):
        raise error

    with pytest.raises(ValueError, match="mine") as caught:
        make_trainer(tmp_path, [Recorder(at=("on_batch_end", 2), act=fail)]).fit()
    assert caught.value is error


@pytest.mark.req("CB-FAIL-002")
def test_every_callback_is_told_even_if_others_fail(tmp_path):
    log = []

    def fail(_):
        raise RuntimeError("in a hook")

    first = Recorder("a", at=("on_exception", 2), act=fail, log=log)
    second = Recorder("b", at=("on_batch_end", 2), act=fail, log=log)
    with pytest.raises(RuntimeError) as caught:
        make_trainer(tmp_path, [first, second]).fit()
    assert [entry[0] for entry in log if entry[1] == "on_exception"] == ["a", "b"]
    assert any("in on_exception: RuntimeError: in a hook" in note for note in caught.value.__notes__)
    assert list(tmp_path.glob("emergency_*.ckpt"))


@pytest.mark.req("CB-FAIL-003")
def test_an_error_in_teardown_does_not_replace_the_outcome(tmp_path, caplog):
    def fail(_):
        raise RuntimeError("late")

    result = make_trainer(tmp_path, [Recorder(at=("on_teardown", 12), act=fail)]).fit()

    assert result.progress.epoch == 3
    assert "in on_teardown: RuntimeError: late" in caplog.text


@pytest.mark.req("TR-FAIL-003")
def test_a_second_ctrl_c_is_honored_at_once(tmp_path):
    recorder = Recorder(at=("on_batch_start", 3), act=lambda _: [os.kill(os.getpid(), signal.SIGINT) for _ in range(2)])
    with pytest.raises(KeyboardInterrupt):
        make_trainer(tmp_path, [recorder]).fit()
    assert ("a", "on_batch_end", 4) not in recorder.log


@pytest.mark.req("TR-FAIL-005")
def test_the_handlers_of_before_are_installed_again(tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    make_trainer(tmp_path).fit()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.req("TR-FAIL-006")
def test_no_handler_is_installed_outside_the_main_thread(tmp_path, caplog):
    from threading import Thread

    seen = []
    recorder = Recorder(at=("on_batch_end", 1), act=lambda _: seen.append(signal.getsignal(signal.SIGTERM)))
    before = signal.getsignal(signal.SIGTERM)
    thread = Thread(target=make_trainer(tmp_path, [recorder]).fit)
    thread.start()
    thread.join()
    assert seen == [before]
    assert "not in the main thread" in caplog.text


@pytest.mark.req("TR-FAIL-007")
def test_a_state_from_inside_an_optimizer_step_is_not_exact(tmp_path):
    trainer = make_trainer(tmp_path)
    calls = iter(range(99))

    def fail(*_):
        if next(calls) == 6:
            raise RuntimeError("out of memory")

    (optimizer,) = trainer.workload._updater.optimizers.values()
    optimizer.register_step_post_hook(fail)  # the weights have changed, the step is not counted
    with pytest.raises(RuntimeError, match="out of memory"):
        trainer.fit()
    (emergency,) = tmp_path.glob("emergency_*.ckpt")
    metadata = tenuto.read_checkpoint(emergency).head["metadata"]
    assert metadata["exact"] is False
    assert metadata["progress"]["global_step"] == 6


@pytest.mark.req("TR-FAIL-009")
def test_a_loader_failure_under_a_pending_signal_is_the_signal(tmp_path):
    trainer = make_trainer(tmp_path)
    load = trainer.workload.next_batch

    def fail():
        if trainer.progress.global_step == 5:
            os.kill(os.getpid(), signal.SIGTERM)
            raise OSError("worker gone")
        return load()

    trainer.workload.next_batch = fail
    with pytest.raises(tenuto.TrainingInterrupted) as caught:
        trainer.fit()
    assert caught.value.exit_code == 143
