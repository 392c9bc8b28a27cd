"""The tutorial of the hand-written loop: its code runs, is killed, goes on, and ends with the same weights."""

import difflib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import tenuto

TEXT = (Path(__file__).parents[1] / "docs/tutorial/hand-written-loop.md").read_text()
CODE = dict(re.findall(r"^```python (\w+\.py)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))
EPOCHS = 8
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}  # the tensors are small, and other tests run beside this one


def write(folder):
    folder.mkdir()
    for name, code in CODE.items():
        (folder / name).write_text(code)
    return folder


def run(folder, name):
    """Runs a program to its end and returns the epochs that it printed."""
    ended = subprocess.run(
        [sys.executable, name], cwd=folder, capture_output=True, text=True, check=False, env=ONE_THREAD
    )
    assert ended.returncode == 0, ended.stderr
    return [int(number) for number in re.findall(r"^epoch (\d+): loss", ended.stdout, re.MULTILINE)]


def run_and_kill(folder, epoch):
    """Runs the resumable loop and kills it as soon as it has said that an epoch is done: while it saves, or later."""
    with subprocess.Popen(
        [sys.executable, "resumable.py"], cwd=folder, stdout=subprocess.PIPE, text=True, env=ONE_THREAD
    ) as process:
        for line in process.stdout:
            if line.startswith(f"epoch {epoch}:"):
                process.kill()
                break
    assert process.returncode == -signal.SIGKILL


def weights(folder):
    return torch.load(folder / "final.pt", weights_only=True)


def test_the_loop_is_made_resumable_with_fewer_than_ten_lines():
    plain, resumable = (CODE[name].splitlines() for name in ("plain.py", "resumable.py"))
    changes = [line for line in difflib.ndiff(plain, resumable) if line[0] in "+-"]
    removed = [line for line in changes if line.startswith("-")]
    added = [line for line in changes if line.startswith("+")]
    assert removed == ["- for epoch in range(8):"]
    assert len(added) - len(removed) == 9


@pytest.mark.req("CPC-MAN-016", "CPC-MAN-015", "STORE-SAVE-001", "TR-REST-005")
def test_the_loop_killed_twice_ends_with_the_weights_of_the_plain_one(tmp_path):
    whole, killed = write(tmp_path / "whole"), write(tmp_path / "killed")
    assert run(whole, "plain.py") == list(range(1, EPOCHS + 1))

    run_and_kill(killed, 2)
    run_and_kill(killed, 5)
    assert not (killed / "final.pt").exists()
    goes_on = run(killed, "resumable.py")
    assert goes_on[0] in {5, 6}
    assert goes_on == list(range(goes_on[0], EPOCHS + 1))

    expected, found = weights(whole), weights(killed)
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], value) for name, value in expected.items())

    ended = subprocess.run(
        [sys.executable, "weights.py"], cwd=killed, capture_output=True, text=True, check=True, env=ONE_THREAD
    ).stdout.split()
    best = tenuto.read_checkpoint(killed / "checkpoints/best_loss.ckpt").head["metadata"]
    assert [int(ended[0]), float(ended[1])] == [best["progress"]["epoch"], best["metrics"]["loss"]["value"]]
    assert sorted(path.name for path in (killed / "checkpoints").iterdir()) == [
        "best.pt",
        "best_loss.ckpt",
        "latest.ckpt",
    ]
