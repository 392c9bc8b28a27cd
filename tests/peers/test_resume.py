"""What users of other frameworks have met when a training was resumed. See docs/peers.md."""

import os
import shutil

import pytest
import torch
from recorder import Recorder as Watcher
from recorder import heads, saving, small
from small_job import Points, make_model, make_trainer
from torch.utils.data import DataLoader

import tenuto
from tenuto.reference.checkpoint.compare import first_difference

EPOCHS, BATCHES = 3, 4


class Seen(Points):
    """Notes which samples are loaded."""

    def __init__(self, seen):
        super().__init__(8)
        self.seen = seen

    def __getitem__(self, index):
        self.seen.append(index)
        return super().__getitem__(index)


def train(folder, seen, resume="never", epochs=EPOCHS, validated=None, callbacks=(), **settings):
    """Trains on 8 samples in batches of 2, and returns the trainer."""
    torch.manual_seed(3)
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)
    trainer = tenuto.Trainer(
        model,
        optimizer,
        DataLoader(Seen(seen), batch_size=2, shuffle=True),
        max_epochs=epochs,
        step=lambda model, batch: {"loss": 1e-3 * model(batch[0]).square().mean()},
        validation_data=DataLoader(Seen(validated), batch_size=4) if validated is not None else None,
        scheduler=torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5),
        callbacks=[*callbacks, tenuto.CheckpointCallback(folder, save_best=False, **settings)],
    )
    trainer.fit(resume)
    return trainer


@pytest.mark.req("TR-LOOP-002", "TR-REST-005")
def test_a_run_that_is_preempted_at_every_epoch_sees_the_orders_of_one_that_is_not(tmp_path):
    whole, parts = [], []
    train(tmp_path / "whole", whole)
    for epoch in range(1, EPOCHS + 1):
        train(tmp_path / "parts", parts, "auto", epochs=epoch)
    assert parts == whole
    orders = [tuple(whole[at : at + 8]) for at in range(0, 24, 8)]
    assert len(set(orders)) == EPOCHS
    assert all(sorted(order) == list(range(8)) for order in orders)


@pytest.mark.req("TR-LOOP-002", "TR-REST-005", "TR-LOOP-001", "TR-REST-013")
@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 11])
def test_resumed_inside_an_epoch_no_sample_is_left_out_or_seen_twice_and_the_step_is_the_next(tmp_path, step):
    whole, rest = [], []
    train(tmp_path / "whole", whole, save_every_steps=1)
    (point,) = (tmp_path / "whole").glob(f"checkpoint_*_step_{step:08d}.ckpt")
    steps = []
    watcher = Watcher(on_batch_end=lambda context: steps.append(context.progress.global_step))
    train(tmp_path / "rest", rest, point, callbacks=[watcher])
    assert rest == whole[2 * step :]
    assert steps == list(range(step + 1, EPOCHS * BATCHES + 1))


@pytest.mark.req("TR-LOOP-013", "CB-ORDER-003", "CB-ORDER-001")
def test_a_checkpoint_of_an_epoch_holds_the_scheduler_after_that_epoch(tmp_path):
    train(tmp_path, [])
    rates = {}
    for name, head in heads(tmp_path).items():
        if name.startswith("checkpoint"):
            rates[head["metadata"]["progress"]["epoch"]] = head["scheduler_state"]["scheduler"]["_last_lr"]
    assert rates == {1: [0.5], 2: [0.25], 3: [0.125]}


class Patience(tenuto.BaseCallback):
    """Counts epochs, as one that stops early does."""

    def __init__(self):
        self.waited = 0

    def on_epoch_end(self, context):
        self.waited += 1

    def state_dict(self):
        return {"waited": self.waited}

    def load_state_dict(self, state):
        self.waited = state["waited"]


@pytest.mark.req("CB-ORDER-001", "CB-STATE-001", "CB-STATE-003")
@pytest.mark.parametrize("is_registered_last", [False, True])
def test_the_state_of_an_observer_in_a_file_is_of_that_epoch_and_survives_a_resume_at_each(
    tmp_path, is_registered_last
):
    for epoch in range(1, 5):
        patience = Patience()
        callbacks = [patience, saving(tmp_path, save_best=False)]
        small(*(reversed(callbacks) if is_registered_last else callbacks), max_epochs=epoch).fit("auto")
        assert patience.waited == epoch
    for name, head in heads(tmp_path).items():
        if name.startswith("checkpoint"):
            assert head["callback_state"]["Patience"]["waited"] == head["metadata"]["progress"]["epoch"]


@pytest.mark.req("TR-REST-011", "CB-STATE-005")
def test_what_of_a_state_nobody_has_taken_is_named(tmp_path):
    trainer = small(Patience(), saving(tmp_path, save_best=False))
    trainer.fit()
    report = small(saving(tmp_path)).restore_state(tenuto.read_checkpoint(tmp_path / "latest.ckpt"))
    assert [line for line in report.notes if "Patience" in line]


@pytest.mark.req("TR-RES-001", "TR-RES-002", "TR-FAIL-023")
@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_auto_goes_back_past_a_damaged_checkpoint_by_itself_and_says_so(tmp_path, caplog, damage):
    small(saving(tmp_path, save_best=False, latest="none")).fit()
    newest = tmp_path / "checkpoint_epoch_0002.ckpt"
    data = newest.read_bytes()
    flipped = bytes([data[len(data) // 2] ^ 1])
    damaged = {"cut": data[:-9], "flipped": data[: len(data) // 2] + flipped + data[len(data) // 2 + 1 :], "empty": b""}
    newest.write_bytes(damaged[damage])
    watcher = Watcher()
    small(watcher, saving(tmp_path, save_best=False)).fit("auto")
    assert watcher.log[0] == ("on_train_start", (1, 0, 2))
    assert "checkpoint_epoch_0002.ckpt" in caplog.text


@pytest.mark.req("TR-RES-001", "STORE-NAME-004")
def test_auto_follows_the_heads_and_neither_names_nor_times(tmp_path):
    small(saving(tmp_path, save_best=False), max_epochs=3).fit()
    (tmp_path / "latest.ckpt").unlink()
    (tmp_path / "checkpoint_epoch_0003.ckpt").rename(tmp_path / "a.ckpt")
    (tmp_path / "checkpoint_epoch_0001.ckpt").rename(tmp_path / "z_epoch_0009.ckpt")
    for seconds, name in enumerate(("a.ckpt", "checkpoint_epoch_0002.ckpt", "z_epoch_0009.ckpt")):
        os.utime(tmp_path / name, (1e9 + seconds, 1e9 + seconds))
    watcher = Watcher()
    small(watcher, saving(tmp_path, save_best=False), max_epochs=4).fit("auto")
    assert watcher.log[0] == ("on_train_start", (3, 0, 6))


@pytest.mark.req("TR-RES-003", "TR-RES-004", "TR-RES-016")
def test_no_checkpoint_and_one_of_the_first_epoch_are_told_apart(tmp_path, caplog):
    caplog.set_level("INFO")
    watcher = Watcher()
    small(watcher, saving(tmp_path / "run", save_best=False), max_epochs=1).fit("auto")
    assert "starting fresh" in caplog.text
    assert watcher.log[0] == ("on_train_start", (0, 0, 0))
    with pytest.raises(tenuto.CheckpointError) as caught:
        small(saving(tmp_path / "run")).fit(tmp_path / "run" / "mistyped.ckpt")
    assert caught.value.code == "file_not_found"


@pytest.mark.req("TR-REST-001", "TR-REST-002")
def test_an_optimizer_that_does_not_fit_is_an_error_and_no_warning(tmp_path):
    make_trainer(tmp_path, optimizer="adam").fit()
    saved = tenuto.read_checkpoint(tmp_path / "latest.ckpt")
    trainer = make_trainer(optimizer="sgd")
    before = trainer.capture_state(copy=True)
    with pytest.raises(tenuto.RestoreError) as caught:
        trainer.restore_state(saved)
    assert caught.value.code == "state_mismatch"
    assert any("optimizer" in line for line in caught.value.mismatches)
    assert first_difference(before, trainer.capture_state()) is None


@pytest.mark.req("TR-FAIL-008", "TR-REST-005")
def test_validation_after_a_resume_inside_an_epoch_looks_at_every_sample(tmp_path):
    whole, part = [], []
    train(tmp_path / "whole", [], validated=whole, epochs=1, save_every_steps=1)
    (point,) = (tmp_path / "whole").glob("checkpoint_*_step_00000003.ckpt")
    train(tmp_path / "part", [], point, validated=part, epochs=1)
    assert part == whole == list(range(8))


@pytest.mark.req("STORE-NAME-004", "TR-RES-015")
def test_a_run_that_was_copied_elsewhere_goes_on_there(tmp_path):
    small(saving(tmp_path / "here"), max_epochs=2).fit()
    small(saving(tmp_path / "here"), max_epochs=4).fit("auto")
    whole = tenuto.read_checkpoint(tmp_path / "here" / "latest.ckpt")
    shutil.copytree(tmp_path / "here", tmp_path / "copy")
    shutil.rmtree(tmp_path / "here")
    for name in ("checkpoint_epoch_0003.ckpt", "checkpoint_epoch_0004.ckpt", "latest.ckpt"):
        (tmp_path / "copy" / name).unlink()
    small(saving(tmp_path / "copy"), max_epochs=4).fit("auto")
    assert first_difference(whole, tenuto.read_checkpoint(tmp_path / "copy" / "latest.ckpt")) is None
    assert not (tmp_path / "here").exists()


@pytest.mark.req("CPC-NAME-006", "CPC-BEST-008")
def test_a_best_file_that_is_gone_is_told_of_on_resume(tmp_path, caplog):
    settings = {"monitor": "val_score", "keep_last_n": 1}
    small(saving(tmp_path, **settings), max_epochs=2, script={"score": [0.1, 0.5]}).fit()
    (tmp_path / "best_model_val_score.ckpt").unlink()
    small(saving(tmp_path, **settings), max_epochs=3, script={"score": [0.1, 0.5, 0.4]}).fit("auto")
    assert f"best checkpoint best_model_val_score.ckpt: not in {tmp_path}" in caplog.text


@pytest.mark.req("TR-REST-004", "TR-STATE-001")
def test_one_file_holds_weights_and_counters_of_one_moment(tmp_path):
    train(tmp_path, [], save_every_steps=1)
    for name, head in heads(tmp_path).items():
        progress = head["metadata"]["progress"]
        assert progress["global_step"] == progress["epoch"] * BATCHES + progress["batch_in_epoch"], name
        assert len(head["optimizer_state"]["optimizer"]["state"]) == 4
