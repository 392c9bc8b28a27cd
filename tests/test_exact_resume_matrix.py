"""Every optimizer of torch with every scheduler that has state: resumed at each boundary, the end is the same."""

import pytest
import torch
from small_torch import BATCHES, EPOCHS, data, differences, network
from torch import nn
from torch.optim import lr_scheduler

STEPS = EPOCHS * BATCHES
RATES = {"Adadelta": 1.0, "LBFGS": 0.1, "ASGD": 0.05}
VARIANTS = {
    "SGD": {"momentum": 0.9, "nesterov": True},
    "Adam": {"amsgrad": True},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "NAdam": {"decoupled_weight_decay": True, "weight_decay": 0.01},
    "LBFGS": {"max_iter": 3, "history_size": 2},
}
OPTIMIZERS = sorted(
    name
    for name, kind in vars(torch.optim).items()
    if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer) and kind is not torch.optim.Optimizer
)


def _sequential(optimizer):
    parts = [lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2), lr_scheduler.ExponentialLR(optimizer, 0.9)]
    return lr_scheduler.SequentialLR(optimizer, parts, milestones=[2])


def _chained(optimizer):
    parts = [lr_scheduler.ConstantLR(optimizer, 0.5, total_iters=2), lr_scheduler.ExponentialLR(optimizer, 0.9)]
    return lr_scheduler.ChainedScheduler(parts, optimizer)


SCHEDULERS = {
    "LambdaLR": lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda step: 0.9**step),
    "MultiplicativeLR": lambda optimizer: lr_scheduler.MultiplicativeLR(optimizer, lambda _: 0.9),
    "StepLR": lambda optimizer: lr_scheduler.StepLR(optimizer, 2, 0.5),
    "MultiStepLR": lambda optimizer: lr_scheduler.MultiStepLR(optimizer, [1, 4], 0.5),
    "ConstantLR": lambda optimizer: lr_scheduler.ConstantLR(optimizer, 0.5, total_iters=3),
    "LinearLR": lambda optimizer: lr_scheduler.LinearLR(optimizer, 0.5, total_iters=4),
    "ExponentialLR": lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 0.9),
    "SequentialLR": _sequential,
    "PolynomialLR": lambda optimizer: lr_scheduler.PolynomialLR(optimizer, total_iters=5, power=2.0),
    "CosineAnnealingLR": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, 4),
    "ChainedScheduler": _chained,
    "CyclicLR": lambda optimizer: lr_scheduler.CyclicLR(optimizer, 0.01, 0.1, step_size_up=2, cycle_momentum=False),
    "OneCycleLR": lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=STEPS, cycle_momentum=False),
    "CosineAnnealingWarmRestarts": lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 2),
    "ReduceLROnPlateau": lambda optimizer: lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=10.0),
    "SWALR": lambda optimizer: torch.optim.swa_utils.SWALR(optimizer, 0.05, anneal_epochs=3),
}


def make(optimizer, scheduler):
    is_sparse = optimizer == "SparseAdam"
    model = nn.Sequential(nn.Embedding(8, 3, sparse=True), nn.Flatten(), nn.Dropout(0.25)) if is_sparse else network()
    rate = RATES.get(optimizer, 0.05)
    made = getattr(torch.optim, optimizer)(model.parameters(), lr=rate, **VARIANTS.get(optimizer, {}))
    plateau = scheduler == "ReduceLROnPlateau"
    return {
        "model": model,
        "optimizer": made,
        "scheduler": SCHEDULERS[scheduler](made),
        "scheduler_interval": "epoch" if plateau else "step",
        "scheduler_monitor": "train_loss",
        "train_data": [torch.arange(6).reshape(3, 2) + batch for batch in range(BATCHES)] if is_sparse else data(),
        **({"loss": None, "step": _embedded} if is_sparse else {}),
    }


def _embedded(model, batch):
    return {"loss": model(batch).square().mean()}


def test_the_lists_are_those_of_torch():
    known = {
        name
        for name, kind in vars(lr_scheduler).items()
        if isinstance(kind, type) and issubclass(kind, lr_scheduler.LRScheduler) and not name.startswith("_")
    }
    assert known - SCHEDULERS.keys() == {"LRScheduler"}  # the base
    assert len(OPTIMIZERS) >= 15


@pytest.mark.req("TR-REST-004", "TR-REST-005", "TR-STATE-001", "TR-STATE-005", "TR-LOOP-012", "TR-LOOP-023")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_with_every_scheduler_is_resumed_exactly_at_every_boundary(optimizer):
    tried = {scheduler: differences(lambda one=scheduler: make(optimizer, one)) for scheduler in SCHEDULERS}
    assert {scheduler: found for scheduler, (_, found) in tried.items() if found} == {}
    assert sum(count for count, _ in tried.values()) == len(SCHEDULERS) * (STEPS + EPOCHS)
