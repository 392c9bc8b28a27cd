"""The description of a model in a checkpoint, with its fingerprint: one form for every workload. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import xxhash

from tenuto.reference.checkpoint.canonical import pack
from tenuto.reference.checkpoint.tree import Tree

__all__ = ["describe"]

_Value = TypeVar("_Value")


def describe(
    *,
    modules: Mapping[str, str],
    trainable: Mapping[str, bool],
    shapes: Mapping[str, Sequence[str | int]],
    parameter_count: int,
) -> dict[str, Tree]:
    """Returns `metadata.architecture`.

    Args:
        modules: Name -> kind of each module; the model itself has the empty name.
        trainable: Name of each parameter -> whether it is trained.
        shapes: Name of each tensor of `model_state` -> its dtype, then its sizes.
        parameter_count: Elements of all parameters.

    Spec: TR-STATE-008, TR-STATE-009.
    """
    parts = [_sorted(modules), _sorted(trainable), _sorted({name: list(form) for name, form in shapes.items()})]
    return {
        "modules": dict(modules),
        "trainable": dict(trainable),
        "parameter_count": parameter_count,
        "fingerprint": xxhash.xxh64_hexdigest(pack(parts)),
    }


def _sorted(named: Mapping[str, _Value]) -> dict[str, _Value]:
    """Returns the map in the order of a canonical one.

    Spec: CKPT-CANON-002.
    """
    return dict(sorted(named.items(), key=lambda pair: pair[0].encode("utf-8")))
