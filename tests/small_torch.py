"""Torch trainings of a few milliseconds, compared by their states: for matrices of kinds."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import tenuto
from tenuto.reference.checkpoint.compare import first_difference

EPOCHS, BATCHES = 2, 3


class Keeper(tenuto.BaseCallback):
    """Keeps a copy of the state at each consistent boundary, in memory."""

    phase = "checkpoint"

    def __init__(self):
        self.states = []

    def keep(self, context):
        self.states.append(context.capture(reasons=("manual",), best={}, copy=True))

    on_batch_end = on_epoch_end = keep


def data(count=BATCHES * 4, size=4, **settings):
    generator = torch.Generator().manual_seed(7)
    inputs = torch.randn(count, 3, generator=generator)
    return DataLoader(TensorDataset(inputs, inputs.sum(dim=1, keepdim=True)), size, shuffle=True, **settings)


def network():
    """Matrices alone, for there are optimizers that take nothing else; dropout draws from torch's generator."""
    return nn.Sequential(nn.Linear(3, 4, bias=False), nn.Tanh(), nn.Dropout(0.25), nn.Linear(4, 1, bias=False))


def train(make, *callbacks, state=None, epochs=EPOCHS):
    """Trains with the arguments that `make()` returns, from the start or from a state, and returns the trainer."""
    tenuto.seed_all(3)
    arguments = {"loss": nn.functional.mse_loss, "max_epochs": epochs, "seed": 11, **make()}
    trainer = tenuto.Trainer(arguments.pop("model"), arguments.pop("optimizer"), callbacks=callbacks, **arguments)
    tenuto.seed_all(99)  # a restore that left the generators would be seen
    if state is None:
        tenuto.seed_all(3)
    else:
        trainer.restore_state(state)
        assert first_difference(state, trainer.capture_state()) is None
    trainer.fit()
    return trainer


def differences(make, epochs=EPOCHS):
    """Resumes a training at each of its boundaries; returns the number of them and each that ends in another state."""
    keeper = Keeper()
    expected = train(make, keeper, epochs=epochs).capture_state()
    found = []
    for number, state in enumerate(keeper.states):
        resumed = train(make, state=state, epochs=epochs)
        difference = first_difference(expected, resumed.capture_state())
        if difference is not None:
            found.append((number, difference))
    return len(keeper.states), found


def plain(optimizer=torch.optim.SGD, model=None, **settings):
    model = network() if model is None else model
    return {"model": model, "optimizer": optimizer(model.parameters(), lr=0.1), "train_data": data(), **settings}


def exact(make, boundaries=EPOCHS * (BATCHES + 1)):
    assert differences(make) == (boundaries, [])


def weights(model):
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()]).clone()


class Seen(tenuto.BaseCallback):
    """Notes something at each batch."""

    def __init__(self, look):
        self.look, self.values = look, []

    def on_batch_end(self, context):
        self.values.append(self.look(context))
