"""One save in the background at a time."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

__all__ = ["Background"]

_Result = TypeVar("_Result")


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
        """Starts a task; the result of the one before has been taken."""
        assert self._future is None  # noqa: S101 - the caller settles the one before first
        self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="tenuto-save")
        self._future = self._thread.submit(task)

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
