"""Faults of when a save is made, what it holds, and what a failed one does.

Spec: 20-checkpoint-callback.md, 30-trainer.md.
"""

from collections.abc import Mapping

from attrs import evolve

from tenuto.conformance_tests.oracle.model import saving
from tenuto.conformance_tests.oracle.model.errors import Failure
from tenuto.conformance_tests.oracle.model.folder import File
from tenuto.conformance_tests.oracle.model.lists import Update
from tenuto.conformance_tests.oracle.model.naming import LATEST
from tenuto.conformance_tests.oracle.model.retention import Progress
from tenuto.conformance_tests.oracle.model.saving import CheckpointCallback
from tenuto.conformance_tests.oracle.model.trainer import Trainer
from tenuto.conformance_tests.oracle.workload.faults.fault import Fault


def _final_always(current: CheckpointCallback, trainer: Trainer) -> None:
    current.saved = None
    _final(current, trainer)


def _no_final(current: CheckpointCallback, trainer: Trainer) -> None:
    """Leaves the final save out."""


def _emergency_from_the_start(current: CheckpointCallback, trainer: Trainer) -> None:
    """Saves a run of which nothing was trained."""
    step = trainer.training.global_step
    trainer.training.global_step = step or -1
    _emergency(current, trainer)
    trainer.training.global_step = step


def _emergency_moves_the_count(current: CheckpointCallback, trainer: Trainer) -> None:
    """Counts an emergency save as one by steps and by epochs."""
    current.last_step, current.last_epoch = trainer.training.global_step, trainer.training.epoch
    _emergency(current, trainer)


def _always_exact(current: CheckpointCallback, trainer: Trainer, reasons: tuple[str, ...], *, exact: bool) -> File:  # noqa: ARG001 - the fault
    return _file(current, trainer, reasons, exact=True)


def _never_exact(current: CheckpointCallback, trainer: Trainer, reasons: tuple[str, ...], *, exact: bool) -> File:
    """Takes the state of an attempt that was resumed for inexact."""
    return _file(current, trainer, reasons, exact=exact and not trainer.is_resumed)


def _without_itself(current: CheckpointCallback, trainer: Trainer, reasons: tuple[str, ...], *, exact: bool) -> File:
    """Saves the lists without the entry of the checkpoint itself."""
    lists, progress = current.lists, trainer.training.progress
    state = progress[0], progress[2]
    current.lists = {
        monitor: tuple(one for one in entries if (one.epoch, one.step) != state) for monitor, entries in lists.items()
    }
    file = _file(current, trainer, reasons, exact=exact)
    current.lists = lists
    return file


def _due_on_multiples(current: CheckpointCallback, trainer: Trainer) -> None:
    """Counts from the last save of any kind, not from the last by steps."""
    current.last_step = max(current.last_step, current.saved[2] if current.saved else 0)
    _by_steps(current, trainer)


def _one_late(current: CheckpointCallback, trainer: Trainer) -> None:
    settings = current.settings
    if settings.save_every_steps is not None:
        current.settings = evolve(settings, save_every_steps=settings.save_every_steps + 1)
    _by_steps(current, trainer)
    current.settings = settings


def _failed_is_due_again(current: CheckpointCallback, trainer: Trainer) -> None:
    before = current.last_epoch, current.last_step
    _end_of_epoch(current, trainer)
    if trainer.folder.is_away:
        current.last_epoch, current.last_step = before


def _failed_enters(
    current: CheckpointCallback,
    trainer: Trainer,
    reasons: tuple[str, ...],
    update: Update | None,
    *,
    is_final: bool = False,
) -> None:
    """Keeps the new entry of a save that failed."""
    if update and trainer.folder.is_away:
        current.lists = update.lists
    _save(current, trainer, reasons, update, is_final=is_final)


def _final_like_any_other(
    current: CheckpointCallback,
    trainer: Trainer,
    reasons: tuple[str, ...],
    update: Update | None,
    *,
    is_final: bool = False,  # noqa: ARG001 - the fault
) -> None:
    """Lets the run end well after a final save that failed."""
    _save(current, trainer, reasons, update)


def _failures_ignored(
    current: CheckpointCallback,
    trainer: Trainer,
    reasons: tuple[str, ...],
    update: Update | None,
    *,
    is_final: bool = False,
) -> None:
    if not trainer.folder.is_away:
        _save(current, trainer, reasons, update, is_final=is_final)


def _failures_added_up(
    current: CheckpointCallback,
    trainer: Trainer,
    reasons: tuple[str, ...],
    update: Update | None,
    *,
    is_final: bool = False,
) -> None:
    """Never forgets a failure."""
    failures = current.failures
    _save(current, trainer, reasons, update, is_final=is_final)
    current.failures = max(failures, current.failures)


def _manual_exact(current: CheckpointCallback, trainer: Trainer, metrics: Mapping[str, float]) -> None:
    """Saves in a hook as after the training."""
    hook, trainer.hook = trainer.hook, ""
    _manual(current, trainer, metrics)
    trainer.hook = hook


def _manual_counted(current: CheckpointCallback, trainer: Trainer, metrics: Mapping[str, float]) -> None:
    current.last_epoch = trainer.training.epoch
    _manual(current, trainer, metrics)


def _manual_told_at_once(current: CheckpointCallback, trainer: Trainer, metrics: Mapping[str, float]) -> None:
    _manual(current, trainer, metrics)
    _tell_manual(current, trainer)


def _latest_for_emergencies(progress: Progress) -> str:  # noqa: ARG001 - the fault
    return LATEST


def _strict_from_the_start(current: CheckpointCallback, trainer: Trainer, is_due: bool) -> None:
    """Does not wait for the first validation."""
    known = trainer.training.metrics
    if current.settings.strict_monitor and any(one.monitor not in known for one in current.settings.monitors):
        raise Failure("monitor_missing")
    _refuse_missing(current, trainer, is_due)


_final, _emergency, _file = CheckpointCallback._final, CheckpointCallback._emergency, CheckpointCallback._file
_by_steps, _end_of_epoch, _save, _manual = (
    CheckpointCallback._by_steps,
    CheckpointCallback._end_of_epoch,
    CheckpointCallback._save,
    CheckpointCallback.manual,
)
_tell_manual, _refuse_missing = CheckpointCallback._tell_manual, CheckpointCallback._refuse_missing

FAULTS = [
    Fault("final save always", "CPC-WHEN-009", CheckpointCallback, "_final", _final_always),
    Fault("no final save", "CPC-WHEN-004", CheckpointCallback, "_final", _no_final),
    Fault("failed final save is borne", "CPC-ERR-004", CheckpointCallback, "_save", _final_like_any_other),
    Fault("emergency without a batch", "CPC-ERR-003", CheckpointCallback, "_emergency", _emergency_from_the_start),
    Fault("emergencies count", "CPC-WHEN-006", CheckpointCallback, "_emergency", _emergency_moves_the_count),
    Fault("exact after a failure", "TR-FAIL-007", CheckpointCallback, "_file", _always_exact),
    Fault("inexact after a resume", "TR-STATE-021", CheckpointCallback, "_file", _never_exact),
    Fault("lists before the event", "CPC-BEST-013", CheckpointCallback, "_file", _without_itself),
    Fault("counted from any save", "CPC-WHEN-007", CheckpointCallback, "_by_steps", _due_on_multiples),
    Fault("due one step late", "CPC-WHEN-002", CheckpointCallback, "_by_steps", _one_late),
    Fault("failed save is due again", "CPC-ERR-005", CheckpointCallback, "_end_of_epoch", _failed_is_due_again),
    Fault("failed save enters the list", "CPC-ERR-001", CheckpointCallback, "_save", _failed_enters),
    Fault("failures never fail the run", "CPC-ERR-002", CheckpointCallback, "_save", _failures_ignored),
    Fault("failures never forgotten", "CPC-ERR-009", CheckpointCallback, "_save", _failures_added_up),
    Fault("manual save in a hook exact", "CPC-CALL-008", CheckpointCallback, "manual", _manual_exact),
    Fault("manual saves move the count", "CPC-WHEN-006", CheckpointCallback, "manual", _manual_counted),
    Fault("manual saves told at once", "CPC-CALL-007", CheckpointCallback, "manual", _manual_told_at_once),
    Fault("strict before validation", "CPC-BEST-007", CheckpointCallback, "_refuse_missing", _strict_from_the_start),
    Fault("emergency moves latest", "CPC-NAME-005", saving, "emergency_name", _latest_for_emergencies),
]
