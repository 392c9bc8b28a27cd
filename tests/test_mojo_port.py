"""The Mojo port's own unit tests, compiled and run, and the port on a file that a real training has saved."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from mojo_bugs import PAGE, read_bugs, table
from mojo_builds import PORT, build
from small_job import make_trainer

BIN = Path(sys.executable).parent


@pytest.mark.parametrize("source", sorted(path.name for path in (PORT / "tests").glob("test_*.mojo")))
def test_unit_tests_of_the_port(source):
    binary = build(f"tests/{source}", PORT / "build" / source.removesuffix(".mojo"))
    ran = subprocess.run([binary], cwd=PORT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert int(re.search(r"(\d+) passed", ran.stdout)[1]) > 0


@pytest.mark.req("CKPT-CANON-005", "CONF-OP-004")
def test_a_checkpoint_of_a_real_training_is_rewritten_to_the_same_bytes(tmp_path):
    make_trainer(tmp_path, save_every_steps=6).fit()
    for name in ("latest.ckpt", "checkpoint_epoch_0001_step_00000006.ckpt"):
        command = [BIN / "tenuto", "conformance", "file", tmp_path / name, "--port", PORT / "port.toml"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith("PASS")


def test_each_seeded_bug_changes_a_line_that_is_there_and_stands_in_the_table():
    bugs = read_bugs()
    assert len(bugs) == len({bug.id for bug in bugs}) == 10
    for bug in bugs:
        assert bug.changed() != (PORT / bug.file).read_text()
        assert bug.cases
    assert table() in PAGE.read_text()
