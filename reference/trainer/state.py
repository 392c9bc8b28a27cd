"""Between the parts of a training and its document. Pure, but for the id and the clock in `make_origin`."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from tenuto.reference.checkpoint.constants import FORMAT_VERSION
from tenuto.reference.checkpoint.tree import Document, Tree
from tenuto.reference.errors import RestoreError
from tenuto.reference.events.contexts import Progress, RunIdentity
from tenuto.reference.trainer.fitting import Taken
from tenuto.reference.trainer.metrics import MetricBook
from tenuto.reference.trainer.reasons import REASONS
from tenuto.reference.trainer.workload import WorkloadState

__all__ = [
    "beside_weights",
    "build_document",
    "check_form",
    "check_resumable",
    "config_of",
    "make_origin",
    "metrics_of",
    "mismatch_error",
    "ordered",
    "progress_of",
    "taken_from",
    "weights_of",
    "workload_state_of",
]

_FURTHER: Final = ("gradients", "scaler", "loader")  # keys of `trainer_state` that are there where they apply
_BESIDE_WEIGHTS: Final = ("optimizer_state", "scheduler_state", "rng_state", "callback_state", "trainer_state")
_PRODUCER: Final[dict[str, Tree]] = {"name": "tenuto", "version": "0.1.0", "language": "Python"}


def make_origin(
    run: RunIdentity, reasons: tuple[str, ...], elapsed_seconds: float, trigger: dict[str, Tree] | None
) -> dict[str, Tree]:
    """Returns everything about a save that depends on clock, chance, host or interruptions.

    Spec: TR-STATE-003, TR-STATE-004, CKPT-CANON-006.
    """
    origin: dict[str, Tree] = {
        "checkpoint_id": secrets.token_hex(16),
        "run_id": run.run_id,
        "attempt": run.attempt,
        "parent": run.parent,
        "lineage": [[attempt, *position] for attempt, position in run.lineage],
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "producer": _PRODUCER,
        "reasons": [reason for reason in REASONS if reason in reasons],
        "elapsed_seconds": elapsed_seconds,
    }
    return {**origin, "trigger": trigger} if trigger else origin


def build_document(
    workload: WorkloadState,
    *,
    progress: Progress,
    metrics: MetricBook,
    metadata: Mapping[str, Tree],
    callback_state: dict[str, Tree],
) -> Document:
    """Assembles a full checkpoint.

    Args:
        workload: The parts of the workload.
        progress: Goes into the metadata.
        metrics: Values go into the metadata, sums of the epoch in progress into the state of the trainer.
        metadata: `best`, `config`, `architecture`, `exact` and `origin`.
        callback_state: By state key.

    Spec: TR-STATE-001, TR-STATE-002, TR-STATE-010.
    """
    values, sums = metrics.capture()
    further = {name: getattr(workload, name) for name in _FURTHER}
    position: dict[str, Tree] = {
        "epoch": progress.epoch,
        "global_step": progress.global_step,
        "batch_in_epoch": progress.batch_in_epoch,
    }
    return Document(
        {
            "version": FORMAT_VERSION,
            "requires": [],
            "metadata": {**metadata, "metrics": values, "progress": position, "kind": "full"},
            "model_state": workload.model_state,
            "optimizer_state": workload.optimizer_state,
            "scheduler_state": workload.scheduler_state,
            "rng_state": workload.rng_state,
            "callback_state": callback_state,
            "trainer_state": {"sums": sums, **{name: one for name, one in further.items() if one is not None}},
        }
    )


def check_resumable(state: Document, fingerprint: Tree, validate_every: int) -> list[str]:
    """Checks what can be said of a state without its workload.

    Args:
        state: A saved one.
        fingerprint: Of the live model.
        validate_every: Of the live trainer.

    Returns:
        Mismatches with their paths.

    Raises:
        RestoreError: `not_resumable` for a file that holds no training state.

    Spec: TR-REST-001, TR-REST-006, TR-REST-014, RW-STATE-008.
    """
    check_form(state)
    metadata: Any = state.head["metadata"]
    compared = (
        ("metadata.architecture.fingerprint", metadata["architecture"].get("fingerprint"), fingerprint),
        ("metadata.config.validate_every", metadata["config"].get("validate_every"), validate_every),
    )
    return [
        f"{path}: {saved!r} in the file, {live!r} in this trainer"
        for path, saved, live in compared
        if (type(saved), saved) != (type(live), live)
    ]


def check_form(state: Document) -> None:
    """Refuses a file that holds no training state.

    Raises:
        RestoreError: `not_resumable`.

    Spec: TR-REST-006, TR-REST-014.
    """
    metadata: Any = state.head["metadata"]
    kind = metadata.get("kind")
    if kind != "full":
        raise RestoreError("not_resumable", f"metadata.kind: {kind!r}; expected 'full', a complete training state")
    fault = next(_faults(state.head), None)
    if fault is not None:
        raise RestoreError("not_resumable", fault)


def _faults(head: Any) -> Iterator[str]:  # noqa: ANN401 - from a file
    """Yields what of a state the trainer itself cannot read; a map that is none is yielded before its parts are."""
    metadata, trainer_state = head["metadata"], head["trainer_state"]
    sums: Any = trainer_state.get("sums") if isinstance(trainer_state, dict) else None
    maps = {f"metadata.{name}": metadata.get(name) for name in ("progress", "metrics", "config", "architecture")}
    for path, value in {**maps, "trainer_state.sums": sums}.items():
        if not isinstance(value, dict):
            yield f"{path}: {type(value).__name__}; expected a map"
    for name in _FURTHER:
        if trainer_state.get(name, {}) is None:
            yield f"trainer_state.{name}: None; expected a value, or no such key"
    if type(metadata.get("exact")) is not bool:
        yield f"metadata.exact: {metadata.get('exact')!r}; expected a bool"
    yield from _faults_of_numbers(metadata["progress"], metadata["metrics"], sums)


def _faults_of_numbers(progress: dict[str, Any], metrics: dict[str, Any], sums: dict[str, Any]) -> Iterator[str]:
    for name in ("epoch", "global_step", "batch_in_epoch"):
        if not _is_count(progress.get(name)):
            yield f"metadata.progress.{name}: {progress.get(name)!r}; expected an integer of at least 0"
    for name, entry in metrics.items():
        if not (isinstance(entry, dict) and type(entry.get("value")) is float and _is_count(entry.get("step"))):
            yield f"metadata.metrics.{name}: {entry!r}; expected a float64 value and a step"
    for name, entry in sums.items():
        if not (isinstance(entry, list) and [type(part) for part in entry] == [float, int] and entry[1] > 0):
            yield f"trainer_state.sums.{name}: {entry!r}; expected a float64 sum and a number above 0"


def _is_count(value: Tree) -> bool:
    return type(value) is int and value >= 0


def mismatch_error(mismatches: list[str]) -> RestoreError:
    """Returns the one error for all mismatches, in the order of their paths.

    Spec: TR-REST-001, TR-REST-007.
    """
    message = f"saved state: {len(mismatches)} mismatches; expected none"
    return RestoreError("state_mismatch", message, tuple(ordered(mismatches)))


def ordered(mismatches: list[str]) -> list[str]:
    """Returns mismatches in the order of their paths.

    Spec: TR-REST-007.
    """
    return sorted(mismatches, key=lambda mismatch: mismatch.partition(": ")[0].encode("utf-8", "surrogatepass"))


def progress_of(state: Document) -> Progress:
    """Returns the progress of a state."""
    metadata: Any = state.head["metadata"]
    progress = metadata["progress"]
    return Progress(progress["epoch"], progress["batch_in_epoch"], progress["global_step"])


def taken_from(state: Document) -> Taken:
    """Returns what a restore takes over of a state that fits."""
    return Taken(workload_state_of(state), progress_of(state), metrics_of(state))


def weights_of(state: Document) -> Tree:
    """Returns the weights of a file of either kind.

    Raises:
        RestoreError: `not_resumable` for one of neither.

    Spec: TR-REST-010.
    """
    metadata: Any = state.head["metadata"]
    kind = metadata.get("kind")
    if kind not in {"full", "weights"}:
        raise RestoreError("not_resumable", f"metadata.kind: {kind!r}; expected 'full' or 'weights'")
    return state.head["model_state"]


def beside_weights(state: Document) -> list[str]:
    """Returns the keys of what a file holds of a training beside its weights.

    Spec: TR-REST-010.
    """
    return [f"{key}: in the file, left out" for key in _BESIDE_WEIGHTS if state.head[key]]


def metrics_of(state: Document) -> MetricBook:
    """Returns the metrics of a state, with the sums of the epoch in progress."""
    head: Any = state.head
    metrics = MetricBook()
    metrics.restore(head["metadata"]["metrics"], head["trainer_state"]["sums"])
    return metrics


def config_of(state: Document) -> dict[str, Tree]:
    """Returns the settings under which a state was made."""
    metadata: Any = state.head["metadata"]
    config: dict[str, Tree] = metadata["config"]
    return config


def workload_state_of(state: Document) -> WorkloadState:
    """Returns the parts that belong to the workload; the reader has checked that they are maps."""
    head: Any = state.head
    return WorkloadState(
        head["model_state"],
        head["optimizer_state"],
        head["scheduler_state"],
        head["rng_state"],
        *(head["trainer_state"].get(name) for name in _FURTHER),
    )
