"""The progress bar on a real pseudo-terminal, and its silence elsewhere."""

import os
import pty
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from recorder import refusal, saving, small
from rich.console import Console

import tenuto

JOB = """
import logging, sys
sys.path.insert(0, {tests!r})
logging.basicConfig(level="INFO", stream=sys.stdout)
from recorder import Recorder, saving, small
import tenuto

def fail(context):
    if context.progress.global_step == int(sys.argv[2]):
        raise SystemExit

bar = tenuto.ProgressBar(total_batches=2)
callbacks = [bar, Recorder(on_batch_start=fail), saving(sys.argv[1], save_every_steps=1)]
small(*callbacks, max_epochs=3).fit(resume="auto")
"""
CODE = JOB.format(tests=str(Path(__file__).parent))
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


def run(folder, step, error_stream):
    command = [sys.executable, "-c", CODE, str(folder), str(step)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=error_stream, env=environment, check=False)


def on_terminal(folder, step=-1):
    """Returns what a run draws on a pseudo-terminal, without colors and movements, line by line."""
    ours, theirs = pty.openpty()
    seen = bytearray()

    def read():
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                return
            seen.extend(part)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        ended = run(folder, step, theirs)
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)
    assert ended.returncode == 0, seen.decode()
    return [line for line in re.split(rb"[\r\n]+", ESCAPES.sub(b"", bytes(seen))) if line.strip()]


@pytest.mark.req("CB-READY-011")
def test_a_terminal_shows_a_bar_that_starts_where_the_training_goes_on(tmp_path):
    first = on_terminal(tmp_path, step=3)
    assert first[0].startswith(b"epoch 1/3")
    assert b" 0/6 " in first[0]
    assert first[-1].startswith(b"epoch 2/3")
    assert b" 3/6 " in first[-1]

    resumed = on_terminal(tmp_path)
    assert resumed[0].startswith(b"epoch 2/3")
    assert b" 3/6 " in resumed[0]
    assert b" 6/6 " in resumed[-1]
    assert b"val_loss" in resumed[-1]


@pytest.mark.req("CB-READY-011")
def test_nothing_is_drawn_into_a_pipe_and_each_epoch_is_a_line_of_the_log(tmp_path):
    ended = run(tmp_path, -1, subprocess.PIPE)
    assert ended.stderr == b""
    lines = re.findall(rb"epoch \d/3: .*", ended.stdout)
    assert [line.partition(b":")[0] for line in lines] == [b"epoch 1/3", b"epoch 2/3", b"epoch 3/3"]
    assert all(b"val_loss" in line for line in lines)
    assert b"\x1b" not in ended.stdout


@pytest.mark.req("CB-READY-001")
def test_a_terminal_that_is_gone_ends_no_training(tmp_path, caplog):
    gone = (tmp_path / "terminal").open("w")
    bar = tenuto.ProgressBar(2, Console(file=gone, force_terminal=True))
    gone.close()
    assert small(bar, saving(tmp_path)).fit().progress.epoch == 2
    assert caplog.text.count("switched off") == 1


@pytest.mark.req("CB-READY-013")
@pytest.mark.parametrize("total", [0, -1, True, 2.0, "2"])
def test_a_number_of_batches_that_is_none_is_refused(total):
    assert refusal(lambda: tenuto.ProgressBar(total)) == ("invalid_setting", "config")
