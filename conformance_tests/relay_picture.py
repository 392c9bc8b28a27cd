"""A picture of trainings that ports hand over to each other: who trained which batches, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import frozen

from tenuto.conformance_tests.judge import Judgement, Verdict
from tenuto.conformance_tests.scenarios.families.resumes import BATCHES, EPOCHS
from tenuto.conformance_tests.scenarios.script import Act, Script

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Leg", "draw_relay", "turns"]

_COLORS: Final = ("tab:blue", "tab:orange")


@frozen
class Leg:
    """What came of one training that was handed over.

    Attributes:
        script: The training, and where it was interrupted.
        judgement: Of the files, the events and the replies of both ports.
    """

    script: Script
    judgement: Judgement


def turns(script: Script) -> list[tuple[int, int]]:
    """Returns the batches that each attempt trains: from which one on, and up to which."""
    found, start = [], 0
    for act in script.attempts:
        end = min(start + _batches(act), EPOCHS * BATCHES)
        found.append((start, end))
        start = end
    return found


def _batches(act: Act) -> int:
    """Returns how many batches an attempt trains before it is stopped; more than there are if it is not."""
    callbacks: Any = act.scenario["callbacks"]
    for one in (one for callback in callbacks for one in callback.get("actions", ())):
        batches = {"on_train_start": 0, "on_batch_end": 1, "on_epoch_end": BATCHES}[one["hook"]]
        return batches * int(one["call"].removeprefix("i:"))
    return EPOCHS * BATCHES


def draw_relay(path: Path, legs: Mapping[tuple[str, str], Sequence[Leg]]) -> None:
    """Draws each training as a row, in the colors of the ports that trained it.

    Args:
        path: Of the PNG.
        legs: The names of the port that began and of the other one -> what came of it.
    """
    import matplotlib as mpl  # noqa: PLC0415 - slow to import, and only needed here

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after the choice of a backend without a screen
    from matplotlib.lines import Line2D  # noqa: PLC0415 - as above
    from matplotlib.patches import Patch  # noqa: PLC0415 - as above

    height = 1.5 + 0.17 * max(map(len, legs.values()))
    figure, axes = plt.subplots(1, len(legs), figsize=(7 * len(legs), height), layout="constrained", squeeze=False)
    colors = dict(zip(dict.fromkeys(name for pair in legs for name in pair), _COLORS, strict=False))
    for axis, (pair, found) in zip(axes[0], legs.items(), strict=True):
        for row, leg in enumerate(found):
            _draw_row(axis, row, leg, [colors[name] for name in pair])
        equal = sum(leg.judgement.verdict is Verdict.PASS for leg in found)
        axis.set_title(f"{pair[0]} begins: {equal} of {len(found)} end alike", fontsize=10)
        axis.set_yticks(range(len(found)), [leg.script.id.removeprefix("SC-") for leg in found], fontsize=6)
        axis.set_xlim(-0.2, EPOCHS * BATCHES + 0.5)
        axis.set_ylim(len(found) - 0.4, -0.6)
        axis.set_xlabel("batches trained")
    marks = [Patch(color=color, label=f"trained by {name}") for name, color in colors.items()]
    dot = Line2D(
        [], [], linestyle="", marker="o", color="white", markeredgecolor="black", label="saved and handed over"
    )
    same = Line2D([], [], linestyle="", marker="$=$", color="tab:green", label="the files of an uninterrupted training")
    figure.legend(handles=[*marks, dot, same], loc="outside lower center", ncols=4, fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_row(axis: Axes, row: int, leg: Leg, colors: Sequence[str]) -> None:
    for attempt, (start, end) in enumerate(turns(leg.script)):
        axis.barh(row, end - start, left=start, height=0.7, color=colors[attempt % 2])
        if attempt:
            axis.plot(start, row, marker="o", markersize=4, color="white", markeredgecolor="black", markeredgewidth=0.6)
    passed = leg.judgement.verdict is Verdict.PASS
    text, color = ("=", "tab:green") if passed else ("x", "tab:red")
    axis.text(EPOCHS * BATCHES + 0.15, row, text, color=color, va="center", fontweight="bold")
