"""What a torch training may have beside one optimizer: computed as meant, and resumed exactly at every boundary."""

import pytest
import torch
from small_torch import BATCHES, EPOCHS, Keeper, Seen, data, exact, network, plain, train, weights
from test_torch_workload import refused
from torch import nn
from torch.optim import lr_scheduler

import tenuto
from tenuto.reference.errors import ConfigError

# -- windows ----------------------------------------------------------------------------------------------------------


def windows():
    return plain(torch.optim.Adam, accumulate=2)


@pytest.mark.req("TR-LOOP-001", "TR-LOOP-011", "TR-STATE-010", "TR-REST-005", "TR-REST-013")
def test_windows_of_two_batches_are_resumed_exactly_also_inside_one():
    keeper = Keeper()
    train(windows, keeper)
    kept = [state.head for state in keeper.states]
    assert [head["metadata"]["progress"]["global_step"] for head in kept] == [0, 1, 2, 2, 2, 3, 4, 4]
    assert ["gradients" in head["trainer_state"] for head in kept] == [True, *[False] * 3, True, *[False] * 3]
    exact(windows)


@pytest.mark.req("TR-LOOP-011")
def test_a_window_is_one_update_with_the_mean_of_its_gradients():
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    batches = [(torch.tensor([[2.0]]), torch.tensor([[1.0]])), (torch.tensor([[4.0]]), torch.tensor([[1.0]]))]
    sgd = torch.optim.SGD(model.parameters(), lr=1.0)
    arguments = {"max_epochs": 1, "loss": lambda output, target: (output * target).sum(), "accumulate": 2}
    tenuto.Trainer(model, sgd, batches, **arguments).fit()
    assert model.weight.item() == -3.0


@pytest.mark.req("TR-REST-001")
def test_gradients_that_do_not_fit_are_named():
    keeper = Keeper()
    train(windows, keeper)
    state = keeper.states[0]
    state.head["trainer_state"]["gradients"]["9.weight"] = state.head["trainer_state"]["gradients"].pop("0.weight")
    trainer = tenuto.Trainer(loss=nn.functional.mse_loss, max_epochs=2, seed=11, **windows())
    with pytest.raises(tenuto.TenutoError) as caught:
        trainer.restore_state(state)
    assert caught.value.mismatches == ("trainer_state.gradients.9.weight: in the file, not in the model",)


# -- scaling, clipping ------------------------------------------------------------------------------------------------


def scaled(growth=2, **settings):
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=growth)
    return plain(torch.optim.Adam, scaler=scaler, **settings)


@pytest.mark.req("TR-STATE-018", "TR-REST-005")
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_scaler_is_saved_and_resumed_with_its_counter(precision):
    keeper = Keeper()
    train(lambda: scaled(precision=precision), keeper)
    saved = [state.head["trainer_state"]["scaler"] for state in keeper.states]
    assert [(one["scale"], one["_growth_tracker"]) for one in saved[:3]] == [(1024.0, 1), (2048.0, 0), (2048.0, 1)]
    exact(lambda: scaled(precision=precision))
    train(plain, keeper)
    assert "scaler" not in keeper.states[-1].head["trainer_state"]


@pytest.mark.req("TR-LOOP-001", "TR-LOOP-012", "TR-REST-005")
def test_a_window_that_the_scaler_skips_counts_and_steps_the_scheduler():
    inputs, targets = torch.ones(2, 3), torch.ones(2, 1)
    batches = [(inputs, targets * float("inf")), (inputs, targets), (inputs, targets)]

    def make():
        made = scaled(train_data=batches)
        live.update(made, before=weights(made["model"]))
        return {**made, "scheduler": lr_scheduler.StepLR(made["optimizer"], 1, 0.5), "scheduler_interval": "step"}

    def look(context):
        is_moved = not torch.equal(weights(live["model"]), live["before"])
        rate, scale = live["optimizer"].param_groups[0]["lr"], live["scaler"].get_scale()
        return context.progress.global_step, is_moved, rate, scale

    live, seen = {}, Seen(look)
    train(make, seen, epochs=1)
    assert seen.values == [(1, False, 0.05, 512.0), (2, True, 0.025, 512.0), (3, True, 0.0125, 1024.0)]
    exact(make)


@pytest.mark.req("TR-STATE-018", "TR-REST-001")
def test_a_scaler_in_the_file_alone_is_a_mismatch():
    keeper = Keeper()
    train(scaled, keeper)
    trainer = tenuto.Trainer(loss=nn.functional.mse_loss, max_epochs=2, seed=11, **plain(torch.optim.Adam))
    with pytest.raises(tenuto.TenutoError) as caught:
        trainer.restore_state(keeper.states[0])
    assert caught.value.mismatches == ("trainer_state.scaler: in the file, not in this trainer",)


@pytest.mark.req("TR-LOOP-022")
@pytest.mark.parametrize("is_scaled", [False, True])
def test_all_gradients_are_clipped_together_once_and_without_the_scale(is_scaled):
    def look(optimizer, *_):
        gradients = [one.grad for group in optimizer.param_groups for one in group["params"]]
        norms.append(torch.cat([one.flatten() for one in gradients]).norm().item())

    def make():
        model = network()
        pair = {name: torch.optim.SGD(model[at].parameters(), lr=0.1) for name, at in (("first", 0), ("second", 3))}
        for optimizer in pair.values():
            optimizer.register_step_pre_hook(look)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0) if is_scaled else None
        return {"model": model, "optimizer": pair, "train_data": data(), "clip_norm": 0.01, "scaler": scaler}

    norms = []
    train(make, epochs=1)
    pairs = zip(norms[::2], norms[1::2], strict=True)
    assert [(one**2 + other**2) ** 0.5 for one, other in pairs] == pytest.approx([0.01] * BATCHES, rel=1e-3)
    exact(make)


# -- several optimizers and schedulers --------------------------------------------------------------------------------


def several():
    model = network()
    made = {"body": torch.optim.Adam(model[0].parameters()), "head": torch.optim.SGD(model[3].parameters(), lr=0.1)}
    schedules = {
        "cosine": tenuto.Schedule(lr_scheduler.CosineAnnealingLR(made["body"], 4), interval="step"),
        "plateau": tenuto.Schedule(lr_scheduler.ReduceLROnPlateau(made["head"], patience=0), monitor="train_loss"),
        "step": lr_scheduler.StepLR(made["head"], 1, 0.5),
    }
    return {"model": model, "optimizer": made, "scheduler": schedules, "train_data": data()}


@pytest.mark.req("TR-STATE-017", "TR-LOOP-001", "TR-LOOP-012", "TR-LOOP-013", "TR-REST-005")
def test_several_optimizers_and_schedulers_have_their_names_and_count_one_step():
    keeper = Keeper()
    train(several, keeper)
    head = keeper.states[-1].head
    assert (list(head["optimizer_state"]), list(head["scheduler_state"])) == (
        ["body", "head"],
        ["cosine", "plateau", "step"],
    )
    assert head["metadata"]["progress"]["global_step"] == EPOCHS * BATCHES
    last = {name: state["last_epoch"] for name, state in head["scheduler_state"].items()}
    assert last == {"cosine": EPOCHS * BATCHES, "plateau": EPOCHS, "step": EPOCHS}
    exact(several)


@pytest.mark.req("TR-SET-001", "TR-LOOP-008", "TR-STATE-017")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("accumulate", 0), ("accumulate", True), ("clip_norm", 0.0), ("clip_norm", float("nan"))],
        *[("precision", "float8"), ("limit_batches", 0), ("limit_validation_batches", 1.0), ("optimizer", {})],
        ("scheduler_interval", "batch"),
    ],
)
def test_settings_out_of_range_are_refused_with_their_name(name, value):
    made = plain()
    more = {"scheduler": lr_scheduler.StepLR(made["optimizer"], 1)} if name == "scheduler_interval" else {}
    with pytest.raises(ConfigError) as caught:
        tenuto.Trainer(loss=nn.functional.mse_loss, max_epochs=1, **{**made, **more, name: value})
    assert (caught.value.code, caught.value.message.startswith(name)) == ("invalid_setting", True)


# -- closures ---------------------------------------------------------------------------------------------------------


@pytest.mark.req("TR-LOOP-023")
def test_a_closure_computes_the_batch_anew_and_its_first_loss_counts():
    losses = []

    def step(model, batch):
        losses.append(nn.functional.mse_loss(model(batch[0]), batch[1]))
        return {"loss": losses[-1]}

    def make():
        model = nn.Linear(3, 1)
        optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4)
        return {"model": model, "optimizer": optimizer, "loss": None, "step": step, "train_data": data(size=12)}

    seen = Seen(lambda context: context.metrics["train_loss_step"].value)
    train(make, seen, epochs=1)
    assert len(losses) > 2
    assert seen.values == [losses[0].item()]


@pytest.mark.req("TR-LOOP-023", "TR-LOOP-008")
@pytest.mark.parametrize("beside", ["optimizer", "scaler", "accumulate"])
def test_what_a_closure_cannot_be_beside_is_refused(beside):
    model = network()
    lbfgs = torch.optim.LBFGS(model.parameters())
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    more = {
        "optimizer": {"optimizer": {"a": lbfgs, "b": sgd}},
        "scaler": {"optimizer": lbfgs, "scaler": torch.amp.GradScaler("cpu")},
        "accumulate": {"optimizer": lbfgs, "accumulate": 2},
    }[beside]
    assert "closure" in refused("invalid_setting", model=model, **more)


# -- models -----------------------------------------------------------------------------------------------------------


def compiled():
    made = plain(accumulate=2)
    return {**made, "model": torch.compile(made["model"], backend="eager")}


def compiled_in_part():
    model = network()
    model[0] = torch.compile(model[0], backend="eager")
    return plain(model=model, accumulate=2)


@pytest.mark.req("TR-STATE-007", "TR-REST-005")
@pytest.mark.parametrize("compiled", [compiled, compiled_in_part])
def test_a_compiled_model_has_the_names_of_the_plain_one_and_resumes_from_its_files(compiled):
    def whole():
        return plain(accumulate=2)

    keeper = Keeper()
    expected = weights(train(compiled, keeper).workload._model)
    head = keeper.states[0].head
    assert list(head["model_state"]) == list(head["trainer_state"]["gradients"]) == ["0.weight", "3.weight"]
    assert head["metadata"]["architecture"]["modules"]["0"] == "Linear"
    for at in (0, 1):
        assert torch.equal(weights(train(whole, state=keeper.states[at]).workload._model), expected)
        assert torch.equal(weights(train(compiled, state=keeper.states[at]).workload._model), expected)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
        self.last = nn.Linear(3, 1)
        self.second.weight = self.first.weight
        self.last.bias.requires_grad_(False)

    def forward(self, inputs):
        return self.last(self.second(torch.tanh(self.first(inputs))))


@pytest.mark.req("TR-STATE-001", "TR-STATE-008", "TR-REST-005")
def test_frozen_and_tied_weights_stay_so():
    def make():
        model = Tied()
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        return {"model": model, "optimizer": torch.optim.Adam(trained, lr=0.1), "train_data": data()}

    exact(make)
    keeper = Keeper()
    trainer = train(make, keeper)
    state = keeper.states[1].head
    assert state["model_state"]["first.weight"] is state["model_state"]["second.weight"]
    assert state["metadata"]["architecture"]["trainable"]["last.bias"] is False
    resumed = train(make, state=keeper.states[1])
    model = resumed.workload._model
    assert model.first.weight is model.second.weight
    assert torch.equal(model.last.bias, trainer.workload._model.last.bias)
