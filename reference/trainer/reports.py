"""What a training and a restore tell their caller."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from attrs import frozen

from tenuto.reference.events.contexts import Progress, RunIdentity
from tenuto.reference.trainer.settings import TrainerSettings

__all__ = ["RestoreReport", "TrainResult"]

_log = logging.getLogger("tenuto")


@frozen
class TrainResult:
    """How a training ended.

    Attributes:
        progress: At the end.
        metrics: Last values by name.
        run: Which run and attempt it was.
        stop_reason: What a callback gave when it asked to stop, or None.
    """

    progress: Progress
    metrics: Mapping[str, float]
    run: RunIdentity
    stop_reason: str | None


@frozen
class RestoreReport:
    """What a restore did.

    Attributes:
        progress: The state that training continues from.
        exact: Whether it continues as if never interrupted.
        notes: What is missing for that.
    """

    progress: Progress
    exact: bool
    notes: tuple[str, ...]

    def log(self, settings: TrainerSettings) -> None:
        """Says from where training goes on, and what may make it differ.

        Spec: TR-RES-009.
        """
        _log.info("Resumed from epoch %d, step %d", self.progress.epoch, self.progress.global_step)
        if self.progress.epoch >= settings.max_epochs:
            _log.warning("nothing left to do: %d of %d epochs are done", self.progress.epoch, settings.max_epochs)
        elif settings.has_all_steps(self.progress):
            _log.warning("nothing left to do: %d of %d steps are done", self.progress.global_step, settings.max_steps)
        for note in self.notes:
            _log.warning("resumed, but %s", note)
        if not self.exact:
            _log.warning("resumed from a state that is not exact: training may differ from an uninterrupted one")
