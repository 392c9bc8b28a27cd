"""Watches a trainer from inside: records every boundary and stops the process at one of them."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import xxhash

from tenuto.callbacks.base import BaseCallback
from tenuto.reference.errors import CheckpointError
from tenuto.reference.events.contexts import CheckpointSaved, Context, EpochEnd, Progress, TrainStart
from tenuto.reference.events.listener import Phase
from tenuto.reference.trainer import loop
from tenuto.reference.trainer.torch_tree import TreeMaker
from tenuto.reference.trainer.workload import Workload
from tenuto.verify_resume.record import Moment, Record, RecordWriter, leaves_of, state_leaves
from tenuto.verify_resume.request import Request

__all__ = ["Probe", "attached"]


class Probe(BaseCallback):
    """A callback without a state, the last one before those that save: the job's own are as they are without it.

    Args:
        request: Where to stop.
        writer: Of the record.
    """

    phase: Phase = "checkpoint"

    def __init__(self, request: Request, writer: RecordWriter) -> None:
        self._request, self._writer = request, writer
        self._batch: dict[str, str] = {}
        self._saving_keys: frozenset[str] = frozenset()

    def watch(self, trainer: loop.Trainer, saving_keys: frozenset[str]) -> None:
        """Looks at each batch that the trainer loads.

        Args:
            trainer: Before it trains.
            saving_keys: State keys of the callbacks that save; what they remember depends on where a run was stopped
                while a boundary is being left, so it is compared in the final checkpoints alone.
        """
        self._saving_keys = saving_keys
        trainer.workload = cast("Workload", _Watched(trainer.workload, self._note_batch))

    def on_train_start(self, context: TrainStart) -> None:
        """Records what was restored, or the initial state."""
        self._record("on_train_start", context)

    def on_batch_end(self, context: Context) -> None:
        """Records the batch and the state after it."""
        self._record("on_batch_end", context, self._batch)
        self._stop_at("on_batch_end", context.progress)
        if self._request.steps_max is not None and context.progress.global_step >= self._request.steps_max:
            context.request_stop("enough has been seen")

    def on_epoch_end(self, context: EpochEnd) -> None:
        """Records the state after validation and schedulers."""
        self._record("on_epoch_end", context)
        self._stop_at("on_epoch_end", context.progress)

    def on_checkpoint_saved(self, context: CheckpointSaved) -> None:
        """Kills the process, where it is asked to, now that a checkpoint is durable."""
        stop, saved = self._request.stop, context.saved.progress
        if (
            stop is not None
            and self._request.signal == "SIGKILL"
            and (saved.epoch, saved.batch_in_epoch)
            >= (
                stop.epoch,
                stop.batch,
            )
        ):
            os.kill(os.getpid(), signal.SIGKILL)

    def on_train_end(self, context: Context) -> None:
        """Records the final state."""
        self._record("on_train_end", context)

    def _stop_at(self, hook: str, progress: Progress) -> None:
        """Sends the signal that the end of a batch or an epoch honors; what is saved is this boundary."""
        here = Moment(progress.epoch, progress.batch_in_epoch, progress.global_step, hook)
        if here == self._request.stop and self._request.signal == "SIGTERM":
            os.kill(os.getpid(), signal.SIGTERM)

    def _record(self, hook: str, context: Context, batch: dict[str, str] | None = None) -> None:
        progress = context.progress
        state = context.capture(reasons=(), best={})
        moment = Moment(progress.epoch, progress.batch_in_epoch, progress.global_step, hook)
        self._writer.write(Record(moment, {**(batch or {}), **state_leaves(state, without=self._saving_keys)}))

    def _note_batch(self, batch: Any) -> None:  # noqa: ANN401 - whatever collation makes
        self._batch = _batch_leaves(batch)


class _Watched:
    """A workload that tells of each batch that it loads."""

    def __init__(self, workload: Workload, tell: Callable[[Any], None]) -> None:
        self._workload, self._tell = workload, tell

    def next_batch(self) -> Any | None:  # noqa: ANN401 - whatever collation makes
        """See `Workload`."""
        batch = self._workload.next_batch()
        if batch is not None:
            self._tell(batch)
        return batch

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the workload has
        return getattr(self._workload, name)


def _batch_leaves(batch: Any) -> dict[str, str]:  # noqa: ANN401 - whatever collation makes
    """Returns the texts of the values of a batch; a batch of another kind is one value."""
    try:
        return dict(leaves_of(TreeMaker().tree(batch, "batch"), "batch"))
    except (CheckpointError, TypeError):  # keys that cannot be sorted are a TypeError
        pass
    try:
        return {"batch": f"{type(batch).__name__} {xxhash.xxh64_hexdigest(pickle.dumps(batch))}"}
    except Exception as error:  # noqa: BLE001 - a user's class may raise anything
        return {"batch": f"{type(batch).__name__}, which cannot be looked at: {type(error).__name__}"}


@contextmanager
def attached(probe: Probe) -> Iterator[None]:
    """Every trainer made inside has the probe among its callbacks; the job's file stays as it is."""
    original: Any = loop.Trainer.__init__

    def init(trainer: loop.Trainer, *args: Any, callbacks: Any = (), **settings: Any) -> None:  # noqa: ANN401 - passed on
        original(trainer, *args, callbacks=[*callbacks, probe], **settings)
        saving = (one.state_key for one in callbacks if one.checkpoint_folder is not None)
        probe.watch(trainer, frozenset(saving))

    setattr(loop.Trainer, "__init__", init)  # noqa: B010 - mypy forbids the assignment to a method
    try:
        yield
    finally:
        setattr(loop.Trainer, "__init__", original)  # noqa: B010 - as above
