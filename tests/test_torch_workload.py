"""PyTorch as a workload: what it takes over of a user's objects, what it refuses, how it ends."""

import numpy as np
import pytest
import torch
from small_job import BATCH_SIZE, Points, loss, make_model
from torch import nn
from torch.utils.data import DataLoader, Dataset

import tenuto
from tenuto.reference.errors import ConfigError, TenutoError
from tenuto.reference.trainer.torch_model import capture
from tenuto.reference.trainer.torch_tree import TreeMaker
from tenuto.reference.trainer.torch_workload import TorchWorkload


def make(model=None, optimizer=None, data=None, step=None, seed=11, batch_size=BATCH_SIZE, **settings):
    tenuto.seed_all(3)
    model = make_model() if model is None else model
    return tenuto.Trainer(
        model,
        optimizer or torch.optim.SGD(model.parameters(), lr=0.01),
        DataLoader(Points(), batch_size=batch_size, shuffle=True) if data is None else data,
        max_epochs=1,
        step=step,
        loss=None if step else loss,
        seed=seed,
        **settings,
    )


def refused(code, **arguments):
    with pytest.raises(ConfigError) as caught:
        make(**arguments)
    assert caught.value.code == code
    return str(caught.value)


# -- steps and metrics ------------------------------------------------------------------------------------------------


@pytest.mark.req("CB-METRIC-001")
def test_nested_metrics_of_tensors_and_numbers_become_flat_floats():
    def step(model, batch):
        wrong = torch.tensor([2])
        return {"loss": loss(model(batch[0]), batch[1]), "count": {"wrong": wrong, "by": {"class": np.float32(0.5)}}}

    metrics = make(step=step, validation_data=DataLoader(Points(9), 4)).fit().metrics
    assert metrics["train_count.wrong"] == metrics["val_count.wrong"] == 2.0
    assert metrics["val_count.by.class"] == 0.5


@pytest.mark.req("CB-METRIC-001", "CB-METRIC-002", "CB-METRIC-004", "CB-METRIC-005")
@pytest.mark.parametrize(
    ("metrics", "code", "part"),
    [
        ({"accuracy": 1, "top5": 2}, "invalid_metric", "metrics accuracy, top5; expected 'loss'"),
        ({"loss": 1.0}, "invalid_metric", "plain number"),
        ({"loss": torch.ones(1), "all": torch.ones(3)}, "invalid_metric", "shape (3,)"),
        ({"loss": torch.ones(1), "name": "x"}, "invalid_metric", "str"),
        ([1], "invalid_metric", "list; expected a map"),
        ({"loss": torch.ones(1), "loss_step": 1}, "duplicate_metric", "train_loss_step"),
    ],
    ids=["no_loss", "number", "vector", "text", "list", "loss_step"],
)
def test_metrics_that_cannot_be_used_are_named_before_the_update(metrics, code, part):
    trainer = make(step=lambda *_: metrics)
    with pytest.raises(TenutoError) as caught:
        trainer.fit()
    assert caught.value.code == code
    assert part in str(caught.value)
    assert trainer.workload.is_exact() is False  # its generators may have moved, for no callback wants copies
    assert trainer.workload._updater.has_begun is False


@pytest.mark.req("CB-METRIC-002")
@pytest.mark.parametrize(
    "later", [{"loss_step": 1.0}, {"extra": 1.0, "extra_step": 1.0}, {"nested": {"step": 1.0}, "nested.step": 2.0}]
)
def test_metrics_of_a_later_batch_are_looked_at_as_those_of_the_first_one(later):
    seen = []

    def step(model, batch):
        seen.append(batch)
        loss = model(batch[0]).sum()
        return {"loss": loss} if len(seen) < 3 else {"loss": loss, **later}

    with pytest.raises(TenutoError) as caught:
        make(step=step).fit()
    assert (caught.value.code, len(seen)) == ("duplicate_metric", 3)


class Named(Dataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return {"name": f"sample {index}", "inputs": torch.full((3,), float(index))}


@pytest.mark.req("CB-METRIC-006")
def test_batches_with_text_first_are_averaged_over_their_samples():
    def step(model, batch):
        return {"loss": model(batch["inputs"]).mean(), "index": batch["inputs"].mean()}

    data = DataLoader(Named(), batch_size=2)
    assert make(data=data, step=step, validation_data=data).fit().metrics["val_index"] == 2.0


@pytest.mark.req("TR-REST-005", "TR-LOOP-007")
def test_parts_that_are_frozen_in_eval_mode_stay_so():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.1), nn.Linear(4, 1))
    model[1].eval()
    make(model, validation_data=DataLoader(Points(9), 4)).fit()
    assert [module.training for module in model] == [True, False, True, True]
    assert model[1].running_mean.tolist() == [0, 0, 0, 0]


# -- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.req("TR-LOOP-008")
def test_settings_that_do_not_go_together_are_refused():
    model = make_model()
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(sgd)
    message = refused("invalid_setting", model=model, optimizer=sgd, scheduler=plateau, scheduler_interval="step")
    assert "ReduceLROnPlateau" in message


def test_the_metric_of_a_plateau_can_be_chosen():
    model = make_model()
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(sgd)
    make(model, sgd, scheduler=plateau, scheduler_monitor="train_loss").fit()
    assert plateau.last_epoch == 1


def test_a_workload_captures_the_names_of_the_innermost_model():
    model = make_model()
    assert isinstance(make(model).workload, TorchWorkload)
    assert set(capture(nn.DataParallel(model), TreeMaker())) == set(model.state_dict())
