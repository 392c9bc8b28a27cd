"""The state of a torch optimizer: captured, checked, restored exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import torch

from tenuto.reference.checkpoint.tree import Tensor, Tree
from tenuto.reference.trainer.torch_tree import TreeMaker, like, to_torch

__all__ = ["capture", "mismatches", "restore"]

# Whose tensors have the shape of their parameter, or are single numbers.
_ELEMENTWISE: Final = frozenset(
    getattr(torch.optim, name)
    for name in ("SGD", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Adadelta", "Adagrad", "RMSprop", "Rprop", "ASGD")
)


def capture(optimizer: torch.optim.Optimizer, maker: TreeMaker) -> Tree:
    """Returns `state`, an array of `[index, map]`, and `param_groups`.

    Spec: TR-STATE-005.
    """
    state = optimizer.state_dict()
    per_parameter: list[Tree] = [
        [index, maker.tree(state["state"][index], f"state[{index}]")] for index in sorted(state["state"])
    ]
    return {"state": per_parameter, "param_groups": maker.tree(state["param_groups"], "param_groups")}


def mismatches(optimizer: torch.optim.Optimizer, saved: Any, path: str) -> list[str]:  # noqa: ANN401 - from a file
    """Returns every difference in number and size of groups, and in the shapes of per-parameter state.

    Spec: TR-REST-001.
    """
    live = optimizer.state_dict()["param_groups"]
    try:
        sizes = [len(group["params"]) for group in saved["param_groups"]]
        entries = [(int(index), entry) for index, entry in saved["state"]]
    except (KeyError, TypeError, ValueError):
        return [f"{path}: not the state of an optimizer"]
    if sizes != [len(group["params"]) for group in live]:
        wanted = [len(group["params"]) for group in live]
        return [f"{path}.param_groups: {sizes} parameters in the file, {wanted} in the optimizer"]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    found = []
    for index, entry in entries:
        if not 0 <= index < len(parameters):
            found.append(f"{path}.state[{index}]: no parameter of this number")
        elif not isinstance(entry, dict):
            found.append(f"{path}.state[{index}]: no map in the file")
        else:
            found += _shapes(optimizer, parameters[index], entry, f"{path}.state[{index}]")
    return found


def _shapes(
    optimizer: torch.optim.Optimizer, parameter: torch.Tensor, entry: dict[str, Tree], path: str
) -> Iterator[str]:
    live = optimizer.state.get(parameter, {})
    for name, value in entry.items():
        if not isinstance(value, Tensor):
            continue
        if isinstance(live.get(name), torch.Tensor):
            fitting = {tuple(live[name].shape)}
        elif type(optimizer) in _ELEMENTWISE:
            fitting = {(), (1,), tuple(parameter.shape)}
        else:
            continue  # before its first step nobody but the optimizer knows: Adafactor keeps rows and columns
        if value.shape not in fitting:
            shapes = " or ".join(str(shape) for shape in sorted(fitting, key=len))
            yield f"{path}.{name}: shape {value.shape} in the file, {shapes} in the optimizer"


def restore(optimizer: torch.optim.Optimizer, saved: Any) -> Callable[[], None]:  # noqa: ANN401 - from a file
    """Loads a state and puts back what torch casts while loading.

    Returns:
        A function that gives the optimizer its former state back: loading replaces the old objects, it does not change
        them.

    Spec: TR-REST-002, TR-REST-004.
    """
    former = {"state": optimizer.state, "param_groups": optimizer.param_groups}
    template = optimizer.state_dict()
    entries = {int(index): like(template["state"].get(index), entry) for index, entry in saved["state"]}
    groups = [like(live, group) for live, group in zip(template["param_groups"], saved["param_groups"], strict=True)]

    def undo() -> None:
        optimizer.__setstate__(former)

    try:
        optimizer.load_state_dict({"state": entries, "param_groups": groups})
        _undo_casts(optimizer, saved["state"])
        # torch's note that step() was called, which it was, before the save: schedulers warn without it
        optimizer._opt_called = True  # type: ignore[attr-defined]
    except BaseException:
        undo()
        raise
    return undo


def _undo_casts(optimizer: torch.optim.Optimizer, saved: Any) -> None:  # noqa: ANN401 - from a file
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, entry in saved:
        live = optimizer.state[parameters[index]]
        for name, value in entry.items():
            if isinstance(value, Tensor) and to_torch(value).dtype != live[name].dtype:
                live[name] = to_torch(value).to(live[name].device)
