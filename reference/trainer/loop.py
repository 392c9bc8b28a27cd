"""The training loop: what happens in which order. Knows no framework, no file and no policy."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from typing import Any

from tenuto.reference.errors import ConfigError, TrainingInterrupted
from tenuto.reference.events import contexts
from tenuto.reference.events.contexts import Context, Progress
from tenuto.reference.events.hooks import Hook
from tenuto.reference.events.listener import Listener
from tenuto.reference.trainer.metrics import flatten
from tenuto.reference.trainer.reports import TrainResult
from tenuto.reference.trainer.resume import choose_start
from tenuto.reference.trainer.settings import OnUnusable, ResumeSettings, TrainerSettings
from tenuto.reference.trainer.signals import SignalWatch
from tenuto.reference.trainer.training import Training
from tenuto.reference.trainer.workload import Workload

__all__ = ["Trainer"]

_log = logging.getLogger("tenuto")


class Trainer(Training):
    """Drives a workload through its epochs and calls the hooks.

    Args:
        workload: What is trained. Borrowed: its objects are updated in place.
        max_epochs: How many epochs the run is to have, at least 1.
        validate_every: Validation after every so many epochs, at least 1.
        max_steps: Ends the run as a stop would, at that `global_step`; at least 1, or None.
        max_seconds: Interrupts an attempt at the first end of a batch after so many seconds, above 0; or None.
        callbacks: In the order in which they are called; checkpointing ones run after the others.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: TR-SET-001, TR-LOOP-001, TR-LOOP-014, TR-FAIL-020, CB-ORDER-001, CB-ORDER-002.
    """

    def __init__(
        self,
        workload: Workload,
        *,
        max_epochs: int,
        validate_every: int = 1,
        max_steps: int | None = None,
        max_seconds: float | None = None,
        callbacks: Sequence[Listener] = (),
    ) -> None:
        super().__init__(workload, TrainerSettings(max_epochs, validate_every, max_steps, max_seconds), callbacks)

    # -- the public calls ---------------------------------------------------------------------------------------------

    def fit(
        self,
        resume: str | os.PathLike[str] = "never",
        *,
        require_exact: bool = False,
        on_unusable_checkpoint: OnUnusable = "error",
    ) -> TrainResult:
        """Trains to the end.

        Args:
            resume: `never` starts fresh, `auto` continues the newest usable checkpoint of the folder or starts fresh, a
                path continues that checkpoint.
            require_exact: Whether a resume that is not exact is refused.
            on_unusable_checkpoint: Where `auto` finds checkpoints and none is usable: `error` fails, `fresh` moves them
                to `quarantine/` and starts fresh.

        Returns:
            How it ended.

        Raises:
            TenutoError: If it cannot start, see `choose_start` and `restore_state`.
            TrainingInterrupted: After SIGTERM, or `max_seconds`.
            KeyboardInterrupt: After Ctrl-C.
            BaseException: The very object that a step, a loader or a hook raised.

        Spec: TR-FAIL-001, TR-FAIL-002, CB-HOOK-005.
        """
        self._begin(resume, ResumeSettings(require_exact=require_exact, on_unusable_checkpoint=on_unusable_checkpoint))
        with SignalWatch(self._deadline()) as self._signals:
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

    # -- the loop -----------------------------------------------------------------------------------------------------

    def _begin(self, resume: str | os.PathLike[str], asked: ResumeSettings) -> None:
        """Decides what this attempt continues from, and continues from it."""
        self._started, self._stop_reason, self._may_stop = time.monotonic(), None, True
        self._boundary.begin()
        if self._restored is not None and os.fspath(resume) == "never":
            self._refuse_inexact(asked)
            self.run = self._restored  # `restore_state` was called by hand
            return
        start = choose_start(resume, self.checkpoint_folder, asked.on_unusable_checkpoint)
        self.run = start.run
        if start.state is not None:
            self._restore(start.state, start.run, require_exact=asked.require_exact).log(self.settings)
        elif self.progress != Progress():
            reached = f"trainer: has trained to step {self.progress.global_step}"
            raise ConfigError("already_trained", f"{reached}; expected a new one, or a state to resume")

    def _deadline(self) -> float | None:
        """Returns when the time of the attempt ends.

        Spec: TR-FAIL-021.
        """
        seconds = self.settings.max_seconds
        return None if seconds is None else self._started + seconds

    def _train(self) -> None:
        if self._restored is None:
            self.workload.mark_boundary(copy_generators=False)
        start = contexts.TrainStart(**self._facts(), resumed=self._restored is not None, max_epochs=self.max_epochs)
        self._call(Hook.TRAIN_START, start)
        while self._is_unfinished() and self._stop_reason is None:
            self._signals.poll()
            self._run_epoch()
        self._may_stop = False
        self._dispatch(Hook.TRAIN_END)

    def _is_unfinished(self) -> bool:
        return self.progress.epoch < self.max_epochs and not self.settings.has_all_steps(self.progress)

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
        measured = not self.workload.has_validation() or (self.progress.epoch + 1) % self.settings.validate_every == 0
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
        if self._hears_batch_start:
            self._dispatch(Hook.BATCH_START)
        measured = flatten(self.workload.train_on(batch))
        step = self.progress.global_step + int(self.workload.completed_window())
        self.metrics.add_batch(measured, step)
        self._reach(Progress(self.progress.epoch, self.progress.batch_in_epoch + 1, step))
        if self._hears_batch_end:
            self._dispatch(Hook.BATCH_END)
        self._signals.end_batch()
        if self.settings.has_all_steps(self.progress):
            self._request_stop("max_steps")  # after the callbacks' own requests: the first one counts

    def _validate(self) -> None:
        self._dispatch(Hook.VALIDATION_START)
        measured = flatten(self.workload.validate(self._signals.end_batch))
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
        for failed in self._call_all(Hook.EXCEPTION, raised):
            error.add_note(f"and in on_exception: {type(failed).__name__}: {failed}")
            _log.error("in on_exception: %s: %s", type(failed).__name__, failed)

    def _teardown(self) -> None:
        for failed in self._call_all(Hook.TEARDOWN, Context(**self._facts())):
            _log.error("in on_teardown: %s: %s", type(failed).__name__, failed)
