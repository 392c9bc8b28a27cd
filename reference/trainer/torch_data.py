"""Batches in an order that depends on seed and epoch alone."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler

from tenuto.reference.errors import ConfigError
from tenuto.reference.trainer.torch_generators import isolated_generators
from tenuto.reference.trainer.torch_samples import MASK, samples_of

__all__ = ["EpochLoader", "epoch_order", "unsupported"]


def epoch_order(seed: int, epoch: int, count: int) -> list[int]:
    """Returns the order of the samples of an epoch.

    Sorting raw generator output keeps the order the same over NumPy versions, whose shuffles may change.

    Spec: TR-LOOP-002.
    """
    keys = np.random.Philox(key=[seed & MASK, epoch]).random_raw(count)
    return [int(index) for index in np.argsort(keys, kind="stable")]


class _Batches:
    """The batches that are still to be loaded, as keys for the dataset; workers that persist meet every epoch here."""

    def __init__(self) -> None:
        self.keys: list[list[Any]] = []

    def __iter__(self) -> Iterator[list[Any]]:
        return iter(self.keys)

    def __len__(self) -> int:
        return len(self.keys)


def _leave(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
    # With status 0: else torch raises an error at whatever the trainer is doing, not at the load that then fails.
    os._exit(0)


class _WorkerStart:
    """Leaves Ctrl-C to the trainer, ends on SIGTERM (Python's exit sends it and waits), calls the user's own hook."""

    def __init__(self, users: Callable[[int], None] | None) -> None:
        self._users = users

    def __call__(self, worker: int) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _leave)
        if self._users is not None:
            self._users(worker)


class EpochLoader:
    """The batches of a map-style dataset, epoch after epoch.

    Args:
        source: A `DataLoader`; its settings are taken over, but for the order, of which only whether it shuffles is.
        seed: Of the order and of the loading.
        limit: After how many batches an epoch ends; None for all.

    Attributes:
        batch_size: Samples in a batch; the last batch may have fewer.
        samples: How many samples the batch given last was made of.
        is_last: Whether the batch given last is the last one of its epoch.

    Raises:
        ConfigError: `unsupported_loader`, for a loader that cannot be exact.

    Spec: TR-LOOP-002, TR-LOOP-003, TR-LOOP-021.
    """

    def __init__(self, source: DataLoader[Any], seed: int, limit: int | None = None) -> None:
        _check_loader(source)
        self.batch_size, self.has_state = source.batch_size, False
        self._source = source
        self._seed, self._limit = seed, limit
        self._shuffles = isinstance(source.sampler, RandomSampler)
        self._samples = samples_of(source, seed)
        self._batches = _Batches()
        self._loader: DataLoader[Any] | None = None
        self._iterator: Iterator[Any] = iter(())
        self._sizes: list[int] = []  # of the batches that are left, in reverse
        self.samples, self.is_last = 0, False

    def open_epoch(self, epoch: int, skip_batches: int) -> None:
        """Starts an epoch, leaving out batches by index, without loading them."""
        if not self._source.persistent_workers:
            self.close()
        batches = self._order(epoch)
        if self._samples.draws:
            batches = [[(epoch, number, index) for index in batch] for number, batch in enumerate(batches)]
        self._batches.keys = batches[skip_batches:]
        self._sizes = [len(batch) for batch in reversed(self._batches.keys)]
        if self._loader is None:
            self._loader = self._make_loader()
        self._iterator = iter(self._loader)

    def _order(self, epoch: int) -> list[list[Any]]:
        dataset: Any = self._source.dataset
        count, size = len(dataset), self.batch_size or 1  # None is refused in __init__
        order = epoch_order(self._seed, epoch, count) if self._shuffles else list(range(count))
        batches = [order[start : start + size] for start in range(0, count, size)]
        if self._source.drop_last and batches and len(batches[-1]) < size:
            batches.pop()
        return batches[: self._limit]

    def _make_loader(self) -> DataLoader[Any]:
        source = self._source
        return DataLoader(
            self._samples.dataset,
            batch_sampler=self._batches,
            num_workers=source.num_workers,
            collate_fn=self._samples.collate,
            pin_memory=source.pin_memory,
            timeout=source.timeout,
            worker_init_fn=_WorkerStart(source.worker_init_fn),
            multiprocessing_context=source.multiprocessing_context,
            generator=torch.Generator().manual_seed(self._seed & (2**63 - 1)),
            prefetch_factor=source.prefetch_factor,
            persistent_workers=source.persistent_workers,
        )

    def next_batch(self) -> Any | None:  # noqa: ANN401 - whatever collation makes
        """Loads a batch; None at the end of the epoch. The global generators stay as they are."""
        self.samples = self._sizes.pop() if self._sizes else 0
        self.is_last = not self._sizes
        if not self._samples.draws:
            return next(self._iterator, None)
        with isolated_generators():
            return next(self._iterator, None)

    def state_dict(self) -> None:
        """Has none: the position follows from the epoch and the number of the batch."""

    def load_state_dict(self, state: object) -> None:
        """Does nothing: no file has a state of it, see `state_dict`."""

    def close(self) -> None:
        """Ends the epoch in progress and the worker processes."""
        iterator, self._iterator, self._loader = self._iterator, iter(()), None
        shut_down = getattr(iterator, "_shutdown_workers", None)  # torch's own way waits for Python to collect it
        if shut_down is not None:
            shut_down()
        for worker in getattr(iterator, "_workers", ()):
            if worker.is_alive():
                worker.kill()
                worker.join()


def _check_loader(source: DataLoader[Any]) -> None:
    """Refuses what cannot be loaded exactly, or would be replaced silently.

    Raises:
        ConfigError: `unsupported_loader` for one that iterates in its own way, a sampler of the user's own, one that
            draws samples several times or a part of them, batches in any order, or no batch at all.
    """
    if type(source).__iter__ is not DataLoader.__iter__:
        raise unsupported(f"{type(source).__name__}; expected a torch.utils.data.DataLoader that loads by itself")
    sampler: Any = source.sampler
    if source.batch_size is None or type(sampler) not in {RandomSampler, SequentialSampler}:
        raise unsupported(f"sampler {type(sampler).__name__}; expected shuffle=True or False and a batch_size")
    dataset: Any = source.dataset
    count, drawn = len(dataset), len(sampler)
    if getattr(sampler, "replacement", False) or drawn != count:
        with_replacement = " with replacement" if getattr(sampler, "replacement", False) else ""
        raise unsupported(f"a sampler of {drawn} of {count} samples{with_replacement}; expected each sample once")
    if not getattr(source, "in_order", True):
        raise unsupported("in_order=False; expected batches in their order")
    if len(source) == 0:
        raise unsupported(f"no batch ({count} samples, batch_size {source.batch_size}); expected at least one")


def unsupported(rest: str) -> ConfigError:
    """Returns the refusal of a loader."""
    return ConfigError("unsupported_loader", f"data: {rest}")
