"""Measured ratios, both sides in one run: `make bench`. Writes `build/bench.json`.

Absolute times mean nothing on a shared machine; pairs are interleaved, and the median of their ratios is printed.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import xxhash
from attrs import asdict, frozen
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import tenuto
from tenuto.reference.checkpoint import Document, Store, Tensor, Tree, encode, verify_checkpoint
from tenuto.reference.trainer.torch_generators import Generators

MEBIBYTE = 1 << 20
PAYLOAD = 256 * MEBIBYTE
PAIRS = 9


@frozen
class Bar:
    """One measured ratio.

    Attributes:
        bar: What is compared with what.
        value: Median of the ratios of time.
        goal: At most this.
        holds: Whether the median meets it.
        n: Pairs.
        spread: First and last quartile.
    """

    bar: str
    value: float
    goal: float
    holds: bool
    n: int
    spread: tuple[float, float]


def seconds(action: Callable[[], object]) -> float:
    """Times one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def compare(bar: str, goal: float, ours: Callable[[], object], theirs: Callable[[], object], pairs: int = PAIRS) -> Bar:
    """Times both sides in turn, after one warm-up of each."""
    ours(), theirs()
    ratios = [seconds(ours) / seconds(theirs) for _ in track(range(pairs), bar, transient=True)]
    low, median, high = statistics.quantiles(ratios, n=4)
    return Bar(bar, median, goal, median <= goal, pairs, (low, high))


def make_document() -> Document:
    """Returns a document of 64 tensors."""
    data = np.random.default_rng(0).random(PAYLOAD // 64 // 8)
    tensors: dict[str, Tree] = {
        f"layer{index}": Tensor("float64", data.shape, (data + index).data) for index in range(64)
    }
    head: dict[str, Tree] = {"version": "1.0", "requires": [], "metadata": {"origin": {}}, "trainer_state": None}
    parts: dict[str, Tree] = {key: {} for key in ("optimizer_state", "scheduler_state", "rng_state", "callback_state")}
    return Document({**head, **parts, "model_state": tensors})


def raw_save(folder: str, pieces: list[bytes | memoryview]) -> str:
    """Writes the same bytes and syncs them, and nothing else."""
    path = os.path.join(folder, "raw")
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for piece in pieces:
        os.write(file, piece)
    os.fsync(file)
    os.close(file)
    return path


def raw_save_and_read(folder: str, pieces: list[bytes | memoryview]) -> None:
    """Writes, syncs, and reads back from the device."""
    file = os.open(raw_save(folder, pieces), os.O_RDONLY)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    while os.read(file, 4 * MEBIBYTE):
        pass
    os.close(file)


def bench_files(folder: str) -> list[Bar]:
    """Saving and verifying against what the machine can do with the same bytes."""
    document = make_document()
    pieces = list(encode(document))
    fast, safe = Store(folder, "bench", verify=False), Store(folder, "bench")
    path = safe.save("verified.ckpt", document)
    whole = Path(path).read_bytes()
    return [
        compare(
            "durable save / raw write + fsync",
            1.05,
            lambda: fast.save("fast.ckpt", document),
            lambda: raw_save(folder, pieces),
        ),
        compare(
            "durable save with read-back / raw write + fsync + read",
            1.1,
            lambda: safe.save("safe.ckpt", document),
            lambda: raw_save_and_read(folder, pieces),
        ),
        compare(
            "verify, cached / xxh64 of the bytes", 2.0, lambda: verify_checkpoint(path), lambda: xxhash.xxh64(whole)
        ),
    ]


def bench_loop() -> list[Bar]:
    """The trainer against a hand-written loop over the same loader, and the copy of generators against a batch."""
    data = DataLoader(TensorDataset(torch.randn(4096, 32), torch.randn(4096, 1)), batch_size=8, shuffle=True)
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    loss = nn.functional.mse_loss

    def by_hand() -> None:
        for inputs, targets in data:
            optimizer.zero_grad(set_to_none=True)
            value = loss(model(inputs), targets)
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            value.item()

    def by_trainer() -> None:
        tenuto.Trainer(model, optimizer, data, max_epochs=1, loss=loss).fit()

    return [
        compare("512 steps: trainer without callbacks / hand-written loop", 1.03, by_trainer, by_hand),
        compare("copy of all generators / 60 us of spinning", 1.0, Generators.copy, lambda: spin(60e-6), pairs=99),
    ]


def spin(duration: float) -> None:
    """Spends a time."""
    end = time.perf_counter() + duration
    while time.perf_counter() < end:
        pass


def bench_import() -> list[Bar]:
    """The facade against torch, each in a process of its own."""

    def run(code: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True)

    return [
        compare("import tenuto / import torch", 0.1, run("import tenuto"), run("import torch")),
    ]


def main() -> None:
    """Measures, prints, writes."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        bars = bench_files(folder) + bench_loop() + bench_import()
    table = Table("bar (ratio of times)", "median", "quartiles", "goal", "holds", "n")
    for bar in bars:
        quartiles = f"{bar.spread[0]:.2f} to {bar.spread[1]:.2f}"
        table.add_row(
            bar.bar, f"{bar.value:.2f}", quartiles, f"<= {bar.goal:g}", "yes" if bar.holds else "NO", str(bar.n)
        )
    console = Console(width=120)
    console.print(table)
    console.print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    )
    path = Path("build/bench.json")
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps([asdict(bar) for bar in bars], indent=1))
    console.print(f"written to {path}")


if __name__ == "__main__":
    main()
