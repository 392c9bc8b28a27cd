"""The job of the failure matrix: an observer before and one after the one that fails, and a checkpoint callback.

Settings: `hook`, `step` and `what` say what the one in the middle does, and when; `log` is a file for all hooks.
"""

import os
import signal
from pathlib import Path

from small_job import Recorder, make_trainer

from tenuto.callbacks.repository import Repository
from tenuto.reference.checkpoint.storage import PosixStorage

SAVING = {"save_every_steps": 5, "keep_last_n": 2}
FAILING_UPDATE = FAILING_FORWARD = 6
AT_ONCE = 1e-9  # seconds


class Noting(Recorder):
    """Writes its name and the hook into the file that all share."""

    def record(self, hook, context):
        self.log.append((self.name, hook.value))
        if self.file:
            with Path(self.file).open("a") as file:
                file.write(f"{self.name} {hook.value} {context.progress.global_step}\n")
        if self.at == (hook.value, context.progress.global_step):
            self.at = None  # once: the hook is called for several checkpoints
            self.act(context)


def signalling_storage(number, name):
    """Returns a storage that sends a signal to the process in the middle of the save of one file."""

    class Signalling(PosixStorage):
        sent = False

        def create(self, path):
            self.here = name in path
            return super().create(path)

        def write(self, file, pieces):
            if self.here and not self.sent:
                self.sent = True
                os.kill(os.getpid(), number)
            return super().write(file, pieces)

    return Signalling()


def put_under(storage):
    """Lets every checkpoint of this process be written by a storage."""
    original = Repository.__init__
    Repository.__init__ = lambda self, *args, **kw: original(self, *args, **{**kw, "ops": storage})


def build(config):
    what, hook, step = config.setting("what", ""), config.setting("hook", "none"), int(config.setting("step", "0"))
    log = config.setting("log", "") or None

    def act(context):
        for word in what.split("+"):
            if word.startswith("SIG"):
                os.kill(os.getpid(), signal.Signals[word])
            elif word == "stop":
                context.request_stop("enough")
            elif word:
                raise RuntimeError(f"{word} of {hook}")

    first, last = Noting("first", file=log), Noting("last", file=log)
    middle = Noting("middle", at=(hook, step), act=act, file=log)
    if config.setting("also", ""):
        first.at, first.act = ("on_batch_start", 3), _raise("the first failure")
    if hook == "save":
        put_under(signalling_storage(signal.Signals[what], f"_step_{step:08d}"))
    seconds = AT_ONCE if hook == "max_seconds" else None
    trainer = make_trainer(config.checkpoint_dir, [first, middle, last], max_seconds=seconds, **SAVING)
    if hook == "update":
        _fail_in_update(trainer)
    if hook == "forward":
        _fail_in_forward(trainer)
    return trainer


def _raise(text):
    def act(_):
        raise RuntimeError(text)

    return act


def _fail_in_update(trainer):
    updates = iter(range(99))

    def fail(*_):
        if next(updates) == FAILING_UPDATE:
            raise RuntimeError("in the update")

    (optimizer,) = trainer.workload._updater.optimizers.values()
    optimizer.register_step_post_hook(fail)


def _fail_in_forward(trainer):
    batches = iter(range(99))

    def fail(model, _):
        if model.training and next(batches) == FAILING_FORWARD:
            raise RuntimeError("in the forward pass")

    trainer.workload._model.register_forward_pre_hook(fail)
