"""Saving, verifying and importing against what the machine can do with the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import numpy as np
import xxhash

from benchmarks.measure import Action, Bar, Goal, compare
from tenuto.reference.checkpoint import Document, Store, Tensor, Tree, encode, verify_checkpoint

__all__ = ["GOALS", "MEBIBYTE", "bench_files"]

MEBIBYTE: Final = 1 << 20
SAVE: Final = Goal("durable save / raw write + fsync", 1.05)
SAVE_AND_READ: Final = Goal("durable save with read-back / raw write + fsync + read", 1.1)
VERIFY: Final = Goal("verify, cached / xxh64 of the bytes", 2.0)
IMPORT: Final = Goal("import tenuto / import torch", 0.1)
GOALS: Final = (SAVE, SAVE_AND_READ, VERIFY, IMPORT)


def make_document(payload: int) -> Document:
    """Returns a document of 64 tensors with so many bytes together."""
    data = np.random.default_rng(0).random(payload // 64 // 8)
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


def bench_files(folder: str, rounds: int, payload: int) -> list[Bar]:
    """Measures in a folder, with tensors of so many bytes together."""
    document = make_document(payload)
    pieces = list(encode(document))
    fast, safe = Store(folder, "bench", verify=False), Store(folder, "bench")
    path = safe.save("verified.ckpt", document)
    whole = Path(path).read_bytes()
    return [
        compare(SAVE, lambda: fast.save("fast.ckpt", document), lambda: raw_save(folder, pieces), rounds),
        compare(
            SAVE_AND_READ, lambda: safe.save("safe.ckpt", document), lambda: raw_save_and_read(folder, pieces), rounds
        ),
        compare(VERIFY, lambda: verify_checkpoint(path), lambda: xxhash.xxh64(whole).digest(), rounds),
        compare(IMPORT, _python("import tenuto"), _python("import torch"), rounds),
    ]


def _python(code: str) -> Action:
    """Returns what runs code in a process of its own."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True)
