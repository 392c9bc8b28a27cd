"""Data of any kind: batches as meant, and a training over them resumed exactly at every boundary."""

import random

import numpy as np
import pytest
import torch
from small_torch import BATCHES, EPOCHS, Keeper, data, exact, plain, train, weights
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset

import tenuto
from tenuto.reference.errors import ConfigError


class Shuffled:
    """An iterable of batches that shuffles at its start and draws noise at each batch, from all global generators."""

    def __init__(self, count=BATCHES):
        self.count = count

    def __iter__(self):
        order = torch.randperm(self.count).tolist()
        for at in order:
            noise = 0.1 * (random.random() + float(np.random.rand()) + float(torch.rand(())))
            inputs = torch.full((2, 3), float(at)) + noise
            yield inputs, inputs.sum(dim=1, keepdim=True)


class Stateful:
    """A loader that draws from a generator of its own, and says where it is."""

    def __init__(self):
        self.generator, self.at = torch.Generator().manual_seed(5), 0

    def __iter__(self):
        while self.at < BATCHES:
            self.at += 1
            inputs = torch.randn(2, 3, generator=self.generator)
            yield inputs, inputs.sum(dim=1, keepdim=True)
        self.at = 0

    def state_dict(self):
        return {"at": self.at, "generator": self.generator.get_state()}

    def load_state_dict(self, state):
        self.at = state["at"]
        self.generator.set_state(state["generator"])


class Streamed(IterableDataset):
    def __iter__(self):
        return iter([(torch.rand(3), torch.rand(1)) for _ in range(6)])


@pytest.mark.req("TR-LOOP-019", "TR-LOOP-020", "TR-REST-005")
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("source", [Shuffled, lambda: list(Shuffled()), lambda: DataLoader(Streamed(), 2)])
def test_an_iterable_of_batches_is_passed_over_to_where_it_was(source, accumulate, caplog):
    caplog.set_level("INFO")
    exact(lambda: plain(train_data=source(), accumulate=accumulate))
    assert "the 2 batches trained on are loaded again" in caplog.text


@pytest.mark.req("TR-LOOP-019")
def test_an_iterable_gives_each_epoch_another_order_and_leaves_the_generators():
    class Noting(Shuffled):
        def __iter__(self):
            for inputs, targets in super().__iter__():
                given.append(float(inputs[0, 0]))
                yield inputs, targets

    def step(model, batch):
        drawn.append(float(torch.rand(())))
        return {"loss": model(batch[0]).sum()}

    given, drawn = [], []
    made = {"model": nn.Linear(3, 1), "loss": None, "step": step}
    make = lambda source: {**plain(model=made["model"]), **made, "train_data": source}  # noqa: E731 - one line
    train(lambda: make(Noting(6)))
    assert given[:6] != given[6:]
    first, drawn = drawn, []
    train(lambda: make([(torch.ones(2, 3), None)] * 6))
    assert first == drawn


@pytest.mark.req("TR-LOOP-020", "TR-STATE-022", "TR-REST-005")
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_loader_with_a_state_is_asked_for_it_and_goes_on_from_it(accumulate, caplog):
    caplog.set_level("INFO")
    keeper = Keeper()
    train(lambda: plain(train_data=Stateful(), accumulate=accumulate), keeper)
    assert [state.head["trainer_state"]["loader"]["at"] for state in keeper.states] == [1, 2, 3, 0] * EPOCHS
    exact(lambda: plain(train_data=Stateful(), accumulate=accumulate))
    assert "loaded again" not in caplog.text
    train(plain, keeper)
    assert "loader" not in keeper.states[-1].head["trainer_state"]


@pytest.mark.req("TR-STATE-022", "TR-FAIL-007", "TR-LOOP-004")
def test_after_a_failed_batch_the_state_of_the_loader_is_that_of_the_boundary(tmp_path):
    def step(model, batch):
        calls.append(None)
        if len(calls) == 3:
            raise RuntimeError("in the third batch")
        return {"loss": model(batch[0]).sum()}

    calls = []
    saver = tenuto.CheckpointCallback(tmp_path, save_best=False)
    with pytest.raises(RuntimeError):
        train(lambda: plain(train_data=Stateful(), loss=None, step=step), saver)
    (file,) = tmp_path.glob("emergency_*.ckpt")
    head = tenuto.read_checkpoint(file).head
    assert (head["metadata"]["exact"], head["trainer_state"]["loader"]["at"]) == (True, 2)


@pytest.mark.req("TR-LOOP-006", "TR-LOOP-019", "TR-LOOP-016")
@pytest.mark.parametrize("source", [iter([1]), (batch for batch in ()), 5, {"a": 1}, torch.ones(2)])
def test_what_cannot_be_started_anew_is_refused(source):
    with pytest.raises(ConfigError) as caught:
        tenuto.Trainer(loss=nn.functional.mse_loss, max_epochs=1, **plain(train_data=source))
    assert caught.value.code == "unsupported_loader"


@pytest.mark.req("TR-LOOP-016", "TR-LOOP-020")
def test_an_iterable_without_a_batch_or_with_fewer_than_were_trained_on_is_refused():
    with pytest.raises(ConfigError, match="no batch in epoch 0"):
        train(lambda: plain(train_data=[]))
    keeper = Keeper()
    train(lambda: plain(train_data=Shuffled()), keeper)
    with pytest.raises(ConfigError, match="fewer than 2 batches"):
        train(lambda: plain(train_data=Shuffled(1)), state=keeper.states[1])


@pytest.mark.req("TR-LOOP-021", "TR-LOOP-011", "TR-REST-005")
@pytest.mark.parametrize("source", [lambda: data(24), lambda: Shuffled(6)])
def test_limits_end_epoch_window_and_validation_early(source):
    def step(model, batch):
        validated.append(None) if not model.training else None
        return {"loss": nn.functional.mse_loss(model(batch[0]), batch[1])}

    def make():
        limits = {"limit_batches": 3, "limit_validation_batches": 1, "accumulate": 2}
        return plain(train_data=source(), validation_data=source(), loss=None, step=step, **limits)

    validated = []
    progress = train(make).progress
    assert (progress.epoch, progress.global_step, len(validated)) == (EPOCHS, EPOCHS * 2, EPOCHS)
    exact(make)


@pytest.mark.req("TR-LOOP-021")
def test_a_limit_beside_a_loader_with_a_state_is_refused():
    with pytest.raises(ConfigError) as caught:
        tenuto.Trainer(loss=nn.functional.mse_loss, max_epochs=1, **plain(train_data=Stateful(), limit_batches=2))
    assert caught.value.code == "invalid_setting"


class Augmented(Dataset):
    def __len__(self):
        return BATCHES * 4

    def __getitem__(self, index):
        noise = random.random() + float(np.random.rand()) + float(torch.rand(()))
        return torch.full((3,), index + noise), torch.ones(1)


@pytest.mark.req("TR-LOOP-003", "TR-REST-005")
def test_augmentation_batch_norm_and_dropout_are_resumed_exactly():
    def make():
        model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
        return plain(torch.optim.Adam, model, train_data=DataLoader(Augmented(), 4, shuffle=True))

    exact(make)


@pytest.mark.req("TR-LOOP-003", "TR-REST-005", "TR-STATE-013")
def test_a_run_is_resumed_exactly_with_another_number_of_workers_in_mid_epoch():
    def make(workers):
        return plain(train_data=DataLoader(Augmented(), 4, shuffle=True, num_workers=workers))

    keeper = Keeper()
    expected = weights(train(lambda: make(0), keeper).workload._model)
    for workers, at in ((1, 1), (2, 4)):
        resumed = train(lambda count=workers: make(count), state=keeper.states[at])
        assert torch.equal(weights(resumed.workload._model), expected)
