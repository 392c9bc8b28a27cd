"""Every metric as a scalar of TensorBoard."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from tenuto.callbacks.metric_logger import MetricLogger
from tenuto.callbacks.optional_packages import load_package
from tenuto.reference.checkpoint.storage import PosixStorage
from tenuto.reference.events.contexts import Context, Metric, TrainStart

__all__ = ["TensorBoardLogger"]

_EXTRA = "tensorboard"


class TensorBoardLogger(MetricLogger):
    """Writes event files that `tensorboard --logdir FOLDER` shows.

    It needs the extra `tensorboard`, which brings the small package tensorboardX and not TensorBoard itself. Each
    attempt writes a file of its own; of an attempt that was resumed, TensorBoard hides what came after the state from
    which training went on.

    Example:
        `tenuto.TensorBoardLogger("runs/a/events")`

    Args:
        folder: Of the event files, made when first needed.

    Raises:
        ConfigError: `missing_package`.

    Spec: CB-READY-002.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        super().__init__()
        self._folder = os.path.abspath(folder)
        self._files = load_package("tensorboardX.event_file_writer", _EXTRA)
        self._events = load_package("tensorboardX.proto.event_pb2", _EXTRA)
        self._summaries = load_package("tensorboardX.proto.summary_pb2", _EXTRA)
        self._file: Any = None

    def open(self, context: TrainStart) -> None:
        """Starts a file.

        The writer is the one without a thread: that of `SummaryWriter` dies of a full disk, and training then waits for
        it for ever. Files are named by the second, so the suffix keeps two attempts of one second apart.
        """
        PosixStorage().make_folder(self._folder)
        suffix = f".{context.run.run_id}.{context.run.attempt}"
        self._file = self._files.EventsWriter(os.path.join(self._folder, "events"), suffix)
        if context.resumed:
            start = self._events.SessionLog(status=self._events.SessionLog.START)
            self._file.write_event(self._events.Event(session_log=start, step=context.progress.global_step + 1))

    def write_values(self, values: Mapping[str, Metric], context: Context) -> None:
        """Writes the values as scalars and hands them to the system: a kill loses none."""
        for name in sorted(values):
            scalar = self._summaries.Summary.Value(tag=name, simple_value=values[name].value)
            summary = self._summaries.Summary(value=[scalar])
            self._file.write_event(self._events.Event(summary=summary, step=values[name].step, wall_time=time.time()))
        self._file.flush()

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()
