"""What a step measures: flat, without waiting for the device before the update is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from tenuto.reference.errors import TenutoError
from tenuto.reference.trainer.metrics import as_float, flat_names

__all__ = ["flat_values", "loss_of", "number"]


def flat_values(metrics: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever a user's step returns
    """Flattens what a step returned and checks that every value is one number; tensors stay tensors.

    Raises:
        TenutoError: `invalid_metric` or `duplicate_metric`, phase `train`.

    Spec: CB-METRIC-001, CB-METRIC-002.
    """
    if type(metrics) is not dict and not isinstance(metrics, Mapping):
        raise _invalid(f"step: {type(metrics).__name__}; expected a map of metrics with 'loss' among them")
    flat = dict(metrics) if _are_tensors(metrics) else flat_names(metrics)
    for name, value in flat.items():
        if not isinstance(value, torch.Tensor):
            flat[name] = as_float(name, value)
        elif value.numel() != 1 or value.is_complex():
            raise _invalid(f"metric {name!r}: {value.dtype} tensor of shape {tuple(value.shape)}; expected one number")
    return flat


def _are_tensors(metrics: Mapping[Any, Any]) -> bool:
    """Returns whether there is nothing to flatten, as nearly always: a batch should not wait for more."""
    for name, value in metrics.items():
        if type(name) is not str or not name or type(value) is not torch.Tensor:
            return False
    return True


def loss_of(metrics: Mapping[str, Any]) -> torch.Tensor:
    """Returns the tensor to be differentiated.

    Raises:
        TenutoError: `invalid_metric`, phase `train`.
    """
    loss = metrics.get("loss")
    if loss is None:
        given = ", ".join(sorted(metrics)) or "none"
        raise _invalid(f"step: metrics {given}; expected 'loss' among them")
    if not isinstance(loss, torch.Tensor):
        raise _invalid("metric 'loss': a plain number; expected a tensor that backward() can start from")
    return loss


def number(name: str, value: Any) -> float:  # noqa: ANN401 - a tensor or a number
    """Returns the value of a metric; waits for the device if it is there."""
    given = value.item() if isinstance(value, torch.Tensor) else value
    return given if type(given) is float else as_float(name, given)


def _invalid(message: str) -> TenutoError:
    return TenutoError("invalid_metric", message, phase="train")
