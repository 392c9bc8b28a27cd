"""The lines of the specification that read a file with a stock msgpack library do read one."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from small_job import make_trainer

from tenuto.reference.checkpoint import read_checkpoint, write_checkpoint

ROOT = Path(__file__).parents[1]
PROSE = ROOT / "spec/v1/40-ckpt-format.md"


@pytest.mark.req("CKPT-FILE-001", "CKPT-SEG-003")
def test_the_naive_reader_of_the_specification(make_document, make_tensor, tmp_path):
    blocks = re.findall(r"^```python naive-reader\n(.*?)^```", PROSE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 1
    tensor = make_tensor(5, 3)
    progress = {"epoch": 4, "global_step": 99, "batch_in_epoch": 0}
    document = make_document(model_state={"w": tensor}, metadata={"origin": {}, "progress": progress})
    write_checkpoint(tmp_path / "latest.ckpt", document)
    code = blocks[0] + "print(msgpack.unpackb(doc['model_state']['w'].data))\nprint(data.hex())\n"
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    shown = f"1.0 {dict(sorted(progress.items()))}\n['float32', [5, 3], [0]]\n{bytes(tensor.data).hex()}\n"
    assert (ended.stderr.replace("ResourceWarning", ""), ended.stdout) == ("", shown)


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
