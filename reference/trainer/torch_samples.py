"""Samples loaded so that each depends on its index alone, with what loading draws seeded for it; or in one go."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from attrs import frozen
from torch.utils.data import DataLoader, Dataset, TensorDataset, default_collate

__all__ = ["MASK", "Samples", "mixed", "samples_of", "seed_generators"]

MASK: Final = 2**64 - 1  # what of a seed counts


def mixed(seed: int, *numbers: int) -> int:
    """Mixes numbers to 64 bits (the finalizer of SplitMix64, applied for each)."""
    mixed = seed & MASK
    for number in numbers:
        mixed = (mixed + 0x9E3779B97F4A7C15 * (number + 1)) & MASK
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & MASK
        mixed ^= mixed >> 31
    return mixed


def seed_generators(seed: int) -> None:
    """Seeds the global generators of Python, NumPy and torch's CPU, quickly."""
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    # The default generator alone: torch.manual_seed also visits every device, a hundred times slower.
    torch.default_generator.manual_seed(seed & (2**63 - 1))


@frozen
class Samples:
    """What a loader loads.

    Attributes:
        dataset: By index; where loading draws, by (epoch, number of the batch, index).
        collate: Makes a batch of what the dataset gives.
        draws: Whether loading may draw from the global generators.
    """

    dataset: Dataset[Any]
    collate: Callable[[list[Any]], Any]
    draws: bool


def samples_of(source: DataLoader[Any], seed: int) -> Samples:
    """Returns how the samples of a loader are loaded.

    Spec: TR-LOOP-003, TR-LOOP-005.
    """
    dataset, collate = source.dataset, source.collate_fn
    if type(dataset) is not TensorDataset or collate is not default_collate:
        return Samples(_SeededDataset(dataset, seed), collate, draws=True)
    return Samples(_Rows(dataset), _as_it_is, draws=False)


class _SeededDataset(Dataset[Any]):
    """A dataset whose every sample is loaded, and every batch collated, with freshly seeded generators.

    Spec: TR-LOOP-003, TR-LOOP-005.
    """

    def __init__(self, dataset: Dataset[Any], seed: int) -> None:
        self._dataset, self._seed = dataset, seed

    def __getitems__(self, keys: list[tuple[int, int, int]]) -> list[Any]:
        """Loads the samples of a batch, each given as (epoch, number of the batch, index)."""
        samples = []
        for epoch, _, index in keys:
            seed_generators(mixed(self._seed, epoch, index))
            samples.append(self._dataset[index])
        epoch, number, _ = keys[0]
        seed_generators(mixed(self._seed, epoch, number, 0))  # torch collates next, in the same process
        return samples


class _Rows(Dataset[Any]):
    """A dataset of tensors that gives a batch in one go: what its samples would be, collated, several times as fast.

    To who looks at the dataset of a worker it is the dataset of tensors.
    """

    def __init__(self, dataset: TensorDataset) -> None:
        self._dataset = dataset
        self._looked_at: tuple[torch.Tensor, ...] = ()
        self._have_rows = True

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """Those of the dataset, which may be given others."""
        return self._dataset.tensors

    @tensors.setter
    def tensors(self, tensors: tuple[torch.Tensor, ...]) -> None:
        self._dataset.tensors = tensors

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        sample: tuple[torch.Tensor, ...] = self._dataset[index]
        return sample

    def __getitems__(self, indices: list[int]) -> list[torch.Tensor]:
        """Loads the samples of a batch; they lie in memory as collated ones do, whatever the order of the dataset."""
        tensors = self.tensors
        if tensors is not self._looked_at:  # not at each batch
            self._looked_at, self._have_rows = tensors, all(map(_has_rows, tensors))
        if not self._have_rows:
            collated: list[torch.Tensor] = default_collate([self[index] for index in indices])
            return collated
        chosen = torch.tensor(indices)
        return [tensor.index_select(0, chosen.to(tensor.device)) for tensor in tensors]


def _has_rows(tensor: torch.Tensor) -> bool:
    """Returns whether rows can be taken in one go; one that is empty, quantized or learns is collated."""
    is_plain = type(tensor) is torch.Tensor and tensor.layout is torch.strided and not tensor.is_quantized
    return is_plain and tensor.numel() > 0 and not tensor.requires_grad


def _as_it_is(batch: list[torch.Tensor]) -> list[torch.Tensor]:
    return batch
