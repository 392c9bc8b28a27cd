"""Trainings that live until they are killed: scenarios, and a process for each life. No torch.

A scenario works in one folder. It is killed, started again as with `resume="auto"` and killed again, so that most kills
fall into a life that began with a recovery.
"""

import logging
import os
import select
import signal
import time

from attrs import Factory, frozen
from recorder import Recorder

from crash.dying import Dying
from crash.seam import through
from crash.training import Attempt
from tenuto.callbacks.checkpoint import CheckpointCallback
from tenuto.reference.events.hooks import Hook
from tenuto.reference.trainer.loop import Trainer
from tenuto.reference.workload import ReferenceWorkload, WorkloadSettings

EPOCHS = 4
WORKLOAD = {"samples": 4, "batch_size": 2, "validation_samples": 1, "features": 1, "hidden": 1}
LOSSES = (0.5, 0.75, 0.25, 0.5)  # where there is no model: one improves, one is worse, one ties


@frozen
class Scenario:
    """A way to train and save.

    Attributes:
        name: Of the scenario.
        settings: Of the checkpoint callback.
        ending: What ends each life at its third batch: `exception`, `signal`, or None.
    """

    name: str
    settings: dict = Factory(dict)
    ending: str | None = None

    def train(self, folder):
        """Trains on from what lies in a folder, to the end or to the ending of this life."""
        callbacks = [] if self.ending is None else [_Ending(self.ending)]
        workload = ReferenceWorkload(WorkloadSettings(**WORKLOAD))
        saving = CheckpointCallback(folder, **self.settings)
        Trainer(workload, max_epochs=EPOCHS, callbacks=[*callbacks, saving]).fit("auto")

    def save(self, folder):
        """As `train`, but with a few bytes in place of a model, one step an epoch: many times faster."""
        attempt, lived = Attempt(folder, {"retention": None, **self.settings}), 0
        in_background = self.settings.get("async_save", False)
        while attempt.progress.epoch < EPOCHS:
            if self.ending is not None and lived == 2:
                attempt.interrupt()
                return
            attempt.train_epoch(LOSSES[attempt.progress.epoch], in_background=in_background)
            lived += 1
        attempt.end()


SCENARIOS = (
    Scenario("saves", {"save_best": False}),
    Scenario("saves in the background", {"save_every_steps": 1, "async_save": True, "keep_last_n": 2}),
    Scenario("the best three", {"save_top_k": 3, "keep_best_latest": True}),
    Scenario("the best under new names", {"save_every_steps": 1, "overwrite": False, "keep_last_n": 1}),
    Scenario("emergency saves after an exception", {"save_best": False}, "exception"),
    Scenario("emergency saves after a signal", {"save_every_steps": 2, "keep_last_n": 1}, "signal"),
    Scenario("retention", {"save_every_steps": 1, "keep_last_n": 1}),
    Scenario("a symbolic link", {"save_every_steps": 1, "latest": "symlink", "keep_last_n": 2}),
    Scenario("a copy", {"latest": "copy", "keep_last_n": 1}),
    Scenario("no latest", {"latest": "none", "save_every_steps": 1, "keep_best_latest": True}),
    Scenario("a folder for each epoch", {"layout": "epoch_dirs", "keep_last_n": 1, "save_every_steps": 1}),
    Scenario("weights alone, and nothing read back", {"save_final_weights": True, "verify": "none"}),
)


class _Ending(Recorder):
    """Ends a life at its third batch."""

    def __init__(self, kind):
        super().__init__(**{Hook.BATCH_END: self.count})
        self.kind, self.batches = kind, 0

    def count(self, _):
        self.batches += 1
        if self.batches == 3 and self.kind == "signal":
            os.kill(os.getpid(), signal.SIGTERM)
        elif self.batches == 3:
            raise ArithmeticError


def live(work, folder, hear, *, deadly=None, seconds=None):
    """Lets one life run in a process of its own, and hears afterwards what it told.

    Args:
        work: What it does, a function of the folder.
        folder: Where.
        hear: Called with each word of `Dying`.
        deadly: The operation at which it kills itself.
        seconds: After which it is killed from outside.

    Returns:
        How it ended: 0, 1 for an error, or minus a signal.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_born(work, folder, Dying(folder, deadly, lambda *word: _tell(writing, word)))
    os.close(writing)
    told = _listen(reading, child, None if seconds is None else time.monotonic() + seconds)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    *whole, _ = told.split("\n")  # a word that a kill cut short was not said
    for line in whole:
        hear(*line.split("\t"))
    return ended


def _tell(writing, word):
    os.write(writing, ("\t".join(word) + "\n").encode())


def live_to_the_end(work, folder, hear):
    """As `live` without a kill, and so without the price of a process; the system gets the folder from both alike."""
    return _code(work, folder, Dying(folder, None, hear))


def _be_born(work, folder, ops):
    code = 1
    try:
        logging.disable(logging.CRITICAL)
        code = _code(work, folder, ops)
    finally:
        os._exit(code)


def _code(work, folder, ops):
    """Returns how a life ends that is not killed: 0, or 1 for an error, which is reported."""
    try:
        with through(ops):
            work(folder)
    except Exception as error:  # noqa: BLE001 - an ending, or an error that is reported
        if not is_ending(error):
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            return 1
    return 0


def is_ending(error):
    """Returns whether an error is what a scenario ends a life with."""
    return isinstance(error, ArithmeticError) or getattr(error, "code", None) == "training_interrupted"


def _listen(reading, child, deadline):
    """Reads until the other end is closed, and kills the process when its time has come."""
    parts = []
    while True:
        wait = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([reading], [], [], wait)[0]:
            os.kill(child, signal.SIGKILL)
            deadline = None
            continue
        part = os.read(reading, 1 << 16)
        if not part:
            os.close(reading)
            return b"".join(parts).decode()
        parts.append(part)
