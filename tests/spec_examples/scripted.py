"""What a trace trains with: callbacks that write down every call and do what the script says, and scripted metrics."""

from __future__ import annotations

import signal
from collections import Counter

from tenuto.callbacks import BaseCallback, CheckpointCallback
from tenuto.reference.events.hooks import Hook
from tenuto.reference.trainer.metrics import flatten
from tenuto.reference.workload import ReferenceWorkload, WorkloadSettings


class ScriptedError(Exception):
    """What a callback raises when its script says so."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


class Record:
    """The calls of an attempt: one line for each event, or for each part of one that another event comes inside of."""

    def __init__(self):
        self.lines, self.saved, self.deleted = [], [], []
        self._context = None

    def note(self, name, hook, context):
        """Writes down that a callback was called."""
        if context is self._context:
            self.lines[-1] += f" {name}"
            return
        progress = context.progress
        position = f"{progress.epoch}/{progress.batch_in_epoch}/{progress.global_step}"
        self.lines.append(f"{hook.value} {position} {name}")
        self._context = context
        if hook is Hook.CHECKPOINT_SAVED:
            self.saved.append(f"{' '.join(context.saved.names)}: {' '.join(context.saved.reasons)}")
        elif hook is Hook.CHECKPOINT_DELETED:
            self.deleted.append(context.deleted.path.rpartition("/")[2])


class Observer(BaseCallback):
    """Records every hook; at the chosen call of one it stops, raises, or sends the process a signal."""

    def __init__(self, script, record):
        self._script, self._record, self._calls = script, record, Counter()
        self.phase = script.get("phase", "observe")

    def called(self, hook, context):
        """Spec: CB-HOOK-001."""
        self._record.note(self._script["name"], hook, context)
        self._calls[hook.value] += 1
        if self._script.get("at") == {"hook": hook.value, "call": self._calls[hook.value]}:
            self._act(context)

    def _act(self, context):
        script = self._script
        if script["do"] == "stop":
            context.request_stop(script["reason"])
        elif script["do"] == "raise":
            raise ScriptedError(script["code"])
        else:
            signal.raise_signal(signal.Signals[script["signal"]])


class Saving(CheckpointCallback):
    """The checkpoint callback; it records every hook before it does what it does."""

    def handles(self, hook):
        """Every hook: those at which nothing is saved are recorded too."""
        return True

    @classmethod
    def of(cls, script, record, folder):
        """Returns one with the settings of the script."""
        made = cls(str(folder), **script["checkpoint"])
        made.recorded_as, made.record = script["name"], record
        return made

    def called(self, hook, context):
        """Spec: CB-HOOK-001."""
        self.record.note(self.recorded_as, hook, context)
        getattr(CheckpointCallback, hook.value)(self, context)


def _method(hook):
    return lambda self, context: self.called(hook, context)


for _hook in Hook:
    setattr(Observer, _hook.value, _method(_hook))
    setattr(Saving, _hook.value, _method(_hook))


class ScriptedWorkload(ReferenceWorkload):
    """The reference workload, but for what its validation measures.

    Args:
        settings: Those that differ from the defaults.
        metrics: Name -> value by epoch from 1, `missing` for none.
    """

    def __init__(self, settings, metrics):
        super().__init__(WorkloadSettings.from_map(settings))
        self._script, self._epoch = metrics, 0

    def open_epoch(self, epoch, skip_batches):
        """See `Workload`."""
        self._epoch = epoch
        super().open_epoch(epoch, skip_batches)

    def validate(self, poll):
        """See `Workload`."""
        measured = flatten(super().validate(poll))
        for name, values in self._script.items():
            inner, value = name.removeprefix("val_"), values[self._epoch]
            if inner not in measured:
                raise KeyError(name)
            del measured[inner]
            if value != "missing":
                measured[inner] = float(value)
        return measured
