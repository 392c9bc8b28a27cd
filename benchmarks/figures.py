"""What is promised as a figure and not as a ratio: it holds for one machine and is asserted in no test."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
import xxhash
from torch import nn

import tenuto
from benchmarks.files import MEBIBYTE, make_document
from benchmarks.measure import Action, Bar, Goal, bar_of
from tenuto.reference.checkpoint import Store, Tensor, encode, open_file, read_checkpoint, tensors_of
from tenuto.reference.checkpoint.layout import lay_out, tail
from tenuto.reference.checkpoint.ledger import read_ledger
from tenuto.reference.trainer.torch_buffers import Buffers
from tenuto.reference.trainer.torch_tree import TreeMaker

__all__ = ["GOALS", "bench_figures", "sparse_checkpoint"]

OPEN: Final = Goal("open and list 1,000 tensors of 8 GiB: ms", 5)
OPEN_MEMORY: Final = Goal("the same: memory, MiB", 8)
SAVE_MEMORY: Final = Goal("memory of a save beside the state, MiB", 64)
SNAPSHOT_MEMORY: Final = Goal("memory of a background save / the state", 1.05)
S5_SAVE: Final = Goal("2.4 million parameters with Adam: save, ms", 50)
S5_LOAD: Final = Goal("the same: load, ms", 100)
S5_SIZE: Final = Goal("the same: file / (payload + 1 % + 16 KiB)", 1)
SCAN: Final = Goal("scan of 10,000 checkpoints before a resume, s", 1)
RESUME: Final = Goal("1 GiB of state, killed, to the first step beyond imports: s", 2)
GOALS: Final = (OPEN, OPEN_MEMORY, SAVE_MEMORY, SNAPSHOT_MEMORY, S5_SAVE, S5_LOAD, S5_SIZE, SCAN, RESUME)
_TENSORS: Final = 1000


def sparse_checkpoint(path: Path, count: int, size: int) -> None:
    """Writes a good checkpoint of zeros with holes for its tensors: as large as asked, on hardly any disk."""
    zeros = memoryview(mmap.mmap(-1, size // count))
    state: dict[str, Any] = {
        f"layers.{number}.weight": Tensor("uint8", (size // count,), zeros) for number in range(count)
    }
    document = make_document({})
    document.head["model_state"] = state
    layout = lay_out(document)
    with path.open("wb") as file:
        file.write(layout.head + layout.array_header)
        for segment in layout.segments:
            file.seek(segment.at)
            file.write(segment.header)
        file.seek(layout.end)
        file.write(tail(layout, [xxhash.xxh64_intdigest(zeros)] * count))


def _list(path: Path) -> int:
    with open_file(path) as opened:
        return len(list(tensors_of(opened.head)))


def _peak(action: Action) -> float:
    """Returns how much memory of Python an action held at most, in MiB; memory freed before and used again counts."""
    tracemalloc.start()
    action()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / MEBIBYTE


def _grown(action: Action) -> float:
    """Returns how much more memory the process had in use at any time of an action, in MiB."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _resident("VmRSS")
    action()
    return (_resident("VmHWM") - before) / 1024


def _resident(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def _sample(goal: Goal, measure: Callable[[], float], rounds: int) -> Bar:
    measure()
    return bar_of(goal, [measure() for _ in range(rounds)])


def _seconds(action: Action) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _adam_state() -> dict[str, torch.Tensor]:
    """The state of a network of 2.4 million parameters after a step of Adam."""
    model = nn.Sequential(*(nn.Linear(512, 512) for _ in range(9)), nn.Linear(512, 75))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 512)).sum().backward()
    optimizer.step()
    state = dict(model.state_dict())
    for number, one in optimizer.state_dict()["state"].items():
        state |= {f"{number}.{name}": value for name, value in one.items()}
    return state


def _bench_size(folder: Path, rounds: int) -> list[Bar]:
    document, store = make_document(_adam_state()), Store(str(folder), "bench")
    path = Path(store.save("s5.ckpt", document))
    payload = sum(one.size_bytes for _, one in tensors_of(document.head))
    share = path.stat().st_size / (payload * 1.01 + 16 * 1024)
    return [
        _sample(S5_SAVE, lambda: 1000 * _seconds(lambda: store.save("s5.ckpt", document)), rounds),
        _sample(S5_LOAD, lambda: 1000 * _seconds(lambda: read_checkpoint(path)), rounds),
        bar_of(S5_SIZE, [share] * 2),
    ]


def _bench_memory(folder: Path, payload: int, rounds: int) -> list[Bar]:
    state = {f"layer{number}": torch.ones(payload // 256) for number in range(64)}
    document, store = make_document(state), Store(str(folder), "bench")
    snapshots: list[object] = []

    def snapshot() -> float:
        snapshots.clear()
        return _grown(lambda: snapshots.append(TreeMaker(Buffers().begin()).tree(state, "x"))) / (payload / MEBIBYTE)

    return [
        _sample(SAVE_MEMORY, lambda: _peak(lambda: store.save("memory.ckpt", document)), rounds),
        _sample(SNAPSHOT_MEMORY, snapshot, rounds),
    ]


def _bench_scan(folder: Path, count: int, rounds: int) -> Bar:
    many = folder / "many"
    many.mkdir()
    origin: dict[str, Any] = {"checkpoint_id": "0" * 32, "run_id": "r", "attempt": 1, "parent": None}
    progress: dict[str, Any] = {"epoch": 1, "batch_in_epoch": 0, "global_step": 2}
    document = make_document({"weight": torch.ones(4)})
    document.head["metadata"] = {
        "origin": {**origin, "lineage": [], "reasons": []},
        "progress": progress,
        "exact": True,
        "kind": "full",
    }
    data = b"".join(encode(document))
    for number in range(count):
        (many / f"checkpoint_epoch_{number:05d}.ckpt").write_bytes(data)
    return _sample(SCAN, lambda: _seconds(lambda: read_ledger(str(many))), rounds)


class _Carrier(nn.Module):
    """A small network with a large buffer, so that its state is large and its training is not."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("carried", torch.zeros(size // 4))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """See the base."""
        result: torch.Tensor = self.linear(inputs)
        return result


class _Ends(tenuto.BaseCallback):
    """Ends the process at the first batch, having said when that was."""

    def on_batch_start(self, context: Any) -> None:  # noqa: ANN401 - the package has no public name for it
        """See the base."""
        print(context.progress.global_step, time.perf_counter() - self.started, flush=True)
        os._exit(0)

    started = 0.0


def _train(folder: str, size: str, role: str) -> None:
    ends = _Ends()
    ends.started = time.perf_counter()
    model = _Carrier(int(size))
    data = [(torch.ones(1, 4), torch.ones(1, 4))] * 2
    callbacks = [tenuto.CheckpointCallback(folder, save_best=False), *([ends] if role == "resumed" else [])]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = nn.functional.mse_loss
    epochs = 1 if role == "first" else 2
    tenuto.Trainer(model, optimizer, data, max_epochs=epochs, loss=loss, callbacks=callbacks).fit(resume="auto")


def _bench_resume(folder: Path, size: int, rounds: int) -> Bar:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.figures", str(folder / "resumed"), str(size)]
    subprocess.run([*command, "first"], check=True)

    def resume() -> float:
        ended = subprocess.run([*command, "resumed"], check=True, capture_output=True, text=True)
        step, taken = ended.stdout.split()
        if step != "2":
            raise RuntimeError(f"resumed at step {step}; expected 2")
        return float(taken)

    return _sample(RESUME, resume, rounds)


def bench_figures(folder: str, rounds: int, payload: int, files: int) -> list[Bar]:
    """Measures in a folder.

    Args:
        folder: On the disk to measure.
        rounds: Of each.
        payload: Bytes of the state whose memory and resume are measured; 1 GiB is what the goal of the resume means.
        files: How many checkpoints are scanned; the goal means 10,000.
    """
    place, sparse = Path(folder), Path(folder, "sparse.ckpt")
    sparse_checkpoint(sparse, _TENSORS, 8 << 30)
    return [
        _sample(OPEN, lambda: 1000 * _seconds(lambda: _list(sparse)), rounds),
        _sample(OPEN_MEMORY, lambda: _peak(lambda: _list(sparse)), rounds),
        *_bench_memory(place, payload, rounds),
        *_bench_size(place, rounds),
        _bench_scan(place, files, rounds),
        _bench_resume(place, payload, rounds),
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    _train(*sys.argv[1:])
