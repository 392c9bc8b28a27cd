"""Which consistent boundary a captured state belongs to, and whether it is exact. Knows no file and no policy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.trainer.dispatcher import Dispatcher
from tenuto.reference.trainer.workload import Workload, WorkloadState

__all__ = ["Boundary"]


class Boundary:
    """The last consistent boundary of a training.

    Args:
        workload: Whose state is captured.
        dispatcher: Of the callbacks whose states are captured.
        copies: Whether generators and states of callbacks are copied when the boundary is left: for emergency saves.

    Attributes:
        in_hook: Whether a hook is running; it stays true if the hook fails.

    Spec: TR-LOOP-004, TR-LOOP-017, TR-LOOP-018.
    """

    def __init__(self, workload: Workload, dispatcher: Dispatcher, *, copies: bool) -> None:
        self.in_hook = False
        self._workload, self._dispatcher, self._copies = workload, dispatcher, copies
        self._between_batches = True
        self._failed_in_hook = self._restored_inexact = False
        self._callback_states: dict[str, Tree] | None = None  # as of the last boundary

    def begin(self) -> None:
        """Starts an attempt."""
        self.in_hook = self._failed_in_hook = False

    def restored(self, *, exact: bool) -> None:
        """Notes that a state of a boundary was taken over.

        Spec: TR-REST-017.
        """
        self._between_batches, self._restored_inexact = True, not exact

    def reach(self) -> None:
        """Notes a boundary: what is counted and what is learned belong together again."""
        self._workload.mark_boundary(copy_generators=False)
        self._between_batches, self._restored_inexact = True, False

    def leave(self) -> None:
        """From here on hooks and batches move what an emergency save needs as it is now."""
        if self._copies:
            self._workload.mark_boundary(copy_generators=True)
            self._callback_states = deepcopy(self._dispatcher.capture())
        self._between_batches = False

    @contextmanager
    def hook(self) -> Iterator[None]:
        """Notes that hooks are running; what fails inside leaves the note."""
        was, self.in_hook = self.in_hook, True
        yield
        self.in_hook = was

    def fail(self) -> None:
        """Notes a failure. A hook that failed has left callbacks of its event out: what they missed is in no state.

        Spec: TR-FAIL-007.
        """
        self._failed_in_hook = self.in_hook

    def is_exact(self) -> bool:
        """Returns whether training continues bit for bit from the state that `capture` gives.

        Spec: TR-STATE-021.
        """
        return self._workload.is_exact() and not (self._failed_in_hook or self._restored_inexact)

    def capture(self, *, copy: bool) -> tuple[WorkloadState, dict[str, Tree]]:
        """Returns the states of workload and callbacks; `copy` as for `Workload.capture`."""
        copied = None if self._between_batches else self._callback_states
        states = self._dispatcher.capture() if copied is None else copied
        workload = self._workload.capture(at_boundary=not self._between_batches, copy=copy)
        return workload, deepcopy(states) if copy else states
