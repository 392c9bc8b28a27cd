"""A training script as a job: what is refused, with which code, and that nothing is made."""

from __future__ import annotations

import subprocess
import sys

import pytest

_TRAINER = """
from tenuto.reference.trainer.loop import Trainer
from tenuto.reference.workload import ReferenceWorkload
from tenuto.callbacks.checkpoint import CheckpointCallback
"""


def train(folder, *options):
    command = [sys.executable, "-m", "tenuto.cli", "train", "job.py", *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.req("STORE-CLI-005", "STORE-CLI-004")
@pytest.mark.parametrize(
    ("job", "options", "code"),
    [
        (None, [], "job_not_found"),
        ("x = 1\n", [], "not_a_job"),
        ("def build():\n    return None\n", [], "not_a_job"),
        ("def build(config):\n    return None\n", [], "not_a_job"),
        (
            _TRAINER + "def build(config):\n    return Trainer(ReferenceWorkload(), max_epochs=1)\n",
            ["--epochs", "2"],
            "option_ignored",
        ),
        (
            _TRAINER
            + "def build(config):\n"
            + "    return Trainer(ReferenceWorkload(), max_epochs=1, callbacks=[CheckpointCallback('elsewhere')])\n",
            ["--output", "here"],
            "option_ignored",
        ),
    ],
)
def test_what_is_no_job_or_ignores_its_options_is_refused(tmp_path, job, options, code):
    if job is not None:
        (tmp_path / "job.py").write_text(job)
    before = {path.name for path in tmp_path.iterdir()}
    ended = train(tmp_path, *options)
    assert ended.returncode == 2, ended.stderr
    assert f"[{code}]" in ended.stderr
    assert {path.name for path in tmp_path.iterdir()} - before <= {"__pycache__"}
