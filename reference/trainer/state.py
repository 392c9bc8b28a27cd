"""Between the parts of a training and its document. Pure, but for the id and the clock in `make_origin`."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from tenuto.reference.checkpoint.constants import FORMAT_VERSION
from tenuto.reference.checkpoint.tree import Document, Tree
from tenuto.reference.errors import RestoreError
from tenuto.reference.events.contexts import Progress, RunIdentity
from tenuto.reference.trainer.workload import WorkloadState

__all__ = [
    "REASONS",
    "build_document",
    "check_resumable",
    "config_of",
    "make_origin",
    "progress_of",
    "workload_state_of",
]

REASONS: Final = ("periodic", "best", "manual", "train_end", "exception", "signal")
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
    metadata: Mapping[str, Tree],
    callback_state: dict[str, Tree],
    trainer_state: dict[str, Tree],
) -> Document:
    """Assembles a full checkpoint.

    Args:
        workload: The parts of the workload.
        progress: Goes into the metadata.
        metadata: `metrics`, `best`, `config`, `architecture`, `exact` and `origin`.
        callback_state: By state key.
        trainer_state: Sums of the epoch in progress.

    Spec: TR-STATE-001, TR-STATE-002.
    """
    position: dict[str, Tree] = {
        "epoch": progress.epoch,
        "global_step": progress.global_step,
        "batch_in_epoch": progress.batch_in_epoch,
    }
    return Document(
        {
            "version": FORMAT_VERSION,
            "requires": [],
            "metadata": {**metadata, "progress": position, "kind": "full"},
            "model_state": workload.model_state,
            "optimizer_state": workload.optimizer_state,
            "scheduler_state": workload.scheduler_state,
            "rng_state": workload.rng_state,
            "callback_state": callback_state,
            "trainer_state": trainer_state,
        }
    )


def check_resumable(state: Document, fingerprint: Tree) -> list[str]:
    """Checks what can be said of a state without its workload.

    Returns:
        Mismatches with their paths.

    Raises:
        RestoreError: `not_resumable` for a file that holds no training state.

    Spec: TR-REST-001, TR-REST-006.
    """
    metadata: Any = state.head["metadata"]
    kind = metadata.get("kind")
    if kind != "full":
        raise RestoreError("not_resumable", f"metadata.kind: {kind!r}; expected 'full', a complete training state")
    saved = metadata["architecture"].get("fingerprint")
    if saved != fingerprint:
        return [f"metadata.architecture.fingerprint: {saved!r} in the file, {fingerprint!r} of the live model"]
    return []


def progress_of(state: Document) -> Progress:
    """Returns the progress of a state."""
    metadata: Any = state.head["metadata"]
    progress = metadata["progress"]
    return Progress(progress["epoch"], progress["batch_in_epoch"], progress["global_step"])


def config_of(state: Document) -> dict[str, Tree]:
    """Returns the settings under which a state was made."""
    metadata: Any = state.head["metadata"]
    config: dict[str, Tree] = metadata["config"]
    return config


def workload_state_of(state: Document) -> WorkloadState:
    """Returns the parts that belong to the workload; the reader has checked that they are maps."""
    head: Any = state.head
    return WorkloadState(head["model_state"], head["optimizer_state"], head["scheduler_state"], head["rng_state"])
