"""What of a saved state fits a training that is of another form. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import evolve, frozen

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.events.contexts import Progress
from tenuto.reference.trainer.metrics import MetricBook
from tenuto.reference.trainer.workload import WorkloadState

__all__ = ["Taken", "fitting_weights", "without_misfits"]

_GROUPS: Final = ("model_state", "optimizer_state", "scheduler_state", "rng_state")  # maps of parts by name
_SINGLE: Final = ("gradients", "scaler", "loader")  # each a part of its own
_PROGRESS: Final = "metadata.progress"


@frozen
class Taken:
    """What a restore takes over beside the states of callbacks.

    Attributes:
        workload: Without a part, that one stays as it is.
        progress: Where training continues.
        metrics: Of this progress.
    """

    workload: WorkloadState
    progress: Progress
    metrics: MetricBook


def without_misfits(saved: Taken, live: Taken, mismatches: Iterable[str]) -> Taken:
    """Returns what of a saved state can be taken over.

    Args:
        saved: From a file.
        live: As the training stands: generators, and the gradients with the progress, stay where theirs do not fit.
        mismatches: Everything in which the saved one does not fit, each with its path.

    Spec: TR-REST-009.
    """
    misfits = _parts_of(mismatches, saved.workload, live.workload)
    kept: dict[str, Any] = {group: _fitting(saved.workload, group, misfits) for group in _GROUPS}
    for name, state in live.workload.rng_state.items():  # without a state it would be seeded anew
        if not misfits.isdisjoint({"rng_state", f"rng_state.{name}"}) and name not in kept["rng_state"]:
            kept["rng_state"][name] = state
    kept |= {name: None for name in _SINGLE if f"trainer_state.{name}" in misfits}
    if _PROGRESS not in misfits:
        return evolve(saved, workload=evolve(saved.workload, **kept))
    return Taken(evolve(saved.workload, **kept, gradients=live.workload.gradients), live.progress, live.metrics)


def fitting_weights(saved: Tree, live: Tree, mismatches: Iterable[str]) -> dict[str, Tree]:
    """Returns the weights of a file that fit.

    Args:
        saved: Its `model_state`.
        live: That of the live model.
        mismatches: As for `without_misfits`.

    Spec: TR-REST-010.
    """
    state = WorkloadState(saved, {}, {}, {})
    return _fitting(state, "model_state", _parts_of(mismatches, state, WorkloadState(live, {}, {}, {})))


def _fitting(state: WorkloadState, group: str, misfits: set[str]) -> dict[str, Tree]:
    named = getattr(state, group)
    if group in misfits:
        return {}
    return {name: value for name, value in named.items() if f"{group}.{name}" not in misfits}


def _parts_of(mismatches: Iterable[str], saved: WorkloadState, live: WorkloadState) -> set[str]:
    """Returns the paths of the parts that mismatches lie in: the longest one that a path goes on from.

    A path that leads to no part stands for its whole group: better too little is taken over than what does not fit.
    """
    parts = {_PROGRESS, *_GROUPS, *(f"trainer_state.{name}" for name in _SINGLE)}
    for state in (saved, live):
        for group in _GROUPS:
            named = getattr(state, group)
            if isinstance(named, Mapping):
                parts.update(f"{group}.{name}" for name in named)
    found = set()
    for mismatch in mismatches:
        path = mismatch.partition(": ")[0]
        while path and path not in parts:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        found.add(path)
    return found
