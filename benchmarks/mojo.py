"""The Mojo codec beside the Python one and a copy of the same bytes. `python -m benchmarks.mojo` prints GiB/s too."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

import numpy as np
from attrs import frozen
from rich.console import Console
from rich.table import Table

from benchmarks.files import MEBIBYTE, make_document, make_state
from benchmarks.measure import Action, Bar, Goal, bar_of, ratios
from tenuto.reference.checkpoint import encode, read_checkpoint, write_checkpoint

__all__ = ["GOALS", "bench_mojo"]

GOALS: Final = (
    Goal("Mojo: file in memory / copy of the bytes"),
    Goal("Mojo: read and verify, cached / copy of the bytes"),
    Goal("Python: file in memory / copy of the bytes"),
    Goal("Python: read and verify, cached / copy of the bytes"),
)
PORT: Final = Path(__file__).resolve().parent.parent / "ports/mojo"
FLAGS: Final = ("-j", "1", "-I", ".", "--fp-mode", "contract=off", "--target-cpu", "x86-64-v2")  # as `make` builds it
QUIET: Final = {"MODULAR_CRASH_REPORTING_ENABLED": "false", "MODULAR_TELEMETRY_ENABLED": "0"}


@frozen
class Built:
    """A program of the port.

    Attributes:
        path: Of the binary.
        seconds: That building it took.
        size: Bytes of the binary.
    """

    path: Path
    seconds: float
    size: int


def build(source: str, folder: Path, *, cold: bool = False) -> Built:
    """Builds a program.

    Args:
        source: Relative to the folder of the port.
        folder: Where the binary goes.
        cold: Whether nothing is taken from the cache of the compiler.

    Raises:
        CalledProcessError: It could not be built.
    """
    path, start = folder / Path(source).stem, time.perf_counter()
    command = [str(_compiler()), "build", *FLAGS, source, "-o", str(path)]
    environment = {**os.environ, **QUIET, **({"MODULAR_CACHE_DIR": str(folder / "cache")} if cold else {})}
    subprocess.run(command, cwd=PORT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return Built(path, time.perf_counter() - start, path.stat().st_size)


def _compiler() -> Path:
    """Returns the compiler, which is installed in the first environment; that of the peers only sees its packages."""
    packages = Path(str(distribution("mojo").locate_file("")))
    return packages.parents[2] / "bin/mojo"


class Program:
    """The running program, which does on each line what it says."""

    def __init__(self, binary: Path, file: str) -> None:
        self._process = subprocess.Popen([binary, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def action(self, word: str) -> Action:
        """Returns what lets the program do something once."""
        return lambda: self._do(word)

    def _do(self, word: str) -> int:
        assert self._process.stdin is not None  # noqa: S101 - both are pipes
        assert self._process.stdout is not None  # noqa: S101 - as above
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """Lets it end."""
        self._process.communicate()


def measured(binary: Path, folder: str, rounds: int, payload: int) -> tuple[dict[str, list[float]], float]:
    """Returns the ratios of all four actions by their bars, and the seconds of a copy."""
    document = make_document(make_state(payload))
    path = write_checkpoint(os.path.join(folder, "codec.ckpt"), document)
    source = np.fromfile(path, dtype=np.uint8)
    target = np.empty_like(source)
    copies: list[float] = []

    def copy() -> None:
        start = time.perf_counter()
        np.copyto(target, source)
        copies.append(time.perf_counter() - start)

    program = Program(binary, path)
    actions = (
        *(program.action("encode"), program.action("read")),
        *(lambda: b"".join(encode(document)), lambda: read_checkpoint(path)),
    )
    named: Mapping[str, Action] = {goal.bar: action for goal, action in zip(GOALS, actions, strict=True)}
    found = ratios("Mojo", copy, named, rounds, time.perf_counter)
    program.close()
    return found, statistics.median(copies)


def bench_mojo(folder: str, rounds: int, payload: int) -> list[Bar]:
    """Measures in a folder, with tensors of so many bytes together."""
    with tempfile.TemporaryDirectory() as place:
        found, _ = measured(build("bench/codec.mojo", Path(place)).path, folder, rounds, payload)
    return [bar_of(goal, found[goal.bar]) for goal in GOALS]


def main() -> None:
    """Prints bytes a second, how long the port takes to build, and how large it is."""
    console, payload = Console(), 256 * MEBIBYTE
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        adapter = build("adapter.mojo", Path(place), cold=True)
        found, copy = measured(build("bench/codec.mojo", Path(place)).path, folder, 9, payload)
    table = Table("what", "times a copy", "GiB/s")
    table.add_row("copy of the bytes", "1.00", f"{payload / copy / 2**30:.2f}")
    for goal in GOALS:
        median = statistics.median(found[goal.bar])
        table.add_row(goal.bar.partition(" / ")[0], f"{median:.2f}", f"{payload / (median * copy) / 2**30:.2f}")
    console.print(table)
    console.print(f"the adapter: built in {adapter.seconds:.0f} s without a cache, {adapter.size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
