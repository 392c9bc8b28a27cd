"""How the time of a save grows: with the bytes, and with the number of tensors."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import torch
from attrs import frozen

from benchmarks import peers
from benchmarks.files import MEBIBYTE, make_document
from benchmarks.measure import Action
from tenuto.reference.checkpoint import Store

__all__ = ["Growth", "bench_growth", "write_growth"]

_PEER_BYTES: Final = 1 << 30
_PIECE_BYTES: Final = 64 * MEBIBYTE
_OURS: Final = "tenuto"
_PEERS: Final = (_OURS, "torch.save", "safetensors")


@frozen
class Growth:
    """One durable save.

    Attributes:
        what: `bytes` of a few tensors, or `tensors` of 256 bytes each.
        who: Saved it.
        size: How many of them.
        seconds: The shorter of two.
    """

    what: str
    who: str
    size: int
    seconds: float


def _saves(folder: Path, state: peers.State, size: int) -> dict[str, Action]:
    document, store = make_document(state), Store(str(folder), "bench", verify=False)
    found = {_OURS: lambda: store.save("grown.ckpt", document)}
    others = peers.save_actions(folder, state) if size <= _PEER_BYTES else {}
    return {who: {**found, **others}[who] for who in _PEERS if who in found or who in others}


def _state(what: str, size: int) -> peers.State:
    if what == "tensors":
        return {f"layers.{number}.weight": torch.zeros(64) for number in range(size)}
    piece = torch.rand(min(size, _PIECE_BYTES) // 4)
    numbers = range(max(1, size // _PIECE_BYTES))
    if size <= _PEER_BYTES:
        return {f"layer{number}": piece.clone() for number in numbers}
    # Of one memory, which 8 GiB do not fit into; each a little shorter, for equal ones would be stored once.
    return {f"layer{number}": piece[: piece.numel() - 16 * number] for number in numbers}


def bench_growth(folder: str, sizes: Mapping[str, Sequence[int]]) -> list[Growth]:
    """Saves states of every size; `sizes` maps `bytes` and `tensors` to theirs."""
    place, found = Path(folder), []
    for what, several in sizes.items():
        for size in several:
            for who, save in _saves(place, _state(what, size), size if what == "bytes" else 0).items():
                found.append(Growth(what, who, size, min(_seconds(save) for _ in range(2))))
    return found


def _seconds(action: Action) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def write_growth(found: Sequence[Growth], path: Path) -> None:
    """Draws the time of a save against its size, on two logarithmic axes: a straight line is linear growth."""
    import matplotlib as mpl  # noqa: PLC0415 - only here, and slow to import

    mpl.use("agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415 - behind the choice of what draws

    figure, both = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for axes, what in zip(both, ("bytes", "tensors"), strict=True):
        for who in _PEERS:
            line = [(one.size, one.seconds) for one in found if (one.what, one.who) == (what, who)]
            if line:
                axes.loglog(*zip(*line, strict=True), marker="o", label=who)
        axes.set_xlabel(what if what == "bytes" else "tensors of 256 bytes")
        axes.set_ylabel("durable save, s")
        axes.legend()
    figure.savefig(path)
    plt.close(figure)
