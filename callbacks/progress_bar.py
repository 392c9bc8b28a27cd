"""A progress bar on a terminal; one line an epoch elsewhere."""

from __future__ import annotations

import logging

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tenuto.callbacks.base import BaseCallback
from tenuto.reference.events.contexts import Context, TrainStart

__all__ = ["ProgressBar"]

_log = logging.getLogger("tenuto")


class ProgressBar(BaseCallback):
    """Shows how far training has come.

    Args:
        total_batches: Batches of an epoch, if known: the bar then moves within an epoch.
        console: Where to draw; the standard error stream unless given.
    """

    def __init__(self, total_batches: int | None = None, console: Console | None = None) -> None:
        self._total = total_batches
        self._console = console or Console(stderr=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._epochs = 0

    def on_train_start(self, context: TrainStart) -> None:
        """Starts the bar at the resumed position."""
        self._epochs = context.max_epochs
        if not self._console.is_terminal:
            return
        columns = (
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[shown]}"),
        )
        self._bar = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=self._console)
        unit = self._total or 1
        done = context.progress.epoch * unit + (context.progress.batch_in_epoch if self._total else 0)
        self._task = self._bar.add_task("", total=self._epochs * unit, completed=done, epoch="", shown="")
        self._bar.start()
        self._show(context)

    def on_batch_end(self, context: Context) -> None:
        """Moves the bar."""
        if self._bar is not None and self._total:
            self._bar.advance(self._task)
            self._show(context)

    def on_epoch_end(self, context: Context) -> None:
        """Moves the bar, or writes a line."""
        if self._bar is None:
            _log.info("epoch %d/%d: %s", context.progress.epoch, self._epochs, _summary(context))
        elif not self._total:
            self._bar.advance(self._task)
            self._show(context)

    def on_teardown(self, context: Context) -> None:
        """Leaves the bar as it is."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _show(self, context: Context) -> None:
        assert self._bar is not None  # noqa: S101 - asked before
        place = f"{context.progress.epoch}/{self._epochs}"
        self._bar.update(self._task, epoch=place, shown=_summary(context))


def _summary(context: Context) -> str:
    shown = [(name, metric.value) for name, metric in context.metrics.items() if not name.endswith("_step")]
    return "  ".join(f"{name} {value:.4f}" for name, value in sorted(shown))
