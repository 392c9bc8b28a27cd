"""Every setting just outside its range, of another type, and unknown: refused before anything happens.

Spec: RW-SET-001, TR-SET-001, CPC-SET-001, CPC-SET-002, CB-EARLY-007, ERR-CODE-005.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from attrs import frozen

from tenuto.conformance_tests.oracle.document import Json, Writer
from tenuto.conformance_tests.oracle.tree import Tree
from tenuto.conformance_tests.scenarios.build import observer, saving, scenario
from tenuto.conformance_tests.scenarios.script import Act, Expect, Script

_REFUSED: Final = Expect(
    reply={"reply": "error", "code": "invalid_setting", "phase": "config"}, files=(), log=(), saved=(), deleted=()
)
_TINY: Final = 5e-324


def _integers(least: int, greatest: int | None = None) -> list[Tree]:
    """Returns what an integer from `least` to `greatest` is not."""
    above: list[Tree] = [] if greatest is None else [greatest + 1]
    return [least - 1, *above, float(least + 1), True, "1", None]


def _floats(*outside: float) -> list[Tree]:
    """Returns what a finite float64 is not, and values outside of its range; an integer is of another type."""
    return [*outside, math.nan, math.inf, -math.inf, 1, True, "0.5", None]


# The ranges of section 1 of 50-reference-workload.md.
_WORKLOAD: Final[Mapping[str, Sequence[Tree]]] = {
    "seed": _integers(0, 2**63 - 1),
    **{name: _integers(1, 65536) for name in ("samples", "batch_size", "accumulate", "step_size")},
    **{name: _integers(0, 65536) for name in ("validation_samples", "warmup", "patience", "cooldown")},
    **{name: _integers(1, 64) for name in ("features", "hidden")},
    **{name: _floats(-_TINY, 1.0) for name in ("dropout", "momentum", "beta1", "beta2")},
    **{name: _floats(0.0, -1.0) for name in ("lr", "epsilon", "gamma", "factor")},
    **{name: _floats(-_TINY) for name in ("threshold", "min_lr")},
    "optimizer": ["SGD", "", 0, None],
    "scheduler": ["step", "", None, False],
    "sample": [1],
}

# That of section 1 of 30-trainer.md.
_TRAINER: Final[dict[str, Sequence[Tree]]] = {
    "max_epochs": _integers(1),
    "validate_every": _integers(1),
}
_LIMITS: Final[dict[str, Sequence[Tree]]] = {
    "max_steps": [0, -1, 1.0, True, "1"],
    "max_seconds": [0.0, -1.0, math.nan, math.inf, True, "1"],
    "on_unusable_checkpoint": ["ignore", None, 0],
    "require_exact": [0, "true", None],
}

# That of section 1 of 20-checkpoint-callback.md; an integer is taken for a float64, nil is a value of some.
_SWITCHES: Final = (
    *("save_best", "overwrite", "keep_best_latest", "save_on_exception", "save_on_train_end", "save_final_weights"),
    *("strict_monitor", "async_save"),
)
_CHECKPOINT: Final[Mapping[str, Sequence[Tree]]] = {
    **{name: [0, -1, 1.0, True, "1"] for name in ("save_frequency", "save_every_steps", "save_top_k", "keep_last_n")},
    "save_every_seconds": [0, 0.0, -1.0, math.nan, math.inf, True, "1"],
    "max_save_failures": [0, -1, 1.0, True, "1", None],
    "min_delta": [-1, -_TINY, math.nan, math.inf, True, "0.5", None],
    "monitor": ["", 1, None],
    "mode": ["less", "MIN", None, 0],
    "latest": ["hard", "", None, True],
    "layout": ["deep", None, 0],
    "compression": ["gzip", "", 1],
    "verify": ["full", None, True],
    "monitors": [[], "val_loss", [{}], [{"monitor": ""}], [{"monitor": "a", "mode": "less"}], [{"name": "a"}]],
    **{name: [1, 0, "true", None] for name in _SWITCHES},
    "keep_last": [1],
}

# That of section 6 of 10-callbacks.md.
_STOPPING: Final[Mapping[str, Sequence[Tree]]] = {
    "monitor": ["", 1, None],
    "mode": ["less", None],
    "patience": [0, -1, 1.0, True, None],
    "min_delta": [-1.0, math.nan, math.inf, True, "0.5", None],
    "state_key": ["", 1, None],
    "wait": [1],
}


@frozen
class _Group:
    """Settings of one thing.

    Attributes:
        name: A part of the ids of its cases.
        req: What the cases show.
        profile: Of the cases.
        values: Setting -> values that are refused.
        make: Makes the scenario in which a setting has a value.
    """

    name: str
    req: tuple[str, ...]
    profile: str
    values: Mapping[str, Sequence[Tree]]
    make: Callable[[str, Tree], dict[str, Json]]


def scripts() -> Iterator[Script]:
    """Yields a case for each setting, each with an attempt for each value."""
    for group in _groups():
        for setting, values in group.values.items():
            yield Script(
                id=f"SC-SETTING-{group.name}/{setting}",
                title=f"values of {setting} that are refused",
                req=(*group.req, "SCN-OP-004", "ERR-CODE-001", "ERR-CODE-005", "GEN-NAME-001", "CB-HOOK-008"),
                profile=group.profile,
                attempts=tuple(Act(group.make(setting, value), expect=_REFUSED) for value in values),
            )


def _groups() -> list[_Group]:
    return [
        _Group("WORKLOAD", ("RW-SET-001",), "callbacks", _WORKLOAD, _in_workload),
        _Group("TRAINER", ("TR-SET-001",), "callbacks", _TRAINER | _LIMITS, _in_trainer),
        _Group("CHECKPOINT", ("CPC-SET-001", "CPC-SET-002"), "checkpoint", _CHECKPOINT, _in_saving),
        _Group("STOPPING", ("CB-EARLY-007",), "callbacks", _STOPPING, _in_stopping),
    ]


def _in_workload(setting: str, value: Tree) -> dict[str, Json]:
    return scenario(1, [observer("A")]) | {"workload": {setting: Writer().tree(value)}}


def _in_trainer(setting: str, value: Tree) -> dict[str, Json]:
    tagged = Writer().tree(value)
    return scenario(1, [observer("A")]) | ({"trainer": {setting: tagged}} if setting in _LIMITS else {setting: tagged})


def _in_saving(setting: str, value: Tree) -> dict[str, Json]:
    return scenario(1, [observer("A"), saving(**{setting: value})])


def _in_stopping(setting: str, value: Tree) -> dict[str, Json]:
    return scenario(1, [observer("A"), {"name": "E", "early_stopping": {setting: Writer().tree(value)}}])
