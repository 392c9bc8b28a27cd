"""The gradients of an open accumulation window: captured, checked, restored."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn

from tenuto.reference.checkpoint.tree import Tensor, Tree
from tenuto.reference.trainer.torch_model import parameters
from tenuto.reference.trainer.torch_tree import TreeMaker, dtype_name, to_torch

__all__ = ["capture", "mismatches", "restore"]

_PATH = "trainer_state.gradients"


def capture(model: nn.Module, maker: TreeMaker) -> dict[str, Tree]:
    """Returns the gradients by the names of their parameters; a parameter that has none has no entry.

    Spec: TR-STATE-010.
    """
    named = parameters(model).items()
    return {name: maker.tree(one.grad, f"{_PATH}.{name}") for name, one in named if one.grad is not None}


def mismatches(model: nn.Module, saved: Tree) -> Iterator[str]:
    """Yields every gradient that no trained parameter has, or that has another shape or dtype.

    Spec: TR-REST-001.
    """
    live = parameters(model)
    if not isinstance(saved, dict):
        yield f"{_PATH}: not a map in the file"
        return
    for name, value in saved.items():
        if name not in live:
            yield f"{_PATH}.{name}: in the file, not in the model"
        elif not isinstance(value, Tensor):
            yield f"{_PATH}.{name}: no tensor in the file"
        elif (value.dtype, value.shape) != (dtype_name(live[name].dtype), tuple(live[name].shape)):
            yield f"{_PATH}.{name}: {value.dtype} of shape {value.shape}; expected that of the parameter"


def restore(model: nn.Module, saved: Tree) -> Callable[[], None]:
    """Gives the parameters their saved gradients, and none where there is none.

    Args:
        model: Whose parameters they are.
        saved: What `capture` returned; None for no open window.

    Returns:
        A function that gives the parameters their former gradients back.

    Spec: TR-REST-002, TR-REST-013.
    """
    named = parameters(model)
    former = {name: parameter.grad for name, parameter in named.items()}

    def undo() -> None:
        for name, gradient in former.items():
            named[name].grad = gradient

    gradients = saved if isinstance(saved, dict) else {}
    for name, parameter in named.items():
        tensor = gradients.get(name)
        parameter.grad = _on_device(tensor, parameter) if isinstance(tensor, Tensor) else None
    return undo


def _on_device(tensor: Tensor, parameter: torch.Tensor) -> torch.Tensor:
    return to_torch(tensor).to(parameter.device)
