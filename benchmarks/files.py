"""Saving, loading and verifying against what the machine and others can do with the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import torch
import xxhash

from benchmarks import peers
from benchmarks.measure import Action, Bar, Goal, Side, bar_of, compare, durations
from tenuto.reference.checkpoint import Document, Store, Tree, encode, read_checkpoint, verify_checkpoint
from tenuto.reference.trainer.torch_buffers import Buffers
from tenuto.reference.trainer.torch_tree import TreeMaker

__all__ = ["GOALS", "MEBIBYTE", "bench_files", "make_document", "make_state", "raw_save"]

MEBIBYTE: Final = 1 << 20
_SMALL_TENSORS: Final = 20_000
_RAW: Final = "raw write + fsync"
_RAW_READ: Final = "raw write + fsync + read"
_COPY: Final = "copy of the bytes in memory"
_AGAIN: Final = ", again"

CONTROL: Final = Goal(f"{_RAW} / itself")
SAVE: Final = Goal(f"durable save / {_RAW}", 1.05)
SAVE_AND_READ: Final = Goal(f"durable save with read-back / {_RAW_READ}", 1.1)
SAFETENSORS: Final = Goal("durable save / safetensors + fsync", 1.0)
OTHERS: Final = tuple(
    Goal(f"{peer} + fsync / {_RAW}")
    for peer in ("torch.save", "safetensors", "torch.distributed.checkpoint", "plain msgpack")
)
WRITE: Final = Goal(f"raw write without fsync / {_RAW}")
READ: Final = Goal(f"raw read, cached / {_RAW}")
SMALL: Final = Goal("durable save of 20,000 small tensors / safetensors + fsync", 0.25)
SMALL_TORCH: Final = Goal("durable save of 20,000 small tensors / torch.save + fsync")
SNAPSHOT: Final = Goal(f"what a background save waits for / {_COPY}", 1.25)
SNAPSHOT_PEER: Final = Goal(f"what torch.distributed.checkpoint.async_save waits for / {_COPY}")
VERIFY: Final = Goal("verify, cached / xxh64 of the bytes", 1.15)
LOAD: Final = Goal("load mapped, unverified / safetensors load_file", 1.2)
LOAD_VERIFIED: Final = Goal("load, verified / xxh64 of the bytes")
IMPORT: Final = Goal("import tenuto / import torch", 0.1)
_SAVES: Final = (CONTROL, SAVE, SAVE_AND_READ, SAFETENSORS, *OTHERS, WRITE, READ)
GOALS: Final = (*_SAVES, SMALL, SMALL_TORCH, SNAPSHOT, SNAPSHOT_PEER, VERIFY, LOAD, LOAD_VERIFIED, IMPORT)


def make_state(payload: int) -> peers.State:
    """Returns 64 tensors of so many bytes together."""
    return {f"layer{number}": torch.rand(payload // 64 // 4) for number in range(64)}


def make_document(state: peers.State) -> Document:
    """Returns a document with these tensors as its model; it views them."""
    parts = ("optimizer_state", "scheduler_state", "rng_state", "callback_state")
    head: dict[str, Tree] = {"version": "1.0", "requires": [], "metadata": {"origin": {}}, "trainer_state": None}
    return Document({**head, **{key: {} for key in parts}, "model_state": TreeMaker().tree(state, "model_state")})


def raw_save(folder: Path, pieces: list[bytes | memoryview], *, is_synced: bool = True) -> Path:
    """Writes the same bytes into a new file and syncs them, and nothing else."""
    path = folder / "raw"
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    for piece in pieces:
        os.write(file, piece)
    if is_synced:
        os.fsync(file)
    os.close(file)
    return path


def _read(path: Path, *, drop: bool) -> None:
    buffer = bytearray(4 * MEBIBYTE)
    file = os.open(path, os.O_RDONLY)
    if drop:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    while os.readv(file, [buffer]):
        pass
    os.close(file)


def _ratio(goal: Goal, taken: dict[str, list[float]], ours: str, theirs: str) -> Bar:
    """Divides what two sides took in the same round; a side that is not installed gives a bar without a value."""
    pairs = zip(taken.get(ours, ()), taken.get(theirs, ()), strict=False)
    return bar_of(goal, [one / other for one, other in pairs])


def bench_saves(folder: Path, state: peers.State, rounds: int) -> list[Bar]:
    """Measures saving; every side replaces or makes one file of the same bytes."""
    document = make_document(state)
    pieces = list(encode(document))
    fast, safe = Store(str(folder), "bench", verify=False), Store(str(folder), "bench")

    def raw_and_read() -> None:
        _read(raw_save(folder, pieces), drop=True)

    actions: dict[str, Action] = {
        _RAW: lambda: raw_save(folder, pieces),
        _RAW + _AGAIN: lambda: raw_save(folder, pieces),
        "save": lambda: fast.save("fast.ckpt", document),
        "safe": lambda: safe.save("safe.ckpt", document),
        _RAW_READ: raw_and_read,
        "read": lambda: _read(folder / "safe.ckpt", drop=False),
        **peers.save_actions(folder, state),
    }
    sides = _sides(actions) | {
        "write": Side(lambda: raw_save(folder, pieces, is_synced=False), after=lambda: peers.sync(folder / "raw"))
    }
    taken = durations("saving", sides, rounds, time.perf_counter)
    return [
        _ratio(CONTROL, taken, _RAW + _AGAIN, _RAW),
        _ratio(SAVE, taken, "save", _RAW),
        _ratio(SAVE_AND_READ, taken, "safe", _RAW_READ),
        _ratio(SAFETENSORS, taken, "save", "safetensors"),
        *(_ratio(goal, taken, goal.bar.partition(" + ")[0], _RAW) for goal in OTHERS),
        _ratio(WRITE, taken, "write", _RAW),
        _ratio(READ, taken, "read", _RAW),
    ]


def _sides(actions: dict[str, Action]) -> dict[str, Side]:
    return {name: Side(action) for name, action in actions.items()}


def bench_small(folder: Path, count: int, rounds: int) -> list[Bar]:
    """Measures saving of many small tensors."""
    state = {f"layers.{number}.weight": torch.full((64,), float(number)) for number in range(count)}
    document, store = make_document(state), Store(str(folder), "bench", verify=False)
    actions = {
        name: one for name, one in peers.save_actions(folder, state).items() if name in {"torch.save", "safetensors"}
    }
    actions["save"] = lambda: store.save("small.ckpt", document)
    taken = durations("small tensors", _sides(actions), rounds, time.perf_counter)
    return [_ratio(SMALL, taken, "save", "safetensors"), _ratio(SMALL_TORCH, taken, "save", "torch.save")]


def bench_snapshots(folder: Path, state: peers.State, rounds: int) -> list[Bar]:
    """Measures what the training waits for when it saves in the background."""
    buffers, peer = Buffers(), peers.Snapshot(folder, state)
    target = {name: torch.empty_like(one) for name, one in state.items()}

    def copy() -> None:
        for name, one in state.items():
            target[name].copy_(one)

    sides = {
        _COPY: Side(copy),
        "ours": Side(lambda: TreeMaker(buffers.begin()).tree(state, "model_state")),
        "peer": Side(peer.start, after=peer.finish),
    }
    taken = durations("background saves", sides, rounds, time.perf_counter)
    return [_ratio(SNAPSHOT, taken, "ours", _COPY), _ratio(SNAPSHOT_PEER, taken, "peer", _COPY)]


def bench_loads(folder: Path, state: peers.State, rounds: int) -> list[Bar]:
    """Measures reading, from the cache of the system."""
    path = Path(Store(str(folder), "bench").save("load.ckpt", make_document(state)))
    whole = path.read_bytes()
    actions: dict[str, Action] = {
        "hash": lambda: xxhash.xxh64_intdigest(whole),
        "verify": lambda: verify_checkpoint(path),
        "load": lambda: read_checkpoint(path, verify=False),
        "load verified": lambda: read_checkpoint(path),
    }
    load = peers.load_action(folder)
    if load is not None:
        peers.save_actions(folder, state)["safetensors"]()
        actions["safetensors"] = load
    taken = durations("loading", _sides(actions), rounds, time.perf_counter)
    return [
        _ratio(VERIFY, taken, "verify", "hash"),
        _ratio(LOAD, taken, "load", "safetensors"),
        _ratio(LOAD_VERIFIED, taken, "load verified", "hash"),
    ]


def bench_files(folder: str, rounds: int, payload: int) -> list[Bar]:
    """Measures in a folder, with tensors of so many bytes together."""
    place = Path(folder)
    state = make_state(payload)
    small = min(_SMALL_TENSORS, payload // 256)
    return [
        *bench_saves(place, state, rounds),
        *bench_small(place, small, rounds),
        *bench_snapshots(place, state, rounds),
        *bench_loads(place, state, rounds),
        compare(IMPORT, _python("import tenuto"), _python("import torch"), rounds),
    ]


def _python(code: str) -> Action:
    """Returns what runs code in a process of its own."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True)
