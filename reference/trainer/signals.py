"""Ctrl-C, SIGTERM and the end of the time during training: the handlers set a flag, the loop asks."""

from __future__ import annotations

import logging
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any, Self

from tenuto.reference.errors import TrainingInterrupted

__all__ = ["SignalWatch"]

_log = logging.getLogger("tenuto")
_EXIT_CODE_SIGTERM = 143
_EXIT_CODE_TIME = 75  # "try again later" for batch systems


class SignalWatch:
    """Handlers for the time of a training.

    Args:
        deadline: On the monotonic clock, in seconds; None for no end of the time.

    Spec: TR-FAIL-003 to TR-FAIL-006, TR-FAIL-020.
    """

    def __init__(self, deadline: float | None = None) -> None:
        self._deadline = deadline
        self._pending: signal.Signals | None = None
        self._former: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            _log.warning("not in the main thread: Ctrl-C and SIGTERM end training without an emergency checkpoint")
            return self
        for number in (signal.SIGINT, signal.SIGTERM):
            self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of a handler
        if self._pending is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._pending = self._pending or signal.Signals(number)

    def poll(self) -> None:
        """Ends training if a signal has arrived.

        Raises:
            KeyboardInterrupt: After Ctrl-C.
            TrainingInterrupted: After SIGTERM.
        """
        if self._pending is signal.SIGINT:
            raise KeyboardInterrupt
        if self._pending is signal.SIGTERM:
            raise TrainingInterrupted(
                "training: stopped by SIGTERM; expected to reach its end", exit_code=_EXIT_CODE_SIGTERM
            )

    def end_batch(self) -> None:
        """Ends training at the end of a batch if a signal has arrived or the time is over.

        Raises:
            KeyboardInterrupt: After Ctrl-C.
            TrainingInterrupted: After SIGTERM, or at the end of the time.

        Spec: TR-FAIL-020.
        """
        if self._pending is not None:
            self.poll()
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise TrainingInterrupted(
                "training: stopped after max_seconds; expected to reach its end", exit_code=_EXIT_CODE_TIME
            )
