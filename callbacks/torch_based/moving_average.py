"""An exponential moving average of the weights, which is often the better model."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from tenuto.callbacks.base import BaseCallback
from tenuto.reference.checkpoint.tree import Tensor, Tree
from tenuto.reference.errors import ConfigError, RestoreError
from tenuto.reference.events.contexts import Context, ExceptionRaised, TrainStart
from tenuto.reference.trainer.torch_model import innermost
from tenuto.reference.trainer.torch_tree import TreeMaker, dtype_name, to_torch

__all__ = ["ExponentialMovingAverage"]

_log = logging.getLogger("tenuto")


class ExponentialMovingAverage(BaseCallback):
    """Keeps `average + (1 - decay) * (weight - average)` of every weight, after each update.

    The average is saved with each checkpoint, under `callback_state`, and a resumed run goes on with it bit for bit.
    The model itself keeps the weights of the training, in memory and in every file, but where you ask for the average:

    Example:
        ```python
        average = tenuto.ExponentialMovingAverage(model, decay=0.999, use_in_validation=True)
        trainer = tenuto.Trainer(model, ..., callbacks=[average, tenuto.CheckpointCallback("runs/a")])
        trainer.fit()
        with average.applied():
            torch.save(model.state_dict(), "averaged.pt")
        ```

    It needs the memory of one more model, and with emergency saves, which have to know the average as it was at the
    last boundary, a copy of it in the memory of the CPU for each batch: `save_on_exception=False` saves that.

    Args:
        model: Whose weights are averaged: the one that is trained.
        decay: How much of the average stays at each update, in [0, 1).
        use_in_validation: Whether validation measures the average in place of the weights.

    Attributes:
        updates: How many updates the average has seen.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: CB-READY-006 to CB-READY-008.
    """

    def __init__(self, model: nn.Module, decay: float = 0.999, *, use_in_validation: bool = False) -> None:
        if isinstance(decay, bool) or not isinstance(decay, int | float) or not 0 <= decay < 1:
            raise ConfigError("invalid_setting", f"decay: {decay!r}; expected a number of at least 0 and below 1")
        self.updates = 0
        self._model, self._decay, self._use_in_validation = model, float(decay), use_in_validation
        self._average: dict[str, torch.Tensor] = {}  # empty before the first attempt
        self._is_applied = False

    # -- state --------------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Tree]:
        """Returns the average; its tensors are views of live memory where that is the memory of the CPU."""
        if not self._average:
            return {}
        # While the average is in the model, the weights are where the average was.
        held = self._live() if self._is_applied else self._average
        return {"updates": self.updates, "average": TreeMaker().tree(held, "average")}

    def load_state_dict(self, state: dict[str, Tree]) -> None:
        """Takes over an average; an empty state is that of a callback that has not seen a training.

        Raises:
            RestoreError: `state_mismatch` with every tensor that does not fit the model; nothing has changed then.
        """
        saved: Any = state.get("average", {})
        updates: Any = state.get("updates", 0)
        mismatches = list(self._mismatches(saved, updates)) if state else []
        if mismatches:
            raise RestoreError("state_mismatch", "average: not of this model; expected its weights", tuple(mismatches))
        live = self._live()
        self._average = {name: to_torch(tensor).to(live[name].device) for name, tensor in saved.items()}
        self.updates = updates

    def _mismatches(self, saved: Any, updates: Any) -> Iterator[str]:  # noqa: ANN401 - from a file
        path, live = f"callback_state.{self.state_key}.average", self._live()
        if type(updates) is not int or updates < 0:
            yield f"callback_state.{self.state_key}.updates: {updates!r}; expected a whole number of at least 0"
        if not isinstance(saved, dict):
            yield f"{path}: {type(saved).__name__}; expected a map"
            return
        for name in sorted(live.keys() | saved.keys()):
            found = saved.get(name)
            got = (found.dtype, found.shape) if isinstance(found, Tensor) else None
            wanted = (dtype_name(live[name].dtype), tuple(live[name].shape)) if name in live else None
            if got != wanted:
                yield f"{path}.{name}: {got} in the file, {wanted} in the model"

    # -- hooks --------------------------------------------------------------------------------------------------------

    def on_train_start(self, context: TrainStart) -> None:
        """Starts from the weights, unless an average was restored."""
        if not self._average:
            if context.resumed:
                _log.warning("ExponentialMovingAverage: no average was saved; it starts from the weights resumed")
            self._average = {name: value.clone() for name, value in self._live().items()}

    def on_batch_end(self, context: Context) -> None:
        """Averages, if the batch has led to an update."""
        if context.in_window:
            return
        with torch.no_grad():
            for name, value in self._live().items():
                if isinstance(value, nn.Parameter) and value.is_floating_point():
                    self._average[name].lerp_(value, 1 - self._decay)
                else:
                    self._average[name].copy_(value)
        self.updates += 1

    def on_validation_start(self, context: Context) -> None:
        """Puts the average into the model."""
        if self._use_in_validation:
            self._exchange()

    def on_validation_end(self, context: Context) -> None:
        """Puts the weights back."""
        self._put_back()

    def on_exception(self, context: ExceptionRaised) -> None:
        """Puts the weights back before anything is saved: observers are called first."""
        self._put_back()

    # -- the average in the place of the weights ----------------------------------------------------------------------

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Puts the average into the model for a block, and the weights back at its end, whatever ends it.

        Raises:
            RuntimeError: There is no average yet, or it is in the model already.
        """
        if not self._average or self._is_applied:
            raise RuntimeError("average: in the model already, or not begun; expected one that training has made")
        self._exchange()
        try:
            yield
        finally:
            self._put_back()

    def _put_back(self) -> None:
        if self._is_applied:
            self._exchange()

    def _exchange(self) -> None:
        """Exchanges the data of weights and average, all or none: no bit is lost, and tied weights stay tied."""
        exchanged: list[tuple[torch.Tensor, torch.Tensor]] = []
        try:
            _exchange_pairs([(value, self._average[name]) for name, value in self._live().items()], exchanged)
        except BaseException:
            _exchange_pairs(exchanged[::-1], [])  # last first, as tied weights were exchanged several times
            raise
        self._is_applied = not self._is_applied

    def _live(self) -> dict[str, torch.Tensor]:
        """Returns parameters, those that are tied once, and buffers, by the names of the innermost module."""
        model = innermost(self._model)
        return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _exchange_pairs(
    pairs: list[tuple[torch.Tensor, torch.Tensor]], done: list[tuple[torch.Tensor, torch.Tensor]]
) -> None:
    """Exchanges the data of each pair; `done` gets the pairs that have been."""
    with torch.no_grad():
        for live, average in pairs:
            former = live.clone()
            live.copy_(average)
            average.copy_(former)
            done.append((live, average))
