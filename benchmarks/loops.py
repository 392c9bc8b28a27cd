"""The same training by several loops: a small model, so that the loop itself is what takes the time."""

from __future__ import annotations

import copy
import logging
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

import torch
from torch import nn
from torch.utils.data import BatchSampler, DataLoader, Dataset, TensorDataset

import tenuto
from benchmarks.measure import Action, Bar, Goal, bar_of, compare, ratios
from tenuto.reference.trainer.torch_generators import Generators

__all__ = ["GOALS", "bench_loops"]

BATCH_SIZE: Final = 8
_LOSS: Final = nn.functional.mse_loss
_Make = Callable[..., Dataset[Any]]
_BY_HAND: Final = "hand-written loop"

NO_CALLBACK: Final = Goal(f"tenuto without callbacks / {_BY_HAND}", 1.03)
IDLE: Final = Goal(f"tenuto with an idle callback / {_BY_HAND}", 1.03)
TEN_IDLE: Final = Goal(f"tenuto with ten idle callbacks / {_BY_HAND}", 1.05)
BATCH_END: Final = Goal(f"tenuto with a callback at the end of each batch / {_BY_HAND}")
EMERGENCY: Final = Goal(f"tenuto ready for emergency saves / {_BY_HAND}")
IGNITE: Final = Goal(f"Ignite / {_BY_HAND}")
LIGHTNING: Final = Goal(f"Lightning / {_BY_HAND}")
BAREBONES: Final = Goal(f"Lightning, barebones=True / {_BY_HAND}")
SAME_ROWS: Final = Goal("tenuto without callbacks / hand-written loop, rows of a batch at once", 1.03)
OWN_DATASET: Final = Goal(f"tenuto, dataset of one's own, seeded at each sample / {_BY_HAND}")
GENERATORS: Final = Goal("copy of all generators / 60 us of spinning", 1.0)
GOALS: Final = (
    NO_CALLBACK,
    IDLE,
    TEN_IDLE,
    BATCH_END,
    EMERGENCY,
    IGNITE,
    LIGHTNING,
    BAREBONES,
    SAME_ROWS,
    OWN_DATASET,
    GENERATORS,
)


class Idle(tenuto.BaseCallback):
    """Overrides nothing."""


class Numbered(Idle):
    """One of several idle ones."""

    def __init__(self, number: int) -> None:
        self._number = number

    @property
    def state_key(self) -> str:
        """See the base."""
        return f"Idle[{self._number}]"


class AtBatchEnd(tenuto.BaseCallback):
    """Looks at the loss of each batch."""

    def __init__(self) -> None:
        self.worst = 0.0

    def on_batch_end(self, context: Any) -> None:  # noqa: ANN401 - the package has no public name for it
        """Keeps the largest."""
        self.worst = max(self.worst, context.metrics["train_loss_step"].value)


class Ready(tenuto.BaseCallback):
    """Would save after a failure, so generators are copied at each batch."""

    @property
    def saves_on_exception(self) -> bool:
        """See the base."""
        return True


class Pairs(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """What a `TensorDataset` gives, by a class of one's own, whose samples might draw random numbers."""

    def __init__(self, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        self._inputs, self._targets = inputs, targets

    def __len__(self) -> int:
        return len(self._inputs)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self._inputs[index], self._targets[index]


class Job:
    """One epoch of training by the loop that is asked for, from the making of its trainer to its end.

    Args:
        steps: Batches of the epoch.
    """

    def __init__(self, steps: int) -> None:
        generator = torch.Generator().manual_seed(0)
        inputs = torch.randn(steps * BATCH_SIZE, 32, generator=generator)
        self._pair = inputs, inputs.sum(dim=1, keepdim=True)
        self._model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 1))

    def _parts(self, make: _Make = TensorDataset) -> tuple[nn.Module, torch.optim.Optimizer, DataLoader[Any]]:
        model = copy.deepcopy(self._model)
        data = DataLoader(make(*self._pair), BATCH_SIZE, shuffle=True)
        return model, torch.optim.SGD(model.parameters(), lr=0.01), data

    def by_hand(self, make: _Make = TensorDataset) -> float:
        """The loop that everybody writes, with the sum of the losses."""
        return self._train(*self._parts(make))

    def by_hand_with_rows(self) -> float:
        """The same, and a batch is taken from the tensors in one go, as this project's trainer does of itself."""
        model, optimizer, data = self._parts()
        batches = BatchSampler(data.sampler, BATCH_SIZE, drop_last=False)
        return self._train(model, optimizer, DataLoader(data.dataset, sampler=batches, batch_size=None))

    @staticmethod
    def _train(model: nn.Module, optimizer: torch.optim.Optimizer, data: DataLoader[Any]) -> float:
        total = 0.0
        for inputs, targets in data:
            optimizer.zero_grad(set_to_none=True)
            loss = _LOSS(model(inputs), targets)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += loss.item()
        return total

    def by_tenuto(self, callbacks: Sequence[tenuto.BaseCallback] = (), make: _Make = TensorDataset) -> None:
        """The trainer of this project."""
        model, optimizer, data = self._parts(make)
        tenuto.Trainer(model, optimizer, data, max_epochs=1, loss=_LOSS, callbacks=callbacks).fit()

    def by_ignite(self) -> None:
        """Ignite's engine for supervised training."""
        from ignite.engine import create_supervised_trainer  # noqa: PLC0415 - only where it is installed

        model, optimizer, data = self._parts()
        create_supervised_trainer(model, optimizer, _LOSS).run(data, max_epochs=1)

    def by_lightning(self, **settings: bool) -> None:
        """Lightning's trainer; what it does beside training is switched off."""
        import lightning  # noqa: PLC0415 - only where it is installed

        net, optimizer, data = self._parts()

        class Module(lightning.LightningModule):  # type: ignore[misc] # not installed where types are checked
            def __init__(self) -> None:
                super().__init__()
                self.net = net

            def training_step(self, batch: Any) -> torch.Tensor:  # noqa: ANN401 - a pair of tensors
                inputs, targets = batch
                return _LOSS(self.net(inputs), targets)

            def configure_optimizers(self) -> torch.optim.Optimizer:
                return optimizer

        lightning.Trainer(max_epochs=1, accelerator="cpu", **settings).fit(Module(), data)


def bench_loops(rounds: int, steps: int) -> list[Bar]:
    """Measures every loop against the hand-written one.

    They wait for nothing, so the time is that of the processor, which other processes disturb less.
    """
    job = Job(steps)
    sides = {goal.bar: side for goal, side in _sides(job).items()}
    found = ratios("loops of training", job.by_hand, sides, rounds, time.process_time)
    by_hand, own = partial(job.by_hand, make=Pairs), {OWN_DATASET.bar: partial(job.by_tenuto, make=Pairs)}
    rows: dict[str, Action] = {SAME_ROWS.bar: job.by_tenuto}
    found |= ratios(SAME_ROWS.bar, job.by_hand_with_rows, rows, rounds, time.process_time)
    found |= ratios(OWN_DATASET.bar, by_hand, own, rounds, time.process_time)
    bars = [bar_of(goal, found.get(goal.bar, [])) for goal in GOALS if goal is not GENERATORS]
    return [*bars, compare(GENERATORS, Generators.copy, lambda: _spin(60e-6), rounds * 4)]


def _sides(job: Job) -> dict[Goal, Action]:
    sides: dict[Goal, Action] = {
        NO_CALLBACK: job.by_tenuto,
        IDLE: partial(job.by_tenuto, callbacks=[Idle()]),
        TEN_IDLE: partial(job.by_tenuto, callbacks=[Numbered(number) for number in range(10)]),
        BATCH_END: partial(job.by_tenuto, callbacks=[AtBatchEnd()]),
        EMERGENCY: partial(job.by_tenuto, callbacks=[Ready()]),
    }
    if find_spec("ignite"):
        sides[IGNITE] = job.by_ignite
    if find_spec("lightning"):
        import_module("lightning")  # which sets the level of its logger
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        warnings.simplefilter("ignore")  # it warns of workers, of devices and of what is switched off
        quiet = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
        sides[LIGHTNING] = partial(job.by_lightning, **dict.fromkeys(quiet, False))
        sides[BAREBONES] = partial(job.by_lightning, barebones=True)
    return sides


def _spin(duration: float) -> None:
    end = time.perf_counter() + duration
    while time.perf_counter() < end:
        pass
