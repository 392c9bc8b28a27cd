"""Takes one suspect out of this process: chance without a seed, the clock, or kernels whose results vary.

Two runs without it that are equal, where two runs with it were not, show that it was the cause.
"""

from __future__ import annotations

import datetime
import itertools
import os
import random
import time
from collections.abc import Callable
from typing import Any

import torch

from tenuto.reference.trainer.torch_generators import seed_all
from tenuto.verify_resume.request import Suspect

__all__ = ["take_out"]

_START = 1_700_000_000  # a time of day like any other, in seconds
_CLOCKS = ("time", "monotonic", "perf_counter", "process_time")


def take_out(suspect: Suspect | None, seed: int) -> None:
    """Takes a suspect out of this process, before the job is imported."""
    if suspect is Suspect.GENERATORS:
        _seed_what_has_no_seed(seed)
    elif suspect is Suspect.CLOCK:
        _stop_the_clock()
    elif suspect is Suspect.KERNELS:
        torch.set_num_threads(1)
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)


def _seed_what_has_no_seed(seed: int) -> None:
    """Seeds the global generators, and every generator that would ask the system for a seed."""
    seed_all(seed)
    numbers = itertools.count(seed)
    system = random.Random(seed)  # noqa: S311 - stands for the system's, on purpose

    class Seeded(random.Random):
        """Takes the next number of a row where it is given no seed."""

        def seed(self, a: Any = None, version: int = 2) -> None:  # noqa: ANN401 - the signature of random.Random
            super().seed(next(numbers) if a is None else a, version)

    named: list[tuple[Any, str, Any]] = [
        (random, "Random", Seeded),
        (random, "seed", _with_default(random.seed, numbers)),
        (random, "_urandom", system.randbytes),  # NumPy and `secrets` take their seeds from here
        (os, "urandom", system.randbytes),
        (torch, "seed", lambda: torch.manual_seed(next(numbers)).initial_seed()),
    ]
    for module, name, value in named:
        setattr(module, name, value)


def _with_default(seed: Callable[..., None], numbers: Any) -> Callable[..., None]:  # noqa: ANN401 - itertools.count
    return lambda a=None, version=2: seed(next(numbers) if a is None else a, version)


def _stop_the_clock() -> None:
    """Makes every clock tick by a thousandth of a second for each time that it is read."""
    ticks = itertools.count()
    for name in _CLOCKS:
        setattr(time, name, lambda: _START + next(ticks) / 1000)
        setattr(time, f"{name}_ns", lambda: (_START * 1000 + next(ticks)) * 1_000_000)

    class Stopped(datetime.datetime):
        """Tells the time of the clock above."""

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Stopped:
            """See `datetime.datetime`."""
            return cls.fromtimestamp(time.time(), tz)

    setattr(datetime, "datetime", Stopped)  # noqa: B010 - mypy forbids the assignment to a class
