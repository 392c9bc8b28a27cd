"""What a trainer cannot save, resume or drive, refused before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from tenuto.reference.errors import CheckpointError, ConfigError
from tenuto.reference.trainer.torch_model import extras, module_of, state_of
from tenuto.reference.trainer.torch_tree import TreeMaker

__all__ = ["check_model"]


def check_model(model: nn.Module, optimizers: Iterable[torch.optim.Optimizer]) -> None:
    """Refuses a model of which something could not be saved or restored.

    Raises:
        ConfigError: `unsupported_model`.

    Spec: TR-STATE-001, TR-REST-002.
    """
    own = extras(model)
    for name, value in state_of(model).items():
        if name in own:
            _check_extra(model, name, value)
        else:
            _check_weight(name, value)
    known = {id(parameter) for parameter in model.parameters()}
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    used = [parameter for group in groups for parameter in group["params"]]
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
    module = module_of(model, name)
    if type(module).set_extra_state is nn.Module.set_extra_state:
        raise _unsupported(f"model {name}: {type(module).__name__} has no set_extra_state; expected one, to restore it")
    try:
        TreeMaker().tree(value, f"model {name}")
    except CheckpointError as error:
        raise _unsupported(str(error)) from error


def _unsupported(message: str) -> ConfigError:
    return ConfigError("unsupported_model", message)
