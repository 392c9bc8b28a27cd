"""The learning depends on the time of day, and the order of the samples is that of a set."""

import time

import parts
import torch

NAMES = {f"sample_{number}" for number in range(20)}


def step(model, batch):
    return {"loss": parts.step(model, batch)["loss"] * (1 + time.time() % 1)}


def build(config):
    data = parts.Points()
    data.inputs = data.inputs[torch.tensor([int(name.split("_")[1]) for name in NAMES])]
    return parts.make(config, step, data=data)
