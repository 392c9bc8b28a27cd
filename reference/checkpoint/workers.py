"""Tasks that are taken in their order by several threads, of which the caller's is one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Final

from attrs import define, field

__all__ = ["PARALLEL_BYTES", "THREADS", "run_tasks"]

PARALLEL_BYTES: Final = 16 << 20  # below it, starting a thread takes longer than it saves
THREADS: Final = 2  # more bring a device nothing, and take cores from the training


def run_tasks(tasks: Iterable[Callable[[], object]], threads: int) -> None:
    """Runs tasks until all are done or one has failed; no thread is left behind.

    Where no thread can be started (a limit on processes, no room for its stack), the threads that there are do it all.

    Tasks start in their order, so the failure that is raised is that of the first task that fails, as if they had run
    one after the other.

    Args:
        tasks: Independent of one another.
        threads: At least 1; with 1 everything happens on the thread of the caller.

    Raises:
        BaseException: What the first task in order raised that failed.
    """
    work = _Work(iter(enumerate(tasks)))
    others: list[threading.Thread] = []
    try:
        with suppress(RuntimeError):  # the system's way to say that there is none to be had
            for _ in range(threads - 1):
                others.append(threading.Thread(target=work.run, name="tenuto-worker"))
                others[-1].start()
        work.run()
    except BaseException as error:  # noqa: BLE001 - an interrupt; what the others write to is still in use
        work.fail(-1, error)
    for thread in others:
        _join(thread, work)
    if work.failures:
        raise work.failures[min(work.failures)]


def _join(thread: threading.Thread, work: _Work) -> None:
    """Waits for the end of a thread, whatever interrupts: the caller closes the file behind it."""
    while thread.ident is not None and thread.is_alive():
        try:
            thread.join()
        except BaseException as error:  # noqa: BLE001 - raised when the thread has ended
            work.fail(-1, error)


@define
class _Work:
    """What the threads share: the tasks that are left, and the failures by number of the task."""

    left: Iterator[tuple[int, Callable[[], object]]]
    failures: dict[int, BaseException] = field(factory=dict)
    lock: threading.Lock = field(factory=threading.Lock)

    def run(self) -> None:
        while not self.failures:
            with self.lock:
                number, task = next(self.left, (-1, None))
            if task is None:
                return
            try:
                task()
            except BaseException as error:  # noqa: BLE001 - raised again on the thread of the caller
                self.fail(number, error)

    def fail(self, number: int, error: BaseException) -> None:
        self.failures.setdefault(number, error)
