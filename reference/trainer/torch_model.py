"""The weights of a model: described, captured, checked, loaded."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import nn

from tenuto.reference.checkpoint.tree import Tensor, Tree
from tenuto.reference.trainer import architecture
from tenuto.reference.trainer.torch_tree import TreeMaker, borrowed, dtype_name, like

__all__ = [
    "capture",
    "describe",
    "extras",
    "innermost",
    "mismatches",
    "module_of",
    "parameters",
    "restore",
    "set_extra",
    "state_of",
]

_EXTRA = "_extra_state"  # torch's name for what `get_extra_state` of a module returns
_COMPILED = "_orig_mod"  # the compiler's name for the module that it wraps


def innermost(model: nn.Module) -> nn.Module:
    """Returns the model inside what `torch.compile` and data-parallel training wrapped around it.

    By type, not by name: a user's model may well have a part called `module`.
    """
    while True:
        if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            model = model.module
        elif any(kind.__name__ == "OptimizedModule" for kind in type(model).__mro__):  # its module loads the compiler
            inner = model._modules[_COMPILED]
            assert inner is not None  # noqa: S101 - the compiler has put it there
            model = inner
        else:
            return model


def _plain(name: str) -> str:
    """Returns the name that something has where no part of the model is compiled.

    Spec: TR-STATE-007.
    """
    return ".".join(part for part in name.split(".") if part != _COMPILED)


def state_of(model: nn.Module) -> dict[str, Any]:
    """Returns weights, buffers and extra states by name, as they live."""
    return {_plain(name): value for name, value in innermost(model).state_dict().items()}


def _modules(model: nn.Module) -> dict[str, nn.Module]:
    """Returns the modules by name; the one inside a wrapper comes after it and takes its place."""
    return {_plain(name): module for name, module in innermost(model).named_modules()}


def parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Returns the parameters of the innermost model by name, tied ones once."""
    return {_plain(name): parameter for name, parameter in innermost(model).named_parameters()}


def _is_extra(name: str) -> bool:
    return name.rpartition(".")[2] == _EXTRA


def _live(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value for name, value in state_of(model).items() if not _is_extra(name)}


def extras(model: nn.Module) -> dict[str, Any]:
    """Returns what the modules save beside weights and buffers, by name."""
    return {name: value for name, value in state_of(model).items() if _is_extra(name)}


def describe(model: nn.Module) -> dict[str, Tree]:
    """Returns names and kinds of everything in the model, as text, and a fingerprint of it.

    Spec: TR-STATE-002, TR-STATE-008, TR-STATE-009.
    """
    return architecture.describe(
        modules={name: type(module).__name__ for name, module in _modules(model).items()},
        trainable={name: value.requires_grad for name, value in parameters(model).items()},
        shapes={name: (dtype_name(value.dtype), *value.shape) for name, value in _live(model).items()},
        parameter_count=sum(value.numel() for value in model.parameters()),
    )


def capture(model: nn.Module, maker: TreeMaker) -> Tree:
    """Returns the weights, buffers and extra states by name.

    Spec: TR-STATE-001.
    """
    return {name: maker.tree(value, f"model_state.{name}") for name, value in state_of(model).items()}


def mismatches(model: nn.Module, saved: Tree) -> list[str]:
    """Returns every weight that is missing, unexpected, or of another shape or dtype.

    Spec: TR-REST-001, TR-REST-018.
    """
    live = state_of(model)
    if not isinstance(saved, dict):
        return ["model_state: not a map in the file"]
    found = [f"model_state.{name}: in the file, not in the model" for name in sorted(saved.keys() - live.keys())]
    found += [f"model_state.{name}: in the model, not in the file" for name in sorted(live.keys() - saved.keys())]
    for name in sorted(saved.keys() & live.keys()):
        if not _is_extra(name):
            found += _differences(f"model_state.{name}", live[name], saved[name])
    return [*found, *_torn(_live(model), saved)]


def _torn(live: dict[str, torch.Tensor], saved: dict[str, Tree]) -> Iterator[str]:
    """Yields the names of tied weights that have other data in the file than the first name of the same tensor.

    Spec: TR-REST-018.
    """
    first: dict[Any, str] = {}
    for name, value in live.items():
        tensor = saved.get(name)
        if isinstance(tensor, Tensor) and value.numel():
            place = (value.data_ptr(), value.dtype, value.shape, value.stride())
            other = first.setdefault(place, name)
            if not _is_same(tensor, saved[other]):
                yield f"model_state.{name}: other data than {other} in the file, one tensor in the model"


def _is_same(one: Tensor, other: Tree) -> bool:
    assert isinstance(other, Tensor)  # noqa: S101 - it was one when it was noted
    # a comparison of memoryviews would go byte by byte
    return one is other or np.array_equal(np.frombuffer(one.data, np.uint8), np.frombuffer(other.data, np.uint8))


def _differences(path: str, live: torch.Tensor, saved: Tree) -> Iterator[str]:
    if not isinstance(saved, Tensor):
        yield f"{path}: no tensor in the file"
        return
    if saved.dtype != dtype_name(live.dtype):
        yield f"{path}: dtype {saved.dtype} in the file, {dtype_name(live.dtype)} in the model"
    if saved.shape != tuple(live.shape):
        yield f"{path}: shape {saved.shape} in the file, {tuple(live.shape)} in the model"


def restore(model: nn.Module, saved: Tree, undo: ExitStack) -> None:
    """Takes over the weights and extra states that a map has; what it does not have stays as it is.

    Args:
        model: Changed in place.
        saved: What `mismatches` has nothing against.
        undo: Gets what gives everything its former state back.

    Spec: TR-REST-002, TR-REST-009, TR-REST-010.
    """
    assert isinstance(saved, dict)  # noqa: S101 - `mismatches` has checked it
    weights, former_weights = _paired(model, saved), list[tuple[torch.Tensor, torch.Tensor]]()
    for name, former in copy.deepcopy(extras(model)).items():
        if name in saved:
            undo.callback(set_extra, model, name, former)
            set_extra(model, name, like(former, saved[name]))
    undo.callback(_put_back, former_weights)
    _replace(weights, former_weights)


def _paired(model: nn.Module, saved: dict[str, Tree]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Returns live weights, each with the saved one, which is borrowed: a copy would take as long as all the rest."""
    pairs = []
    for name, value in _live(model).items():
        if name in saved:
            tensor = saved[name]
            assert isinstance(tensor, Tensor)  # noqa: S101 - `mismatches` has checked it
            pairs.append((value, borrowed(tensor)))
    return pairs


def _replace(pairs: list[tuple[torch.Tensor, torch.Tensor]], former: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Copies saved weights into live ones; `former` gets each live one with what it was, before it changes."""
    with torch.no_grad():
        for live, saved in pairs:
            former.append((live, live.clone()))
            live.copy_(saved)


def _put_back(former: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Gives weights their former data; last first, as tied weights were replaced several times."""
    with torch.no_grad():
        for live, value in reversed(former):
            live.copy_(value)


def set_extra(model: nn.Module, name: str, value: Any) -> None:  # noqa: ANN401 - whatever the module saved
    """Gives the module of this name an extra state."""
    module_of(model, name).set_extra_state(value)


def module_of(model: nn.Module, name: str) -> nn.Module:
    """Returns the module that something of this name belongs to."""
    return _modules(model)[name.rpartition(".")[0]]
