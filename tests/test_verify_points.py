"""What `tenuto verify-resume` decides: where to stop, where two runs differ, and why. No process is started."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from tenuto.cli.verify_resume import progress
from tenuto.reference.errors import ConfigError
from tenuto.verify_resume import verification
from tenuto.verify_resume.comparison import Difference, first_difference_of_resumed, first_difference_of_runs
from tenuto.verify_resume.points import chosen_points, points_at
from tenuto.verify_resume.processes import Run
from tenuto.verify_resume.record import Moment, Record, RecordWriter, read_records
from tenuto.verify_resume.verdict import Cause, PointResult, Report, cause_of_resume

# -- which points -----------------------------------------------------------------------------------------------------


def moments(epochs, batches):
    """The boundaries of a run."""
    yield Moment(0, 0, 0, "on_train_start")
    for epoch in range(epochs):
        for batch in range(1, batches + 1):
            yield Moment(epoch, batch, epoch * batches + batch, "on_batch_end")
        yield Moment(epoch + 1, 0, (epoch + 1) * batches, "on_epoch_end")
    yield Moment(epochs, 0, epochs * batches, "on_train_end")


@pytest.mark.req("TR-VER-004")
@pytest.mark.parametrize("epochs", [1, 2, 5])
@pytest.mark.parametrize("batches", [1, 2, 3, 50])
@pytest.mark.parametrize("count", [1, 2, 4, 9])
def test_points_lie_all_over_a_run_in_the_middle_and_at_the_end_of_epochs(epochs, batches, count):
    run = list(moments(epochs, batches))
    inside = epochs * (batches - 1)
    ends = epochs - 1
    chosen = chosen_points(run, count)
    assert len(set(chosen)) == len(chosen) <= count
    assert all(0 < point.step < epochs * batches for point in chosen)
    middles = [point for point in chosen if 0 < point.batch < batches]
    assert bool(middles) == bool(inside)
    assert any(not point.batch for point in chosen) == (bool(ends) and (count >= 4 or not inside))
    if inside >= count:
        assert middles[0].step <= epochs * batches / 2 + 1
        assert middles[-1].step >= epochs * batches / 2 - 1


@pytest.mark.req("TR-VER-004")
def test_a_step_asked_for_is_the_boundary_right_after_it():
    run = list(moments(2, 3))
    assert points_at(run, [4, 3]) == [Moment(0, 3, 3, "on_batch_end"), Moment(1, 1, 4, "on_batch_end")]
    for step in (0, 6, 7):
        with pytest.raises(ConfigError) as caught:
            points_at(run, [step])
        assert caught.value.code == "invalid_setting"


# -- comparing --------------------------------------------------------------------------------------------------------


def record(hook, step, **leaves):
    """A record with a batch of the step, a weight of the step and whatever is given."""
    digests = {"batch": f"float32 [2] {step:016x}"} if hook == "on_batch_end" else {}
    weight = {"model_state.w": f"float32 [3] {step:016x}"}
    named = {key.replace("__", "."): value for key, value in leaves.items()}
    return Record(Moment(0, step, step, hook), {**digests, **weight, **named})


WHOLE = [record("on_train_start", 0), *(record("on_batch_end", step, loss=repr(step / 2)) for step in (1, 2, 3))]
OTHER = "float32 [3] ffffffffffffffff"


@pytest.mark.req("TR-VER-001", "TR-VER-005")
def test_a_resumed_run_that_is_the_uninterrupted_one_has_no_difference():
    start = record("on_train_start", 1, loss="0.5")
    assert first_difference_of_resumed(WHOLE, [start, *WHOLE[2:]]) is None
    assert first_difference_of_runs(WHOLE, WHOLE) is None


@pytest.mark.req("TR-VER-001", "TR-VER-005")
@pytest.mark.parametrize(
    ("resumed", "path", "moment_of_tensor", "cause"),
    [
        # another state right after the restore
        ([record("on_train_start", 1, loss="0.5", model_state__w=OTHER), *WHOLE[2:]],
         "model_state.w", 1, "unsaved_state"),
        ([record("on_train_start", 1, loss="0.7"), *WHOLE[2:]], "loss", None, "unsaved_state"),
        # another batch, another result, and a result whose weights are others only later
        ([record("on_train_start", 1, loss="0.5"), record("on_batch_end", 2, batch="x", loss="1.0"), WHOLE[3]],
         "batch", None, "loader_state"),
        ([record("on_train_start", 1, loss="0.5"), record("on_batch_end", 2, loss="1.5"),
          record("on_batch_end", 3, loss="1.5", model_state__w=OTHER)], "loss", 3, "unsaved_state"),
        # a batch too few
        ([record("on_train_start", 1, loss="0.5"), WHOLE[2]], "progress", None, "unsaved_state"),
    ],
    ids=["restored", "restored_loss", "data", "later_tensor", "too_short"],
)  # fmt: skip
def test_the_first_difference_and_the_first_tensor_are_found_with_a_cause(resumed, path, moment_of_tensor, cause):
    found = first_difference_of_resumed(WHOLE, resumed)
    assert found.path == path
    assert (found.tensor_moment and found.tensor_moment.step) == moment_of_tensor
    assert cause_of_resume(PointResult(WHOLE[1].moment, resumed[0].moment, found))[0] == cause


def test_a_record_is_read_as_it_was_written_up_to_where_the_process_was_killed(tmp_path):
    path = tmp_path / "record"
    with path.open("w") as file:
        writer = RecordWriter(file)
        for one in WHOLE:
            writer.write(one)
    assert read_records(path) == WHOLE
    path.write_bytes(path.read_bytes()[:-3])
    assert read_records(path) == WHOLE[:-1]


# -- the verdict ------------------------------------------------------------------------------------------------------

DIFFERENCE = Difference(WHOLE[2].moment, "loss", "1.0", "1.5")


@pytest.mark.req("TR-VER-002")
def test_only_points_that_are_all_identical_prove_a_job_exact():
    same = PointResult(WHOLE[1].moment, WHOLE[1].moment, None, "identical")
    others = [
        PointResult(WHOLE[1].moment),
        PointResult(WHOLE[1].moment, WHOLE[1].moment, DIFFERENCE, "identical"),
        PointResult(WHOLE[1].moment, WHOLE[1].moment, None, "model_state.w: ..."),
    ]
    assert Report("job", 3, [same, same]).is_exact
    for other in others:
        assert not Report("job", 3, [same, other]).is_exact
    assert not Report("job", 3, []).is_exact
    assert not Report("job", 3, [same], unrepeatable=DIFFERENCE).is_exact


class Scripted:
    """Stands where the processes are started, and answers with the records that it was given, in turn."""

    def __init__(self, *answers):
        self.answers, self.requests = list(answers), []

    def __call__(self, request, expected, follow):
        self.requests.append(request)
        return Run(expected[-1], self.answers.pop(0), "", request.folder)


def resumed(last):
    """The records of an attempt that was resumed at step 2 and ends with a loss."""
    return [record("on_train_start", 2, loss="1.0"), record("on_batch_end", 3, loss=last)]


def plan(folder, **settings):
    return verification.Plan(Path("job.py"), folder, at=[2], **settings)


@pytest.mark.req("TR-VER-003", "TR-VER-005")
def test_a_resume_that_ends_otherwise_each_time_is_a_job_that_does_not_repeat_itself(tmp_path, monkeypatch):
    stopped = WHOLE[:3]
    trials = [WHOLE, WHOLE[:3]] * 2 + [WHOLE, WHOLE]  # agree without the third suspect alone
    runs = Scripted(WHOLE, WHOLE, stopped, resumed("7.0"), stopped, resumed("8.0"), *trials)
    monkeypatch.setattr(verification, "run", runs)
    report = verification.verify_resume(plan(tmp_path), lambda *_: lambda _: None)
    assert report.unrepeatable.path == "loss"
    assert report.cause is Cause.NONDETERMINISTIC_KERNEL
    suspects = [request.suspect for request in runs.requests]
    assert suspects == [None] * 6 + ["generators"] * 2 + ["clock"] * 2 + ["kernels"] * 2


@pytest.mark.req("TR-VER-003", "TR-VER-005")
def test_a_resume_that_ends_the_same_way_twice_is_a_fault_of_the_resume(tmp_path, monkeypatch):
    stopped = WHOLE[:3]
    runs = Scripted(WHOLE, WHOLE, stopped, resumed("7.0"), stopped, resumed("7.0"))
    monkeypatch.setattr(verification, "run", runs)
    report = verification.verify_resume(plan(tmp_path), lambda *_: lambda _: None)
    assert (report.unrepeatable, report.cause, runs.answers) == (None, Cause.UNSAVED_STATE, [])


@pytest.mark.req("TR-VER-005")
def test_without_a_suspect_that_is_the_cause_the_cause_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(verification, "run", Scripted(*[WHOLE, WHOLE[:3]] * 4))
    report = verification.verify_resume(plan(tmp_path), lambda *_: lambda _: None)
    assert (report.cause, report.points) == (Cause.UNKNOWN, ())


@pytest.mark.req("TR-VER-006")
def test_each_run_saves_in_a_folder_of_its_own(tmp_path, monkeypatch):
    runs = Scripted(WHOLE, WHOLE, WHOLE[:3], resumed("1.5"))
    monkeypatch.setattr(verification, "run", runs)
    assert verification.verify_resume(plan(tmp_path), lambda *_: lambda _: None).is_exact
    whole, again, stopped, went_on = (Path(request.folder) for request in runs.requests)
    assert len({whole, again, stopped}) == 3
    assert went_on == stopped
    assert {path.parent for path in (whole, again, stopped)} == {tmp_path}


# -- on a terminal ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_terminal", [True, False])
def test_each_run_is_shown_while_it_trains_where_somebody_watches(is_terminal):
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=100)
    with progress(console) as watch:
        for name in ("uninterrupted", "stopped at step 2"):
            watch(name, 10)(5)
    shown = console.file.getvalue()
    assert ("uninterrupted" in shown, "stopped at step 2" in shown) == (is_terminal, is_terminal)
