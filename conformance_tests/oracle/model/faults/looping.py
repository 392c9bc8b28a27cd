"""Faults of the loop: order of callbacks, stops, failures and signals.

Spec: 10-callbacks.md, 35-failure-contract.md.
"""

from collections.abc import Sequence
from contextlib import suppress

from attrs import evolve

from tenuto.conformance_tests.oracle.document import Json
from tenuto.conformance_tests.oracle.model import foretelling
from tenuto.conformance_tests.oracle.model.errors import Failure
from tenuto.conformance_tests.oracle.model.scenario import Given
from tenuto.conformance_tests.oracle.model.storing import Origin
from tenuto.conformance_tests.oracle.model.trainer import Callback, Stop, Trainer
from tenuto.conformance_tests.oracle.model.training import Stepwise
from tenuto.conformance_tests.oracle.workload.faults.fault import Fault


def _as_given(given: Sequence[Given], origin: Origin) -> list[Callback]:
    """Calls the callbacks in the order in which they were given."""
    made = _callbacks(given, origin)
    names = [one.name for one in given]
    return sorted(made, key=lambda one: names.index(one.name))


def _saver_first(given: Sequence[Given], origin: Origin) -> list[Callback]:
    """Calls the one that saves before the others of its phase."""
    made = _callbacks(given, origin)
    first = sum(one.phase == "observe" for one in given)
    return made[:first] + made[-1:] + made[first:-1]


def _others_called(current: Trainer, hook: str, **told: Json) -> None:
    """Calls the callbacks after one that failed."""
    outer, current.hook = current.hook, current.hook or hook
    failed = None
    for callback in current.callbacks:
        current._note(hook, callback, told)
        try:
            callback.act(hook, current)
        except Failure as failure:
            failed = failed or failure
    current.hook = outer
    if failed:
        raise failed


def _first_error_ends(current: Trainer, hook: str, **told: Json) -> None:
    """Leaves the others out of `on_exception` and `on_teardown` after an error there."""
    with suppress(Failure):
        _call(current, hook, **told)


def _train_end_always(current: Trainer, hook: str, **told: Json) -> None:
    """Calls `on_train_end` after a failure too."""
    if hook == "on_exception":
        _call_all(current, "on_train_end")
    _call_all(current, hook, **told)


def _last_wins(current: Trainer, reason: str | None) -> None:
    current.stop = None
    _request_stop(current, reason)


def _stop_at_any_time(current: Trainer, reason: str | None) -> None:
    if current.stop is None:
        current.stop = Stop(reason, "batch")


def _one_batch_late(current: Trainer) -> None:
    """Trains on one batch more after a request."""
    training = current.training
    while training.batch_in_epoch < training.batches:
        stopped = current.stop
        current.call("on_batch_start")
        training.batch()
        current.call("on_batch_end")
        if current.signal:
            current._interrupt()
        if stopped:
            return


def _epoch_finished(current: Trainer) -> None:
    """Finishes the epoch before a stop or a signal is honored."""
    training = current.training
    while training.batch_in_epoch < training.batches:
        current.call("on_batch_start")
        training.batch()
        current.call("on_batch_end")


def _stop_before_signal(current: Trainer) -> None:
    """Honors the stop where both are pending."""
    training = current.training
    while training.batch_in_epoch < training.batches and not current.stop:
        current.call("on_batch_start")
        training.batch()
        current.call("on_batch_end")
        if current.signal and not current.stop:
            current._interrupt()


def _validated_first(current: Trainer) -> None:
    """Records what validation measured before the signal is honored."""
    current.call("on_validation_start")
    current.training.validate()
    if current.signal:
        current._interrupt()
    current.call("on_validation_end")


def _signal_at_the_end(current: Trainer) -> None:
    """Honors a signal when the work is done."""
    _epochs(current)
    if current.signal:
        current._interrupt()


def _epoch_started_again(current: Trainer) -> None:
    if current.is_resumed and 0 < current.training.batch_in_epoch < current.training.batches:
        current.call("on_epoch_start")
    _epochs(current)


def _late_progress(current: Trainer, hook: str, callback: Callback, told: dict[str, Json]) -> None:
    """Tells in `on_batch_end` that the batch is not counted yet."""
    late = hook == "on_batch_end"
    current.training.batch_in_epoch -= late
    _note(current, hook, callback, told)
    current.training.batch_in_epoch += late


def _missing_is_stale(current: Stepwise) -> None:
    """A missing value leaves the one that was measured."""
    replaced, current.replaced = current.replaced, {}
    _validate(current)
    current.replaced = replaced
    for name, values in replaced.items():
        if current.epoch < len(values) and (value := values[current.epoch]) is not None:
            current.record({name: value})


def _plateau_on_what_was_measured(current: Stepwise) -> None:
    """Steps the scheduler with what was measured, not with what took its place."""
    settings = current.settings
    if current.validates and settings.scheduler == "plateau":
        measured = current.model.validate(current.validation)["loss"]
        current.optimizer.lr = current.scheduler.after_epoch(current.optimizer.lr, measured)
    current.settings = evolve(settings, scheduler="none")
    _end_epoch(current)
    current.settings = settings


def _steps_counted_one_more(current: Trainer) -> bool:
    return current.max_steps is not None and current.training.global_step > current.max_steps


_callbacks, _call, _call_all = foretelling._callbacks, Trainer.call, Trainer._call_all
_request_stop, _epochs = Trainer.request_stop, Trainer._epochs
_note, _validate, _end_epoch = Trainer._note, Stepwise.validate, Stepwise.end_epoch

FAULTS = [
    Fault("called as given", "CB-ORDER-001", foretelling, "_callbacks", _as_given),
    Fault("saving called before its phase", "CB-ORDER-006", foretelling, "_callbacks", _saver_first),
    Fault("callbacks called after a failure", "CB-FAIL-001", Trainer, "call", _others_called),
    Fault("an error ends the last hooks", "CB-FAIL-002", Trainer, "_call_all", _first_error_ends),
    Fault("on_train_end after a failure", "TR-FAIL-002", Trainer, "_call_all", _train_end_always),
    Fault("the last stop wins", "CB-STOP-003", Trainer, "request_stop", _last_wins),
    Fault("stops after the end", "CB-STOP-005", Trainer, "request_stop", _stop_at_any_time),
    Fault("stop one batch late", "CB-STOP-001", Trainer, "_batches", _one_batch_late),
    Fault("epoch finished first", "CB-STOP-004", Trainer, "_batches", _epoch_finished),
    Fault("stop before signal", "TR-FAIL-024", Trainer, "_batches", _stop_before_signal),
    Fault("validation recorded before the signal", "TR-FAIL-025", Trainer, "_validation", _validated_first),
    Fault("signal when the work is done", "TR-FAIL-016", Trainer, "_epochs", _signal_at_the_end),
    Fault("epoch started again", "CB-HOOK-006", Trainer, "_epochs", _epoch_started_again),
    Fault("batch counted late", "CB-HOOK-013", Trainer, "_note", _late_progress),
    Fault("missing leaves the measured value", "SCN-DATA-001", Stepwise, "validate", _missing_is_stale),
    Fault("plateau on the measured value", "SCN-DATA-001", Stepwise, "end_epoch", _plateau_on_what_was_measured),
    Fault("one step more", "TR-LOOP-014", Trainer, "_has_all_steps", _steps_counted_one_more),
]
