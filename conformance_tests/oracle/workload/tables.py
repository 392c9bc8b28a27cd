"""The known-answer tables as JSON of tagged scalars.

Spec: RW-KAT-001, CONF-LINE-004, and section 9.1 of 50-reference-workload.md.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from attrs import fields

from tenuto.conformance_tests.oracle.document import Json, scalar
from tenuto.conformance_tests.oracle.tree import Scalar
from tenuto.conformance_tests.oracle.workload.cases import Case, trainings
from tenuto.conformance_tests.oracle.workload.data import (
    Sample,
    batches_of_epoch,
    order_of_epoch,
    training_samples,
    validation_samples,
)
from tenuto.conformance_tests.oracle.workload.generator import WORD, Generator, stream
from tenuto.conformance_tests.oracle.workload.network import draw_keep, forward, zeros
from tenuto.conformance_tests.oracle.workload.numbers import LINES, of_bits
from tenuto.conformance_tests.oracle.workload.settings import Settings
from tenuto.conformance_tests.oracle.workload.training import Training, start

Plain: TypeAlias = Scalar | Sequence["Plain"] | Mapping[str, "Plain"]

SEEDS = (0, 1, 42, (1 << 63) - 1)


def tagged(value: Plain) -> Json:
    """Maps as objects, sequences as arrays, every scalar with its tag.

    Spec: CONF-LINE-004.
    """
    if isinstance(value, Mapping):
        return {name: tagged(one) for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [tagged(one) for one in value]
    return scalar(value)


def numbers() -> Plain:
    """The four lines that a port computes for itself.

    Spec: RW-NUM-003.
    """
    reals = ("a", "b", "result", "otherwise")
    return {
        "lines": [
            {"computes": line.computes, "fault": line.fault} | {name: of_bits(getattr(line, name)) for name in reals}
            for line in LINES
        ]
    }


def generator() -> Plain:
    """Outputs of the generator, and the states of streams.

    Spec: RW-GEN-001, RW-GEN-002, RW-GEN-003, RW-GEN-004.
    """
    states = (0, 1, 42, 1234567, 1 << 63, WORD - 1)
    bounds = (1, 2, 3, 6, 22, 1000, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, 3 << 62, WORD - 1)
    return {
        "next": [_outputs(state, "next") for state in states],
        "unit": [_outputs(state, "unit") for state in states],
        "below": [{"n": n} | _outputs(n % 7, "below", n) for n in bounds],
        "stream": [
            {"seed": seed, "purpose": purpose, "index": index, "state": stream(seed, purpose, index).state}
            for seed in SEEDS
            for purpose, index in ((1, 0), (2, 0), (3, 0), (4, 0), (4, 1), (4, 1000), (5, 0))
        ],
    }


def _outputs(state: int, draw: str, *arguments: int) -> dict[str, Plain]:
    drawn = Generator(state)
    outputs = [getattr(drawn, draw)(*arguments) for _ in range(8)]
    return {"state": state, "outputs": outputs, "state_after": drawn.state}


def data() -> Plain:
    """Samples, orders and batches.

    Spec: RW-DATA-001, RW-DATA-002, RW-DATA-003, RW-DATA-004.
    """
    chosen = [Settings(seed=seed) for seed in SEEDS]
    chosen += [Settings(features=1, samples=1, validation_samples=0), Settings(features=7, samples=9, batch_size=3)]
    return {
        "samples": [
            {
                "settings": one.changed(),
                "training": [_sample(sample) for sample in training_samples(one)],
                "validation": [_sample(sample) for sample in validation_samples(one)],
            }
            for one in chosen
        ],
        "orders": [
            {
                "settings": one.changed(),
                "epoch": epoch,
                "order": order_of_epoch(one, epoch),
                "batches": batches_of_epoch(one, epoch),
            }
            for one in chosen
            for epoch in (0, 1, 2, 1000)
        ],
    }


def _sample(sample: Sample) -> Plain:
    return {"inputs": sample.x, "target": sample.target}


def model() -> Plain:
    """The first batch of several trainings: weights, outputs, gradients, and validation before any update.

    Spec: RW-MODEL-001 to RW-MODEL-006.
    """
    chosen = [
        Settings(),
        Settings(seed=42, accumulate=3),
        Settings(seed=7, dropout=0.0),
        Settings(seed=5, dropout=0.5, features=1, hidden=1, batch_size=1),
        Settings(seed=3, features=6, hidden=11, samples=5, batch_size=8, validation_samples=3),
    ]
    return {"batches": [_first_batch(settings) for settings in chosen]}


def _first_batch(settings: Settings) -> Plain:
    fresh = start(settings, 1)
    numbers_of_batch = batches_of_epoch(settings, 0)[0]
    batch = [fresh.samples[number] for number in numbers_of_batch]
    q, weights, ahead = 1.0 - settings.dropout, fresh.model.weights, Generator(fresh.dropout.state)
    keeps = [draw_keep(settings, ahead) for _ in batch]
    gradients = zeros(settings)
    return {
        "settings": settings.changed(),
        "weights": dict(weights),
        "batch": numbers_of_batch,
        "keep": keeps,
        "outputs": [forward(weights, sample.x, keep, q).o for sample, keep in zip(batch, keeps, strict=True)],
        "loss": fresh.model.train_batch(batch, gradients, fresh.dropout),
        "gradients": dict(gradients),
        "seen": fresh.model.seen,
        "dropout_state": fresh.dropout.state,
        "validation": fresh.model.validate(fresh.validation),
    }


def training() -> Plain:
    """Whole trainings.

    Spec: RW-KAT-001.
    """
    return {"trainings": [_training(case) for case in trainings()]}


def _training(case: Case) -> Plain:
    current = start(case.settings, case.max_epochs, case.validate_every)
    initial_rate = current.optimizer.lr
    batches: list[Plain] = []
    epochs: list[Plain] = []
    for _ in current.boundaries():
        if current.batch_in_epoch:
            batches.append(_after_batch(current))
        else:
            epochs.append(_after_epoch(current))
    return {
        "name": case.name,
        "shows": case.shows,
        "settings": case.settings.changed(),
        "max_epochs": case.max_epochs,
        "validate_every": case.validate_every,
        "initial_learning_rate": initial_rate,
        "batches": batches,
        "epochs": epochs,
        "end": _end(current),
    }


def _after_batch(current: Training) -> Plain:
    return {
        "epoch": current.epoch,
        "batch_in_epoch": current.batch_in_epoch,
        "global_step": current.global_step,
        "loss": current.metrics["train_loss_step"][0],
        "learning_rate": current.optimizer.lr,
    }


def _after_epoch(current: Training) -> Plain:
    """The metrics that were measured at the end of this epoch, not those kept from an earlier one."""
    names = ("train_loss", "val_loss", "val_parts.abs")
    known = {name: current.metrics[name] for name in names if name in current.metrics}
    metrics: dict[str, Plain] = {name: value for name, (value, step) in known.items() if step == current.global_step}
    return {"epoch": current.epoch} | metrics | {"learning_rate": current.optimizer.lr}


def _end(current: Training) -> Plain:
    scheduler = current.scheduler
    counts = [one.name for one in fields(type(scheduler)) if one.name != "settings"]
    return {
        "weights": dict(current.model.weights),
        "seen": current.model.seen,
        "optimizer": current.optimizer.group(),
        "optimizer_state": {name: dict(values) for name, values in current.optimizer.state.items()},
        "scheduler": {name: getattr(scheduler, name) for name in counts},
        "dropout_state": current.dropout.state,
    }
