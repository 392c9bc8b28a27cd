"""Writing a scenario: from plain values to the JSON object, for those who make many of them.

Spec: section 2 of 95-scenarios.md.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tenuto.conformance_tests.oracle.document import Json, Writer, scalar
from tenuto.conformance_tests.oracle.tree import Tree


def write_scenario(
    callbacks: Sequence[Mapping[str, Any]],
    *,
    workload: Mapping[str, Tree],
    max_epochs: Tree = 1,
    metrics: Mapping[str, Sequence[float | None]] | None = None,
    then: Sequence[Mapping[str, Any]] = (),
    **trainer: Tree,
) -> dict[str, Json]:
    """A scenario of plain values.

    Args:
        callbacks: their settings and the calls of their actions plain.
        workload: its settings.
        max_epochs: a setting of the trainer.
        metrics: name -> values by epoch; None for a metric that is missing.
        then: manual saves, their metrics plain.
        trainer: further settings of the trainer.
    """
    scenario: dict[str, Json] = {
        "workload": _values(workload),
        "max_epochs": scalar_of(max_epochs),
        "callbacks": [_callback(one) for one in callbacks],
    }
    if metrics:
        scenario["metrics"] = {name: [_measured(one) for one in values] for name, values in metrics.items()}
    if then:
        scenario["then"] = [{"save": one["save"], "metrics": _values(one["metrics"])} for one in then]
    if "validate_every" in trainer:
        scenario["validate_every"] = scalar_of(trainer.pop("validate_every"))
    if trainer:
        scenario["trainer"] = _values(trainer)
    return scenario


def scalar_of(value: Tree) -> Json:
    """A value with its tag, or its kind."""
    return Writer().tree(value)


def _callback(given: Mapping[str, Any]) -> Json:
    made = dict(given)
    for part in {"checkpoint", "early_stopping"} & made.keys():
        made[part] = _values(made[part])
    if "actions" in made:
        made["actions"] = [_action(one) for one in made["actions"]]
    return made


def _action(given: Mapping[str, Any]) -> Json:
    made = dict(given) | {"call": scalar(given["call"])}
    if "metrics" in made:
        made["metrics"] = _values(made["metrics"])
    return made


def _measured(value: float | None) -> Json:
    return "missing" if value is None else scalar(float(value))


def _values(values: Mapping[str, Tree]) -> dict[str, Json]:
    return {name: scalar_of(value) for name, value in values.items()}
