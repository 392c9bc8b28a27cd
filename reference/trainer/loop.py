"""The training loop: what happens in which order. Knows no framework, no file and no policy."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from typing import Any

from attrs import evolve

from tenuto.reference.checkpoint.tree import Document, Tree
from tenuto.reference.errors import ConfigError, TrainingInterrupted
from tenuto.reference.events import contexts
from tenuto.reference.events.contexts import Context, Progress, RunIdentity
from tenuto.reference.events.hooks import Hook
from tenuto.reference.events.listener import Listener
from tenuto.reference.trainer import state as states
from tenuto.reference.trainer.boundary import Boundary
from tenuto.reference.trainer.dispatcher import Dispatcher
from tenuto.reference.trainer.metrics import MetricBook, flatten
from tenuto.reference.trainer.reports import RestoreReport, TrainResult
from tenuto.reference.trainer.resume import choose_start, identity_after, new_run
from tenuto.reference.trainer.signals import SignalWatch
from tenuto.reference.trainer.workload import Workload

__all__ = ["Trainer"]

_log = logging.getLogger("tenuto")


class Trainer:
    """Drives a workload through its epochs and calls the hooks.

    Args:
        workload: What is trained. Borrowed: its objects are updated in place.
        max_epochs: How many epochs the run is to have, at least 1.
        validate_every: Validation after every so many epochs, at least 1.
        callbacks: In the order in which they are called; checkpointing ones run after the others.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: TR-SET-001, TR-LOOP-001, TR-LOOP-004, CB-ORDER-001, CB-ORDER-002.
    """

    def __init__(
        self, workload: Workload, *, max_epochs: int, validate_every: int = 1, callbacks: Sequence[Listener] = ()
    ) -> None:
        for name, value in (("max_epochs", max_epochs), ("validate_every", validate_every)):
            if type(value) is not int or value < 1:
                raise ConfigError("invalid_setting", f"{name}: {value!r}; expected a whole number of at least 1")
        self.workload = workload
        self.max_epochs, self.validate_every = max_epochs, validate_every
        self.progress, self.metrics, self.run = Progress(), MetricBook(), new_run()
        self._dispatcher = Dispatcher(callbacks)
        copies = any(listener.saves_on_exception for listener in callbacks)
        self._boundary = Boundary(workload, self._dispatcher, copies=copies)
        self._may_stop = True
        self._restored: RunIdentity | None = None
        self._stop_reason: str | None = None
        self._started = time.monotonic()

    @property
    def checkpoint_folder(self) -> str | None:
        """Where checkpoints are saved, if a callback saves any."""
        return self._dispatcher.folder

    # -- the public calls ---------------------------------------------------------------------------------------------

    def fit(self, resume: str | os.PathLike[str] = "never") -> TrainResult:
        """Trains to the end.

        Args:
            resume: `never` starts fresh, `auto` continues the newest usable checkpoint of the folder or starts fresh, a
                path continues that checkpoint.

        Returns:
            How it ended.

        Raises:
            TenutoError: If it cannot start, see `choose_start` and `restore_state`.
            TrainingInterrupted: After SIGTERM.
            KeyboardInterrupt: After Ctrl-C.
            BaseException: The very object that a step, a loader or a hook raised.

        Spec: TR-FAIL-001, TR-FAIL-002, CB-HOOK-005.
        """
        self._begin(resume)
        with SignalWatch() as self._signals:
            try:
                self._train()
            except BaseException as error:
                self._fail(error)
                raise
            finally:
                try:
                    self.workload.close()
                finally:
                    self._teardown()  # last, whatever happened (CB-HOOK-005)
                    self._restored = None
        return TrainResult(self.progress, self.metrics.current(), self.run, self._stop_reason)

    def restore_state(self, state: Document) -> RestoreReport:
        """Takes over a saved state, whole or not at all.

        Args:
            state: What `load_checkpoint` or `read_checkpoint` returned. Borrowed; it can be restored again.

        Returns:
            What was done.

        Raises:
            RestoreError: `not_resumable`, or `state_mismatch` with every mismatch. Nothing has changed then.

        Spec: TR-REST-001 to TR-REST-004, TR-REST-007, TR-REST-014, TR-RES-010.
        """
        return self._restore(state, identity_after(state, self.checkpoint_folder))

    def _restore(self, state: Document, run: RunIdentity) -> RestoreReport:
        mismatches = states.check_resumable(state, self.workload.architecture()["fingerprint"], self.validate_every)
        part, progress = states.workload_state_of(state), states.progress_of(state)
        mismatches += self.workload.mismatches(part, progress)
        mismatches += self.workload.config_mismatches(states.config_of(state))
        if mismatches:
            raise states.mismatch_error(mismatches)
        head: Any = state.head
        metrics = states.metrics_of(state)
        undo = self._dispatcher.restore(head["callback_state"])
        try:
            self.workload.restore(part)
        except BaseException:
            undo()
            raise
        exact = head["metadata"]["exact"]
        self.metrics, self.progress, self._restored = metrics, progress, run
        self._boundary.restored(exact=exact)
        return RestoreReport(progress, exact, self._dispatcher.unmatched(head["callback_state"]))

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
            "config": {**self.workload.config(), "max_epochs": self.max_epochs, "validate_every": self.validate_every},
            "architecture": self.workload.architecture(),
            "exact": self._boundary.is_exact() if is_exact is None else is_exact,
            "origin": states.make_origin(self.run, reasons, time.monotonic() - self._started, trigger),
        }
        workload, callback_state = self._boundary.capture(copy=copy)
        return states.build_document(
            workload, progress=self.progress, metrics=self.metrics, metadata=metadata, callback_state=callback_state
        )

    # -- the loop -----------------------------------------------------------------------------------------------------

    def _begin(self, resume: str | os.PathLike[str]) -> None:
        """Decides what this attempt continues from, and continues from it."""
        self._started, self._stop_reason, self._may_stop = time.monotonic(), None, True
        self._boundary.begin()
        if self._restored is not None and os.fspath(resume) == "never":
            self.run = self._restored  # `restore_state` was called by hand
            return
        start = choose_start(resume, self.checkpoint_folder)
        self.run = start.run
        if start.state is not None:
            self._restore(start.state, start.run).log(self.max_epochs)
        elif self.progress != Progress():
            reached = f"trainer: has trained to step {self.progress.global_step}"
            raise ConfigError("already_trained", f"{reached}; expected a new one, or a state to resume")

    def _train(self) -> None:
        if self._restored is None:
            self.workload.mark_boundary(copy_generators=False)
        start = contexts.TrainStart(**self._facts(), resumed=self._restored is not None, max_epochs=self.max_epochs)
        self._call(Hook.TRAIN_START, start)
        while self.progress.epoch < self.max_epochs and self._stop_reason is None:
            self._signals.poll()
            self._run_epoch()
        self._may_stop = False
        self._dispatch(Hook.TRAIN_END)

    def _run_epoch(self) -> None:
        self._boundary.leave()
        # An epoch that is resumed has started: put together, the events of two attempts are those of one (CB-HOOK-006).
        if self.progress.batch_in_epoch == 0:
            self._dispatch(Hook.EPOCH_START)
        self.workload.open_epoch(self.progress.epoch, self.progress.batch_in_epoch)
        while (batch := self._load_batch()) is not None:
            self._train_batch(batch)
            if self._stop_reason is not None:
                return
            self._boundary.leave()
        measured = not self.workload.has_validation() or (self.progress.epoch + 1) % self.validate_every == 0
        is_due = measured and self.workload.has_validation()
        if is_due:
            self._validate()
        self.metrics.record_means(self.progress.global_step)
        self.workload.end_epoch(self.metrics.view, step=self.progress.global_step, validated=is_due)
        self.metrics.forget_batches()  # as late as this: until now the boundary is the last batch
        self._reach(Progress(self.progress.epoch + 1, 0, self.progress.global_step))
        self._call(Hook.EPOCH_END, contexts.EpochEnd(**self._facts(), measured=measured))

    def _load_batch(self) -> Any | None:  # noqa: ANN401 - only the workload knows what a batch is
        try:
            return self.workload.next_batch()
        except Exception:
            self._signals.poll()  # the signal that stops us often takes the loader's workers first (TR-FAIL-009)
            raise

    def _train_batch(self, batch: Any) -> None:  # noqa: ANN401 - only the workload knows what a batch is
        self._dispatch(Hook.BATCH_START)
        measured = flatten(self.workload.train_on(batch))
        step = self.progress.global_step + int(self.workload.completed_window())
        self.metrics.add_batch(measured, step)
        self._reach(evolve(self.progress, batch_in_epoch=self.progress.batch_in_epoch + 1, global_step=step))
        self._dispatch(Hook.BATCH_END)
        self._signals.poll()

    def _validate(self) -> None:
        self._dispatch(Hook.VALIDATION_START)
        measured = flatten(self.workload.validate(self._signals.poll))
        self.metrics.record(measured, self.progress.global_step, prefix="val_")
        self._dispatch(Hook.VALIDATION_END)

    def _reach(self, progress: Progress) -> None:
        self.progress = progress
        self._boundary.reach()

    # -- failure ------------------------------------------------------------------------------------------------------

    def _fail(self, error: BaseException) -> None:
        self._may_stop = False
        self._boundary.fail()
        is_signal = isinstance(error, KeyboardInterrupt | TrainingInterrupted)
        raised = contexts.ExceptionRaised(
            **self._facts(), error=error, exact=self._boundary.is_exact(), is_signal=is_signal
        )
        for failed in self._dispatcher.dispatch_to_all(Hook.EXCEPTION, raised):
            error.add_note(f"and in on_exception: {type(failed).__name__}: {failed}")
            _log.error("in on_exception: %s: %s", type(failed).__name__, failed)

    def _teardown(self) -> None:
        for failed in self._dispatcher.dispatch_to_all(Hook.TEARDOWN, Context(**self._facts())):
            _log.error("in on_teardown: %s: %s", type(failed).__name__, failed)

    # -- contexts -----------------------------------------------------------------------------------------------------

    def _dispatch(self, hook: Hook) -> None:
        if self._dispatcher.has(hook):
            self._call(hook, Context(**self._facts()))

    def _call(self, hook: Hook, context: Context) -> None:
        with self._boundary.hook():
            self._dispatcher.dispatch(hook, context)

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
