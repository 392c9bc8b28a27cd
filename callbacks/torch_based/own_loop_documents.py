"""Between the maps of a hand-written loop and files: checkpoints, and exports in the format of torch."""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import torch

from tenuto.reference.checkpoint.constants import FORMAT_VERSION
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.refusals import IoRefusals
from tenuto.reference.checkpoint.storage import PosixStorage
from tenuto.reference.checkpoint.tree import Document, Tree, refuse
from tenuto.reference.errors import ConfigError
from tenuto.reference.trainer.torch_tree import TreeMaker, like

__all__ = ["MODEL", "PARTS", "LiveTree", "export_bytes", "kind_of", "make_document", "read_export", "read_state"]

LiveTree: TypeAlias = Any  # plain data and tensors of torch, nested
MODEL: Final = "model_state"
PARTS: Final = (MODEL, "optimizer_state", "scheduler_state", "rng_state", "callback_state", "trainer_state")
_METADATA: Final = "metadata"
_WEIGHTS, _FULL = "weights", "full"


def kind_of(state: Mapping[str, Any]) -> str:
    """Returns what a map is saved as.

    Args:
        state: The state of a model, or a whole training state with `model_state` in it.

    Raises:
        ConfigError: `invalid_setting` for what is no map, or has a key that no file has.

    Spec: CPC-MAN-005, CPC-MAN-017.
    """
    if not isinstance(state, Mapping):
        raise ConfigError("invalid_setting", f"state: {type(state).__name__}; expected a map")
    if MODEL not in state:
        return _WEIGHTS
    known = {*PARTS, _METADATA}
    for key in state:
        if key not in known:
            message = f"state.{key}: no part of a checkpoint; expected {', '.join(PARTS)}, of which the last is free"
            raise ConfigError("invalid_setting", message)
    return _FULL


def make_document(state: Mapping[str, Any], metadata: dict[str, Tree]) -> Document:
    """Returns the checkpoint of a map.

    Args:
        state: As for `kind_of`. Its tensors are viewed, not copied.
        metadata: Of the file.

    Raises:
        CheckpointError: `unserializable_value` with the path, phase `encode`.

    Spec: CPC-MAN-005, TR-STATE-019.
    """
    is_full = kind_of(state) == _FULL
    maker = TreeMaker()
    parts: dict[str, Any] = {part: state.get(part, {}) for part in PARTS} if is_full else {MODEL: state}
    made = {part: maker.tree(parts.get(part, {}), part) for part in PARTS}
    facts = maker.tree(metadata, _METADATA)
    head: dict[str, Tree] = {"version": FORMAT_VERSION, "requires": [], _METADATA: facts}
    return Document({**head, **made})


def read_state(path: str | os.PathLike[str]) -> tuple[dict[str, LiveTree], dict[str, LiveTree]]:
    """Reads a checkpoint whole and returns state and metadata as live values, tensors on the CPU.

    Raises:
        CheckpointError: `file_not_found`, or why it is refused.

    Spec: CPC-MAN-007.
    """
    head: Any = read_checkpoint(path).head
    if head[_METADATA].get("kind") == _WEIGHTS:
        return like(None, head[MODEL]), head[_METADATA]
    parts = {part: like(None, head[part]) for part in PARTS if head[part]}
    if "optimizer_state" in parts:
        parts["optimizer_state"] = _with_indices(parts["optimizer_state"])
    return {MODEL: {}, **parts}, head[_METADATA]


def _with_indices(state: dict[str, Any]) -> dict[str, Any]:
    """Gives the state of an optimizer, or of each of several, its map by numbers back (TR-STATE-005)."""
    if "param_groups" not in state:
        return {name: _with_indices(one) if isinstance(one, dict) else one for name, one in state.items()}
    entries = state.get("state")
    return {**state, "state": dict(entries)} if isinstance(entries, list) else state


def export_bytes(state: Mapping[str, Any], metadata: dict[str, Tree]) -> bytes:
    """Returns a file in the format of torch that `torch.load(path, weights_only=True)` opens.

    Raises:
        CheckpointError: `unserializable_value` with the path, phase `encode`.

    Spec: CPC-MAN-006.
    """
    parts = dict(state) if kind_of(state) == _FULL else {MODEL: state}
    parts.pop(_METADATA, None)
    whole = {**parts, _METADATA: metadata}
    TreeMaker().tree(whole, "state")  # refuses, with the path, what only unpickling code can bring back
    buffer = io.BytesIO()
    torch.save(_plain(whole), buffer)
    return buffer.getvalue()


def _plain(value: Any) -> Any:  # noqa: ANN401 - any live value
    if isinstance(value, torch.Tensor):
        tensor = value.detach().cpu()
        is_part = tensor.untyped_storage().nbytes() > tensor.numel() * tensor.element_size()
        return tensor.clone() if is_part else tensor  # a view would bring all of its storage along
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value))
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value) if type(value) in {list, tuple} else list(map(_plain, value))
    return value


def read_export(path: str | os.PathLike[str]) -> tuple[dict[str, LiveTree], dict[str, LiveTree]]:
    """Reads an export, running no code of it, and returns state and metadata.

    A file that something else has saved with `torch.save` is all state, with empty metadata.

    Raises:
        CheckpointError: `file_not_found`, or `not_a_checkpoint` for what is no file of plain values.

    Spec: CPC-MAN-007.
    """
    name, ops = os.fspath(path), PosixStorage()
    with IoRefusals(name):
        file = ops.open(name)
        try:
            data = ops.read(file, 0, ops.size(file))
        finally:
            ops.close(file)
    try:
        loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except (EOFError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        message = f"{name}: {type(error).__name__} of torch.load; expected a file of tensors and plain values"
        raise refuse("not_a_checkpoint", message) from error
    if not isinstance(loaded, dict) or not {MODEL, _METADATA} <= loaded.keys():
        return loaded, {}
    metadata = loaded.pop(_METADATA)
    return (loaded[MODEL] if metadata.get("kind") == _WEIGHTS else loaded), metadata
