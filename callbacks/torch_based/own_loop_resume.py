"""The whole state of a hand-written loop: taken for a file, and put back from one."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final

import torch
from attrs import frozen
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from tenuto.callbacks.own_loop_metadata import STATE_KEY
from tenuto.callbacks.torch_based.own_loop import CheckpointManager
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.errors import RestoreError
from tenuto.reference.trainer import torch_model, torch_optimizer
from tenuto.reference.trainer.state import mismatch_error
from tenuto.reference.trainer.torch_generators import Generators, fit_generators
from tenuto.reference.trainer.torch_samples import mixed
from tenuto.reference.trainer.torch_tree import like

__all__ = ["ResumedLoop", "load_checkpoint_into", "training_state"]

_log = logging.getLogger("tenuto")
_OPTIMIZER: Final = "optimizer"  # the names under which a trainer saves them
_SCHEDULER: Final = "scheduler"


@frozen
class ResumedLoop:
    """Where a loop goes on.

    Attributes:
        start_epoch: Completed epochs: the number of the next one, counted from 0.
        exact: Whether training goes on as if it had never been interrupted.
        metadata: Of the file.
    """

    start_epoch: int
    exact: bool
    metadata: dict[str, Any]


def training_state(
    model: nn.Module, optimizer: torch.optim.Optimizer, scheduler: LRScheduler | None = None
) -> dict[str, Any]:
    """Returns everything that training continues from, to be saved at the end of an epoch.

    Those are the model, the optimizer, the scheduler and the generators of Python, NumPy and torch. A `DataLoader` that
    shuffles draws its order from them when an epoch begins, so the order of the data is there too. More of your own
    goes under the key `trainer_state`.

    Returns:
        A map for `CheckpointManager.update` and `save_checkpoint`; its tensors are those of the live objects.

    Spec: CPC-MAN-016, TR-STATE-001.
    """
    state: dict[str, Any] = {
        "model_state": torch_model.innermost(model).state_dict(),
        "optimizer_state": {_OPTIMIZER: optimizer.state_dict()},
        "rng_state": Generators.copy().to_tree(),
    }
    return state if scheduler is None else {**state, "scheduler_state": {_SCHEDULER: scheduler.state_dict()}}


def load_checkpoint_into(
    path: str | os.PathLike[str],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: LRScheduler | None = None,
    *,
    manager: CheckpointManager | None = None,
) -> ResumedLoop:
    """Restores live objects from a checkpoint that `training_state`, or a trainer, was saved in.

    Args:
        path: Of the file, as `find_latest_checkpoint` returns it. Every byte of it is checked.
        model: As it was made for the training that was saved; changed in place.
        optimizer: Likewise.
        scheduler: Likewise, if there was one.
        manager: Who goes on saving: it gets back what was best so far.

    Returns:
        Where to go on. A file from the middle of an epoch leads to the beginning of that epoch.

    Raises:
        CheckpointError: `file_not_found`, or why the file is refused.
        RestoreError: `not_resumable` for a file of weights alone, `state_mismatch` with every mismatch. Nothing has
            changed then.

    Spec: CPC-MAN-016.
    """
    head: Any = read_checkpoint(path).head
    metadata = head["metadata"]
    if metadata.get("kind") != "full":
        kind = metadata.get("kind")
        raise RestoreError("not_resumable", f"{os.fspath(path)}: kind {kind!r}; expected a whole training state")
    optimizer_state, scheduler_state = _only(head, _OPTIMIZER), _only(head, _SCHEDULER)
    found = [*torch_model.mismatches(model, head["model_state"])]
    found += _part_mismatches(optimizer, optimizer_state, scheduler, scheduler_state)
    generators, notes = _generators(head)
    found += Generators.mismatches(generators) if generators else []
    if found:
        raise mismatch_error(found)
    with ExitStack() as undo:
        if manager is not None and STATE_KEY in head["callback_state"]:
            undo.callback(manager.load_state_dict, manager.state_dict())
            manager.load_state_dict(head["callback_state"][STATE_KEY])
        _restore(head["model_state"], model, optimizer, optimizer_state, scheduler, scheduler_state, undo)
        if generators:
            Generators.from_tree(generators).restore()
        undo.pop_all()
    return _report(metadata, notes)


def _generators(head: Any) -> tuple[dict[str, Any], list[str]]:  # noqa: ANN401 - from a file
    """Returns the state for each live generator, none if the file has none, and what of it is not in the file.

    Spec: TR-REST-012.
    """
    if not head["rng_state"]:
        return {}, ["without generators: the order of the data and dropout may differ"]
    config = head["metadata"].get("config")
    seed = config.get("seed") if isinstance(config, dict) else None  # a loop of one's own may have none
    epoch = head["metadata"]["progress"]["epoch"]
    return fit_generators(head["rng_state"], mixed(seed if type(seed) is int else 0, epoch, 0))


def _only(head: Any, name: str) -> Any:  # noqa: ANN401 - from a file
    """Returns the state of the one optimizer or scheduler: by its name, or as a loop may have saved it, without one."""
    saved = head[f"{name}_state"]
    return saved[name] if set(saved) == {name} else saved or None


def _part_mismatches(
    optimizer: torch.optim.Optimizer, optimizer_state: Tree, scheduler: LRScheduler | None, scheduler_state: Tree
) -> Iterator[str]:
    if optimizer_state is None:
        yield "optimizer_state: nothing in the file; expected the state of the optimizer"
    else:
        yield from torch_optimizer.mismatches(optimizer, optimizer_state, f"optimizer_state.{_OPTIMIZER}")
    if (scheduler is None) != (scheduler_state is None):
        where = "in the file, not given here" if scheduler is None else "given here, not in the file"
        yield f"scheduler_state.{_SCHEDULER}: {where}"
    elif scheduler is not None and not isinstance(scheduler_state, dict):
        yield f"scheduler_state.{_SCHEDULER}: no map in the file"


def _restore(
    model_state: Tree,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    optimizer_state: Tree,
    scheduler: LRScheduler | None,
    scheduler_state: Any,  # noqa: ANN401 - from a file
    undo: ExitStack,
) -> None:
    """Changes the live objects; `undo` gives them their former state back, last first."""
    undo.callback(Generators.copy().restore)
    undo.callback(torch_optimizer.restore(optimizer, optimizer_state))
    if scheduler is not None:
        former = copy.deepcopy(scheduler.state_dict())
        undo.callback(scheduler.load_state_dict, former)
        scheduler.load_state_dict(like(former, scheduler_state))
    torch_model.restore(model, model_state, undo)


def _report(metadata: dict[str, Any], notes: list[str]) -> ResumedLoop:
    progress = metadata["progress"]
    if progress["batch_in_epoch"]:
        notes = [*notes, "in the middle of an epoch, which begins again"]
    _log.info("Resumed from epoch %d", progress["epoch"])
    for note in notes:
        _log.warning("resumed, but %s", note)
    return ResumedLoop(progress["epoch"], metadata["exact"] is True and not notes, metadata)
