"""The network in Mojo on the digits: it trains, is interrupted by real signals, and torch reads its weights."""

import json
import os
import subprocess
import sys

import pytest
import torch
from mojo_builds import PORT, build
from torch import nn

import tenuto

ROOT = PORT.parents[1]
BEST = "whole/best_model_val_loss.ckpt"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """What the demo left in its folder, and what it printed."""
    build("examples/digits.mojo", PORT / "build/digits")
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, ROOT / "examples/mojo_digits.py", "--output", folder]
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def metadata(path):
    return tenuto.read_checkpoint(path).head["metadata"]


def test_the_interrupted_trainings_end_with_the_file_of_the_uninterrupted_one(demo):
    folder, printed = demo
    assert printed.count("identical") == 2
    for name in ("ctrl_c", "killed"):
        now = metadata(folder / name / "latest.ckpt")
        parents = [entry for entry in (folder / name).glob("*.ckpt") if metadata(entry)["origin"]["attempt"] == 1]
        assert now["origin"]["attempt"] == 2
        assert now["progress"] == metadata(folder / "whole/latest.ckpt")["progress"]
        resumed = [one for one in map(metadata, parents) if one["origin"]["checkpoint_id"] == now["origin"]["parent"]]
        assert resumed[0]["progress"]["batch_in_epoch"] > 0


def test_early_stopping_has_ended_the_training(demo):
    last, best = (metadata(demo[0] / name) for name in ("whole/latest.ckpt", BEST))
    assert last["progress"]["epoch"] == best["progress"]["epoch"] + 3 < 40


def test_inspect_tells_of_the_file_of_the_network_in_mojo(demo):
    command = [sys.executable, "-m", "tenuto.cli", "inspect", "--json", demo[0] / BEST]
    facts = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (facts["kind"], facts["exact"], facts["canonical"]) == ("full", True, True)
    shapes = {
        tensor["path"]: tensor["shape"] for tensor in facts["tensors"] if tensor["path"].startswith("model_state")
    }
    assert shapes == {
        "model_state.0.bias": [32],
        "model_state.0.weight": [32, 64],
        "model_state.3.bias": [10],
        "model_state.3.weight": [10, 32],
    }


def test_torch_says_what_the_network_in_mojo_says(demo):
    folder = demo[0]
    data = tenuto.read_checkpoint(folder / "digits.ckpt").head["model_state"]
    weights = tenuto.read_checkpoint(folder / BEST).head["model_state"]
    images, digits = (torch.frombuffer(bytearray(data[f"validation.{name}"].data), dtype=kind) for name, kind in KINDS)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.2), nn.Linear(32, 10)).double().eval()
    model.load_state_dict(
        {
            name: torch.frombuffer(bytearray(one.data), dtype=torch.float64).reshape(one.shape)
            for name, one in weights.items()
        }
    )
    with torch.no_grad():
        logits = model(images.reshape(-1, 64))
    command = [PORT / "build/digits", "--data", folder / "digits.ckpt", "--predict", folder / BEST]
    told = [int(line) for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()]
    assert told == logits.argmax(dim=1).tolist()
    assert len(set(told)) == 10
    measured = metadata(folder / BEST)["metrics"]
    loss = nn.functional.cross_entropy(logits, digits)
    assert measured["val_loss"]["value"] == pytest.approx(float(loss), rel=1e-12)
    assert measured["val_accuracy"]["value"] == pytest.approx(sum(logits.argmax(dim=1) == digits).item() / len(digits))


KINDS = (("images", torch.float64), ("digits", torch.int64))


def test_a_state_of_another_network_is_refused(demo):
    folder = demo[0]
    odd = tenuto.read_checkpoint(folder / BEST)
    del odd.head["model_state"]["3.bias"]
    tenuto.write_checkpoint(folder / "odd.ckpt", odd)
    command = [PORT / "build/digits", "--data", folder / "digits.ckpt", "--output", folder / "other"]
    done = subprocess.run([*command, "--resume", folder / "odd.ckpt"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "state_mismatch [restore]: model_state.3.bias" in done.stdout
    assert not (folder / "other").exists()
