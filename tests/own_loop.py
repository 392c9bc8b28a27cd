"""A small loop that no trainer drives, with dropout, shuffled data and a scheduler with state."""

from __future__ import annotations

import random

import numpy as np
import torch
from small_job import OPTIMIZERS
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import tenuto

EPOCHS = 4
PARTS = {"model_state": {"w": torch.ones(2)}, "optimizer_state": {"state": {}, "param_groups": []}}
WHOLE = {**PARTS, "rng_state": {"python": 1}}


def manager(folder, *configs):
    return tenuto.CheckpointManager(folder, configs)


class Loop:
    """A loop of its own, with dropout, shuffled data and a scheduler with state."""

    def __init__(self, optimizer="adam", width=4):
        tenuto.seed_all(1)
        self.data = TensorDataset(torch.randn(20, 3), torch.randn(20, 1))
        self.model = nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Dropout(0.3), nn.Linear(width, 1))
        self.optimizer = OPTIMIZERS[optimizer](self.model.parameters())
        self.scheduler = torch.optim.lr_scheduler.MultiStepLR(self.optimizer, [1, 3], 0.5)
        self.start_epoch = 0

    @property
    def parts(self):
        return self.model, self.optimizer, self.scheduler

    def run(self, made, stop=EPOCHS):
        for epoch in range(self.start_epoch, stop):
            total = 0.0
            for inputs, targets in DataLoader(self.data, batch_size=6, shuffle=True):
                self.optimizer.zero_grad()
                loss = nn.functional.mse_loss(self.model(inputs), targets) * (
                    1 + 0.1 * random.random() * np.random.rand()
                )
                loss.backward()
                self.optimizer.step()
                total += loss.item()
            self.scheduler.step()
            state = tenuto.training_state(*self.parts)
            made.update({"loss": total}, state, epoch + 1)
            made.save_checkpoint(state, "latest.ckpt", metadata={"epoch": epoch + 1})

    def digest(self):
        state = self.optimizer.state_dict()["state"]
        tensors = [*self.model.state_dict().values(), *(one[name] for one in state.values() for name in sorted(one))]
        bits = [value.detach().clone().reshape(-1).double().tolist() for value in map(torch.as_tensor, tensors)]
        return bits, self.scheduler.state_dict(), random.random(), float(np.random.rand()), float(torch.rand(()))
