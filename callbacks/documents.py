"""What the checkpoint callback changes in a state that was captured. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from tenuto.reference.checkpoint.tree import Document, Tree

__all__ = ["is_exact", "timestamp_of", "weights_of", "with_files", "with_state"]


def with_state(document: Document, key: str, state: Tree) -> Document:
    """Returns a document in which the state of one callback is another.

    What is captured is of the last boundary. The checkpoint callback has moved on since: by a manual save in a later
    hook, and by the save that the document is for.

    Spec: CPC-BEST-013.
    """
    states: Any = document.head["callback_state"]
    return Document({**document.head, "callback_state": {**states, key: state}})


def with_files(document: Document, files: Mapping[str, str]) -> Document:
    """Returns a document whose origin says under which name the best of each monitor lies.

    Spec: CPC-NAME-014.
    """
    metadata: Any = document.head["metadata"]
    origin = {**metadata["origin"], "files": dict(files)}
    return Document({**document.head, "metadata": {**metadata, "origin": origin}})


def weights_of(document: Document) -> Document:
    """Returns a file of `kind` `weights` for a state, with an id of its own.

    Spec: TR-STATE-019, CPC-NAME-012.
    """
    metadata: Any = document.head["metadata"]
    origin = {**metadata["origin"], "checkpoint_id": secrets.token_hex(16)}
    kept = {name: document.head[name] for name in ("version", "model_state")}
    empty: dict[str, Tree] = {name: {} for name in document.head if name.endswith("_state")}
    return Document({**empty, **kept, "requires": [], "metadata": {**metadata, "kind": "weights", "origin": origin}})


def is_exact(document: Document) -> bool:
    """Returns whether a state is exact."""
    metadata: Any = document.head["metadata"]
    return metadata["exact"] is True


def timestamp_of(document: Document) -> str:
    """Returns when a state was captured, RFC 3339 in UTC."""
    metadata: Any = document.head["metadata"]
    timestamp: str = metadata["origin"]["timestamp"]
    return timestamp
