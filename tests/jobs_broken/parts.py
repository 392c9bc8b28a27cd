"""What the jobs of this folder share: a job that resumes exactly, as long as nobody breaks it."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import tenuto


class Points(Dataset):
    """Points with noise from torch's global generator, which every sample may draw from."""

    def __init__(self, count=20):
        self.inputs = torch.randn(count, 3, generator=torch.Generator().manual_seed(7))

    def __len__(self):
        return len(self.inputs)

    def __getitem__(self, index):
        return self.inputs[index] + 0.01 * torch.randn(3), self.inputs[index].sum(dim=0, keepdim=True)


def step(model, batch):
    return {"loss": nn.functional.mse_loss(model(batch[0]), batch[1])}


def make(config, step=step, data=None, callbacks=(), seeded=True, saves=True, folder=None, **settings):
    torch.set_num_threads(1)
    if seeded:
        tenuto.seed_all(config.seed)
    saving = [tenuto.CheckpointCallback(folder or config.checkpoint_dir, **settings)] if saves else []
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2), nn.Linear(4, 1))
    return tenuto.Trainer(
        model,
        torch.optim.Adam(model.parameters(), lr=0.01),
        DataLoader(data or Points(), batch_size=5, shuffle=True),
        max_epochs=config.max_epochs or 2,
        step=step,
        validation_data=DataLoader(Points(6), batch_size=3),
        seed=config.seed,
        callbacks=[*callbacks, *saving],
    )
