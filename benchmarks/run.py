"""Measured ratios, both sides in one run: `make bench`. Writes `bench.json`, `bench.png` and `benchmarks.md`."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Final

import torch
from attrs import frozen
from rich.console import Console

from benchmarks import files, loops, mojo, report
from benchmarks.measure import Bar, Goal
from benchmarks.resume_elsewhere import compare_resumes, resume_table

__all__ = ["GOALS", "main"]

GOALS: Final[tuple[Goal, ...]] = (*files.GOALS, *mojo.GOALS, *loops.GOALS)


@frozen
class Size:
    """How much is measured.

    Attributes:
        payload: Bytes of a checkpoint.
        file_rounds: Of what writes, reads and starts processes.
        loop_rounds: Of the loops.
        steps: Of each loop in a round.
    """

    payload: int
    file_rounds: int
    loop_rounds: int
    steps: int


FULL: Final = Size(256 * files.MEBIBYTE, 9, 15, 512)
QUICK: Final = Size(files.MEBIBYTE, 2, 2, 4)


def measure(size: Size) -> list[Bar]:
    """Measures every bar."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        bars = files.bench_files(folder, size.file_rounds, size.payload)
        bars += mojo.bench_mojo(folder, size.file_rounds, size.payload)
        return bars + loops.bench_loops(size.loop_rounds, size.steps)


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
    bars = measure(QUICK if asked.quick else FULL)
    resumed = compare_resumes()
    console.print(report.bar_table(bars), resume_table(resumed), report.machine())
    report.write_json(bars, asked.out / "bench.json")
    report.write_picture(bars, asked.out / "bench.png")
    page = asked.page or asked.out / "benchmarks.md"
    report.write_page(bars, resumed, load, page)
    console.print(f"written to {asked.out}/bench.json, {asked.out}/bench.png and {page}")


if __name__ == "__main__":
    main()
