"""`tenuto verify-resume` on jobs that resume exactly and on jobs that are broken, each in its own way."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
