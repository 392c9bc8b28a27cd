"""What the monitors give to loggers, beside the same numbers computed by hand."""

import math

import pytest
import torch
from recorder import Recorder, small
from small_job import Points
from torch import nn
from torch.utils.data import DataLoader

import tenuto


class Collecting(tenuto.MetricLogger):
    def __init__(self):
        super().__init__()
        self.written = []

    def write_values(self, values, context):
        self.written += [(metric.step, name, metric.value) for name, metric in values.items()]

    def of(self, start):
        return [(step, name, value) for step, name, value in self.written if name.startswith(start)]


def make_trainer(model, optimizer, callbacks, **settings):
    data = DataLoader(Points(12), batch_size=6)
    loss = settings.pop("loss", nn.functional.mse_loss)
    return tenuto.Trainer(model, optimizer, data, max_epochs=2, loss=loss, callbacks=callbacks, **settings)


# -- learning rates ---------------------------------------------------------------------------------------------------


@pytest.mark.req("CB-READY-004")
def test_the_rate_is_the_one_that_the_batch_was_trained_with():
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.8)
    halving = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    logger = Collecting()
    monitor = tenuto.LearningRateMonitor(optimizer, logger)
    assert monitor.values == {}
    make_trainer(model, optimizer, [monitor, logger], scheduler=halving, scheduler_interval="batch").fit()
    assert logger.of("lr") == [(1, "lr", 0.8), (2, "lr", 0.4), (3, "lr", 0.2), (4, "lr", 0.1)]
    assert monitor.values == {"lr": 0.1}


@pytest.mark.req("CB-READY-004")
def test_each_of_several_groups_has_its_own_rate():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    groups = [{"params": model[0].parameters(), "lr": 0.1}, {"params": model[1].parameters(), "lr": 0.01}]
    optimizer = torch.optim.SGD(groups)
    logger = Collecting()
    make_trainer(model, optimizer, [logger, tenuto.LearningRateMonitor(optimizer, logger)]).fit()
    assert logger.of("lr")[:2] == [(1, "lr.0", 0.1), (1, "lr.1", 0.01)]


@pytest.mark.req("CB-READY-001")
def test_a_monitor_that_cannot_read_and_one_whose_logger_is_not_there_end_no_training(caplog):
    alone = Collecting()
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    callbacks = [tenuto.LearningRateMonitor(object(), Collecting()), tenuto.LearningRateMonitor(optimizer, alone)]
    assert make_trainer(model, optimizer, callbacks).fit().progress.epoch == 2
    messages = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert [message.partition(":")[0] for message in messages] == ["LearningRateMonitor", "Collecting"]
    assert "expected it among the callbacks of the trainer" in messages[1]
    assert alone.written == []


# -- gradients --------------------------------------------------------------------------------------------------------


@pytest.mark.req("CB-READY-005")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_the_norm_is_that_of_the_gradients_of_the_update(dtype):
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)).to(dtype)
    model[0].bias.requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    used = []
    optimizer.register_step_pre_hook(
        lambda *_: used.append([p.grad.clone().double() for p in model.parameters() if p.grad is not None])
    )
    logger = Collecting()

    def loss(outputs, targets):
        return nn.functional.mse_loss(outputs, targets.to(dtype))

    def step(module, batch):
        return {"loss": loss(module(batch[0].to(dtype)), batch[1])}

    monitor = tenuto.GradientMonitor(model, logger, each_parameter=True)
    make_trainer(model, optimizer, [logger, monitor], loss=None, step=step).fit()
    wanted = [math.sqrt(sum(float((grad**2).sum()) for grad in grads)) for grads in used]
    assert [step for step, *_ in logger.of("gradient_norm")][::4] == [1, 2, 3, 4]
    assert [value for _, name, value in logger.of("gradient_norm") if name == "gradient_norm"] == pytest.approx(wanted)
    parts = [value for step, name, value in logger.of("gradient_norm.") if step == 4]
    assert parts == pytest.approx([math.sqrt(float((grad**2).sum())) for grad in used[-1]])
    assert {name for _, name, _ in logger.of("gradient_norm.")} == {
        "gradient_norm.0.weight",
        "gradient_norm.1.weight",
        "gradient_norm.1.bias",
    }


@pytest.mark.req("CB-READY-005")
def test_half_precision_and_sparse_gradients_do_not_overflow_or_fail():
    monitor = tenuto.GradientMonitor(model := nn.Sequential(nn.Embedding(4, 2, sparse=True), nn.Linear(2, 1)))
    model.half()
    model[1].weight.grad = torch.full((1, 2), 30000.0, dtype=torch.float16)
    rows = torch.tensor([[3.0, 0.0], [0.0, 4.0]]).half()
    model[0].weight.grad = torch.sparse_coo_tensor([[1, 1]], rows, (4, 2), check_invariants=True)
    note = Recorder(on_batch_end=monitor.on_batch_end)
    small(note, max_epochs=1, samples=4).fit()
    assert monitor.values == pytest.approx({"gradient_norm": math.hypot(30000, 30000, 3, 4)}, rel=1e-6)


@pytest.mark.req("CB-READY-005")
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_gradients_that_are_no_numbers_are_told_as_they_are(bad):
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    logger = Collecting()
    monitor = tenuto.GradientMonitor(model, logger)

    def loss(outputs, _):
        return (outputs * bad).sum()

    make_trainer(model, optimizer, [logger, monitor], loss=loss).fit()
    told = logger.of("gradient_norm")[0][2]
    assert math.isnan(told) if math.isnan(bad) else not math.isfinite(told)


@pytest.mark.req("CB-READY-005")
def test_the_norm_waits_for_the_end_of_a_window():
    parameter = nn.Linear(1, 1, bias=False)
    logger = Collecting()
    monitor = tenuto.GradientMonitor(parameter, logger)

    def begin(context):
        if not context.in_window:
            parameter.weight.grad = torch.zeros(1, 1)

    def add(_):
        parameter.weight.grad += 1

    note = Recorder(on_batch_start=begin, on_batch_end=add)
    small(note, logger, monitor, max_epochs=1, samples=16, accumulate=2).fit()
    assert logger.of("gradient_norm") == [(1, "gradient_norm", 2.0), (2, "gradient_norm", 2.0)]


@pytest.mark.req("CB-READY-001")
def test_a_model_without_gradients_is_said_once(caplog):
    small(tenuto.GradientMonitor(nn.Linear(1, 1))).fit()
    assert caplog.text.count("the model has no gradients") == 1
