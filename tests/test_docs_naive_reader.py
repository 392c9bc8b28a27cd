"""What the guides and the README show works: a file is read with stock libraries, a job and callbacks train."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from recorder import small
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


@pytest.mark.req("CPC-WHEN-011", "CPC-KEEP-006", "CPC-BEST-011")
def test_the_callbacks_of_the_guide_save_and_keep_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs/guides/save-and-keep.md").read_text()
    scope, made = {}, []
    for block in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for node in ast.parse(block).body:
            code = compile(ast.unparse(node), "guide", "eval" if isinstance(node, ast.Expr) else "exec")
            result = eval(code, scope)  # noqa: S307 - our own guide
            made += [result] if isinstance(node, ast.Expr) else []
    for callback in made:
        small(callback, max_epochs=20, script={"loss": [0.5] * 20, "f1": [0.5, *[0.6] * 19]}).fit()
    found = {name: {path.name for path in (tmp_path / "runs" / name).iterdir()} for name in "abcde"}
    epochs = {name: sorted(int(one[17:21]) for one in found[name] if one.startswith("checkpoint")) for name in "abcde"}
    assert epochs["a"] == epochs["c"] == epochs["e"] == [*range(1, 21)]
    assert epochs["b"] == [5, 10, 15, 20]
    assert epochs["d"] == [10, 19, 20]
    assert len([one for one in found["c"] if re.fullmatch(r"best_model_val_f1_\d{8}T\d{6}Z(_2)?\.ckpt", one)]) == 2
