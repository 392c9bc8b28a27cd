"""Every metric as lines of a CSV file that survives any end of the run."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping

from tenuto.callbacks.metric_logger import MetricLogger
from tenuto.reference.checkpoint.storage import PosixStorage, StorageOps
from tenuto.reference.events.contexts import Context, Metric, TrainStart

__all__ = ["CSVLogger"]

_HEADER = ("attempt", "epoch", "global_step", "metric", "value")


class CSVLogger(MetricLogger):
    """Appends one line for each value: `attempt, epoch, global_step, metric, value`.

    Lines of an earlier attempt stay; where two attempts have the same step, the later one counts. A value is written so
    that it is read back to the last bit.

    Example:
        `tenuto.CSVLogger("runs/a/metrics.csv")`, and later `pandas.read_csv("runs/a/metrics.csv")`.

    Args:
        path: Of the file, made when first needed.
        ops: The storage to write through.

    Spec: CB-READY-003.
    """

    def __init__(self, path: str | os.PathLike[str], ops: StorageOps | None = None) -> None:
        super().__init__()
        self._path = os.path.abspath(path)  # a job may change its working folder later
        self._ops = ops or PosixStorage()
        self._file: int | None = None

    def open(self, context: TrainStart) -> None:
        """Opens the file, and ends a line of which a kill has left the beginning."""
        self._ops.make_folder(os.path.dirname(self._path))
        self._file = self._ops.append(self._path)
        size = self._ops.size(self._file)
        if size == 0:
            self._append([_HEADER])
        elif self._last_byte(size) != b"\n":
            self._write_all(b"\n")

    def write_values(self, values: Mapping[str, Metric], context: Context) -> None:
        """Appends a line for each value."""
        place = context.run.attempt, context.progress.epoch
        self._append([(*place, values[name].step, name, repr(values[name].value)) for name in sorted(values)])

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            file, self._file = self._file, None
            self._ops.close(file)

    def _last_byte(self, size: int) -> bytes:
        reading = self._ops.open(self._path)
        try:
            return self._ops.read(reading, size - 1, 1)
        finally:
            self._ops.close(reading)

    def _append(self, rows: Iterable[tuple[object, ...]]) -> None:
        """Writes the lines with one call, so that a kill leaves whole lines."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        self._write_all(text.getvalue().encode())

    def _write_all(self, data: bytes) -> None:
        assert self._file is not None  # noqa: S101 - the base opens first
        left = memoryview(data)
        while left:
            left = left[self._ops.write(self._file, [left]) :]
