"""The weights of a model: described, captured, checked, loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator

import torch
import xxhash
from torch import nn

from tenuto.reference.checkpoint.tree import Tensor, Tree
from tenuto.reference.trainer.torch_tree import TreeMaker, dtype_name, to_torch

__all__ = ["assign", "capture", "describe", "load", "mismatches"]

_WRAPPERS = ("_orig_mod.", "module.")


def _plain(name: str) -> str:
    """Removes what `torch.compile` and data-parallel wrappers put before the names of the innermost modules."""
    for wrapper in _WRAPPERS:
        name = name.replace(wrapper, "") if name.startswith(wrapper) or f".{wrapper}" in name else name
    return name


def _live(model: nn.Module) -> dict[str, torch.Tensor]:
    return {_plain(name): value for name, value in model.state_dict().items() if isinstance(value, torch.Tensor)}


def describe(model: nn.Module) -> dict[str, Tree]:
    """Returns names and kinds of everything in the model, as text, and a fingerprint of it.

    Spec: TR-STATE-002.
    """
    modules: dict[str, Tree] = {_plain(name): type(module).__name__ for name, module in model.named_modules()}
    trainable: dict[str, Tree] = {_plain(name): value.requires_grad for name, value in model.named_parameters()}
    shapes = {name: [dtype_name(value.dtype), *value.shape] for name, value in _live(model).items()}
    text = json.dumps([modules, trainable, shapes], sort_keys=True)
    return {
        "modules": modules,
        "trainable": trainable,
        "parameter_count": sum(value.numel() for value in model.parameters()),
        "fingerprint": xxhash.xxh64_hexdigest(text.encode()),
    }


def capture(model: nn.Module, maker: TreeMaker) -> Tree:
    """Returns the weights and buffers by name.

    Spec: TR-STATE-001.
    """
    return {name: maker.tree(value, f"model_state.{name}") for name, value in _live(model).items()}


def mismatches(model: nn.Module, saved: Tree) -> list[str]:
    """Returns every weight that is missing, unexpected, or of another shape or dtype.

    Spec: TR-REST-001.
    """
    live = _live(model)
    if not isinstance(saved, dict):
        return ["model_state: not a map in the file"]
    found = [f"model_state.{name}: in the file, not in the model" for name in sorted(saved.keys() - live.keys())]
    found += [f"model_state.{name}: in the model, not in the file" for name in sorted(live.keys() - saved.keys())]
    for name in sorted(saved.keys() & live.keys()):
        found += _differences(f"model_state.{name}", live[name], saved[name])
    return found


def _differences(path: str, live: torch.Tensor, saved: Tree) -> Iterator[str]:
    if not isinstance(saved, Tensor):
        yield f"{path}: no tensor in the file"
        return
    if saved.dtype != dtype_name(live.dtype):
        yield f"{path}: dtype {saved.dtype} in the file, {dtype_name(live.dtype)} in the model"
    if saved.shape != tuple(live.shape):
        yield f"{path}: shape {saved.shape} in the file, {tuple(live.shape)} in the model"


def load(model: nn.Module, saved: Tree) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Brings saved weights to the devices of the live ones and pairs them, changing nothing yet."""
    assert isinstance(saved, dict)  # noqa: S101 - `mismatches` has checked it
    pairs = []
    for name, value in _live(model).items():
        tensor = saved[name]
        assert isinstance(tensor, Tensor)  # noqa: S101 - as above
        pairs.append((value, to_torch(tensor).to(value.device)))
    return pairs


def assign(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Copies saved weights into the live ones; tied weights stay tied."""
    with torch.no_grad():
        for live, saved in pairs:
            live.copy_(saved)
