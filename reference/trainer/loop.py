"""The training loop: what happens in which order. Knows no framework, no file and no policy."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from attrs import evolve

from tenuto.reference.checkpoint.tree import Document, Tree
from tenuto.reference.errors import ConfigError, RestoreError, TrainingInterrupted
from tenuto.reference.events import contexts
from tenuto.reference.events.contexts import Context, Progress, RunIdentity
from tenuto.reference.events.hooks import Hook
from tenuto.reference.events.listener import Listener
from tenuto.reference.trainer import state as states
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
        callbacks: In the order in which they are called; checkpointing ones run after the others.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: TR-LOOP-001, TR-LOOP-004, CB-ORDER-001, CB-ORDER-002.
    """

    def __init__(self, workload: Workload, *, max_epochs: int, callbacks: Sequence[Listener] = ()) -> None:
        if not isinstance(max_epochs, int) or isinstance(max_epochs, bool) or max_epochs < 1:
            raise ConfigError("invalid_setting", f"max_epochs: {max_epochs!r}; expected a whole number of at least 1")
        self.workload = workload
        self.max_epochs = max_epochs
        self.progress = Progress()
        self.metrics = MetricBook()
        self.run = new_run()
        self._dispatcher = Dispatcher(callbacks)
        self._copies_generators = any(listener.saves_on_exception for listener in callbacks)
        self._between_batches = True
        self._in_hook = self._failed_in_hook = False
        self._boundary: dict[str, Tree] | None = None  # the states of the callbacks as of the last boundary
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

        Spec: TR-REST-001 to TR-REST-004, TR-RES-010.
        """
        return self._restore(state, identity_after(state, self.checkpoint_folder))

    def _restore(self, state: Document, run: RunIdentity) -> RestoreReport:
        mismatches = states.check_resumable(state, self.workload.architecture()["fingerprint"])
        part = states.workload_state_of(state)
        mismatches += self.workload.mismatches(part) + self.workload.config_mismatches(states.config_of(state))
        if mismatches:
            message = f"saved state: {len(mismatches)} mismatches; expected none"
            raise RestoreError("state_mismatch", message, tuple(mismatches))
        head: Any = state.head
        metrics = MetricBook()
        metrics.restore(head["metadata"]["metrics"], head["trainer_state"]["sums"])
        progress = states.progress_of(state)
        undo = self._dispatcher.restore(head["callback_state"])
        try:
            self.workload.restore(part)
        except BaseException:
            undo()
            raise
        self.metrics, self.progress, self._restored, self._between_batches = metrics, progress, run, True
        return RestoreReport(progress, head["metadata"]["exact"], self._dispatcher.unmatched(head["callback_state"]))

    def capture_state(
        self,
        *,
        reasons: tuple[str, ...] = ("manual",),
        best: dict[str, Tree] | None = None,
        trigger: dict[str, Tree] | None = None,
        copy: bool = False,
    ) -> Document:
        """Takes the state of the last consistent boundary; see `Capture` for the arguments.

        Spec: TR-STATE-001 to TR-STATE-004, TR-LOOP-004, STORE-SAVE-001.
        """
        values, sums = self.metrics.capture()
        metadata: dict[str, Tree] = {
            "metrics": values,
            "best": best or {},
            "config": {**self.workload.config(), "max_epochs": self.max_epochs},
            "architecture": self.workload.architecture(),
            "exact": self._is_exact(),
            "origin": states.make_origin(self.run, reasons, time.monotonic() - self._started, trigger),
        }
        copied = None if self._between_batches else self._boundary
        callback_state = self._dispatcher.capture() if copied is None else copied
        return states.build_document(
            self.workload.capture(at_boundary=not self._between_batches, copy=copy),
            progress=self.progress,
            metadata=metadata,
            callback_state=deepcopy(callback_state) if copy else callback_state,
            trainer_state={"sums": sums},
        )

    # -- the loop -----------------------------------------------------------------------------------------------------

    def _begin(self, resume: str | os.PathLike[str]) -> None:
        """Decides what this attempt continues from, and continues from it."""
        self._started, self._stop_reason = time.monotonic(), None
        self._in_hook = self._failed_in_hook = False
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
        self._dispatch(Hook.TRAIN_END)

    def _run_epoch(self) -> None:
        self._leave_boundary()
        # An epoch that is resumed has started: put together, the events of two attempts are those of one (CB-HOOK-006).
        if self.progress.batch_in_epoch == 0:
            self._dispatch(Hook.EPOCH_START)
        self.workload.open_epoch(self.progress.epoch, self.progress.batch_in_epoch)
        while (batch := self._load_batch()) is not None:
            self._train_batch(batch)
            if self._stop_reason is not None:
                return
            self._leave_boundary()
        if self.workload.has_validation():
            self._validate()
        self.metrics.record_means(self.progress.global_step)
        self.workload.end_epoch(self.metrics.current())
        self.metrics.forget_batches()  # as late as this: until now the boundary is the last batch
        self._reach(Progress(self.progress.epoch + 1, 0, self.progress.global_step))
        self._dispatch(Hook.EPOCH_END)

    def _load_batch(self) -> Any | None:  # noqa: ANN401 - only the workload knows what a batch is
        try:
            return self.workload.next_batch()
        except Exception:
            self._signals.poll()  # the signal that stops us often takes the loader's workers first (TR-FAIL-009)
            raise

    def _train_batch(self, batch: Any) -> None:  # noqa: ANN401 - only the workload knows what a batch is
        self._dispatch(Hook.BATCH_START)
        measured = flatten(self.workload.train_on(batch))
        done, step = self.progress.batch_in_epoch + 1, self.progress.global_step + 1
        self.metrics.add_batch(measured, step)
        self._reach(evolve(self.progress, batch_in_epoch=done, global_step=step))
        self._dispatch(Hook.BATCH_END)
        self._signals.poll()

    def _validate(self) -> None:
        self._dispatch(Hook.VALIDATION_START)
        measured = flatten(self.workload.validate(self._signals.poll))
        self.metrics.record(measured, self.progress.global_step, prefix="val_")
        self._dispatch(Hook.VALIDATION_END)

    def _reach(self, progress: Progress) -> None:
        """A consistent boundary: what is counted and what is learned belong together again."""
        self.progress = progress
        self.workload.mark_boundary(copy_generators=False)
        self._between_batches = True

    def _leave_boundary(self) -> None:
        """From here on hooks and batches move what an emergency save needs as it is now (TR-LOOP-004)."""
        if self._copies_generators:
            self.workload.mark_boundary(copy_generators=True)
            self._boundary = deepcopy(self._dispatcher.capture())
        self._between_batches = False

    # -- failure ------------------------------------------------------------------------------------------------------

    def _fail(self, error: BaseException) -> None:
        self._failed_in_hook = self._in_hook
        is_signal = isinstance(error, KeyboardInterrupt | TrainingInterrupted)
        raised = contexts.ExceptionRaised(**self._facts(), error=error, exact=self._is_exact(), is_signal=is_signal)
        for failed in self._dispatcher.dispatch_to_all(Hook.EXCEPTION, raised):
            error.add_note(f"and in on_exception: {type(failed).__name__}: {failed}")
            _log.error("in on_exception: %s: %s", type(failed).__name__, failed)

    def _is_exact(self) -> bool:
        """A hook that failed has left callbacks of its event out: what they missed is in no state (TR-FAIL-007)."""
        return self.workload.is_exact() and not self._failed_in_hook

    def _teardown(self) -> None:
        for failed in self._dispatcher.dispatch_to_all(Hook.TEARDOWN, Context(**self._facts())):
            _log.error("in on_teardown: %s: %s", type(failed).__name__, failed)

    # -- contexts -----------------------------------------------------------------------------------------------------

    def _dispatch(self, hook: Hook) -> None:
        if self._dispatcher.has(hook):
            self._call(hook, Context(**self._facts()))

    def _call(self, hook: Hook, context: Context) -> None:
        was_in_hook, self._in_hook = self._in_hook, True
        self._dispatcher.dispatch(hook, context)
        self._in_hook = was_in_hook

    def _facts(self) -> dict[str, Any]:
        return {
            "progress": self.progress,
            "metrics": self.metrics.view,
            "run": self.run,
            "request_stop": self._request_stop,
            "capture": self.capture_state,
            "announce": self._announce,
        }

    def _request_stop(self, reason: str) -> None:
        self._stop_reason = self._stop_reason or reason

    def _announce(self, news: contexts.SavedCheckpoint | contexts.DeletedCheckpoint) -> None:
        if isinstance(news, contexts.SavedCheckpoint):
            self._call(Hook.CHECKPOINT_SAVED, contexts.CheckpointSaved(**self._facts(), saved=news))
        else:
            self._call(Hook.CHECKPOINT_DELETED, contexts.CheckpointDeleted(**self._facts(), deleted=news))
