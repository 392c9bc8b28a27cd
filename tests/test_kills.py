"""Real trainings that die of SIGKILL at a file operation and are resumed: the last file is always the same.

The moment is the n-th file operation, before it or, for a write, in its middle, so that every run of the test kills at
the same places whatever the speed of the machine. `python examples/demo.py --random-kills 10` kills by the clock.
"""

import os
import random
import signal

import pytest
from small_job import make_trainer

import tenuto
from tenuto.callbacks.repository import Repository
from tenuto.reference.checkpoint.compare import first_difference
from tenuto.reference.checkpoint.ledger import read_ledger
from tenuto.reference.checkpoint.storage import PosixStorage

RUNS = 25
FINAL = "checkpoint_epoch_0003.ckpt"
MUTATING = ("create", "write", "sync", "drop_cache", "close", "rename", "link", "unlink", "sync_folder", "make_folder")


class Dying(PosixStorage):
    """Counts its operations and kills the process at one of them."""

    def __init__(self, deadly=None):
        self.deadly, self.count = deadly, 0

    def step(self, name, arguments):
        self.count += 1
        if self.count != self.deadly:
            return getattr(PosixStorage, name)(self, *arguments)
        if name == "write":
            file, pieces = arguments
            os.write(file, bytes(pieces[0])[: len(pieces[0]) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")


def _counted(name):
    return lambda self, *arguments: self.step(name, arguments)


for _name in MUTATING:
    setattr(Dying, _name, _counted(_name))


def settings(number):
    return {"save_every_steps": 1 + number % 3, "async_save": number % 2 == 1, "keep_last_n": 2}


def train_on(storage, folder, number, callbacks=()):
    original = Repository.__init__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Repository, "__init__", lambda self, *args, **kw: original(self, *args, **{**kw, "ops": storage}))
        make_trainer(folder, callbacks, **settings(number)).fit(resume="auto")


def attempt(folder, number, deadly):
    """Trains in a child process that has torch loaded already, and returns how it ended: 0, or minus a signal."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            train_on(Dying(deadly), folder, number)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.req(
    "TR-REST-005",
    "TR-RES-001",
    "TR-RES-003",
    "STORE-SAVE-007",
    "STORE-SAVE-009",
    "CPC-KEEP-002",
    "CPC-NAME-006",
    "CPC-KEEP-004",
    "TR-FAIL-023",
)
@pytest.mark.parametrize("number", range(RUNS))
def test_killed_at_any_operation_and_resumed(tmp_path, number):
    whole = Dying()
    train_on(whole, tmp_path / "whole", number)
    assert whole.count > 50
    moments = random.Random(number)

    assert attempt(tmp_path / "killed", number, moments.randint(1, whole.count)) == -signal.SIGKILL
    ends = [attempt(tmp_path / "killed", number, moments.randint(1, whole.count)) for _ in range(3)]
    assert set(ends) <= {-signal.SIGKILL, 0}
    assert attempt(tmp_path / "killed", number, None) == 0

    one, other = (tenuto.read_checkpoint(tmp_path / folder / FINAL) for folder in ("whole", "killed"))
    assert first_difference(one, other) is None
    best = other.head["metadata"]["best"]["val_loss"][0]
    for name in ("best_model_val_loss.ckpt", "latest.ckpt"):
        position = tenuto.read_checkpoint(tmp_path / "killed" / name).head["metadata"]["progress"]
        epoch = best["epoch"] if name.startswith("best") else 3
        assert (position["epoch"], position["batch_in_epoch"]) == (epoch, 0)
    ledger = read_ledger(str(tmp_path / "killed"))
    assert not ledger.damaged
    (run_id,) = ledger.run_ids()
    assert not [name for name in os.listdir(tmp_path / "killed") if name.startswith(f".{run_id}.")]
