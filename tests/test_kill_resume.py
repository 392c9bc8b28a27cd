"""Real trainings that die of SIGKILL at any moment and are resumed: the final file is the same every time.

A run is killed after a number of events that chance has drawn, while it runs on: in a save, in validation, in a batch
or between. Each kill is followed by a resume, and that may be killed too. `make torture-resume` kills a thousand times.
"""

import collections
import os
import random
import shutil
import signal

import pytest
import torch
from small_job import Recorder, make_trainer
from test_kills import FINAL, MUTATING, train_on

import tenuto
from tenuto.reference.checkpoint.compare import digest
from tenuto.reference.checkpoint.storage import PosixStorage

KILLS = int(os.environ.get("TENUTO_KILLS", "25"))
SEED = int(os.environ.get("TENUTO_KILLS_SEED", "1"))
KINDS = 6  # settings of the small job: how often it saves, and whether in the background
PLACES = {"on_validation_start": "in validation", "on_batch_start": "in a batch"}


class Telling(PosixStorage):
    """Tells of each file operation before it is done."""

    def __init__(self, pipe):
        self.pipe = pipe


def _told(name):
    def call(self, *arguments):
        os.write(self.pipe, f"{name}\n".encode())
        return getattr(PosixStorage, name)(self, *arguments)

    return call


for _name in MUTATING:
    setattr(Telling, _name, _told(_name))


class TellingRecorder(Recorder):
    """Tells of each hook."""

    def __init__(self, pipe):
        super().__init__()
        self.pipe = pipe

    def record(self, hook, context):
        os.write(self.pipe, f"{hook.value}\n".encode())


def run(folder, number, deadly=None):
    """Trains in a forked process, which has torch loaded already, and kills it after some events.

    Returns:
        The exit code, minus the signal for a killed one, and the events that it has told of.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(read)
            train_on(Telling(write), folder, number, [TellingRecorder(write)])
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read) as pipe:
        events = []
        for line in pipe:
            events.append(line.strip())
            if len(events) == deadly:
                os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), events


def place_of(events):
    """Returns where a kill has hit, by what was told of last."""
    last = events[-1]
    if last in MUTATING:
        return "in a save"
    return PLACES.get(last, "between")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """For each kind of job: the digest of the final file of an uninterrupted run, and how many events it has."""
    torch.set_num_threads(1)  # a process with threads must not be forked
    make_trainer().fit()  # what torch imports when it is first used is there before the forks
    folder = tmp_path_factory.mktemp("whole")
    found = {}
    for number in range(KINDS):
        code, events = run(folder / str(number), number)
        assert code == 0
        found[number] = digest(tenuto.read_checkpoint(folder / str(number) / FINAL)), len(events)
    return found


@pytest.mark.req("TR-REST-005", "TR-FAIL-023", "TR-RES-001", "STORE-SAVE-007")
def test_killed_at_any_moment_and_resumed_the_final_file_is_the_same(tmp_path, whole, capsys):
    moments = random.Random(SEED)
    hits = collections.Counter()
    runs = 0
    while hits.total() < KILLS:
        runs += 1
        folder, number = tmp_path / str(runs), runs % KINDS
        expected, count = whole[number]
        code = -signal.SIGKILL
        while code != 0:
            code, events = run(folder, number, moments.randint(1, count) if hits.total() < KILLS else None)
            assert code in {0, -signal.SIGKILL}, events[-5:]
            if code:
                hits[place_of(events)] += 1
        assert digest(tenuto.read_checkpoint(folder / FINAL)) == expected, f"run {runs}, kind {number}"
        shutil.rmtree(folder)
    with capsys.disabled():
        told = ", ".join(f"{count} {place}" for place, count in sorted(hits.items()))
        print(f"\n{hits.total()} SIGKILLs in {runs} runs ({told}): {runs} of {runs} final files identical")  # noqa: T201 - a count to be seen
    assert hits["in a save"]
    assert len(hits) > 1
