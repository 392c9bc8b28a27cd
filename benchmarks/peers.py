"""The same tensors saved and loaded by others, each as its documentation shows and then synced to the device."""

from __future__ import annotations

import os
import shutil
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgpack
import torch

from benchmarks.measure import Action

__all__ = ["Snapshot", "State", "load_action", "save_actions", "sync"]

State = dict[str, torch.Tensor]
HAS_SAFETENSORS: Final = find_spec("safetensors") is not None
warnings.filterwarnings("ignore", "torch.distributed is disabled")


def sync(path: Path) -> None:
    """Brings a file to the device; none of the others does it by itself."""
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.close(file)


def save_actions(folder: Path, state: State) -> dict[str, Action]:
    """Returns what each peer does to save; one that is not installed is missing."""

    def torch_save() -> None:
        torch.save(state, folder / "peer.pt")
        sync(folder / "peer.pt")

    def plain_msgpack() -> None:
        plain = {name: (list(one.shape), str(one.dtype), one.numpy().tobytes()) for name, one in state.items()}
        path = folder / "peer.msgpack"
        path.write_bytes(msgpack.packb(plain))
        sync(path)

    def distributed() -> None:
        checkpoint: Any = import_module("torch.distributed.checkpoint")  # here, because it is slow to import

        shutil.rmtree(folder / "dcp", ignore_errors=True)
        writer = checkpoint.FileSystemWriter(folder / "dcp", sync_files=True)
        checkpoint.save(state, storage_writer=writer, no_dist=True)

    def safetensors() -> None:
        from safetensors.torch import save_file  # noqa: PLC0415 - only where it is installed

        save_file(state, folder / "peer.safetensors")
        sync(folder / "peer.safetensors")

    found: dict[str, Action] = {"torch.save": torch_save, "torch.distributed.checkpoint": distributed}
    found["plain msgpack"] = plain_msgpack
    return {**found, "safetensors": safetensors} if HAS_SAFETENSORS else found


def load_action(folder: Path) -> Action | None:
    """Returns what loads the file of safetensors without reading it."""
    if not HAS_SAFETENSORS:
        return None
    from safetensors.torch import load_file  # noqa: PLC0415 - only where it is installed

    return lambda: load_file(folder / "peer.safetensors")


class Snapshot:
    """A background save of torch.distributed.checkpoint: what it makes the training wait for."""

    def __init__(self, folder: Path, state: State) -> None:
        self._folder, self._state = folder / "dcp_async", state
        self._saving: Any = None

    def start(self) -> None:
        """Begins; the one before has ended."""
        checkpoint: Any = import_module("torch.distributed.checkpoint")  # here, because it is slow to import

        writer = checkpoint.FileSystemWriter(self._folder, sync_files=True)
        self._saving = checkpoint.async_save(self._state, storage_writer=writer, no_dist=True)

    def finish(self) -> None:
        """Waits for the save, outside of what is timed."""
        if self._saving is not None:
            self._saving.result()
            shutil.rmtree(self._folder, ignore_errors=True)
        self._saving = None
