"""The first step of the reference workload, number by number: from the oracle and from the reference."""

from __future__ import annotations

import struct
from functools import cache

from spec_examples.source import BadExampleError, Verdict
from tenuto.conformance_tests.oracle.workload import data, generator, network
from tenuto.conformance_tests.oracle.workload.settings import Settings
from tenuto.conformance_tests.oracle.workload.training import start
from tenuto.reference.workload import ReferenceWorkload, WorkloadSettings
from tenuto.reference.workload.data import epoch_order, make_samples
from tenuto.reference.workload.generator import Generator, Purpose, stream
from tenuto.reference.workload.network import Network
from tenuto.reference.workload.tensors import from_named

_ROWS = (
    *("first output of `next` from the state 0", "second output", "third output"),
    *("state of `stream(0, 4, 0)`", "order of the first epoch"),
    *("`x[0]` of the first sample in it", "`x[1]`", "`x[2]`", "its target `t`"),
    *("`w1[0][0]` at the start", "`w2[0]` at the start"),
    *("`keep` of the first sample", "its output `o`", "`loss` of the first batch", "`b2` after the first update"),
)


def run(item, _):
    """Computes one number twice."""
    what, bits, value = item.cells
    names = {row.replace("`", ""): row for row in _ROWS}
    if what not in names:
        raise BadExampleError(f"{item.id}: {what}; expected one of {', '.join(names)}")
    found = {name: _shown(facts()[names[what]]) for name, facts in (("oracle", _oracle), ("reference", _reference))}
    return Verdict(dict.fromkeys(found, (bits, value)), found)


def _shown(value):
    """Returns the bits of a number, none for a list, and its decimal form."""
    if isinstance(value, list):
        return "", ", ".join(str(one).lower() for one in value)
    packed = struct.pack(">d", value) if isinstance(value, float) else value.to_bytes(8, "big")
    return packed.hex(), repr(value)


@cache
def _oracle():
    settings, zero = Settings(), generator.Generator(0)
    training = start(settings, 1)
    order = data.order_of_epoch(settings, 0)
    first = training.samples[order[0]]
    weights = network.initial_weights(settings)
    keep = network.draw_keep(settings, generator.stream(0, generator.DROPOUT, 0))
    output = network.forward(weights, first.x, keep, 1.0 - settings.dropout).o
    next(training.boundaries())
    return _named(
        [zero.next(), zero.next(), zero.next(), generator.stream(0, generator.EPOCH_ORDER, 0).state, order],
        [*first.x, first.target, weights[network.W1][0], weights[network.W2][0]],
        [keep, output, training.metrics["train_loss_step"][0], training.model.weights[network.B2][0]],
    )


@cache
def _reference():
    settings, zero, workload = WorkloadSettings(), Generator(0), ReferenceWorkload()
    order = epoch_order(0, 0, settings.samples)
    first = make_samples(stream(0, Purpose.TRAINING_INPUTS), settings.samples, settings.features)[order[0]]
    weights, dropout = _weights(workload), stream(0, Purpose.DROPOUT)
    keep = [dropout.unit() >= settings.dropout for _ in range(settings.hidden)]
    output = Network(weights, settings.dropout).forward(first.inputs, keep, 1.0 - settings.dropout).output
    workload.open_epoch(0, 0)
    loss = workload.train_on(workload.next_batch())["loss"]
    return _named(
        [zero.next(), zero.next(), zero.next(), stream(0, Purpose.ORDER).state, order],
        [*first.inputs, first.target, weights[0][0], weights[2][0]],
        [keep, output, loss, _weights(workload)[3][0]],
    )


def _weights(workload):
    return from_named(workload.capture(at_boundary=False, copy=True).model_state)


def _named(*values):
    return dict(zip(_ROWS, [one for part in values for one in part], strict=True))
