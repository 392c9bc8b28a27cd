"""The whole space of small selections: every sequence of two values, NaN and a missing one, under every setting.

With one monitor each sequence is a run of its own, and all runs of one setting are one case. With several monitors the
sequences of one setting share a few runs, and may be longer. Sequences of the greatest length suffice: what is saved
and told after each epoch shows the list after each beginning.

Spec: CPC-BEST-001 to CPC-BEST-006, CPC-BEST-010 to CPC-BEST-012, CPC-WHEN-003.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from attrs import frozen

from tenuto.conformance_tests.oracle.document import Json
from tenuto.conformance_tests.oracle.tree import Tree
from tenuto.conformance_tests.scenarios.build import saving, scenario

LENGTH: Final = 5
MONITORS: Final = 64  # of one run
LOW, HIGH = 0.5, 0.75  # the distance is 0.25, to the last bit
SYMBOLS: Final = (LOW, HIGH, math.nan, None)
REQ: Final = (
    *("CPC-BEST-001", "CPC-BEST-002", "CPC-BEST-003", "CPC-BEST-004", "CPC-BEST-005", "CPC-BEST-006"),
    *("CPC-BEST-010", "CPC-BEST-011", "CPC-BEST-012", "CPC-WHEN-003", "CPC-NAME-003", "CB-METRIC-011"),
)


@frozen
class Selection:
    """Settings under which values are chosen.

    Attributes:
        mode: Which values are better.
        slots: `save_top_k`.
        min_delta: By how much rank 1 has to improve.
    """

    mode: str
    slots: int
    min_delta: float = 0.0

    @property
    def name(self) -> str:
        """The end of the id of its case."""
        return f"{self.mode}-{self.slots}" + (f"-delta-{self.min_delta}" if self.min_delta else "")

    def settings(self) -> dict[str, Tree]:
        """The settings of a monitor."""
        return {"mode": self.mode, "save_top_k": self.slots, "min_delta": self.min_delta}

    @property
    def length(self) -> int:
        """The length of the sequences with one monitor: a run for each of the greatest would take minutes.

        The lists of `max` are those of `min` with the values exchanged; `shared_scenarios` has all of both.
        """
        return 3 if self.mode == "min" else 2


def selections() -> list[Selection]:
    """Returns all settings; a `min_delta` of exactly the distance does not count, one below it does."""
    modes = ("min", "max")
    found = [Selection(mode, slots) for mode in modes for slots in (1, 2, 3)]
    return found + [Selection(mode, 1, delta) for mode in modes for delta in (0.25, 0.125)]


def single_scenarios(selection: Selection) -> Iterator[tuple[str, dict[str, Json]]]:
    """Yields a run for each sequence, with its values as text: nothing is saved but the best."""
    for values in itertools.product(SYMBOLS, repeat=selection.length):
        yield _text(values), _scenario(selection.settings(), {"val_loss": values})


def shared_scenarios(selection: Selection) -> Iterator[tuple[str, dict[str, Json]]]:
    """Yields runs in which each monitor has a sequence of the greatest length."""
    sequences = list(itertools.product(SYMBOLS, repeat=LENGTH))
    for start in range(0, len(sequences), MONITORS):
        metrics = {f"val_{at:04d}": values for at, values in enumerate(sequences[start : start + MONITORS], start)}
        monitors: list[Tree] = [selection.settings() | {"monitor": name} for name in metrics]
        yield f"sequences from {start} on", _scenario({"monitors": monitors}, metrics)


def _scenario(settings: Mapping[str, Tree], metrics: Mapping[str, Sequence[float | None]]) -> dict[str, Json]:
    """Returns a training of one sample, one feature and one unit."""
    quiet: dict[str, Tree] = {"save_frequency": None, "latest": "none", "save_on_train_end": False, "verify": "none"}
    return scenario(
        max(map(len, metrics.values())),
        [saving(**settings, **quiet)],
        workload={"samples": 1, "validation_samples": 1, "features": 1, "hidden": 1},
        metrics=metrics,
    )


def _text(values: Sequence[float | None]) -> str:
    return ", ".join("missing" if value is None else str(value) for value in values)
