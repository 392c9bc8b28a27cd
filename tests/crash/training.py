"""A training without a model: the checkpoint callback is driven by real contexts, and its states are a few bytes.

Everything that touches the folder is the product: the choice of the start, the callback, the store.
"""

from __future__ import annotations

from attrs import evolve

from tenuto.callbacks.checkpoint import CheckpointCallback
from tenuto.reference.checkpoint.tree import Tensor
from tenuto.reference.errors import TrainingInterrupted
from tenuto.reference.events import contexts
from tenuto.reference.events.contexts import Metric, Progress
from tenuto.reference.trainer.metrics import MetricBook
from tenuto.reference.trainer.resume import choose_start
from tenuto.reference.trainer.state import build_document, make_origin, progress_of
from tenuto.reference.trainer.workload import WorkloadState

MONITOR = "val_loss"
WEIGHT = b"\xee"  # so that a tensor is found among the bytes of a file
TRAINING = {"config": {"validate_every": 1}, "architecture": {"fingerprint": "none"}, "exact": True}


class Keep:
    """A retention policy that keeps everything, until it is told to keep the newest alone."""

    newest_alone = False

    def names_to_keep(self, checkpoints):
        newest = max((one.age for one in checkpoints), default=None)
        return {one.name for one in checkpoints if not self.newest_alone or one.age == newest}


class Attempt:
    """One attempt of a run in a folder.

    Args:
        folder: Of the run; the attempt continues what lies there.
        settings: Of the checkpoint callback.
        told: Called with each `SavedCheckpoint` and `DeletedCheckpoint`: the outside knows of it from then on; or None.
        resume: As for `choose_start`.
        on_unusable: As for `choose_start`.

    Raises:
        TenutoError: It cannot start.
    """

    def __init__(self, folder, settings, told=None, *, resume="auto", on_unusable="error"):
        self.start = choose_start(resume, str(folder), on_unusable)
        self.run, self.keep, self._told = self.start.run, Keep(), told
        self.callback = CheckpointCallback(folder, max_save_failures=1, **{"retention": self.keep, **settings})
        self.progress, self.metrics = Progress(), {}
        if self.start.state is not None:
            self.progress = progress_of(self.start.state)
            self.callback.load_state_dict(self.start.state.head["callback_state"][self.callback.state_key])
        resumed = self.start.state is not None
        self.callback.on_train_start(contexts.TrainStart(**self._facts(), resumed=resumed, max_epochs=99))

    def _facts(self):
        return {
            "progress": self.progress,
            "metrics": self.metrics,
            "run": self.run,
            "in_window": False,
            "request_stop": print,  # nothing here asks for it
            "capture": self._capture,
            "announce": self._announce,
        }

    def _announce(self, what):
        if self._told:
            self._told(what)

    def _capture(self, *, reasons, best, trigger=None, copy=False):
        place = self.progress.epoch, self.progress.batch_in_epoch, self.run.attempt
        weights = Tensor("uint8", (64,), memoryview(bytes(place) + WEIGHT * 61))
        return build_document(
            WorkloadState({"w": weights}, {}, {}, {}),
            progress=self.progress,
            metrics=MetricBook(),
            metadata={**TRAINING, "best": best, "origin": make_origin(self.run, reasons, 0.0, trigger)},
            callback_state={self.callback.state_key: self.callback.state_dict()},
        )

    # -- what happens in a training -----------------------------------------------------------------------------------

    def train_epoch(self, loss, *, in_background=False, keep_newest_alone=False):
        """Ends an epoch with a value of the monitored metric, which is saved; waits for it if that is in background."""
        self.progress = Progress(self.progress.epoch + 1, 0, self.progress.global_step + 1)
        self.metrics = {MONITOR: Metric(loss, self.progress.global_step)}
        self.callback.async_save, self.keep.newest_alone = in_background, keep_newest_alone
        self.callback.on_epoch_end(contexts.EpochEnd(**self._facts(), measured=True))
        self.callback._saver.wait()
        self.callback.on_batch_end(contexts.Context(**self._facts()))

    def interrupt(self):
        """Ends the attempt in the middle of an epoch with a signal, and the emergency save that it leads to."""
        self.progress = evolve(self.progress, batch_in_epoch=1, global_step=self.progress.global_step + 1)
        error = TrainingInterrupted("SIGTERM", exit_code=143)
        facts = {**self._facts(), "error": error, "exact": True, "is_signal": True}
        self.callback.on_exception(contexts.ExceptionRaised(**facts))
        self.end()

    def end(self):
        """Ends the attempt without a last save."""
        self.callback.on_teardown(contexts.Context(**self._facts()))
