"""A training from its document, so that the laws of resuming are tested on the oracle itself.

Spec: TR-REST-004, TR-REST-005, RW-STATE-001 to RW-STATE-006.
"""

import struct
from typing import Any

from attrs import fields

from tenuto.conformance_tests.oracle.tree import Document, Tensor
from tenuto.conformance_tests.oracle.workload.generator import Generator
from tenuto.conformance_tests.oracle.workload.network import PARAMETERS, Model, Values
from tenuto.conformance_tests.oracle.workload.optimizers import Adam, Optimizer, make_optimizer
from tenuto.conformance_tests.oracle.workload.schedulers import Plateau, Scheduler, WarmupStep, make_scheduler
from tenuto.conformance_tests.oracle.workload.settings import Settings
from tenuto.conformance_tests.oracle.workload.training import Training, start


def restore(document: Document) -> Training:
    """The training that a document of `state.document` was made of.

    Spec: RW-STATE-001, RW-STATE-004, RW-STATE-005, RW-STATE-006.
    """
    whole: Any = document  # the tree of a document is known by its clauses, not by its type
    metadata, sums = whole["metadata"], whole["trainer_state"]["sums"]
    settings = Settings(**{one.name: metadata["config"][one.name] for one in fields(Settings)})
    training = start(settings, metadata["config"]["max_epochs"], metadata["config"]["validate_every"])
    training.model = Model(
        settings, values(whole["model_state"]), *struct.unpack("<q", whole["model_state"]["seen"].data)
    )
    training.optimizer = optimizer(settings, whole["optimizer_state"]["optimizer"])
    training.scheduler = scheduler(settings, whole["scheduler_state"])
    training.dropout = Generator(whole["rng_state"]["dropout"]["state"])
    if "gradients" in whole["trainer_state"]:
        training.gradients = values(whole["trainer_state"]["gradients"])
    for name, number in metadata["progress"].items():
        setattr(training, name, number)
    training.metrics = {name: (one["value"], one["step"]) for name, one in metadata["metrics"].items()}
    training.sums = {name: (total, count) for name, (total, count) in sums.items()}
    return training


def values(tensors: dict[str, Tensor]) -> Values:
    """The elements of the four parameters.

    Spec: CKPT-VAL-005.
    """
    return {name: [one for (one,) in struct.iter_unpack("<d", tensors[name].data)] for name in PARAMETERS}


def optimizer(settings: Settings, state: dict[str, Any]) -> Optimizer:
    """The optimizer with its scalars and its state of each parameter.

    Spec: RW-STATE-002.
    """
    group = state["param_groups"][0]
    built = make_optimizer(settings, group["lr"])
    if isinstance(built, Adam):
        built.beta1_power, built.beta2_power = group["beta1_power"], group["beta2_power"]
    if state["state"]:
        by_index = dict(state["state"])
        for name in by_index[0]:
            built.state[name] = values({parameter: by_index[at][name] for at, parameter in enumerate(PARAMETERS)})
    return built


def scheduler(settings: Settings, state: dict[str, Any]) -> Scheduler:
    """The scheduler with its counts.

    Spec: RW-STATE-003.
    """
    built = make_scheduler(settings)
    if isinstance(built, WarmupStep):
        built.steps = state["scheduler"]["steps"]
    if isinstance(built, Plateau):
        kept = state["scheduler"]
        built.best, built.bad_epochs, built.cooldown_left = kept["best"], kept["bad_epochs"], kept["cooldown_left"]
    return built
