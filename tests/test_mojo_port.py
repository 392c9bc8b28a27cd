"""The Mojo port's own unit tests, compiled and run, and the port on a file that a real training has saved."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from small_job import make_trainer

PORT = Path(__file__).resolve().parent.parent / "ports/mojo"
BIN = Path(sys.executable).parent
FLAGS = ["-j", "1", "-I", ".", "--fp-mode", "contract=off", "--target-cpu", "x86-64-v2"]
QUIET = {"MODULAR_CRASH_REPORTING_ENABLED": "false", "MODULAR_TELEMETRY_ENABLED": "0"}


@pytest.mark.parametrize("source", sorted(path.name for path in (PORT / "tests").glob("test_*.mojo")))
def test_unit_tests_of_the_port(source):
    binary = PORT / "build" / source.removesuffix(".mojo")
    binary.parent.mkdir(exist_ok=True)
    built = subprocess.run(
        [BIN / "mojo", "build", *FLAGS, f"tests/{source}", "-o", binary],
        cwd=PORT,
        env={**os.environ, **QUIET},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
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
