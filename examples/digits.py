"""Handwritten digits: a small network with dropout, Adam and a scheduler, on the data that ship with scikit-learn.

Run it:       tenuto train examples/digits.py --output runs/digits
Continue it:  tenuto train examples/digits.py --output runs/digits --resume auto
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import tenuto

EPOCHS = 12
BATCH_SIZE = 32
VALIDATION_SHARE = 0.2


def make_data() -> tuple[TensorDataset, TensorDataset]:
    """Returns training and validation set: float32 images [n, 64] in [0, 1] and int64 digits [n]."""
    digits = load_digits()
    images = torch.tensor(digits.data / 16.0, dtype=torch.float32)
    targets = torch.tensor(digits.target, dtype=torch.int64)
    chosen = train_test_split(range(len(images)), test_size=VALIDATION_SHARE, random_state=0, stratify=digits.target)
    train, validation = (TensorDataset(images[part], targets[part]) for part in chosen)
    return train, validation


def make_model() -> nn.Module:
    """Returns a network from 64 pixels to 10 classes."""
    return nn.Sequential(
        nn.Linear(64, 128),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(64, 10),
    )


def step(model: nn.Module, batch: Any) -> Mapping[str, Any]:  # noqa: ANN401 - a pair of tensors from the loader
    """Returns loss and accuracy of a batch."""
    images, targets = batch
    # Noise from torch's global generator: it has to be resumed exactly, as dropout has.
    noisy = images + 0.1 * torch.randn_like(images) if model.training else images
    logits = model(noisy)
    accuracy = (logits.argmax(dim=1) == targets).float().mean()
    return {"loss": nn.functional.cross_entropy(logits, targets), "accuracy": accuracy}


def build(config: tenuto.TrainingConfig) -> tenuto.Trainer:
    """Makes the trainer: what `tenuto train` calls."""
    torch.set_num_threads(1)  # the network is too small to gain from more
    tenuto.seed_all(config.seed)
    train, validation = make_data()
    model = make_model()
    optimizer = torch.optim.Adam(model.parameters(), lr=float(config.setting("lr", "0.002")))
    batches = -(-len(train) // BATCH_SIZE)
    return tenuto.Trainer(
        model,
        optimizer,
        DataLoader(train, batch_size=BATCH_SIZE, shuffle=True),
        max_epochs=config.max_epochs or EPOCHS,
        step=step,
        validation_data=DataLoader(validation, batch_size=256),
        scheduler=torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.5),
        seed=config.seed,
        callbacks=[
            tenuto.ProgressBar(batches),
            tenuto.CSVLogger(Path(config.checkpoint_dir) / "metrics.csv"),
            tenuto.CheckpointCallback(config.checkpoint_dir, save_every_steps=20, keep_last_n=3),
        ],
    )
