"""Batches of any iterable: started anew for each epoch, drawn with generators that depend on seed, epoch and batch."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader, IterableDataset

from tenuto.reference.errors import ConfigError
from tenuto.reference.trainer.torch_data import EpochLoader, unsupported
from tenuto.reference.trainer.torch_generators import isolated_generators
from tenuto.reference.trainer.torch_samples import mixed, seed_generators

__all__ = ["BatchLoader", "IterableLoader", "make_loader"]

_log = logging.getLogger("tenuto")


class BatchLoader(Protocol):
    """What the workload asks of its data.

    Attributes:
        batch_size: Samples in a batch, if that is known.
        samples: How many samples the batch given last was made of.
        is_last: Whether the batch given last is the last one of its epoch; known where it was asked for.
        has_state: Whether `state_dict` gives anything.
    """

    has_state: bool
    batch_size: int | None
    samples: int
    is_last: bool

    def open_epoch(self, epoch: int, skip_batches: int) -> None:
        """Starts an epoch behind the batches that were trained on."""

    def next_batch(self) -> Any | None:  # noqa: ANN401 - whatever collation makes
        """Loads a batch; None at the end of the epoch. The global generators stay as they are."""

    def state_dict(self) -> Any | None:  # noqa: ANN401 - whatever the loader saves
        """Returns the position as the loader itself gives it, as of the batch given last; None if it gives none."""

    def load_state_dict(self, state: Any) -> None:  # noqa: ANN401 - as above
        """Takes over a position; the epoch that is opened next goes on from it."""

    def close(self) -> None:
        """Ends the epoch in progress and the worker processes."""


def make_loader(source: Any, seed: int, *, limit: int | None, looks_ahead: bool) -> BatchLoader:  # noqa: ANN401 - a user's
    """Returns the loader for what a user gave as data.

    Args:
        source: A `DataLoader` over samples with indices, or any iterable of batches.
        seed: Of order and loading.
        limit: After how many batches an epoch ends.
        looks_ahead: Whether `is_last` has to be known at each batch.

    Raises:
        ConfigError: `unsupported_loader`.

    Spec: TR-LOOP-006, TR-LOOP-019.
    """
    is_own = isinstance(source, DataLoader) and not isinstance(source.dataset, IterableDataset)
    if is_own and not _has_state(source):
        return EpochLoader(source, seed, limit)
    if not isinstance(source, Iterable) or isinstance(source, Mapping | str | bytes | torch.Tensor):
        raise unsupported(f"{type(source).__name__}; expected a DataLoader or an iterable of batches")
    if isinstance(source, Iterator):
        raise unsupported(f"{type(source).__name__}, an iterator; expected an iterable that starts anew for each epoch")
    return IterableLoader(source, seed, limit, looks_ahead=looks_ahead)


def _has_state(source: object) -> bool:
    return callable(getattr(source, "state_dict", None)) and callable(getattr(source, "load_state_dict", None))


class IterableLoader:
    """The batches of an iterable, epoch after epoch.

    Args:
        source: Iterated anew for each epoch; asked for its state if it has `state_dict` and `load_state_dict`.
        seed: Of what it draws from the global generators.
        limit: After how many batches an epoch ends; None for all.
        looks_ahead: Whether one batch more is loaded, so that `is_last` is known.

    Spec: TR-LOOP-019, TR-LOOP-020, TR-LOOP-021.
    """

    def __init__(self, source: Any, seed: int, limit: int | None, *, looks_ahead: bool) -> None:  # noqa: ANN401 - a user's
        size = getattr(source, "batch_size", None)
        self.batch_size: int | None = size if type(size) is int else None
        self.samples, self.is_last = 0, False
        self._source, self._seed, self._limit, self._looks_ahead = source, seed, limit, looks_ahead
        self.has_state = _has_state(source)
        if self.has_state and limit is not None:
            message = (
                "a limit of batches beside a loader with state_dict; expected none, for it says itself where it is"
            )
            raise ConfigError("invalid_setting", f"limit_batches: {message}")
        self._is_restored = False
        self._iterator: Iterator[Any] = iter(())
        self._epoch = self._loaded = self._given = 0
        self._ahead: list[Any] = []  # the batch that was loaded before it was asked for
        self._state: Any = None  # as of the batch given last, where one more has been loaded since

    def open_epoch(self, epoch: int, skip_batches: int) -> None:
        """See `BatchLoader`.

        Raises:
            ConfigError: `unsupported_loader` if there is no batch, or fewer than were trained on.
        """
        self.close()
        self._epoch, self._given = epoch, skip_batches
        self._loaded = skip_batches if self._is_restored else 0
        with isolated_generators():
            seed_generators(mixed(self._seed, epoch))
            self._iterator = iter(self._source)
        if skip_batches and not self._is_restored:
            _log.info("data: the %d batches trained on are loaded again and passed over", skip_batches)
            if any(self._load() is None for _ in range(skip_batches)):
                raise unsupported(f"fewer than {skip_batches} batches in epoch {epoch}; expected those trained on")
        is_fresh, self._is_restored = not (skip_batches or self._is_restored), False
        if is_fresh or self._looks_ahead:
            self._look_ahead()
        if is_fresh and self._ahead == [None]:
            raise unsupported(f"no batch in epoch {epoch}; expected at least one")

    def next_batch(self) -> Any | None:  # noqa: ANN401 - whatever collation makes
        """See `BatchLoader`."""
        batch = self._ahead.pop() if self._ahead else self._load()
        if batch is None:
            return None
        self._given += 1
        self.samples = _count(batch)
        if self._looks_ahead:
            self._look_ahead()
            self.is_last = self._ahead == [None]
        return batch

    def _look_ahead(self) -> None:
        self._state = deepcopy(self._source.state_dict()) if self.has_state else None
        self._ahead = [self._load()]

    def _load(self) -> Any | None:  # noqa: ANN401 - whatever collation makes
        if self._limit is not None and self._loaded >= self._limit:
            return None
        with isolated_generators():
            seed_generators(mixed(self._seed, self._epoch, self._loaded))
            batch = next(self._iterator, None)
        self._loaded += batch is not None
        return batch

    def state_dict(self) -> Any | None:  # noqa: ANN401 - whatever the source saves
        """See `BatchLoader`."""
        if not self.has_state:
            return None
        return self._state if self._ahead else self._source.state_dict()

    def load_state_dict(self, state: Any) -> None:  # noqa: ANN401 - as above
        """See `BatchLoader`."""
        self.close()
        self._source.load_state_dict(state)
        self._is_restored = True

    def close(self) -> None:
        """See `BatchLoader`. Worker processes end with the iterator."""
        shut_down = getattr(self._iterator, "_shutdown_workers", None)
        self._iterator, self._ahead, self.is_last = iter(()), [], False
        if shut_down is not None:
            shut_down()


def _count(batch: Any) -> int:  # noqa: ANN401 - whatever a user's iterable gives
    """Returns the number of samples in a batch: the length of the first tensor in it, else 1."""
    if isinstance(batch, torch.Tensor):
        return len(batch) if batch.dim() else 1
    parts = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, list | tuple) else ()
    return next((_count(part) for part in parts), 1)
