"""What a trainer cannot save, resume or drive, refused before anything is trained."""

from __future__ import annotations

import inspect

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from tenuto.reference.errors import CheckpointError, ConfigError
from tenuto.reference.trainer.torch_model import extras, innermost
from tenuto.reference.trainer.torch_tree import TreeMaker

__all__ = ["check_model", "check_settings"]


def check_settings(optimizer: torch.optim.Optimizer, scheduler: LRScheduler | None, scheduler_interval: str) -> None:
    """Refuses settings that do not go together.

    Raises:
        ConfigError: `invalid_setting`.
    """
    if scheduler_interval not in {"epoch", "batch"}:
        raise _invalid(f"scheduler_interval: {scheduler_interval!r}; expected 'epoch' or 'batch'")
    if isinstance(scheduler, ReduceLROnPlateau) and scheduler_interval == "batch":
        raise _invalid("scheduler_interval: 'batch' with ReduceLROnPlateau; expected 'epoch', where a metric is known")
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        name = type(optimizer).__name__
        raise _invalid(f"optimizer: {name}, which needs a closure; expected one that steps without")


def check_model(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Refuses a model of which something could not be saved or restored.

    Raises:
        ConfigError: `unsupported_model`.

    Spec: TR-STATE-001, TR-REST-002.
    """
    own = extras(model)
    for name, value in innermost(model).state_dict().items():
        if name in own:
            _check_extra(model, name, value)
        else:
            _check_weight(name, value)
    known = {id(parameter) for parameter in model.parameters()}
    used = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    strangers = sum(id(parameter) not in known for parameter in used)
    if strangers:
        message = f"optimizer: {strangers} of {len(used)} parameters are not in the model; expected all, to save them"
        raise _unsupported(message)


def _check_weight(name: str, value: object) -> None:
    if not isinstance(value, torch.Tensor):
        raise _unsupported(f"model {name}: {type(value).__name__} in its state_dict; expected a tensor, or extra state")
    # what torch itself refuses to write to, which would be found at the restore
    if any(stride == 0 and size > 1 for stride, size in zip(value.stride(), value.shape, strict=True)):
        raise _unsupported(f"model {name}: elements that share memory (expand); expected a tensor of its own (clone)")


def _check_extra(model: nn.Module, name: str, value: object) -> None:
    module = innermost(model).get_submodule(name.rpartition(".")[0])
    if type(module).set_extra_state is nn.Module.set_extra_state:
        raise _unsupported(f"model {name}: {type(module).__name__} has no set_extra_state; expected one, to restore it")
    try:
        TreeMaker(copy=False).tree(value, f"model {name}")
    except CheckpointError as error:
        raise _unsupported(str(error)) from error


def _invalid(message: str) -> ConfigError:
    return ConfigError("invalid_setting", message)


def _unsupported(message: str) -> ConfigError:
    return ConfigError("unsupported_model", message)
