"""The document of a training at a boundary.

Spec: RW-STATE-001 to RW-STATE-007, RW-STATE-009, TR-STATE-002.
"""

import struct
from math import isnan

import xxhash

from tenuto.conformance_tests.oracle.encoder import Encoder
from tenuto.conformance_tests.oracle.tree import Document, Tensor, Tree, make
from tenuto.conformance_tests.oracle.workload.generator import Generator
from tenuto.conformance_tests.oracle.workload.network import PARAMETERS, Model, Values, shapes
from tenuto.conformance_tests.oracle.workload.optimizers import Optimizer
from tenuto.conformance_tests.oracle.workload.settings import Settings
from tenuto.conformance_tests.oracle.workload.training import Training

CANONICAL_NAN = bytes.fromhex("000000000000f87f")


def document(training: Training) -> Document:
    """The full checkpoint of a training, with an empty origin.

    Spec: CKPT-FILE-002, TR-STATE-001, TR-STATE-002.
    """
    return make(
        metadata=metadata(training),
        model_state=model_state(training.model),
        optimizer_state=optimizer_state(training.optimizer),
        scheduler_state=training.scheduler.state(),
        rng_state=rng_state(training.dropout),
        trainer_state=trainer_state(training),
    )


def metadata(training: Training) -> dict[str, Tree]:
    """What says where the training is and what it trains.

    Spec: TR-STATE-002.
    """
    return {
        "progress": {name: getattr(training, name) for name in ("epoch", "global_step", "batch_in_epoch")},
        "metrics": {name: {"value": value, "step": step} for name, (value, step) in training.metrics.items()},
        "best": {},
        "config": config(training),
        "architecture": architecture(training.settings),
        "exact": True,
        "kind": "full",
        "origin": {},
    }


def config(training: Training) -> dict[str, Tree]:
    """What the training was made with.

    Spec: RW-STATE-006.
    """
    trainer: dict[str, Tree] = {"max_epochs": training.max_epochs, "validate_every": training.validate_every}
    return {**training.settings.values(), **trainer}


def architecture(settings: Settings) -> dict[str, Tree]:
    """The parts of the model, the count of its parameters and its fingerprint.

    Spec: RW-STATE-007, TR-STATE-008, TR-STATE-009.
    """
    modules: Tree = {"": "ReferenceNetwork", "layer1": "Linear", "layer2": "Linear"}
    trainable: Tree = dict.fromkeys(PARAMETERS, True)
    sizes: dict[str, Tree] = {name: ["float64", *shape] for name, shape in shapes(settings).items()}
    described = Encoder().value([modules, trainable, sizes | {"seen": ["int64"]}])
    return {
        "modules": modules,
        "trainable": trainable,
        "parameter_count": settings.hidden * settings.features + settings.hidden + settings.hidden + 1,
        "fingerprint": f"{xxhash.xxh64_intdigest(described):016x}",
    }


def tensors(settings: Settings, values: Values) -> dict[str, Tree]:
    """One float64 tensor for each parameter, by its name.

    Spec: CKPT-VAL-005.
    """
    return {name: Tensor("float64", shape, packed(values[name])) for name, shape in shapes(settings).items()}


def packed(elements: list[float]) -> bytes:
    """The bytes of float64 elements, every NaN with the same bits.

    Spec: CKPT-VAL-005, RW-STATE-009.
    """
    return b"".join(CANONICAL_NAN if isnan(one) else struct.pack("<d", one) for one in elements)


def model_state(model: Model) -> dict[str, Tree]:
    """Parameters and buffer.

    Spec: RW-STATE-001.
    """
    return tensors(model.settings, model.weights) | {"seen": Tensor("int64", (), struct.pack("<q", model.seen))}


def optimizer_state(optimizer: Optimizer) -> dict[str, Tree]:
    """The one parameter group, and the state of each parameter.

    Spec: RW-STATE-002, TR-STATE-005.
    """
    named = {name: tensors(optimizer.settings, values) for name, values in optimizer.state.items()}
    state: list[Tree] = [
        [index, {name: by_parameter[parameter] for name, by_parameter in named.items()}]
        for index, parameter in enumerate(PARAMETERS)
    ]
    group: Tree = {**optimizer.group(), "params": list(range(len(PARAMETERS)))}
    return {"optimizer": {"param_groups": [group], "state": state if named else []}}


def rng_state(dropout: Generator) -> dict[str, Tree]:
    """The generator that runs through the whole training.

    Spec: RW-STATE-004.
    """
    return {"dropout": {"kind": "splitmix64", "state": dropout.state}}


def trainer_state(training: Training) -> dict[str, Tree]:
    """Running sums of the epoch, and the gradients of a window that is not complete.

    Spec: RW-STATE-005, TR-STATE-010.
    """
    sums: Tree = {name: [total, count] for name, (total, count) in training.sums.items()}
    if training.gradients is None:
        return {"sums": sums}
    return {"sums": sums, "gradients": tensors(training.settings, training.gradients)}
