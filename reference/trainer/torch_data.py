"""Batches in an order that depends on seed and epoch alone, loaded so that each sample depends on its index too."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import torch
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    TensorDataset,
    default_collate,
    get_worker_info,
)

from tenuto.reference.errors import ConfigError
from tenuto.reference.trainer.torch_generators import isolated_generators

__all__ = ["EpochLoader", "epoch_order"]

_MASK: Final = 2**64 - 1


def epoch_order(seed: int, epoch: int, count: int) -> list[int]:
    """Returns the order of the samples of an epoch.

    Sorting raw generator output keeps the order the same over NumPy versions, whose shuffles may change.

    Spec: TR-LOOP-002.
    """
    keys = np.random.Philox(key=[seed & _MASK, epoch]).random_raw(count)
    return [int(index) for index in np.argsort(keys, kind="stable")]


def _sample_seed(seed: int, epoch: int, index: int) -> int:
    """Mixes three numbers to 64 bits (the finalizer of SplitMix64, applied to each)."""
    mixed = seed & _MASK
    for number in (epoch, index):
        mixed = (mixed + 0x9E3779B97F4A7C15 * (number + 1)) & _MASK
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        mixed ^= mixed >> 31
    return mixed


class _SeededDataset(Dataset[Any]):
    """A dataset whose every sample is loaded with freshly seeded generators.

    Spec: TR-LOOP-003.
    """

    def __init__(self, dataset: Dataset[Any], seed: int, epoch: int) -> None:
        self._dataset, self._seed, self._epoch = dataset, seed, epoch

    def __getitem__(self, index: int) -> Any:  # noqa: ANN401 - whatever the user's dataset holds
        seed = _sample_seed(self._seed, self._epoch, index)
        random.seed(seed)
        np.random.seed(seed & 0xFFFFFFFF)
        # The default generator alone: torch.manual_seed also visits every device, a hundred times slower.
        torch.default_generator.manual_seed(seed & (2**63 - 1))
        return self._dataset[index]


def _ignore_signals(worker: int) -> None:  # noqa: ARG001 - the signature of a worker hook
    """Leaves Ctrl-C and SIGTERM to the trainer: a worker that dies of them breaks the batch in progress."""
    if get_worker_info() is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


class EpochLoader:
    """The batches of a map-style dataset, epoch after epoch.

    Args:
        source: A `DataLoader`; dataset, batch size, collation, workers, and whether it shuffles are taken over.
        seed: Of the order and of the loading.

    Raises:
        ConfigError: `unsupported_loader` for an iterable dataset, or a sampler of the user's own.

    Spec: TR-LOOP-002, TR-LOOP-003.
    """

    def __init__(self, source: DataLoader[Any], seed: int) -> None:
        if isinstance(source.dataset, IterableDataset):
            raise ConfigError("unsupported_loader", "data: an IterableDataset; expected one with indices and a length")
        if source.batch_size is None or type(source.sampler) not in {RandomSampler, SequentialSampler}:
            kind = type(source.sampler).__name__
            raise ConfigError(
                "unsupported_loader", f"data: sampler {kind}; expected shuffle=True or False and a batch_size"
            )
        self._source = source
        self._seed = seed
        self._shuffles = isinstance(source.sampler, RandomSampler)
        self._draws_nothing = type(source.dataset) is TensorDataset  # then there is nothing to seed and to give back
        self._iterator: Iterator[Any] = iter(())

    @property
    def batch_size(self) -> int:
        """Samples in a batch; the last batch may have fewer."""
        size = self._source.batch_size
        assert size is not None  # noqa: S101 - refused in __init__
        return size

    def open_epoch(self, epoch: int, skip_batches: int) -> None:
        """Starts an epoch, leaving out batches by index, without loading them."""
        dataset: Any = self._source.dataset
        count = len(dataset)
        order = epoch_order(self._seed, epoch, count) if self._shuffles else list(range(count))
        batches = [order[start : start + self.batch_size] for start in range(0, count, self.batch_size)]
        if self._source.drop_last and batches and len(batches[-1]) < self.batch_size:
            batches.pop()
        loader = DataLoader(
            dataset if self._draws_nothing else _SeededDataset(dataset, self._seed, epoch),
            batch_sampler=batches[skip_batches:],
            num_workers=self._source.num_workers,
            collate_fn=self._source.collate_fn,
            pin_memory=self._source.pin_memory,
            worker_init_fn=_ignore_signals,
            generator=torch.Generator().manual_seed(self._seed & (2**63 - 1)),
        )
        self._iterator = iter(loader)

    def next_batch(self) -> Any | None:  # noqa: ANN401 - whatever collation makes
        """Loads a batch; None at the end of the epoch. The global generators stay as they are."""
        if self._draws_nothing and self._source.collate_fn is default_collate:
            return next(self._iterator, None)
        with isolated_generators():
            return next(self._iterator, None)
