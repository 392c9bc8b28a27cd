"""Measured ratios and figures in one run: `make bench`.

Writes `bench.json`, `bench.png`, `growth.json`, `growth.png` and `benchmarks.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Final

import torch
from attrs import asdict, frozen
from rich.console import Console

from benchmarks import figures, files, growth, loops, mojo, report
from benchmarks.measure import Bar, Goal
from benchmarks.resume_elsewhere import compare_resumes, resume_table

__all__ = ["GOALS", "main"]

GOALS: Final[tuple[Goal, ...]] = (*files.GOALS, *figures.GOALS, *mojo.GOALS, *loops.GOALS)


@frozen
class Size:
    """How much is measured.

    Attributes:
        payload: Bytes of a checkpoint.
        resumed: Bytes of the state that a killed training is resumed with.
        scanned: Checkpoints in one folder.
        grown: Bytes and tensors of the saves that show growth.
        file_rounds: Of what writes, reads and starts processes.
        loop_rounds: Of the loops.
        steps: Of each loop in a round.
    """

    payload: int
    resumed: int
    scanned: int
    grown: dict[str, tuple[int, ...]]
    file_rounds: int
    loop_rounds: int
    steps: int


_TENS: Final = (10, 100, 1_000, 10_000, 100_000)
_BYTES: Final = tuple(files.MEBIBYTE << power for power in range(0, 14, 2))  # the largest is 4 GiB
FULL: Final = Size(
    payload=256 * files.MEBIBYTE,
    resumed=1 << 30,
    scanned=10_000,
    grown={"bytes": (*_BYTES, 8 << 30), "tensors": _TENS},
    file_rounds=9,
    loop_rounds=15,
    steps=512,
)
QUICK: Final = Size(
    payload=files.MEBIBYTE,
    resumed=files.MEBIBYTE,
    scanned=10,
    grown={"bytes": _BYTES[:2], "tensors": _TENS[:2]},
    file_rounds=2,
    loop_rounds=2,
    steps=4,
)


def measure(size: Size) -> tuple[list[Bar], list[growth.Growth]]:
    """Measures every bar, and how the time of a save grows."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        bars = files.bench_files(folder, size.file_rounds, size.payload)
        bars += figures.bench_figures(folder, size.file_rounds, size.resumed, size.scanned)
        bars += mojo.bench_mojo(folder, size.file_rounds, size.payload)
        grown = growth.bench_growth(folder, size.grown)
    return bars + loops.bench_loops(size.loop_rounds, size.steps), grown


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build"), help="folder of what is written")
    parser.add_argument("--page", type=Path, help="where the page goes, if not into that folder")
    parser.add_argument("--quick", action="store_true", help="whether it works at all; the figures mean nothing")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    load, console = os.getloadavg()[0], Console(width=130)
    asked.out.mkdir(parents=True, exist_ok=True)
    bars, grown = measure(QUICK if asked.quick else FULL)
    resumed = compare_resumes()
    console.print(report.bar_table(bars), resume_table(resumed), report.machine())
    report.write_json(bars, asked.out / "bench.json")
    report.write_picture(bars, asked.out / "bench.png")
    growth.write_growth(grown, asked.out / "growth.png")
    (asked.out / "growth.json").write_text(json.dumps([asdict(one) for one in grown], indent=1) + "\n")
    page = asked.page or asked.out / "benchmarks.md"
    report.write_page(bars, resumed, load, page)
    console.print(f"written to {asked.out} and {page}")


if __name__ == "__main__":
    main()
