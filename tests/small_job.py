"""A tiny real training for the tests: data with structure, dropout, noise from three generators."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import tenuto
from tenuto.reference.events.hooks import Hook

EPOCHS = 3
SAMPLES, BATCH_SIZE = 22, 6  # four batches an epoch, the last one smaller
STEPS = 12


class Points(Dataset):
    """Points whose loading draws from all three global generators, as augmentation does."""

    def __init__(self, count=SAMPLES):
        generator = torch.Generator().manual_seed(7)
        self.inputs = torch.randn(count, 3, generator=generator)
        self.targets = self.inputs.sum(dim=1, keepdim=True)

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, index):
        noise = random.random() + float(np.random.rand()) + float(torch.rand(()))
        return self.inputs[index] + 0.01 * noise, self.targets[index]


def loss(outputs, targets):
    """A loss that draws from the Python and NumPy generators in training."""
    return nn.functional.mse_loss(outputs, targets) * (1 + 0.01 * random.random() + 0.01 * float(np.random.rand()))


def make_model(width=4):
    return nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Dropout(0.25), nn.Linear(width, 1))


OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.01),
    "adamw_amsgrad": lambda parameters: torch.optim.AdamW(parameters, lr=0.01, amsgrad=True),
}
SCHEDULERS = {
    "none": (lambda _: None, "epoch"),
    "step": (lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5), "epoch"),
    "multi_step": (lambda optimizer: torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 5], 0.5), "step"),
    "one_cycle": (lambda optimizer: torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=STEPS), "step"),
    "plateau": (lambda optimizer: torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0), "epoch"),
}


def make_trainer(
    folder=None, callbacks=(), optimizer="adam", scheduler="step", workers=0, width=4, max_seconds=None, **settings
):
    """Returns a trainer of the small job; with a folder it saves there."""
    tenuto.seed_all(3)
    model = make_model(width)
    made = OPTIMIZERS[optimizer](model.parameters())
    make_scheduler, interval = SCHEDULERS[scheduler]
    saving = [tenuto.CheckpointCallback(folder, **settings)] if folder else []
    return tenuto.Trainer(
        model,
        made,
        DataLoader(Points(), batch_size=BATCH_SIZE, shuffle=True, num_workers=workers),
        max_epochs=EPOCHS,
        loss=loss,
        validation_data=DataLoader(Points(9), batch_size=4),
        scheduler=make_scheduler(made),
        scheduler_interval=interval,
        max_seconds=max_seconds,
        callbacks=[*callbacks, *saving],
        seed=11,
    )


class Recorder(tenuto.BaseCallback):
    """Writes down every hook; does something at a chosen one.

    Args:
        name: In the log.
        at: (hook, global_step) at which `act` is called.
        act: A function of the context.
        log: A list, shared between recorders to see their order.
        file: Where the log goes too, for another process to read.
    """

    def __init__(self, name="a", at=None, act=None, log=None, file=None):
        self.name, self.at, self.act, self.file = name, at, act, file
        self.log = [] if log is None else log

    @property
    def state_key(self):
        return f"Recorder[{self.name}]"

    def record(self, hook, context):
        self.log.append((self.name, hook.value, context.progress.global_step))
        if self.file:
            with Path(self.file).open("a") as file:
                file.write(f"{hook.value} {context.progress.global_step}\n")
        if self.at == (hook.value, context.progress.global_step):
            self.act(context)


def _method(hook):
    return lambda self, context: self.record(hook, context)


for _hook in Hook:
    setattr(Recorder, _hook.value, _method(_hook))


def build(config):
    """The job for real processes: sends itself the signals that its settings name."""
    hook, step = config.setting("hook", "none"), int(config.setting("step", "0"))
    numbers = [signal.Signals[name] for name in config.setting("signals", "").split(",") if name]

    def act(_):
        for number in numbers:
            os.kill(os.getpid(), number)
        if config.setting("raise", ""):
            raise RuntimeError(config.setting("raise", ""))

    recorder = Recorder(at=(hook, step), act=act, file=config.setting("log", "") or None)
    return make_trainer(config.checkpoint_dir, [recorder], save_every_steps=5)
