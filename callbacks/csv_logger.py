"""Metrics of every batch and epoch as lines of a CSV file that survives any end of the run."""

from __future__ import annotations

import csv
import io
import os

from tenuto.callbacks.base import BaseCallback
from tenuto.reference.checkpoint.storage import PosixStorage, StorageOps
from tenuto.reference.events.contexts import Context, TrainStart

__all__ = ["CSVLogger"]

_HEADER = ("attempt", "epoch", "global_step", "metric", "value")


class CSVLogger(BaseCallback):
    """Appends one line for each value: `attempt, epoch, global_step, metric, value`.

    Lines of an earlier attempt stay; where two attempts have the same step, the later one counts.

    Args:
        path: Of the file, made when first needed.
        ops: The storage to write through.
    """

    def __init__(self, path: str | os.PathLike[str], ops: StorageOps | None = None) -> None:
        self._path = os.fspath(path)
        self._ops = ops or PosixStorage()
        self._file: int | None = None

    def on_train_start(self, context: TrainStart) -> None:
        """Opens the file."""
        self._ops.make_folder(os.path.dirname(os.path.abspath(self._path)))
        self._file = self._ops.append(self._path)
        if self._ops.size(self._file) == 0:
            self._append([_HEADER])

    def on_batch_end(self, context: Context) -> None:
        """Writes the metrics of the batch."""
        self._log(context)

    def on_epoch_end(self, context: Context) -> None:
        """Writes the metrics of the epoch."""
        self._log(context)

    def on_teardown(self, context: Context) -> None:
        """Closes the file."""
        if self._file is not None:
            self._ops.close(self._file)
            self._file = None

    def _log(self, context: Context) -> None:
        now = context.progress.global_step
        place = (context.run.attempt, context.progress.epoch, now)
        ends_epoch = context.progress.batch_in_epoch == 0
        fresh = {name: metric for name, metric in context.metrics.items() if metric.step == now}
        names = [name for name in fresh if name.endswith("_step") is not ends_epoch]
        self._append([(*place, name, repr(fresh[name].value)) for name in sorted(names)])

    def _append(self, rows: list[tuple[object, ...]]) -> None:
        """Writes the lines with one call, so that a kill leaves whole lines."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        assert self._file is not None  # noqa: S101 - opened at the start
        self._ops.write(self._file, [text.getvalue().encode()])
