"""The program of the guide for Mojo projects is built and run, and does what the guide says."""

import re
import subprocess

import pytest
from mojo_builds import PORT, build

import tenuto

TEXT = (PORT.parents[1] / "docs/guides/adopt-in-mojo.md").read_text()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adopt")
    blocks = re.findall(r"^```mojo adopt\.mojo\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    assert TEXT.count("```mojo") == len(blocks)
    (folder / "adopt.mojo").write_text("\n\n".join(blocks))
    return build(folder / "adopt.mojo", folder / "adopt")


def test_the_program_of_the_guide_saves_stops_and_goes_on(program, tmp_path):
    runs = [
        subprocess.run([program], cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
        for _ in range(2)
    ]
    weights = ["0.5", "-1.5", "2.0", "0.1"]
    assert runs == [[*weights, "epochs: 2", "stopped by a callback"], [*weights, "epochs: 5"]]

    weight = tenuto.read_checkpoint(tmp_path / "weights.ckpt").head["model_state"]["layer.weight"]
    assert (weight.dtype, tuple(weight.shape)) == ("float64", (2, 2))
    last = tenuto.read_checkpoint(tmp_path / "checkpoints/latest.ckpt").head["metadata"]
    assert (last["progress"]["epoch"], last["origin"]["attempt"]) == (5, 2)
