"""The guide that reads a file with stock libraries does read one, and the job of the README trains."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from small_job import make_trainer

from tenuto.reference.checkpoint import read_checkpoint

ROOT = Path(__file__).parents[1]


@pytest.mark.req("CKPT-FILE-001", "CKPT-SEG-003", "CKPT-VAL-005")
def test_the_snippets_of_the_guide_read_a_real_checkpoint(tmp_path):
    make_trainer(tmp_path).fit()
    blocks = re.findall(
        r"^```python\n(.*?)^```", (ROOT / "docs/guides/read-a-checkpoint.md").read_text(), re.DOTALL | re.MULTILINE
    )
    assert len(blocks) == 2
    assert len(blocks[0].splitlines()) == 5
    code = "".join(blocks) + "print(weight.tobytes().hex())\n"
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    weight = read_checkpoint(tmp_path / "latest.ckpt").head["model_state"]["0.weight"]
    assert ended.stdout.splitlines()[-1] == bytes(weight.data).hex()


@pytest.mark.req("STORE-CLI-004")
def test_the_job_of_the_readme_trains_and_resumes(tmp_path):
    (code,) = re.findall(r"^```python job.py\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "job.py").write_text(code)
    train = [Path(sys.executable).parent / "tenuto", "train", "job.py", "--output", "runs/a"]
    subprocess.run([*train, "--epochs", "1"], cwd=tmp_path, capture_output=True, check=True)
    resumed = subprocess.run(
        [*train, "--epochs", "2", "--resume", "auto"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "Resumed from epoch 1, step 100" in resumed.stderr
    assert resumed.stdout.startswith("TRAINING COMPLETE: epoch 2, step 200")
