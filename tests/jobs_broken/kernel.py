"""Sums that threads add up in any order: the last bits differ from run to run."""

import parts
import torch

PLACES = 1 << 18


def step(model, batch):
    indices = torch.zeros(PLACES, dtype=torch.int64)
    values = torch.randn(PLACES) * 10.0 ** torch.randint(-3, 4, (PLACES,))
    total = torch.zeros(1).index_put_((indices,), values, accumulate=True)
    return {"loss": parts.step(model, batch)["loss"] * (1 + 1e-6 * total)}


def build(config):
    trainer = parts.make(config, step)
    if not torch.are_deterministic_algorithms_enabled():
        torch.set_num_threads(4)
    return trainer
