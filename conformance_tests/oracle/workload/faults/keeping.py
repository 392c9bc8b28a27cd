"""Faults of windows, progress and metrics, of what a document holds, and of what a restore takes from it.

Spec: RW-ACC-001, RW-MODEL-003, RW-MODEL-004, RW-SCHED-003, RW-STATE-001 to RW-STATE-007,
RW-STATE-009, TR-LOOP-010, TR-LOOP-013, TR-STATE-010, TR-LOOP-001.
"""

from typing import Any

from attrs import evolve

from tenuto.conformance_tests.oracle.tree import Tree
from tenuto.conformance_tests.oracle.workload import restore, state, training
from tenuto.conformance_tests.oracle.workload.faults.fault import Fault
from tenuto.conformance_tests.oracle.workload.generator import DROPOUT, Generator, stream
from tenuto.conformance_tests.oracle.workload.network import Model, zeros
from tenuto.conformance_tests.oracle.workload.optimizers import Adam, Optimizer, make_optimizer
from tenuto.conformance_tests.oracle.workload.schedulers import Scheduler, make_scheduler
from tenuto.conformance_tests.oracle.workload.settings import Settings
from tenuto.conformance_tests.oracle.workload.training import Training


def _scheduler_by_batch(current: Training, numbers: list[int], batches: int) -> None:
    _batch(current, numbers, batches)
    if current.gradients is not None:
        current.optimizer.lr = current.scheduler.after_update(current.optimizer.lr)


def _steps_of_batches(current: Training, numbers: list[int], batches: int) -> None:
    before = current.global_step
    _batch(current, numbers, batches)
    current.global_step = before + 1


def _mean_by_samples(current: Training, numbers: list[int], batches: int) -> None:
    """Weighs the last, short batch less."""
    total, count = current.sums.get("loss", (0.0, 0))
    _batch(current, numbers, batches)
    loss = current.metrics["train_loss_step"][0]
    current.sums["loss"] = (total + loss * len(numbers), count + len(numbers))


def _short_window_by_its_batches(current: Training, numbers: list[int], batches: int) -> None:
    settings, done = current.settings, current.batch_in_epoch
    left = batches - (done - done % settings.accumulate)
    current.model.settings = evolve(settings, accumulate=min(settings.accumulate, left))
    _batch(current, numbers, batches)
    current.model.settings = settings


def _dropout_anew(current: Training) -> None:
    _end_of_epoch(current)
    current.dropout = stream(current.settings.seed, DROPOUT, 0)


def _sums_kept(current: Training) -> None:
    kept = current.sums
    _end_of_epoch(current)
    current.sums = kept


def _plateau_on_training(current: Training) -> None:
    """Steps the scheduler with the loss of training."""
    validation, current.validation = current.validation, []
    _end_of_epoch(current)
    current.validation = validation
    if validation and current.epoch % current.validate_every == 0:
        step = current.global_step
        current.metrics |= {f"val_{name}": (one, step) for name, one in current.model.validate(validation).items()}
        current.optimizer.lr = current.scheduler.after_epoch(current.optimizer.lr, current.metrics["train_loss"][0])


def _plateau_on_old_metrics(current: Training) -> None:
    """Steps the scheduler after each epoch, with the latest loss of validation there is."""
    _end_of_epoch(current)
    if current.epoch % current.validate_every and "val_loss" in current.metrics:
        current.optimizer.lr = current.scheduler.after_epoch(current.optimizer.lr, current.metrics["val_loss"][0])


def _due_from_zero(epoch: int, validate_every: int) -> bool:
    return (epoch - 1) % validate_every == 0


def _nan_with_a_sign(elements: list[float]) -> bytes:
    """As most processors make it."""
    return _packed(elements).replace(bytes.fromhex("000000000000f87f"), bytes.fromhex("000000000000f8ff"))


def _whole_numbers(current: Training) -> dict[str, Tree]:
    return {name: 0 if one == 0.0 else one for name, one in _config(current).items()}


def _buffer_counted(settings: Settings) -> dict[str, Tree]:
    elements = sum(map(len, zeros(settings).values()))
    return _architecture(settings) | {"parameter_count": elements + 1}


def _without_gradients(current: Training) -> dict[str, Tree]:
    return {"sums": _trainer_state(current)["sums"]}


def _gradients_always(current: Training) -> dict[str, Tree]:
    gradients = current.gradients or zeros(current.settings)
    return _trainer_state(current) | {"gradients": state.tensors(current.settings, gradients)}


def _without_sums(current: Training) -> dict[str, Tree]:
    return _trainer_state(current) | {"sums": {}}


def _without_buffer(model: Model) -> dict[str, Tree]:
    return _model_state(Model(model.settings, model.weights))


def _generator_at_the_start(dropout: Generator) -> dict[str, Tree]:  # noqa: ARG001 - the fault
    return _rng_state(Generator(0))


def _scalars_alone(optimizer: Optimizer) -> dict[str, Tree]:
    return _optimizer_state(make_optimizer(optimizer.settings, optimizer.lr))


def _optimizer_without_powers(settings: Settings, saved: dict[str, Any]) -> Optimizer:
    built = _optimizer(settings, saved)
    if isinstance(built, Adam):
        built.beta1_power, built.beta2_power = 1.0, 1.0
    return built


def _optimizer_at_the_first_rate(settings: Settings, saved: dict[str, Any]) -> Optimizer:
    built = _optimizer(settings, saved)
    built.lr = settings.lr
    return built


def _scheduler_at_the_start(settings: Settings, saved: dict[str, Any]) -> Scheduler:  # noqa: ARG001 - the fault
    return make_scheduler(settings)


_batch, _end_of_epoch = Training._batch, Training._end_of_epoch
_trainer_state, _model_state, _rng_state = state.trainer_state, state.model_state, state.rng_state
_config, _architecture, _packed = state.config, state.architecture, state.packed
_optimizer_state, _optimizer = state.optimizer_state, restore.optimizer

FAULTS = [
    Fault("short window divided by its batches", "RW-ACC-001", Training, "_batch", _short_window_by_its_batches),
    Fault("dropout anew each epoch", "RW-MODEL-003", Training, "_end_of_epoch", _dropout_anew),
    Fault("schedulers stepped by batch", "RW-SCHED-002", Training, "_batch", _scheduler_by_batch),
    Fault("global_step counts batches", "TR-LOOP-001", Training, "_batch", _steps_of_batches),
    Fault("mean over samples", "RW-MODEL-004", Training, "_batch", _mean_by_samples),
    Fault("plateau on the training loss", "RW-SCHED-003", Training, "_end_of_epoch", _plateau_on_training),
    Fault("plateau on metrics of an earlier epoch", "TR-LOOP-013", Training, "_end_of_epoch", _plateau_on_old_metrics),
    Fault("validation counted from 0", "TR-LOOP-010", training, "validation_due", _due_from_zero),
    Fault("NaN with a sign", "RW-STATE-009", state, "packed", _nan_with_a_sign),
    Fault("zeros saved as integers", "RW-STATE-006", state, "config", _whole_numbers),
    Fault("buffer counted as a parameter", "RW-STATE-007", state, "architecture", _buffer_counted),
    Fault("sums kept after the epoch", "TR-STATE-010", Training, "_end_of_epoch", _sums_kept),
    Fault("gradients not saved", "RW-STATE-005", state, "trainer_state", _without_gradients),
    Fault("gradients saved between windows", "TR-STATE-010", state, "trainer_state", _gradients_always),
    Fault("sums not saved", "TR-STATE-010", state, "trainer_state", _without_sums),
    Fault("seen not saved", "RW-STATE-001", state, "model_state", _without_buffer),
    Fault("generator not saved", "RW-STATE-004", state, "rng_state", _generator_at_the_start),
    Fault("momentum not saved", "RW-STATE-002", state, "optimizer_state", _scalars_alone),
    Fault("powers not restored", "RW-STATE-002", restore, "optimizer", _optimizer_without_powers),
    Fault("rate not restored", "RW-STATE-002", restore, "optimizer", _optimizer_at_the_first_rate),
    Fault("scheduler not restored", "RW-STATE-003", restore, "scheduler", _scheduler_at_the_start),
]
