"""The failure contract, row by row, with real signals to real processes and the exit codes of the command line.

Every process is forked off this one, which has torch loaded, and runs `tenuto train` on `failing_job.py`. What each of
them was seen to do stands in docs/reference/failures.md, which the last test compares; `make failures` writes it.
"""

import itertools
import logging
import os
import sys
from pathlib import Path

import pytest
import torch
from failing_job import FAILING_FORWARD, FAILING_UPDATE, SAVING
from failure_table import HEAD, PAGE, Table
from small_job import EPOCHS, STEPS, Recorder, make_trainer

import tenuto
from tenuto import cli
from tenuto.reference.checkpoint.compare import digest
from tenuto.reference.events.hooks import Hook

JOB = Path(__file__).parent / "failing_job.py"
FINAL = f"checkpoint_epoch_{EPOCHS:04d}.ckpt"
ORDER = ["first", "middle", "last"]
TABLE = Table()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The digest of the final file of a run that nothing disturbs."""
    torch.set_num_threads(1)  # a process with threads must not be forked
    folder = tmp_path_factory.mktemp("whole")
    make_trainer(folder, [Recorder()], **SAVING).fit()
    return digest(tenuto.read_checkpoint(folder / FINAL))


class Ended:
    """What a process has left: its exit code, the hooks that it called, its standard error, and its emergency saves."""

    def __init__(self, folder, code, log, errors):
        self.code, self.folder, self.errors = code, folder, errors.read_text()
        self.calls = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
        self.emergencies = sorted(folder.glob("emergency_*.ckpt"))

    def callers(self, hook):
        return [name for name, called, _ in self.calls if called == hook]


def train(tmp_path, name, *options, **settings):
    """Runs `tenuto train` in a process of its own."""
    folder, log, errors = (tmp_path / f"{name}{end}" for end in ("", ".log", ".err"))
    pairs = [part for key, value in {**settings, "log": log}.items() for part in ("--set", f"{key}={value}")]
    child = os.fork()
    if child == 0:
        code = 99
        try:
            os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), sys.__stderr__.fileno())
            sys.stdout = sys.stderr = os.fdopen(sys.__stderr__.fileno(), "w", closefd=False)
            logging.root.handlers.clear()  # those of the tests
            sys.argv = ["tenuto", "train", str(JOB), "--output", str(folder), *options, *pairs]
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    ended = Ended(folder, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), log, errors)
    if settings:
        TABLE.add(settings, ended.code, ended.calls, newest(folder))
    return ended


def newest(folder):
    """Returns the name of the newest state in a folder and whether it is exact; None if there is none."""
    files = {path.name: step_of(path) for path in folder.glob("*.ckpt") if path.name != "latest.ckpt"}
    name = max(files, key=lambda name: (files[name][0], name), default=None)
    return name and (name, files[name][1])


def resume(tmp_path, name, whole):
    """Goes on with `--resume auto`, and returns whether the final file is that of an undisturbed run."""
    ended = train(tmp_path, name, "--resume", "auto")
    assert ended.code == 0, ended.errors
    is_equal = digest(tenuto.read_checkpoint(ended.folder / FINAL)) == whole
    TABLE.resumed(is_equal)
    return is_equal


# -- signals ----------------------------------------------------------------------------------------------------------

PLACES = {  # hook, step, and how many steps are done when the signal is honored
    "first_batch": ("on_batch_start", 0, 1),
    "training": ("on_batch_start", 6, 7),
    "end_of_a_batch": ("on_batch_end", 6, 6),
    "validation": ("on_validation_start", 4, 4),
    "end_of_validation": ("on_validation_end", 4, 4),
    "between_epochs": ("on_epoch_end", 8, 8),
    "a_save": ("save", 5, 5),
    "after_a_save": ("on_checkpoint_saved", 5, 5),
}


@pytest.mark.req(
    "TR-FAIL-002", "TR-FAIL-003", "TR-FAIL-004", "TR-FAIL-007", "TR-FAIL-008", "TR-FAIL-015", "TR-FAIL-025",
    "STORE-CLI-004", "CB-HOOK-005", "CPC-ERR-003", "TR-REST-005",
)  # fmt: skip
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_the_run_in_order_and_it_resumes_exactly(tmp_path, whole, number, code, place):
    hook, step, done = PLACES[place]
    ended = train(tmp_path, "run", what=number, hook=hook, step=step)
    assert ended.code == code, ended.errors
    assert "Traceback" not in ended.errors
    assert ended.callers("on_train_end") == []
    assert ended.callers("on_exception") == ended.callers("on_teardown") == ORDER
    assert [call[1] for call in ended.calls[-3:]] == ["on_teardown"] * 3
    last = max(ended.folder.glob("*.ckpt"), key=lambda path: step_of(path)[0])
    assert step_of(last) == (done, True)
    assert resume(tmp_path, "run", whole)


def step_of(path):
    metadata = tenuto.read_checkpoint(path).head["metadata"]
    return metadata["progress"]["global_step"], metadata["exact"]


@pytest.mark.req("TR-FAIL-003", "TR-FAIL-013", "STORE-CLI-004", "TR-REST-005")
@pytest.mark.parametrize(
    ("what", "code", "done"),
    [
        ("SIGINT+SIGINT", 130, 6),  # the second one at once: the batch is not trained on
        ("SIGTERM+SIGINT", 130, 6),
        ("SIGINT+SIGTERM", 130, 7),  # the first one decides, at the end of the batch
        ("SIGTERM+SIGTERM", 143, 7),
    ],
)
def test_two_signals_in_a_row_end_as_the_table_says(tmp_path, whole, what, code, done):
    ended = train(tmp_path, "run", what=what, hook="on_batch_start", step=6)
    assert ended.code == code, ended.errors
    assert ended.callers("on_exception") == ended.callers("on_teardown") == ORDER
    (emergency,) = ended.emergencies
    assert step_of(emergency)[0] == done
    assert resume(tmp_path, "run", whole)


@pytest.mark.req("TR-FAIL-016", "TR-FAIL-026", "STORE-CLI-004")
@pytest.mark.parametrize("hook", ["on_epoch_end", "on_train_end", "on_teardown"])
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_a_signal_when_the_work_is_done_changes_nothing(tmp_path, whole, number, hook):
    ended = train(tmp_path, "run", what=number, hook=hook, step=STEPS)
    assert (ended.code, ended.callers("on_exception")) == (0, []), ended.errors
    assert digest(tenuto.read_checkpoint(ended.folder / FINAL)) == whole


# -- exceptions -------------------------------------------------------------------------------------------------------

STEP_OF = {  # at which step the hook fails
    "on_train_start": 0, "on_epoch_start": 4, "on_batch_start": 6, "on_batch_end": 6, "on_validation_start": 8,
    "on_validation_end": 8, "on_epoch_end": 8, "on_checkpoint_saved": 5, "on_checkpoint_deleted": 8,
    "on_train_end": STEPS,
}  # fmt: skip


def test_every_hook_that_can_fail_a_run_is_tried():
    assert {hook.value for hook in Hook} - STEP_OF.keys() == {"on_exception", "on_teardown"}


@pytest.mark.req("TR-FAIL-001", "TR-FAIL-002", "CB-FAIL-001", "CB-FAIL-002", "STORE-CLI-004", "TR-REST-005")
@pytest.mark.parametrize("hook", STEP_OF)
def test_an_exception_in_any_hook_ends_the_run_with_1_and_it_resumes_exactly(tmp_path, whole, hook):
    step = STEP_OF[hook]
    ended = train(tmp_path, "run", what="failure", hook=hook, step=step)
    assert ended.code == 1
    assert f"RuntimeError: failure of {hook}" in ended.errors
    before = itertools.takewhile(lambda call: call[1] != "on_exception", ended.calls)
    assert list(before)[-2:] == [["first", hook, str(step)], ["middle", hook, str(step)]]  # the last one is left out
    assert ended.callers("on_exception") == ended.callers("on_teardown") == ORDER
    assert [step_of(path) for path in ended.emergencies] == ([] if not step else [(step, False)])
    if step:
        assert resume(tmp_path, "run", whole)


@pytest.mark.req("TR-FAIL-012", "TR-FAIL-013", "CB-FAIL-002", "STORE-CLI-004")
@pytest.mark.parametrize("what", ["failure", "SIGINT", "SIGTERM"])
def test_what_happens_in_on_exception_does_not_take_the_place_of_the_first_failure(tmp_path, what):
    ended = train(tmp_path, "run", what=what, hook="on_exception", step=3, also="first")
    assert ended.code == 1
    assert "RuntimeError: the first failure" in ended.errors
    assert ("and in on_exception: RuntimeError: failure of on_exception" in ended.errors) == (what == "failure")
    assert ended.callers("on_exception") == ended.callers("on_teardown") == ORDER
    assert [step_of(path)[0] for path in ended.emergencies] == [3]


@pytest.mark.req("CB-FAIL-003", "TR-FAIL-013", "STORE-CLI-004")
def test_an_exception_in_on_teardown_leaves_a_finished_run_finished(tmp_path, whole):
    ended = train(tmp_path, "run", what="failure", hook="on_teardown", step=STEPS)
    assert ended.code == 0
    assert "in on_teardown: RuntimeError: failure of on_teardown" in ended.errors
    assert ended.callers("on_teardown") == ORDER
    assert digest(tenuto.read_checkpoint(ended.folder / FINAL)) == whole


@pytest.mark.req("TR-FAIL-007", "TR-FAIL-001", "STORE-CLI-004", "TR-REST-005")
@pytest.mark.parametrize(
    ("place", "said", "step", "exact"),
    [
        ("update", "in the update", FAILING_UPDATE, False),  # `auto` passes over it
        ("forward", "in the forward pass", FAILING_FORWARD, True),  # nothing has changed yet
    ],
)
def test_an_exception_inside_a_batch_ends_the_run_with_1_and_it_resumes_exactly(
    tmp_path, whole, place, said, step, exact
):
    ended = train(tmp_path, "run", hook=place)
    assert ended.code == 1
    assert f"RuntimeError: {said}" in ended.errors
    assert ended.callers("on_exception") == ended.callers("on_teardown") == ORDER
    assert [step_of(path) for path in ended.emergencies] == [(step, exact)]
    assert resume(tmp_path, "run", whole)


# -- other ends -------------------------------------------------------------------------------------------------------


@pytest.mark.req("TR-FAIL-013", "STORE-CLI-004", "TR-REST-005")
def test_a_run_out_of_time_ends_with_75_and_resumes_exactly(tmp_path, whole):
    ended = train(tmp_path, "run", hook="max_seconds")
    assert ended.code == 75, ended.errors
    assert ended.callers("on_exception") == ended.callers("on_teardown") == ORDER
    assert [step_of(path) for path in ended.emergencies] == [(1, True)]
    assert resume(tmp_path, "run", whole)


@pytest.mark.req("STORE-CLI-004")
@pytest.mark.parametrize(("what", "done"), [("", STEPS), ("stop", 8)])
def test_a_run_that_ends_by_itself_or_is_asked_to_stop_ends_with_0(tmp_path, what, done):
    ended = train(tmp_path, "run", what=what, hook="on_epoch_end", step=8)
    assert ended.code == 0, ended.errors
    assert ended.callers("on_exception") == ended.emergencies == []
    assert ended.callers("on_train_end") == ended.callers("on_teardown") == ORDER
    assert newest(ended.folder) == (f"checkpoint_epoch_{done // 4:04d}.ckpt", True)


# -- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_shows_what_was_observed(request):
    if os.environ.get("TENUTO_WRITE_PAGE"):
        PAGE.write_text(TABLE.page())
    told = PAGE.read_text()
    assert TABLE.rows, "no process was seen; expected this test to run after the others of the module"
    assert [line for line in TABLE.lines() if line not in told] == []
    shown = told.splitlines()[HEAD.count("\n") :]
    if len(request.session.items) > len(shown):  # not a chosen few of the tests
        assert TABLE.lines() == shown
