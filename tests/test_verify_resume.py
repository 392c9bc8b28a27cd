"""`tenuto verify-resume` on jobs that resume exactly and on jobs that are broken, each in its own way."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tenuto.reference.errors import ConfigError
from tenuto.verify_resume.comparison import first_difference_of_resumed, first_difference_of_runs
from tenuto.verify_resume.points import chosen_points, points_at
from tenuto.verify_resume.record import Moment, Record, RecordWriter, read_records
from tenuto.verify_resume.verdict import PointResult, cause_of_resume

JOBS = Path(__file__).parent / "jobs_broken"
TENSOR = "model_state.0."

# What is said of each job: cause, hook and step of the first difference, and how its path begins.
BROKEN = {
    "unseeded_generator": ("unseeded_generator", "on_batch_end", 1, "metadata.metrics.train_loss_step"),
    "time_or_order": ("time_or_order", "on_batch_end", 1, "batch[0]"),
    "kernel": ("nondeterministic_kernel", "on_batch_end", 1, "metadata.metrics.train_loss_step"),
    "loader_state": ("loader_state", "on_batch_end", 3, "batch[0]"),
    "unsaved_state": ("unsaved_state", "on_batch_end", 3, "metadata.metrics.train_loss_step"),
}
UNREPEATABLE = {"unseeded_generator", "time_or_order", "nondeterministic_kernel"}


def verify(job, *options):
    command = [sys.executable, "-m", "tenuto.cli", "verify-resume", job, *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def report_of(job, *options):
    done = verify(JOBS / f"{job}.py", "--json", *options)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.req("TR-VER-001", "TR-VER-002", "TR-VER-006")
def test_a_sound_job_is_exact_at_every_point_and_nothing_else_is_touched(tmp_path):
    job = JOBS / "sound.py"
    before = job.read_bytes(), sorted(os.listdir(JOBS))
    code, report = report_of("sound", "--points", 4, "--output", tmp_path / "kept")
    assert (code, report["exact"], report["cause"]) == (0, True, None)
    assert [(point["point"]["step"], point["point"]["hook"]) for point in report["points"]] == [
        (2, "on_batch_end"),
        (4, "on_epoch_end"),
        (5, "on_batch_end"),
        (7, "on_batch_end"),
    ]
    assert [point["resumed_from"]["step"] for point in report["points"]] == [2, 4, 5, 7]
    assert {point["final"] for point in report["points"]} == {"identical"}
    attempts = {path.name for path in (tmp_path / "kept" / "stopped_at_step_5").glob("*.ckpt")}
    assert "emergency_epoch_0001_step_00000005.ckpt" in attempts  # it was stopped there indeed
    assert (job.read_bytes(), sorted(name for name in os.listdir(JOBS) if name != "__pycache__")) == (
        before[0],
        [name for name in before[1] if name != "__pycache__"],
    )


@pytest.mark.req("TR-VER-001", "TR-VER-002", "TR-VER-003", "TR-VER-005")
@pytest.mark.parametrize("job", BROKEN)
def test_a_broken_job_is_told_with_the_first_difference_and_its_cause(job):
    code, report = report_of(job, "--at", 2)
    cause, hook, step, path = BROKEN[job]
    assert (code, report["exact"], report["cause"]) == (1, False, cause)
    assert (report["points"] == []) == (cause in UNREPEATABLE)  # no resume is judged where nothing repeats itself
    difference = report["unrepeatable"] or report["points"][0]["difference"]
    assert (difference["moment"]["hook"], difference["moment"]["step"]) == (hook, step)
    assert difference["path"].startswith(path)
    assert difference["tensor"].startswith(TENSOR)
    assert report["evidence"]


@pytest.mark.req("TR-VER-002", "TR-VER-005")
def test_a_stop_before_anything_is_saved_has_nothing_to_resume_from():
    code, report = report_of("nothing_saved", "--at", 2)
    assert (code, report["cause"], report["points"][0]["resumed_from"]) == (1, "nothing_saved", None)


@pytest.mark.req("TR-VER-001", "TR-VER-002")
def test_killed_by_sigkill_a_sound_job_goes_on_from_what_it_has_saved():
    code, report = report_of("sound", "--at", 1, "--signal", "SIGKILL")
    assert (code, report["exact"]) == (0, True)
    assert report["points"][0]["resumed_from"]["step"] == 2  # the first checkpoint after step 1


@pytest.mark.req("TR-VER-001", "TR-VER-002", "TR-VER-003")
def test_weights_that_nobody_has_seeded_are_told_in_words():
    done = verify(JOBS / "unseeded_weights.py", "--points", 1, "--epochs", 1)
    assert done.returncode == 1
    for part in ("two uninterrupted runs differ", "model_state.0.weight", "before the first batch", "tenuto.seed_all"):
        assert part in done.stdout
    assert "likely cause: unseeded_generator" in done.stdout


NO_JOBS = {
    "missing": (None, 2, "[job_not_found]"),
    "no_build": ("x = 1\n", 2, "[not_a_job]"),
    "no_trainer": ("def build(config):\n    return 1\n", 2, "[not_a_job]"),
    "saves_nothing": (
        "import parts\ndef build(config):\n    return parts.make(config, saves=False)\n",
        2,
        "[no_checkpoint_dir]",
    ),
    "elsewhere": (
        "import parts\ndef build(config):\n    return parts.make(config, folder='x')\n",
        2,
        "[option_ignored]",
    ),
    "raises": ("def build(config):\n    raise RuntimeError('my own fault')\n", 1, "RuntimeError: my own fault"),
}


@pytest.mark.req("TR-VER-007", "STORE-CLI-005")
@pytest.mark.parametrize("name", NO_JOBS)
def test_what_is_no_job_is_refused_and_a_job_that_fails_is_shown(tmp_path, name):
    text, code, part = NO_JOBS[name]
    if text is not None:
        lines = f"import sys\nsys.path.append({str(JOBS)!r})\n{text}"
        (tmp_path / "job.py").write_text(lines)
    done = verify(tmp_path / "job.py")
    assert (done.returncode, done.stdout) == (code, "")
    assert part in done.stderr


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
