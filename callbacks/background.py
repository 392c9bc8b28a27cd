"""One save in the background at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

__all__ = ["Background"]

_Result = TypeVar("_Result")

_log = logging.getLogger("tenuto")


class Background(Generic[_Result]):
    """Runs tasks on one thread of its own, one in flight.

    Spec: CPC-ASYNC-002.
    """

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._future: Future[_Result] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a task was started whose result has not been taken."""
        return self._future is not None

    def start(self, task: Callable[[], _Result]) -> None:
        """Starts a task; the result of the one before has been taken. Where no thread can be started, it is done now.

        Spec: CPC-ASYNC-008.
        """
        assert self._future is None  # noqa: S101 - the caller settles the one before first
        self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="tenuto-save")
        try:
            self._future = self._thread.submit(task)
        except RuntimeError:  # the system's way to say that there is none to be had
            self._thread = None  # it keeps the task, and would do it later
            self._future = _done(task)

    def take(self, *, wait: bool) -> _Result | None:
        """Returns the result of a finished task, once, or None; raises what the task raised.

        Args:
            wait: Whether to wait for it to finish.
        """
        if wait:
            self.wait()  # interrupted here, the task is still in flight and its result still to be taken
        if self._future is None or not self._future.done():
            return None
        future, self._future = self._future, None
        return future.result()

    def wait(self) -> None:
        """Waits until nothing is in flight; the result stays to be taken."""
        if self._future is not None:
            wait([self._future])

    def close(self) -> None:
        """Ends the thread."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None


def _done(task: Callable[[], _Result]) -> Future[_Result]:
    _log.warning("no thread can be started for saving in the background: saved before training goes on")
    future: Future[_Result] = Future()
    try:
        future.set_result(task())
    except Exception as error:  # noqa: BLE001 - raised again by whoever takes the result
        future.set_exception(error)
    return future
