"""A training as it stands: what is counted, what is captured and restored, and what a hook is told of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from tenuto.reference.checkpoint.tree import Document, Tree
from tenuto.reference.events import contexts
from tenuto.reference.events.contexts import Context, Progress, RunIdentity
from tenuto.reference.events.hooks import Hook
from tenuto.reference.events.listener import Listener
from tenuto.reference.trainer import state as states
from tenuto.reference.trainer.boundary import Boundary
from tenuto.reference.trainer.dispatcher import Dispatcher
from tenuto.reference.trainer.fitting import Taken, fitting_weights, without_misfits
from tenuto.reference.trainer.metrics import MetricBook
from tenuto.reference.trainer.reports import RestoreReport
from tenuto.reference.trainer.resume import identity_after, new_run
from tenuto.reference.trainer.settings import ResumeSettings, TrainerSettings
from tenuto.reference.trainer.workload import Workload

__all__ = ["Training"]

_INEXACT: Final = "metadata.exact: False in the file; expected True (require_exact)"


class Training:
    """Workload, callbacks and what the trainer itself counts. Knows no order of events: that is the loop's.

    Args:
        workload: What is trained. Borrowed: its objects are updated in place.
        settings: How long it is trained.
        callbacks: In the order in which they are called; checkpointing ones run after the others.

    Raises:
        ConfigError: `duplicate_state_key` or `several_checkpoint_callbacks`.

    Spec: CB-ORDER-001, CB-ORDER-002.
    """

    def __init__(self, workload: Workload, settings: TrainerSettings, callbacks: Sequence[Listener]) -> None:
        self.workload = workload
        self.settings = settings
        self.progress, self.metrics, self.run = Progress(), MetricBook(), new_run()
        self._dispatcher = Dispatcher(callbacks)
        # Known before the first batch: to find out at each one costs as much as the rest of a hook that nobody hears.
        self._hears_batch_start, self._hears_batch_end = map(self._dispatcher.has, (Hook.BATCH_START, Hook.BATCH_END))
        copies = any(listener.saves_on_exception for listener in callbacks)
        self._boundary = Boundary(workload, self._dispatcher, copies=copies)
        self._may_stop = True
        self._restored: RunIdentity | None = None
        self._stop_reason: str | None = None
        self._started = time.monotonic()

    @property
    def max_epochs(self) -> int:
        """How many epochs the run is to have; it may be set anew before `fit`."""
        return self.settings.max_epochs

    @max_epochs.setter
    def max_epochs(self, count: int) -> None:
        self.settings.max_epochs = count

    @property
    def checkpoint_folder(self) -> str | None:
        """Where checkpoints are saved, if a callback saves any."""
        return self._dispatcher.folder

    def restore_state(self, state: Document, *, strict: bool = True) -> RestoreReport:
        """Takes over a saved state, whole or not at all; or, with `strict` false, every part of it that fits.

        Args:
            state: What `load_checkpoint` or `read_checkpoint` returned. Borrowed; it can be restored again.
            strict: Whether a part that does not fit is refused; otherwise it is left as it is, and listed.

        Returns:
            What was done.

        Raises:
            RestoreError: `not_resumable`, or `state_mismatch` with every mismatch. Nothing has changed then.

        Spec: TR-REST-001 to TR-REST-004, TR-REST-007, TR-REST-009, TR-REST-014, TR-RES-010.
        """
        return self._restore(state, identity_after(state, self.checkpoint_folder), strict=strict)

    def _restore(
        self, state: Document, run: RunIdentity, *, strict: bool = True, require_exact: bool = False
    ) -> RestoreReport:
        mismatches = self._mismatches(state)
        head: Any = state.head
        taken = states.taken_from(state)
        if mismatches and not strict:
            taken = without_misfits(taken, self._as_it_stands(), mismatches)
        inexact = self.workload.inexact(taken.workload, taken.progress)
        refused = [*mismatches]
        if require_exact:
            refused += [*inexact, *[_INEXACT] * (not head["metadata"]["exact"])]
        if refused and strict:
            raise states.mismatch_error(refused)
        undo = self._dispatcher.restore(head["callback_state"], None if strict else refused)
        try:
            self.workload.restore(taken.workload, taken.progress)
        except BaseException:
            undo()
            raise
        exact = head["metadata"]["exact"] and not (inexact or refused)
        self.metrics, self.progress, self._restored = taken.metrics, taken.progress, run
        self._boundary.restored(exact=exact)
        notes = (*states.ordered(refused), *inexact, *self._dispatcher.unmatched(head["callback_state"]))
        return RestoreReport(taken.progress, exact, notes)

    def _mismatches(self, state: Document) -> list[str]:
        """Returns everything in which a state does not fit; refuses a file that holds no training state."""
        fingerprint = self.workload.architecture()["fingerprint"]
        found = states.check_resumable(state, fingerprint, self.settings.validate_every)
        found += self.workload.mismatches(states.workload_state_of(state), states.progress_of(state))
        return found + self.workload.config_mismatches(states.config_of(state))

    def _as_it_stands(self) -> Taken:
        return Taken(self.workload.capture(at_boundary=False, copy=False), self.progress, self.metrics)

    def load_weights(self, state: Document, *, strict: bool = True) -> RestoreReport:
        """Takes over the model of a file, whether it holds a whole training state or weights alone, and nothing else.

        Args:
            state: What `load_checkpoint` or `read_checkpoint` returned. Borrowed.
            strict: Whether a tensor that does not fit is refused; otherwise it is left as it is, and listed.

        Returns:
            What was left out; never exact.

        Raises:
            RestoreError: `not_resumable` for a file of neither kind, `state_mismatch` with every mismatch. Nothing has
                changed then.

        Spec: TR-REST-010, TR-REST-018.
        """
        saved = states.weights_of(state)
        mismatches = self.workload.weights_mismatches(saved)
        if mismatches and strict:
            raise states.mismatch_error(mismatches)
        live = self._as_it_stands().workload.model_state
        self.workload.load_weights(fitting_weights(saved, live, mismatches))
        return RestoreReport(
            self.progress, exact=False, notes=(*states.ordered(mismatches), *states.beside_weights(state))
        )

    def _refuse_inexact(self, asked: ResumeSettings) -> None:
        """Looks at a state that was restored by hand.

        Spec: TR-REST-012.
        """
        if asked.require_exact and not self._boundary.is_exact():
            raise states.mismatch_error([_INEXACT])

    def capture_state(
        self,
        *,
        reasons: tuple[str, ...] = ("manual",),
        best: dict[str, Tree] | None = None,
        trigger: dict[str, Tree] | None = None,
        copy: bool = False,
    ) -> Document:
        """Takes the state of the last consistent boundary; see `Capture` for the arguments.

        Inside a hook it is not exact: callbacks that have not had the hook yet miss it.

        Spec: TR-STATE-001 to TR-STATE-004, TR-STATE-015, CPC-CALL-008.
        """
        is_exact = self._boundary.is_exact() and not self._boundary.in_hook
        return self._capture(reasons=reasons, best=best, trigger=trigger, copy=copy, is_exact=is_exact)

    def _capture(
        self,
        *,
        reasons: tuple[str, ...] = ("manual",),
        best: dict[str, Tree] | None = None,
        trigger: dict[str, Tree] | None = None,
        copy: bool = False,
        is_exact: bool | None = None,
    ) -> Document:
        metadata: dict[str, Tree] = {
            "best": best or {},
            "config": {
                **self.workload.config(),
                "max_epochs": self.settings.max_epochs,
                "validate_every": self.settings.validate_every,
            },
            "architecture": self.workload.architecture(),
            "exact": self._boundary.is_exact() if is_exact is None else is_exact,
            "origin": states.make_origin(self.run, reasons, time.monotonic() - self._started, trigger),
        }
        workload, callback_state = self._boundary.capture(copy=copy)
        return states.build_document(
            workload, progress=self.progress, metrics=self.metrics, metadata=metadata, callback_state=callback_state
        )

    # -- contexts -----------------------------------------------------------------------------------------------------

    def _dispatch(self, hook: Hook) -> None:
        if self._dispatcher.has(hook):
            self._call(hook, Context(**self._facts()))

    def _call(self, hook: Hook, context: Context) -> None:
        with self._boundary.hook():
            self._dispatcher.dispatch(hook, context)

    def _call_all(self, hook: Hook, context: Context) -> list[BaseException]:
        """Calls the hook of every callback whatever fails there; what is captured meanwhile by hand is inside a hook.

        Spec: CB-FAIL-002, CB-FAIL-003, CPC-CALL-008.
        """
        with self._boundary.hook():
            return self._dispatcher.dispatch_to_all(hook, context)

    def _facts(self) -> dict[str, Any]:
        return {
            "progress": self.progress,
            "metrics": self.metrics.view,
            "run": self.run,
            "in_window": not self.workload.completed_window(),
            "request_stop": self._request_stop,
            "capture": self._capture,
            "announce": self._announce,
        }

    def _request_stop(self, reason: str) -> None:
        if self._may_stop and self._stop_reason is None:  # none counts once training is over (CB-STOP-005)
            self._stop_reason = reason

    def _announce(self, news: contexts.SavedCheckpoint | contexts.DeletedCheckpoint) -> None:
        if isinstance(news, contexts.SavedCheckpoint):
            self._call(Hook.CHECKPOINT_SAVED, contexts.CheckpointSaved(**self._facts(), saved=news))
        else:
            self._call(Hook.CHECKPOINT_DELETED, contexts.CheckpointDeleted(**self._facts(), deleted=news))
