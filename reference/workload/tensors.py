"""Between lists of numbers and the tensors of a checkpoint: little-endian, C order. Pure."""

from __future__ import annotations

import math
import struct
from typing import Final

from tenuto.reference.checkpoint.constants import CANONICAL_NAN
from tenuto.reference.checkpoint.tree import Tensor, Tree
from tenuto.reference.workload.form import TensorForm
from tenuto.reference.workload.generator import WORD
from tenuto.reference.workload.network import PARAMETERS, Values

__all__ = [
    "COUNTER",
    "from_counter",
    "from_named",
    "from_tensor",
    "parameter_forms",
    "to_counter",
    "to_named",
    "to_tensor",
]

COUNTER: Final = TensorForm("int64", ())


def parameter_forms(features: int, hidden: int) -> list[TensorForm]:
    """Returns the forms of the parameters, in the order of `PARAMETERS`.

    Spec: RW-MODEL-001, RW-STATE-001.
    """
    return [TensorForm("float64", shape) for shape in ((hidden, features), (hidden,), (1, hidden), (1,))]


def to_tensor(values: list[float], form: TensorForm) -> Tensor:
    """Returns a tensor with a copy of float64 values; every NaN in it has the same bits.

    Spec: CKPT-VAL-005, RW-STATE-009.
    """
    canonical = [CANONICAL_NAN if math.isnan(value) else value for value in values]
    return Tensor(form.dtype, form.shape, struct.pack(f"<{len(canonical)}d", *canonical))


def from_tensor(tensor: Tree) -> list[float]:
    """Returns the values of a float64 tensor."""
    assert isinstance(tensor, Tensor)  # noqa: S101 - its form has been compared
    return list(struct.unpack(f"<{math.prod(tensor.shape)}d", tensor.data))


def to_named(values: Values, forms: list[TensorForm]) -> dict[str, Tree]:
    """Returns tensors by the names of the parameters.

    Spec: RW-STATE-001, RW-STATE-005.
    """
    return {name: to_tensor(part, form) for name, part, form in zip(PARAMETERS, values, forms, strict=True)}


def from_named(named: Tree) -> Values:
    """Returns the values of tensors by the names of the parameters; other names are left out."""
    assert isinstance(named, dict)  # noqa: S101 - its form has been compared
    return [from_tensor(named[name]) for name in PARAMETERS]


def to_counter(count: int) -> Tensor:
    """Returns an int64 tensor without dimensions; a count that a broken file brought to its end wraps as int64 does."""
    return Tensor(COUNTER.dtype, COUNTER.shape, struct.pack("<Q", count % WORD))


def from_counter(tensor: Tree) -> int:
    """Returns the number in an int64 tensor without dimensions."""
    assert isinstance(tensor, Tensor)  # noqa: S101 - its form has been compared
    (count,) = struct.unpack("<q", tensor.data)
    return int(count)
