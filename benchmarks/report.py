"""What `make bench` says: a table, `bench.json`, a picture, and a page for docs/."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from attrs import asdict
from rich.table import Table

from benchmarks.measure import Bar
from benchmarks.resume_elsewhere import Resumed

__all__ = ["bar_table", "machine", "write_json", "write_page", "write_picture"]

_PACKAGES: Final = ("torch", "pytorch-ignite", "lightning", "safetensors")
_PAGE: Final = """\
# Benchmarks

Written by `python -m benchmarks.run --page docs/benchmarks.md` from one run; do not edit.

{date}, {machine}.

## Ratios and figures

Both sides of a ratio run in turn, in one run; the median of the ratios is given, with the first and last quartile.
At most the goal is right; a line without goal is there for comparison. The loops train the same small network on
batches of 8, which is the worst case for what a loop adds, on one thread; their time is that of the processor, with set-up.
What is divided by itself shows what the machine alone makes of two equal sides.
{load}

{bars}

## Killed and resumed

The same training, with dropout, shuffled data, Adam and a scheduler, is killed with SIGKILL in the middle of an epoch
and resumed from the last checkpoint that the framework itself has saved, as its documentation shows. Its final weights are
compared with those of a run that was not killed; two of those are compared first.

{resumed}
"""  # noqa: E501 - lines of a page, not of code


def machine() -> str:
    """Describes in general words where it was measured."""
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return f"{os.cpu_count()} shared {platform.machine()} cores, Python {platform.python_version()}, {', '.join(found)}"


def cells(bar: Bar) -> tuple[str, ...]:
    """Returns a bar as the cells of a row."""
    value = "not installed" if bar.value is None else f"{bar.value:.2f}"
    spread = "-" if bar.spread is None else f"{bar.spread[0]:.2f} to {bar.spread[1]:.2f}"
    goal = "-" if bar.goal is None else f"<= {bar.goal:g}"
    holds = {None: "-", True: "yes", False: "NO"}[bar.holds]
    return bar.bar, value, spread, goal, holds, str(bar.n)


_COLUMNS: Final = ("bar", "median", "quartiles", "goal", "holds", "n")


def bar_table(bars: Sequence[Bar]) -> Table:
    """Returns the bars for the terminal."""
    table = Table(*_COLUMNS)
    for bar in bars:
        table.add_row(*cells(bar))
    return table


def write_json(bars: Sequence[Bar], path: Path) -> None:
    """Writes a list of maps with the attributes of `Bar`."""
    path.write_text(json.dumps([asdict(bar) for bar in bars], indent=1) + "\n")


def write_picture(bars: Sequence[Bar], path: Path) -> None:
    """Draws each ratio with its quartiles, and a mark for its goal."""
    import matplotlib as mpl  # noqa: PLC0415 - only here, and slow to import

    mpl.use("agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415 - behind the choice of what draws

    figure, axes = plt.subplots(figsize=(11, 0.4 * len(bars) + 1.2), layout="constrained")
    for height, bar in enumerate(reversed(bars)):
        if bar.value is not None and bar.spread is not None:
            axes.barh(height, bar.value, color="tab:red" if bar.holds is False else "tab:blue")
            axes.plot(bar.spread, (height, height), color="black")
        if bar.goal is not None:
            axes.plot(bar.goal, height, "|", color="tab:orange", markersize=18, markeredgewidth=3)
    axes.set_yticks(range(len(bars)), [bar.bar for bar in reversed(bars)])
    axes.set_xscale("log")
    axes.set_xlabel("black: quartiles; orange: goal")
    figure.savefig(path)
    plt.close(figure)


def write_page(bars: Sequence[Bar], resumed: Sequence[Resumed], load: float, path: Path) -> None:
    """Writes the page; `load` is how many processes wanted a core when it began."""
    words = {True: "equal", False: "different"}
    rows = [(one.framework, words[one.repeatable], words[one.identical], f"{one.difference:.3g}") for one in resumed]
    columns = ("framework", "two whole runs", "killed and resumed", "largest difference of a weight")
    text = _PAGE.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=machine(),
        load=f"When it began, {load:.1f} processes wanted a core.",
        bars=_markdown(_COLUMNS, [cells(bar) for bar in bars]),
        resumed=_markdown(columns, rows),
    )
    path.write_text(text)


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
