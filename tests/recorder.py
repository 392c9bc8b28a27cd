"""Callbacks that write down what happens, small trainings of the reference workload, and spoiled files. No torch."""

from __future__ import annotations

import pytest

from tenuto.callbacks.base import BaseCallback
from tenuto.callbacks.checkpoint import CheckpointCallback
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.store import write_checkpoint
from tenuto.reference.errors import TenutoError
from tenuto.reference.events.hooks import Hook
from tenuto.reference.trainer.loop import Trainer
from tenuto.reference.workload import ReferenceWorkload, WorkloadSettings


class Recorder(BaseCallback):
    """Keeps `(hook, progress)` of every call, and does what it is told at one of them.

    Args:
        log: Where to write; several recorders may share it.
        name: Written too if the log is shared.
        act: Hook -> function of the context, called at each call of the hook.
    """

    def __init__(self, log=None, name=None, **act):
        self.log = [] if log is None else log
        self.name, self.act = name, act

    def __getattribute__(self, wanted):
        if wanted in set(Hook):
            return lambda context: self.record(wanted, context)
        return super().__getattribute__(wanted)

    def handles(self, hook):
        return True

    def record(self, hook, context):
        place = context.progress.epoch, context.progress.batch_in_epoch, context.progress.global_step
        self.log.append((hook, place) if self.name is None else (hook, place, self.name))
        if hook in self.act:
            self.act[hook](context)

    @property
    def hooks(self):
        return [hook for hook, *_ in self.log]


class Scripted(ReferenceWorkload):
    """Measures what a script says in validation: by epoch from 1, None for a missing metric."""

    def __init__(self, script, **settings):
        super().__init__(WorkloadSettings(**settings))
        self.script, self.epoch = script, 0

    def open_epoch(self, epoch, skip_batches):
        self.epoch = epoch
        super().open_epoch(epoch, skip_batches)

    def validate(self, poll):
        measured = dict(super().validate(poll))
        for name, values in self.script.items():
            measured.pop(name, None)
            if values[self.epoch] is not None:
                measured[name] = values[self.epoch]
        return measured


def small(*callbacks, max_epochs=2, validate_every=1, script=None, **settings):
    """Returns a trainer of 2 batches an epoch."""
    settings = {"samples": 8, "validation_samples": 2, "batch_size": 4, **settings}
    workload = Scripted(script, **settings) if script else ReferenceWorkload(WorkloadSettings(**settings))
    return Trainer(workload, max_epochs=max_epochs, validate_every=validate_every, callbacks=callbacks)


def saving(folder, **settings):
    """Returns a checkpoint callback for a folder; files are not read back."""
    return CheckpointCallback(folder, verify="none", **settings)


def heads(folder):
    """Returns the head of every checkpoint in a folder by its name."""
    return {path.name: read_checkpoint(path).head for path in sorted(folder.glob("*.ckpt"))}


def rewrite(path, change, name=None):
    """Writes a checkpoint with something changed, under its own name or another."""
    document = read_checkpoint(path)
    change(document.head)
    write_checkpoint(path.with_name(name) if name else path, document)


def set_in(*path, to):
    """Returns a change for `rewrite`: the value at a path of keys."""

    def change(head):
        *way, last = path
        for key in way:
            head = head[key]
        head[last] = to

    return change


def refusal(call):
    """Returns code and phase of the error that a call ends with."""
    with pytest.raises(TenutoError) as caught:
        call()
    return caught.value.code, caught.value.phase


def names(folder):
    """Returns the paths of all files below a folder, sorted."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def epochs(*numbers):
    """Returns the names of checkpoints at the end of epochs."""
    return [f"checkpoint_epoch_{number:04d}.ckpt" for number in numbers]


def losses(*values):
    """Returns a script for `small` in which the loss of validation has these values."""
    return {"loss": list(values)}


def full_at(create, failing):
    """Returns `PosixStorage.create` for a disk that is full at some calls; call 0 is that of the probe."""
    calls = iter(range(1000))

    def made(self, path):
        if next(calls) in failing:
            raise OSError(28, "full", path)
        return create(self, path)

    return made
