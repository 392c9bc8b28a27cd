"""Builds scenarios from plain values, for the families that are made at run time.

Spec: section 2 of 95-scenarios.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tenuto.conformance_tests.oracle.document import Json, Writer, scalar
from tenuto.conformance_tests.oracle.tree import Scalar, Tree

__all__ = ["HOOKS", "action", "observer", "saving", "scenario", "stopping"]

HOOKS: Final = (
    *("on_train_start", "on_epoch_start", "on_batch_start", "on_batch_end", "on_validation_start"),
    *("on_validation_end", "on_epoch_end", "on_checkpoint_saved", "on_checkpoint_deleted", "on_train_end"),
    *("on_exception", "on_teardown"),
)


def scenario(
    epochs: int,
    callbacks: Sequence[Json],
    *,
    workload: Mapping[str, Scalar] | None = None,
    metrics: Mapping[str, Sequence[float | None]] | None = None,
    validate_every: int | None = None,
    trainer: Mapping[str, Scalar] | None = None,
) -> dict[str, Json]:
    """Returns a scenario.

    Args:
        epochs: `max_epochs`.
        callbacks: Made by `observer`, `saving` and `stopping`.
        workload: Settings that differ from their defaults.
        metrics: Name -> value by epoch, None for `missing`.
        validate_every: Left out if not given.
        trainer: Settings of the trainer.
    """
    found: dict[str, Json] = {"workload": _scalars(workload or {}), "max_epochs": scalar(epochs)}
    if validate_every is not None:
        found["validate_every"] = scalar(validate_every)
    if trainer is not None:
        found["trainer"] = _scalars(trainer)
    if metrics is not None:
        found["metrics"] = {name: [_measured(value) for value in values] for name, values in metrics.items()}
    return found | {"callbacks": list(callbacks)}


def _measured(value: float | None) -> Json:
    return "missing" if value is None else scalar(float(value))


def _scalars(values: Mapping[str, Scalar]) -> Json:
    return {name: scalar(value) for name, value in values.items()}


def observer(name: str, *actions: Json, phase: str | None = None, counts: bool = False) -> Json:
    """Returns an observer, or a callback of another phase."""
    found: dict[str, Json] = {"name": name}
    found |= {} if phase is None else {"phase": phase}
    found |= {"counts": True} if counts else {}
    return found | ({"actions": list(actions)} if actions else {})


def saving(**settings: Tree) -> Json:
    """Returns a checkpoint callback of the name `S`."""
    return {"name": "S", "checkpoint": {setting: Writer().tree(value) for setting, value in settings.items()}}


def stopping(name: str = "E", **settings: Scalar) -> Json:
    """Returns early stopping."""
    return {"name": name, "early_stopping": _scalars(settings)}


def action(hook: str, call: int, do: str, **more: Json) -> Json:
    """Returns an action."""
    return {"hook": hook, "call": scalar(call), "do": do, **more}
