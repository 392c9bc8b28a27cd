"""From batches to updates: backward passes, accumulation windows, scaling, clipping, steps of the optimizers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.errors import ConfigError
from tenuto.reference.trainer import torch_gradients, torch_optimizer
from tenuto.reference.trainer.torch_metrics import loss_of
from tenuto.reference.trainer.torch_tree import TreeMaker, like
from tenuto.reference.trainer.workload import WorkloadState

__all__ = ["Updater", "needs_closure"]

Evaluate = Callable[[Any], dict[str, Any]]


def needs_closure(optimizer: torch.optim.Optimizer) -> bool:
    """Returns whether `step` cannot be called without a function that computes the loss anew."""
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


class Updater:
    """Makes one update of each accumulation window.

    Args:
        model: Whose gradients are computed.
        optimizers: By name, stepped in this order.
        accumulate: Batches in a window; the last window of an epoch may have fewer and is divided by as many.
        clip_norm: To which norm the gradients are clipped before an update; None for no clipping.
        scaler: Of the loss, for float16; None for none.

    Attributes:
        is_open: Whether the batch trained on last left its window open.
        has_begun: Whether something of the state has changed since it was last set to False.

    Raises:
        ConfigError: `invalid_setting`.

    Spec: TR-LOOP-001, TR-LOOP-011, TR-LOOP-022, TR-LOOP-023.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizers: Mapping[str, torch.optim.Optimizer],
        *,
        accumulate: int,
        clip_norm: float | None,
        scaler: torch.amp.GradScaler | None,
    ) -> None:
        self.is_open = self.has_begun = False
        self.optimizers, self._model = dict(optimizers), model
        self._accumulate, self._clip_norm, self._scaler = accumulate, clip_norm, scaler
        self._has_closure = any(needs_closure(optimizer) for optimizer in optimizers.values())
        if self._has_closure and (len(optimizers) > 1 or accumulate > 1 or scaler is not None):
            message = "an optimizer that needs a closure; expected no other one, no scaler and accumulate=1 beside it"
            raise ConfigError("invalid_setting", f"optimizer: {message}")

    def train(self, evaluate: Evaluate, batch: Any, *, position: int, is_last: bool) -> dict[str, Any]:  # noqa: ANN401 - whatever collation makes
        """Trains on a batch.

        Args:
            evaluate: Runs the forward pass of a batch and returns checked metrics, `loss` among them.
            batch: What it is given.
            position: Number of the batch in its epoch, from 1.
            is_last: Whether it is the last of its epoch.

        Returns:
            The metrics, to be owned by the caller.
        """
        if self._has_closure:
            return self._step_with_closure(evaluate, batch)
        if not self.is_open:
            self._forget_gradients()
        metrics = evaluate(batch)
        loss = loss_of(metrics)
        if self._accumulate > 1:
            loss = loss / self._accumulate
        self.has_begun = self.has_begun or self.is_open  # only the gradients of an open window are in a state
        (loss if self._scaler is None else self._scaler.scale(loss)).backward()  # type: ignore[no-untyped-call]
        self.has_begun = True
        self.is_open = not is_last and position % self._accumulate != 0
        if not self.is_open:
            self._step()
        return metrics

    def _forget_gradients(self) -> None:
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none=True)

    def _step(self) -> None:
        if self._scaler is not None:
            self._step_with_scaler(self._scaler)
            return
        self._clip()
        for optimizer in self.optimizers.values():
            optimizer.step()

    def _step_with_scaler(self, scaler: torch.amp.GradScaler) -> None:
        for optimizer in self.optimizers.values():
            scaler.unscale_(optimizer)
        self._clip()
        for optimizer in self.optimizers.values():
            scaler.step(optimizer)
            # A window that the scaler skips counts (TR-LOOP-001), and torch's schedulers warn without this note.
            optimizer._opt_called = True  # type: ignore[attr-defined]
        scaler.update()

    def _clip(self) -> None:
        if self._clip_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters(), self._clip_norm)

    def _parameters(self) -> Iterator[torch.Tensor]:
        groups = (group for optimizer in self.optimizers.values() for group in optimizer.param_groups)
        return (parameter for group in groups for parameter in group["params"])

    def _step_with_closure(self, evaluate: Evaluate, batch: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever collation makes
        """Spec: TR-LOOP-023."""
        (optimizer,) = self.optimizers.values()
        measured: list[dict[str, Any]] = []

        def closure() -> torch.Tensor:
            self._forget_gradients()
            metrics = evaluate(batch)
            measured.append(metrics)
            loss = loss_of(metrics)
            self.has_begun = True  # with the next call the weights have moved
            loss.backward()  # type: ignore[no-untyped-call]
            self._clip()
            return loss

        optimizer.step(closure)  # type: ignore[arg-type] # torch asks for a float and takes a tensor
        return measured[0]

    # -- state --------------------------------------------------------------------------------------------------------

    def capture(self, maker: TreeMaker) -> tuple[dict[str, Tree], Tree, Tree]:
        """Returns the states of the optimizers, the gradients of an open window and the state of the scaler.

        Spec: TR-STATE-010, TR-STATE-017, TR-STATE-018.
        """
        optimizers = {name: torch_optimizer.capture(one, maker) for name, one in self.optimizers.items()}
        gradients = torch_gradients.capture(self._model, maker) if self.is_open else None
        scaler = None if self._scaler is None else maker.tree(self._scaler.state_dict(), "trainer_state.scaler")
        return optimizers, gradients, scaler

    def mismatches(self, state: WorkloadState) -> Iterator[str]:
        """Yields what of a state does not fit.

        Spec: TR-REST-001.
        """
        for name, optimizer in self.optimizers.items():
            if name in state.optimizer_state:
                saved = state.optimizer_state[name]
                yield from torch_optimizer.mismatches(optimizer, saved, f"optimizer_state.{name}")
        if self._accumulate == 1 and state.gradients is not None:
            yield "trainer_state.gradients: in the file, not in this trainer"
        elif state.gradients is not None:
            yield from torch_gradients.mismatches(self._model, state.gradients)
        if (state.scaler is None) is not (self._scaler is None):
            where = "in the file, not in this trainer" if self._scaler is None else "in this trainer, not in the file"
            yield f"trainer_state.scaler: {where}"
        elif self._scaler is not None and not _is_like(state.scaler, self._scaler.state_dict()):
            yield "trainer_state.scaler: not the state of a gradient scaler"

    def restore(self, state: WorkloadState, undo: ExitStack) -> None:
        """Takes over a state that fits.

        Args:
            state: A saved one.
            undo: Gets what gives everything its former state back.
        """
        for name, optimizer in self.optimizers.items():
            if name in state.optimizer_state:
                undo.callback(torch_optimizer.restore(optimizer, state.optimizer_state[name]))
        if self._scaler is not None and state.scaler is not None:
            former = self._scaler.state_dict()
            undo.callback(self._scaler.load_state_dict, former)
            self._scaler.load_state_dict(like(former, state.scaler))
        undo.callback(setattr, self, "is_open", self.is_open)
        undo.callback(torch_gradients.restore(self._model, state.gradients))
        self.is_open = state.gradients is not None


def _is_like(saved: Tree, live: Mapping[str, Any]) -> bool:
    """Returns whether a saved map has the keys of a live one, and values of the same types."""
    return (
        isinstance(saved, dict)
        and saved.keys() == live.keys()
        and all(type(saved[name]) is type(value) for name, value in live.items())
    )
