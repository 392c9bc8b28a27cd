"""The Mojo port killed with SIGKILL while it saves, sixty times: no file is torn, no acknowledged save lost.

Half of the kills come at a random moment, the others at the n-th call of one system call, before it is made.
"""

import json
import os
import random
import shutil
import signal
import time

import pytest
from mojo_builds import reply_of, train

import tenuto
from tenuto.reference.checkpoint.compare import first_difference
from tenuto.reference.checkpoint.ledger import read_ledger

CHAINS = 6
KILLS = 5  # of each chain
SCENARIO = {
    "workload": {
        "samples": "i:8",
        "validation_samples": "i:2",
        "optimizer": "s:adam",
        "dropout": "f64:3fd0000000000000",
    },
    "max_epochs": "i:60",
    "callbacks": [{"name": "S", "checkpoint": {"save_every_steps": "i:1", "keep_last_n": "i:2"}}],
}
# How often a process makes each call before its first save, and in about three saves.
CALLS = {"write": (1, 25), "fsync": (1, 14), "rename": (1, 8), "linkat": (1, 4), "unlink": (1, 6), "openat": (90, 150)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a training that was not killed, and the file of the scenario."""
    folder = tmp_path_factory.mktemp("whole")
    scenario = folder / "scenario.json"
    scenario.write_text(json.dumps(SCENARIO))
    assert reply_of(train(scenario, folder / "run", folder / "events.jsonl"))["outcome"] == "finished"
    return folder / "run", scenario


def events_of(path):
    """Returns the events of an attempt; a line that the kill has torn is not one."""
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def position(event):
    return tuple(int(part.removeprefix("i:")) for part in event["progress"])


def saves_of(path):
    return [event for event in events_of(path) if event["hook"] == "on_checkpoint_saved"]


def kill_at_random(scenario, folder, events, chance):
    """Kills soon after one of the first saves: in a save, most times, for it does little else."""
    process = train(scenario, folder, events, "auto")
    count = chance.randint(0, 5)
    while len(saves_of(events)) < count and process.poll() is None:
        time.sleep(0.0005)
    time.sleep(chance.random() * 0.005)
    process.kill()
    assert reply_of(process) is None
    return process.returncode


def kill_at_a_call(scenario, folder, events, chance):
    """Kills before a system call is made."""
    name = chance.choice(sorted(CALLS))
    fault = f"inject={name}:signal=KILL:when={chance.randint(*CALLS[name])}"
    process = train(scenario, folder, events, "auto", ("strace", "-f", "-qq", "-o", os.devnull, "-e", fault))
    assert reply_of(process) is None, fault
    return process.returncode


def check(folder, acknowledged):
    """Every file is whole by the reader of the other port, and the last acknowledged save is there.

    Args:
        folder: Of the run.
        acknowledged: The event of that save, None if there was none.
    """
    ledger = read_ledger(str(folder))
    assert not ledger.damaged
    for entry in ledger.entries:
        tenuto.verify_checkpoint(folder / entry.name)
    if acknowledged is not None:
        saved = {entry.name: entry for entry in ledger.entries}[acknowledged["names"][0]]
        epoch, batch, step = position(acknowledged)
        assert saved.position == (epoch, batch, step)
        assert ledger.newest_first()[0].position >= saved.position


KINDS = [
    kill_at_random,
    pytest.param(
        kill_at_a_call,
        marks=pytest.mark.skipif(shutil.which("strace") is None, reason="strace is missing: kills by the clock alone"),
    ),
]


@pytest.mark.req("STORE-SAVE-007", "STORE-SAVE-009", "STORE-SAVE-002", "TR-REST-005", "TR-RES-001", "CPC-KEEP-004")
@pytest.mark.parametrize("number", range(CHAINS))
@pytest.mark.parametrize("kill", KINDS)
def test_a_run_that_is_killed_again_and_again_ends_like_one_that_was_not(whole, tmp_path, kill, number):
    (finished, scenario), folder, chance = whole, tmp_path / "run", random.Random(number)
    acknowledged = None
    for attempt in range(1, KILLS + 1):
        events = tmp_path / f"events-{attempt}.jsonl"
        assert kill(scenario, folder, events, chance) == -signal.SIGKILL
        started = [event for event in events_of(events) if event["hook"] == "on_train_start"]
        if started and acknowledged is not None:
            assert started[0]["resumed"]
            assert position(started[0]) >= position(acknowledged)
        acknowledged = (saves_of(events) or [acknowledged])[-1]
        check(folder, acknowledged)

    process = train(scenario, folder, tmp_path / "events.jsonl", "auto")
    assert reply_of(process)["outcome"] == "finished"
    names = set(os.listdir(finished))
    there = {entry.name: entry for entry in read_ledger(str(folder)).entries}
    resumed_from = {name for name, entry in there.items() if entry.checkpoint_id == there["latest.ckpt"].parent}
    assert set(there) == names | resumed_from  # which is kept (CPC-KEEP-004)
    # A run that was killed before its first save leaves its temporary file to nobody.
    assert not [name for name in os.listdir(folder) if name.startswith(f".{there['latest.ckpt'].run_id}.")]
    for name in names:
        one, other = (tenuto.read_checkpoint(run / name) for run in (finished, folder))
        assert first_difference(one, other) is None, name
