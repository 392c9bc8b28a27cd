"""One epoch of a training: batches, validation, its end."""
from ..errors import Phase, TenutoError
from ..events.hooks import Hook
from ..events.progress import Progress
from .loop import Trainer
from .metrics import check_batch_metrics, flatten
from .workload import Workload


def run_epoch[W: Workload](mut trainer: Trainer[W]) raises TenutoError:
    """One epoch, or what is left of it. Spec: CB-HOOK-006, CB-STOP-004."""
    if trainer.progress.batch_in_epoch == 0:
        trainer._dispatch(Hook.EPOCH_START)
    trainer.workload.open_epoch(
        trainer.progress.epoch, trainer.progress.batch_in_epoch
    )
    while _next_batch(trainer):
        _train_batch(trainer)
        if trainer._stop:
            return
    if trainer.progress.batch_in_epoch == 0:
        raise TenutoError(
            "unsupported_loader",
            Phase.CONFIG,
            "an epoch without a batch; expected at least one",
        )
    var has_validation = trainer.workload.validation_batches() > 0
    var number = trainer.progress.epoch + 1
    var is_due = number % trainer.settings.validate_every == 0
    if is_due and has_validation:
        _validate(trainer)
    _end_epoch(trainer, is_due and has_validation)
    var end = trainer._context(Hook.EPOCH_END)
    end.measured = is_due or not has_validation
    trainer._call(end)


def _next_batch[
    W: Workload
](mut trainer: Trainer[W]) raises TenutoError -> Bool:
    """Load a batch; one that fails while a signal is pending is that signal.

    Spec: TR-FAIL-009.
    """
    try:
        return trainer.workload.next_batch()
    except e:
        trainer._interrupts.poll()
        raise e^


def _train_batch[W: Workload](mut trainer: Trainer[W]) raises TenutoError:
    """One batch. Spec: CB-HOOK-013, TR-LOOP-012, TR-LOOP-017."""
    trainer._dispatch(Hook.BATCH_START)
    trainer._boundary.touched = True
    var measured = flatten(trainer.workload.train())
    check_batch_metrics(measured, trainer.metrics.sums)
    var step = trainer.progress.global_step
    if trainer.workload.completed_window():
        step += 1
    trainer.metrics.add_batch(measured, step)
    trainer.progress = Progress(
        trainer.progress.epoch, trainer.progress.batch_in_epoch + 1, step
    )
    trainer._boundary.reach()
    trainer._dispatch(Hook.BATCH_END)
    trainer._interrupts.poll_batch()
    if trainer.has_all_steps() and not trainer._stop:
        trainer._stop = String("max_steps")


def _validate[W: Workload](mut trainer: Trainer[W]) raises TenutoError:
    """Spec: TR-FAIL-025, TR-LOOP-010."""
    trainer._dispatch(Hook.VALIDATION_START)
    for batch in range(trainer.workload.validation_batches()):
        trainer.workload.validate(batch)
        trainer._interrupts.poll_batch()
    var measured = flatten(trainer.workload.validated())
    trainer.metrics.record(measured, trainer.progress.global_step, "val_")
    trainer._dispatch(Hook.VALIDATION_END)


def _end_epoch[
    W: Workload
](mut trainer: Trainer[W], is_validated: Bool) raises TenutoError:
    """Means, schedulers stepped by epochs, `epoch` + 1.

    Spec: CB-ORDER-002, TR-LOOP-009.
    """
    var step = trainer.progress.global_step
    trainer._boundary.touched = True
    trainer.metrics.record_means(step)
    trainer.workload.end_epoch(trainer.metrics, step, is_validated)
    trainer.metrics.sums.items.clear()
    trainer.progress = Progress(trainer.progress.epoch + 1, 0, step)
    trainer._boundary.reach()
