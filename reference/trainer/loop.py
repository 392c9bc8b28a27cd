"""The training loop: what happens in which order. Knows no framework, no file and no policy."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from tenuto.reference.checkpoint.tree import Document, Tree
from tenuto.reference.errors import ConfigError, RestoreError, TrainingInterrupted
from tenuto.reference.events import contexts
from tenuto.reference.events.contexts import Context, Progress
from tenuto.reference.events.hooks import Hook
from tenuto.reference.events.listener import Listener
from tenuto.reference.trainer import state as states
from tenuto.reference.trainer.dispatcher import Dispatcher
from tenuto.reference.trainer.metrics import MetricBook, flatten
from tenuto.reference.trainer.reports import RestoreReport, TrainResult
from tenuto.reference.trainer.resume import choose_start, new_run
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
        if max_epochs < 1:
            raise ConfigError("invalid_setting", f"max_epochs: {max_epochs}; expected a whole number of at least 1")
        self.workload = workload
        self.max_epochs = max_epochs
        self.progress = Progress()
        self.metrics = MetricBook()
        self.run = new_run()
        self._dispatcher = Dispatcher(callbacks)
        self._copies_generators = any(listener.saves_on_exception for listener in callbacks)
        self._between_batches = True
        self._stop_reason: str | None = None
        self._started = time.monotonic()

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
        start = choose_start(resume, self._folder())
        self.run, self._started, self._stop_reason = start.run, time.monotonic(), None
        if start.state is not None:
            report = self.restore_state(start.state)
            _log.info("Resumed from epoch %d, step %d", report.progress.epoch, report.progress.global_step)
            if report.progress.epoch >= self.max_epochs:
                _log.info("nothing left to do: %d of %d epochs are done", report.progress.epoch, self.max_epochs)
        with SignalWatch() as self._signals:
            try:
                self._train(resumed=start.state is not None)
            except BaseException as error:
                self._fail(error)
                raise
            finally:
                self._teardown()
        return self._result()

    def restore_state(self, state: Document) -> RestoreReport:
        """Takes over a saved state, whole or not at all.

        Args:
            state: What `load_checkpoint` or `read_checkpoint` returned. Borrowed; it can be restored again.

        Returns:
            What was done.

        Raises:
            RestoreError: `not_resumable`, or `state_mismatch` with every mismatch. Nothing has changed then.

        Spec: TR-REST-001 to TR-REST-004.
        """
        mismatches = states.check_resumable(state, self.workload.architecture()["fingerprint"])
        part = states.workload_state_of(state)
        mismatches += self.workload.mismatches(part)
        if mismatches:
            raise RestoreError(
                "state_mismatch", f"saved state: {len(mismatches)} mismatches; expected none", tuple(mismatches)
            )
        head: Any = state.head
        undo = self._dispatcher.restore(head["callback_state"])
        try:
            self.workload.restore(part)
        except BaseException:
            undo()
            raise
        self.metrics.restore(head["metadata"]["metrics"], head["trainer_state"]["sums"])
        self.progress = states.progress_of(state)
        self._between_batches = True
        return RestoreReport(self.progress, head["metadata"]["exact"], self._notes(head["callback_state"]))

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
        elapsed = time.monotonic() - self._started
        values, sums = self.metrics.capture()
        metadata: dict[str, Tree] = {
            "metrics": values,
            "best": best or {},
            "config": {**self.workload.config(), "max_epochs": self.max_epochs},
            "architecture": self.workload.architecture(),
            "exact": self.workload.is_exact(),
            "origin": states.make_origin(self.run, reasons, elapsed, trigger),
        }
        return states.build_document(
            self.workload.capture(at_boundary=not self._between_batches, copy=copy),
            progress=self.progress,
            metadata=metadata,
            callback_state=self._dispatcher.capture(),
            trainer_state={"sums": sums},
        )

    # -- the loop -----------------------------------------------------------------------------------------------------

    def _train(self, *, resumed: bool) -> None:
        if not resumed:
            self.workload.mark_boundary(copy_generators=self._copies_generators)
        start = contexts.TrainStart(**self._facts(), resumed=resumed, max_epochs=self.max_epochs)
        self._dispatcher.dispatch(Hook.TRAIN_START, start)
        while self.progress.epoch < self.max_epochs and self._stop_reason is None:
            self._signals.poll()
            self._run_epoch()
        self._dispatch(Hook.TRAIN_END)

    def _run_epoch(self) -> None:
        # An epoch that is resumed has started: put together, the events of two attempts are those of one (CB-HOOK-006).
        if self.progress.batch_in_epoch == 0:
            self._dispatch(Hook.EPOCH_START)
        self._between_batches = False
        self.workload.open_epoch(self.progress.epoch, self.progress.batch_in_epoch)
        while (batch := self._load_batch()) is not None:
            self._train_batch(batch)
            if self._stop_reason is not None:
                return
            self._between_batches = False
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
        self.workload.mark_boundary(copy_generators=self._copies_generators)
        self._between_batches = True

    # -- failure ------------------------------------------------------------------------------------------------------

    def _fail(self, error: BaseException) -> None:
        is_signal = isinstance(error, KeyboardInterrupt | TrainingInterrupted)
        raised = contexts.ExceptionRaised(
            **self._facts(), error=error, exact=self.workload.is_exact(), is_signal=is_signal
        )
        for failed in self._dispatcher.dispatch_to_all(Hook.EXCEPTION, raised):
            error.add_note(f"and in on_exception: {type(failed).__name__}: {failed}")

    def _teardown(self) -> None:
        for failed in self._dispatcher.dispatch_to_all(Hook.TEARDOWN, Context(**self._facts())):
            _log.error("in on_teardown: %s: %s", type(failed).__name__, failed)

    # -- contexts -----------------------------------------------------------------------------------------------------

    def _dispatch(self, hook: Hook) -> None:
        if self._dispatcher.has(hook):
            self._dispatcher.dispatch(hook, Context(**self._facts()))

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
            saved = contexts.CheckpointSaved(**self._facts(), saved=news)
            self._dispatcher.dispatch(Hook.CHECKPOINT_SAVED, saved)
        else:
            deleted = contexts.CheckpointDeleted(**self._facts(), deleted=news)
            self._dispatcher.dispatch(Hook.CHECKPOINT_DELETED, deleted)

    def _folder(self) -> str | None:
        folders = (listener.checkpoint_folder for listener in self._dispatcher.listeners)
        return next((folder for folder in folders if folder is not None), None)

    def _notes(self, saved: Mapping[str, Tree]) -> tuple[str, ...]:
        live = {listener.state_key for listener in self._dispatcher.listeners if listener.state_dict()}
        lost = [f"callback_state.{key}: in the file, but no callback has this key" for key in saved if key not in live]
        return tuple(lost + [f"callback {key}: has no state in the file" for key in live if key not in saved])

    def _result(self) -> TrainResult:
        return TrainResult(self.progress, self.metrics.current(), self.run, self._stop_reason)
