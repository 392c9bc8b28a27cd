"""A progress bar on a terminal; one line an epoch elsewhere."""

from __future__ import annotations

import logging

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

from tenuto.callbacks.base import BaseCallback
from tenuto.callbacks.best_effort import BestEffort
from tenuto.reference.errors import ConfigError
from tenuto.reference.events.contexts import Context, TrainStart

__all__ = ["ProgressBar"]

_log = logging.getLogger("tenuto")
_BAR_CELLS = 20


class ProgressBar(BaseCallback):
    """Shows how far training has come: a bar on a terminal, elsewhere a line of the log for each epoch.

    A resumed training starts the bar where it goes on, and the time that is left counts from there.

    Example:
        `tenuto.ProgressBar(total_batches=len(train_data))`

    Args:
        total_batches: Batches of an epoch, at least 1, if known: the bar then moves within an epoch.
        console: Where to draw; the standard error stream unless given.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: CB-READY-001, CB-READY-011, CB-READY-013.
    """

    def __init__(self, total_batches: int | None = None, console: Console | None = None) -> None:
        if total_batches is not None and (type(total_batches) is not int or total_batches < 1):
            message = f"total_batches: {total_batches!r}; expected a whole number of at least 1, or None"
            raise ConfigError("invalid_setting", message)
        self._effort = BestEffort(type(self).__name__)
        self._total = total_batches
        self._console = console or Console(stderr=True)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._epochs = 0

    def on_train_start(self, context: TrainStart) -> None:
        """Starts the bar at the resumed position."""
        self._epochs = context.max_epochs
        self._effort.begin()
        if self._console.is_terminal:
            self._effort.run(self._start, context)

    def on_batch_end(self, context: Context) -> None:
        """Moves the bar."""
        if self._total:
            self._effort.run(self._show, context)

    def on_epoch_end(self, context: Context) -> None:
        """Moves the bar, or writes a line."""
        if self._bar is None:
            _log.info("epoch %d/%d: %s", context.progress.epoch, self._epochs, _summary(context))
        self._effort.run(self._show, context)

    def on_teardown(self, context: Context) -> None:
        """Leaves the bar as it is."""
        self._effort.finish(self._stop)

    def _start(self, context: Context) -> None:
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}", table_column=Column(no_wrap=True)),
            BarColumn(_BAR_CELLS),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            # last, and the first to give way where the terminal is narrow
            TextColumn("{task.fields[shown]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
            console=self._console,
            expand=True,
        )
        total = self._epochs * (self._total or 1)
        self._task = self._bar.add_task(
            "", total=total, completed=self._done(context), epoch=self._place(context), shown=_summary(context)
        )
        self._bar.start()

    def _stop(self) -> None:
        if self._bar is not None:
            bar, self._bar = self._bar, None
            bar.stop()

    def _show(self, context: Context) -> None:
        if self._bar is not None:
            place, shown = self._place(context), _summary(context)
            self._bar.update(self._task, completed=self._done(context), epoch=place, shown=shown)

    def _done(self, context: Context) -> int:
        progress = context.progress
        return progress.epoch * self._total + progress.batch_in_epoch if self._total else progress.epoch

    def _place(self, context: Context) -> str:
        return f"{min(context.progress.epoch + 1, self._epochs)}/{self._epochs}"


def _summary(context: Context) -> str:
    """Returns the metrics of the last epoch, those of validation first."""
    shown = [(name, metric.value) for name, metric in context.metrics.items() if not name.endswith("_step")]
    return "  ".join(f"{name} {value:.4f}" for name, value in sorted(shown, reverse=True))
