"""Programs of the Mojo port: how a test builds one, and how it asks the adapter to train."""

import json
import os
import subprocess
import sys
from pathlib import Path

PORT = Path(__file__).resolve().parent.parent / "ports/mojo"
ADAPTER = PORT / "build/adapter"  # `make` has built it
FLAGS = ("-j", "1", "-I", ".", "-I", "examples", "--fp-mode", "contract=off", "--target-cpu", "x86-64-v2")
QUIET = {"MODULAR_CRASH_REPORTING_ENABLED": "false", "MODULAR_TELEMETRY_ENABLED": "0"}


def build(source, binary, folder=PORT):
    """Builds a program whose path is relative to the folder of the port, or of a copy of it.

    Raises:
        AssertionError: What the compiler said.
    """
    binary.parent.mkdir(parents=True, exist_ok=True)
    command = [Path(sys.executable).parent / "mojo", "build", *FLAGS, source, "-o", binary]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **QUIET}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return binary


def train(scenario, folder, events, resume="never", under=()):
    """Starts a process of the adapter that carries out one attempt and says how it ended.

    Args:
        scenario: A file.
        folder: Where it saves.
        events: The file in which it notes each call of a hook; made anew.
        resume: As of `fit`.
        under: A command that runs the process, such as `strace`.
    """
    request = {"id": "1", "op": "run", "scenario": str(scenario), "folder": str(folder), "events": str(events)}
    if resume != "never":
        request |= {"op": "restore", "resume": resume}
    process = subprocess.Popen(
        [*under, ADAPTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    process.stdin.write(json.dumps(request) + "\n")
    process.stdin.flush()
    return process


def reply_of(process):
    """Lets a process end and returns its reply, None if it was killed before."""
    said = process.communicate()[0]
    return json.loads(said.removeprefix("@tenuto ")) if said else None
