"""The callbacks of a scenario: each notes every call of a hook in the file of events, and then acts.

Spec: SCN-DATA-002, SCN-DATA-003, and sections 2 and 3 of 95-scenarios.md.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections import Counter
from collections.abc import Mapping
from functools import partialmethod
from pathlib import Path
from typing import Any, TextIO

from scenario_form import SETTINGS, STOPPING, Action, Part
from tagged import write_scalar

from tenuto.callbacks.base import BaseCallback
from tenuto.callbacks.checkpoint import CheckpointCallback
from tenuto.callbacks.early_stopping import EarlyStopping
from tenuto.reference.checkpoint import Tree
from tenuto.reference.errors import ConfigError, TenutoError, TrainingInterrupted
from tenuto.reference.events import contexts
from tenuto.reference.events.hooks import Hook
from tenuto.reference.trainer.loop import Trainer


def note(file: TextIO, folder: Path, name: str, hook: Hook, context: contexts.Context) -> None:
    """Writes down that a callback was called.

    Spec: SCN-EVENT-001.
    """
    now = context.progress
    event: dict[str, Any] = {
        "hook": hook.value,
        "name": name,
        "progress": [write_scalar(count) for count in (now.epoch, now.batch_in_epoch, now.global_step)],
        "metrics": {key: [write_scalar(one.value), write_scalar(one.step)] for key, one in context.metrics.items()},
    }
    if isinstance(context, contexts.TrainStart):
        event |= {"resumed": context.resumed}
    elif isinstance(context, contexts.CheckpointSaved):
        event |= {"names": context.saved.names, "reasons": context.saved.reasons}
    elif isinstance(context, contexts.CheckpointDeleted):
        event |= {"file": os.path.relpath(context.deleted.path, folder)}
    elif isinstance(context, contexts.ExceptionRaised):
        event |= {"code": code_of(context.error), "exact": context.exact, "is_signal": context.is_signal}
    file.write(json.dumps(event, separators=(",", ":")) + "\n")


def code_of(error: BaseException) -> str:
    """Returns the code of what ended a training; of a signal its name, of a fault of our own its class."""
    if isinstance(error, KeyboardInterrupt):
        return "SIGINT"
    if isinstance(error, TrainingInterrupted):
        return "SIGTERM" if error.exit_code == 128 + signal.SIGTERM else "max_seconds"
    return error.code if isinstance(error, TenutoError) else type(error).__name__


class Stage(BaseCallback):
    """What the callbacks of an attempt act on. It is the first of them, to see whether the attempt has begun."""

    trainer: Trainer
    has_begun = False

    def __init__(self, folder: str, events: TextIO) -> None:
        self.folder, self._away = Path(folder), Path(f"{Path(folder)}.away")
        self._events = events
        self._calls: Counter[tuple[Part, Hook]] = Counter()
        self.saving: dict[str, CheckpointCallback] = {}

    def on_train_start(self, context: contexts.TrainStart) -> None:  # noqa: ARG002 - the signature of a hook
        """From now on a failure is no refusal."""
        self.has_begun = True

    def follow(self, part: Part, hook: Hook, context: contexts.Context) -> None:
        """Notes a call, and does what is to be done at it; `raise` raises `TenutoError`."""
        note(self._events, self.folder, part.name, hook, context)
        self._calls[part, hook] += 1
        for action in part.actions:
            if action.at == (hook, self._calls[part, hook]):
                self._act(action, context)

    def _act(self, action: Action, context: contexts.Context) -> None:
        match action.do:
            case "stop":
                context.request_stop(action.text)
            case "raise":
                raise TenutoError(action.text, "hook: was told to fail; expected it", phase="train")
            case "signal":
                signal.raise_signal(signal.Signals[action.text])
            case "save":
                with contextlib.suppress(TenutoError):
                    self.save(action)
            case "break":
                self.folder.rename(self._away)
                self.folder.touch()
            case "mend":
                self.folder.unlink()
                self._away.rename(self.folder)

    def save(self, action: Action) -> None:
        """Saves by hand."""
        self.saving[action.text].save_checkpoint(self.trainer, metrics=action.metrics)


class Observer(BaseCallback):
    """A callback that overrides every hook.

    Spec: SCN-DATA-003.
    """

    def __init__(self, part: Part, stage: Stage) -> None:
        self._part, self._stage, self._batches = part, stage, 0
        self.phase = part.phase or self.phase

    @property
    def state_key(self) -> str:
        """The name in the scenario."""
        return self._part.name

    def state_dict(self) -> dict[str, Tree]:
        """Returns the number of batches, if they are counted."""
        return {"batches": self._batches} if self._part.counts else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Counts on."""
        self._batches = state["batches"]

    def called(self, hook: Hook, context: contexts.Context) -> None:
        """Any hook."""
        self._batches += hook is Hook.BATCH_END
        self._stage.follow(self._part, hook, context)


class Noted(BaseCallback):
    """A callback of the library, whose every call is noted before it acts.

    Args:
        own: The callback.
        part: Of the scenario.
        stage: What it acts on.

    Spec: SCN-DATA-002, SCN-DATA-003.
    """

    def __init__(self, own: BaseCallback, part: Part, stage: Stage) -> None:
        self._own, self._part, self._stage = own, part, stage
        self.phase = part.phase or own.phase

    @property
    def state_key(self) -> str:
        """Its own."""
        return self._own.state_key

    @property
    def checkpoint_folder(self) -> str | None:
        """Its own."""
        return self._own.checkpoint_folder

    @property
    def saves_on_exception(self) -> bool:
        """Its own."""
        return self._own.saves_on_exception

    def state_dict(self) -> dict[str, Tree]:
        """Its own."""
        return self._own.state_dict()

    def load_state_dict(self, state: dict[str, Tree]) -> None:
        """Its own."""
        self._own.load_state_dict(state)

    def called(self, hook: Hook, context: contexts.Context) -> None:
        """Any hook; what the callback would not be called at, it does not act at."""
        self._stage.follow(self._part, hook, context)
        if self._own.handles(hook):
            getattr(self._own, hook.value)(context)


def make_callback(part: Part, stage: Stage) -> BaseCallback:
    """Returns the callback of a scenario.

    Raises:
        ConfigError: `invalid_setting`, also for a setting that there is not.

    Spec: SCN-DATA-002, CPC-SET-001, CPC-SET-002, CB-EARLY-007.
    """
    if part.early_stopping is not None:
        _refuse_unknown(part.early_stopping, STOPPING)
        return Noted(EarlyStopping(**part.early_stopping), part, stage)
    if part.checkpoint is None:
        return Observer(part, stage)
    _refuse_unknown(part.checkpoint, SETTINGS)
    saving = stage.saving[part.name] = CheckpointCallback(stage.folder, **part.checkpoint)
    return Noted(saving, part, stage)


def _refuse_unknown(settings: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(settings.keys() - known):
        raise ConfigError("invalid_setting", f"settings: {unknown}; expected some of {sorted(known)}")


for _hook in Hook:
    setattr(Observer, _hook.value, partialmethod(Observer.called, _hook))
    setattr(Noted, _hook.value, partialmethod(Noted.called, _hook))
