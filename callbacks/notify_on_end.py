"""Tells somebody that a training has ended, however it ended."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Sequence
from typing import Final, Literal, get_args

from tenuto.callbacks.base import BaseCallback
from tenuto.callbacks.notification_ways import Command, Mail, News, Way, Webhook
from tenuto.reference.errors import ConfigError
from tenuto.reference.events.contexts import CheckpointSaved, Context, ExceptionRaised, TrainStart

__all__ = ["NotifyOnEnd"]

_log = logging.getLogger("tenuto")

Outcome = Literal["completed", "failed", "interrupted"]
_GRACE_SECONDS: Final = 1.0  # for a way that has a time limit of its own to clean up behind it
_OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)


class NotifyOnEnd(BaseCallback):
    """Runs a command, posts to a webhook or sends a mail when a training ends.

    `completed` also stands for a stop that a callback asked for, `interrupted` for a signal or the end of the time
    that was given, `failed` for everything else. Telling comes last, after the final or emergency save has been tried,
    and what goes wrong with it is logged: the outcome of the training stays what it is.

    Example:
        ```python
        tenuto.NotifyOnEnd(
            command=["notify-send", "training has ended"],
            webhook="https://hooks.example.org/abc",
            mail=tenuto.Mail(to="me@example.org", sender="gpu1@example.org", host="smtp.example.org", user="me"),
        )
        ```

    A command finds these facts as JSON on its standard input, and a webhook receives them: `outcome`, `text`, `host`,
    `run_id`, `attempt`, `epoch`, `global_step`, `metrics`, `checkpoint`, `error`.

    Args:
        command: A program and its arguments, run without a shell.
        webhook: An address of `http` or `https`.
        mail: See `Mail`.
        outcomes: Which outcomes are told.
        timeout_seconds: How long each way may take, above 0.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: CB-READY-009, CB-READY-010, CB-READY-013.
    """

    def __init__(
        self,
        *,
        command: Sequence[str] | None = None,
        webhook: str | None = None,
        mail: Mail | None = None,
        outcomes: Sequence[Outcome] = _OUTCOMES,
        timeout_seconds: float = 10.0,
    ) -> None:
        ways: list[Way] = [] if command is None else [Command(command)]
        ways += [] if webhook is None else [Webhook(webhook)]
        ways += [] if mail is None else [mail]
        if not ways:
            raise ConfigError("invalid_setting", "command, webhook and mail: none; expected one of them at least")
        if isinstance(outcomes, str) or not outcomes or not set(outcomes) <= set(_OUTCOMES):
            raise ConfigError("invalid_setting", f"outcomes: {outcomes!r}; expected some of {', '.join(_OUTCOMES)}")
        is_number = isinstance(timeout_seconds, int | float) and not isinstance(timeout_seconds, bool)
        if not is_number or not 0 < timeout_seconds < float("inf"):
            raise ConfigError("invalid_setting", f"timeout_seconds: {timeout_seconds!r}; expected a number above 0")
        self._ways, self._outcomes, self._timeout_seconds = ways, frozenset(outcomes), timeout_seconds
        self._outcome: Outcome = "completed"
        self._error: str | None = None
        self._checkpoint: str | None = None

    def on_train_start(self, context: TrainStart) -> None:
        """Starts an attempt."""
        self._outcome, self._error, self._checkpoint = "completed", None, None

    def on_checkpoint_saved(self, context: CheckpointSaved) -> None:
        """Notes where the last checkpoint is."""
        self._checkpoint = context.saved.path

    def on_exception(self, context: ExceptionRaised) -> None:
        """Notes what ended the training."""
        self._outcome = "interrupted" if context.is_signal else "failed"
        self._error = f"{type(context.error).__name__}: {context.error}"

    def on_teardown(self, context: Context) -> None:
        """Tells, each way on its own."""
        if self._outcome not in self._outcomes:
            return
        news = self._news(context)
        for way in self._ways:
            try:
                _tell(way, news, self._timeout_seconds)
            except Exception as error:  # noqa: BLE001 - whatever it is, the other ways are tried
                _log.error("NotifyOnEnd: %s: %s: %s", way.label, type(error).__name__, error)

    def _news(self, context: Context) -> News:
        host, progress = socket.gethostname(), context.progress
        metrics = {name: metric.value for name, metric in sorted(context.metrics.items())}
        lines = [
            f"Training {self._outcome} on {host}: epoch {progress.epoch}, step {progress.global_step}",
            *([self._error] if self._error else []),
            *(f"{name}: {value:.6g}" for name, value in metrics.items()),
            f"last checkpoint: {self._checkpoint or 'none'}",
        ]
        facts = {
            "outcome": self._outcome,
            "text": "\n".join(lines),
            "host": host,
            "run_id": context.run.run_id,
            "attempt": context.run.attempt,
            "epoch": progress.epoch,
            "global_step": progress.global_step,
            "metrics": {name: value if abs(value) < float("inf") else str(value) for name, value in metrics.items()},
            "checkpoint": self._checkpoint,
            "error": self._error,
        }
        return News(lines[0], "\n".join(lines), facts)


def _tell(way: Way, news: News, timeout_seconds: float) -> None:
    """Tells on a thread of its own: looking up a host has no time limit, and training has ended long ago."""
    raised: list[Exception] = []

    def run() -> None:
        try:
            way.tell(news, timeout_seconds)
        except Exception as error:  # noqa: BLE001 - handed to the caller
            raised.append(error)

    thread = threading.Thread(target=run, name="tenuto-notify", daemon=True)
    thread.start()
    thread.join(timeout_seconds + _GRACE_SECONDS)
    if thread.is_alive():
        raise TimeoutError(f"no answer after {timeout_seconds} s")
    if raised:
        raise raised[0]
