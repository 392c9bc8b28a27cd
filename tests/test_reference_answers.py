"""The known answers of the specification, bit for bit; whole trainings and checkpoints by the real trainer."""

import hashlib
import json
import math
import struct
from pathlib import Path

import pytest

from tenuto.callbacks.base import BaseCallback
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.tree import Document, Tensor
from tenuto.reference.checkpoint.writer import encode, strip_origin
from tenuto.reference.events.contexts import Progress
from tenuto.reference.trainer.loop import Trainer
from tenuto.reference.workload import ReferenceWorkload, WorkloadSettings
from tenuto.reference.workload.arithmetic import LINES
from tenuto.reference.workload.generator import Generator, Purpose, stream
from tenuto.reference.workload.network import PARAMETERS, Network, initial_values, zeros

KAT = Path(__file__).parents[1] / "spec/v1/vectors/kat"


def rows(file, table):
    return json.loads((KAT / f"{file}.json").read_text())[table]


def tagged(value):
    """Writes a value as the tables do, so that equal text means equal bits."""
    if value is None or isinstance(value, bool):
        return "nil" if value is None else value
    if isinstance(value, dict):
        return {key: tagged(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [tagged(item) for item in value]
    if isinstance(value, float):
        return "f64:" + ("7ff8000000000000" if math.isnan(value) else struct.pack(">d", value).hex())
    return f"i:{value}" if isinstance(value, int) else f"s:{value}"


def plain(text):
    tag, _, rest = text.partition(":")
    kinds = {"i": int, "s": str, "f64": lambda bits: struct.unpack(">d", bytes.fromhex(bits))[0], "b": bytes.fromhex}
    return kinds[tag](rest)


def settings_of(row):
    return WorkloadSettings.from_map({name: plain(value) for name, value in row["settings"].items()})


def trainer_of(row, *callbacks):
    epochs, every = plain(row["max_epochs"]), plain(row["validate_every"])
    return Trainer(ReferenceWorkload(settings_of(row)), max_epochs=epochs, validate_every=every, callbacks=callbacks)


def progress_of(row):
    return Progress(**{name: plain(value) for name, value in row["progress"].items()})


def by_name(values):
    return dict(zip(PARAMETERS, values, strict=True))


def elements(tree):
    """Returns a tree with the flat elements of its float64 tensors in their place."""
    if isinstance(tree, Tensor):
        return list(struct.unpack(f"<{len(tree.data) // 8}d", tree.data))
    return {name: elements(value) for name, value in tree.items()}


# -- numbers, generator, data -----------------------------------------------------------------------------------------


@pytest.mark.req("RW-NUM-001", "RW-NUM-002", "RW-NUM-003", "RW-KAT-001")
def test_the_self_test_is_that_of_the_table_and_this_machine_passes_it():
    expected = [{name: row[name] for name in ("computes", "a", "b", "result")} for row in rows("numbers", "lines")]
    assert [
        {
            "computes": f"s:{line.formula}",
            "a": f"f64:{line.a:016x}",
            "b": f"f64:{line.b:016x}",
            "result": f"f64:{line.computed():016x}",
        }
        for line in LINES
    ] == expected
    assert [f"f64:{line.result:016x}" for line in LINES] == [row["result"] for row in expected]


@pytest.mark.req("RW-GEN-001", "RW-GEN-002", "RW-GEN-003", "RW-KAT-001")
@pytest.mark.parametrize("table", ["next", "unit", "below"])
def test_draws_are_those_of_the_tables(table):
    for row in rows("generator", table):
        generator = Generator(plain(row["state"]))
        arguments = [plain(row["n"])] if "n" in row else []
        drawn = [getattr(generator, table)(*arguments) for _ in row["outputs"]]
        assert tagged(drawn) == row["outputs"]
        assert tagged(generator.state) == row["state_after"]


@pytest.mark.req("RW-GEN-004", "RW-KAT-001")
def test_streams_are_those_of_the_table():
    for row in rows("generator", "stream"):
        made = stream(plain(row["seed"]), Purpose(plain(row["purpose"])), plain(row["index"]))
        assert tagged(made.state) == row["state"]


@pytest.mark.req("RW-DATA-001", "RW-DATA-002", "RW-KAT-001")
@pytest.mark.parametrize("row", rows("data", "samples"), ids=lambda row: str(row["settings"]))
def test_samples_are_those_of_the_table(row):
    workload = ReferenceWorkload(settings_of(row))
    for name, samples in (("training", workload._train), ("validation", workload._validation)):
        made = [{"inputs": sample.inputs, "target": sample.target} for sample in samples]
        assert tagged(made) == row[name]


@pytest.mark.req("RW-DATA-003", "RW-DATA-004", "TR-LOOP-002", "RW-KAT-001")
def test_orders_and_batches_are_those_of_the_table():
    for row in rows("data", "orders"):
        workload = ReferenceWorkload(settings_of(row))
        numbers = {id(sample): number for number, sample in enumerate(workload._train)}
        workload.open_epoch(plain(row["epoch"]), 0)
        batches = [[numbers[id(sample)] for sample in batch] for batch in iter(workload.next_batch, None)]
        assert tagged(batches) == row["batches"]
        assert [number for batch in row["batches"] for number in batch] == row["order"]


# -- model ------------------------------------------------------------------------------------------------------------


class RecordingNetwork(Network):
    """Notes what was kept of each sample, and its output."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.kept, self.outputs = [], []

    def forward(self, x, keep, q):
        passed = super().forward(x, keep, q)
        self.kept.append(list(keep))
        self.outputs.append(passed.output)
        return passed


@pytest.mark.req("RW-MODEL-001", "RW-MODEL-002", "RW-MODEL-003", "RW-MODEL-004", "RW-MODEL-005", "RW-KAT-001")
@pytest.mark.parametrize("row", rows("model", "batches"), ids=lambda row: str(row["settings"]))
def test_a_first_batch_is_that_of_the_table(row):
    settings = settings_of(row)
    values = initial_values(stream(settings.seed, Purpose.WEIGHTS), settings.features, settings.hidden)
    network, dropout = RecordingNetwork(values, settings.dropout), stream(settings.seed, Purpose.DROPOUT)
    workload = ReferenceWorkload(settings)
    numbers = {id(sample): number for number, sample in enumerate(workload._train)}
    workload.open_epoch(0, 0)
    batch, gradients = workload.next_batch(), zeros(values)

    assert tagged(by_name(values)) == row["weights"]
    assert tagged([numbers[id(sample)] for sample in batch]) == row["batch"]
    assert tagged(network.train_on(batch, settings.accumulate, dropout, gradients)) == row["loss"]
    assert network.kept == row["keep"]
    assert tagged(network.outputs) == row["outputs"]
    assert tagged(by_name(gradients)) == row["gradients"]
    assert tagged({"seen": network.seen, "dropout_state": dropout.state}) == {
        name: row[name] for name in ("seen", "dropout_state")
    }


@pytest.mark.req("RW-MODEL-002", "RW-MODEL-006", "RW-MODEL-007", "RW-KAT-001")
@pytest.mark.parametrize("row", rows("model", "batches"), ids=lambda row: str(row["settings"]))
def test_validation_of_the_initial_weights_is_that_of_the_table(row):
    settings, polls = settings_of(row), []
    measured = ReferenceWorkload(settings).validate(lambda: polls.append(1))
    assert tagged({"loss": measured["loss"], "parts.abs": measured["parts"]["abs"]}) == row["validation"]
    assert len(polls) == math.ceil(settings.validation_samples / settings.batch_size)


# -- whole trainings --------------------------------------------------------------------------------------------------


def learning_rate(state):
    return state.head["optimizer_state"]["optimizer"]["param_groups"][0]["lr"]


class Notes(BaseCallback):
    """Writes down a training as the table does."""

    def __init__(self):
        self.batches, self.epochs = [], []

    def on_batch_end(self, context):
        progress = {name: getattr(context.progress, name) for name in ("epoch", "batch_in_epoch", "global_step")}
        metric = context.metrics["train_loss_step"]
        assert metric.step == context.progress.global_step
        self.batches.append({**progress, "loss": metric.value, "learning_rate": learning_rate(context.capture())})

    def on_epoch_end(self, context):
        measured = {name: metric for name, metric in context.metrics.items() if name != "train_loss_step"}
        step = context.progress.global_step
        values = {name: metric.value for name, metric in measured.items() if metric.step == step}
        rate = learning_rate(context.capture())
        self.epochs.append({"epoch": context.progress.epoch, **values, "learning_rate": rate})


def end_of(state):
    """Returns the end of a training as the table has it."""
    head = state.head
    optimizer = head["optimizer_state"]["optimizer"]
    (group,) = optimizer["param_groups"]
    assert group["params"] == [index for index, _ in optimizer["state"]] == [0, 1, 2, 3]
    moments = {}
    for index, entry in optimizer["state"]:
        for name, moment in entry.items():
            moments.setdefault(name, {})[PARAMETERS[index]] = elements(moment)
    (seen,) = struct.unpack("<q", head["model_state"]["seen"].data)
    scheduler = head["scheduler_state"].get("scheduler", {})
    return {
        "weights": elements({name: head["model_state"][name] for name in PARAMETERS}),
        "seen": seen,
        "optimizer": {name: value for name, value in group.items() if name != "params"},
        "optimizer_state": moments,
        "scheduler": {name: value for name, value in scheduler.items() if name != "kind"},
        "dropout_state": head["rng_state"]["dropout"]["state"],
    }


@pytest.mark.req(
    *("RW-ACC-001", "RW-ACC-002", "RW-OPT-001", "RW-OPT-002", "RW-SGD-001", "RW-ADAM-001", "RW-MODEL-006"),
    *("RW-SCHED-001", "RW-SCHED-002", "RW-SCHED-003", "RW-KAT-001", "TR-LOOP-001", "TR-LOOP-010", "TR-LOOP-012"),
    *("TR-LOOP-013", "CB-METRIC-008", "CB-METRIC-010"),
)
@pytest.mark.parametrize("row", rows("training", "trainings"), ids=lambda row: row["name"][2:])
def test_a_training_is_that_of_the_table(row):
    notes = Notes()
    trainer = trainer_of(row, notes)
    assert tagged(learning_rate(trainer.capture_state())) == row["initial_learning_rate"]
    trainer.fit()
    assert tagged(notes.batches) == row["batches"]
    assert tagged(notes.epochs) == row["epochs"]
    assert tagged(end_of(trainer.capture_state())) == row["end"]


# -- checkpoints ------------------------------------------------------------------------------------------------------


class StopAt(BaseCallback):
    """Stops a training at a boundary."""

    def __init__(self, progress):
        self.progress = progress

    def stop(self, context):
        if context.progress == self.progress:
            context.request_stop("here")

    on_batch_end = on_epoch_end = stop


def stripped(trainer):
    return b"".join(encode(strip_origin(trainer.capture_state())))


@pytest.mark.req(
    *("RW-STATE-001", "RW-STATE-002", "RW-STATE-003", "RW-STATE-004", "RW-STATE-005", "RW-STATE-006", "RW-STATE-007"),
    *("RW-STATE-009", "RW-KAT-001", "TR-STATE-008", "TR-STATE-009", "TR-STATE-010", "TR-STATE-011", "TR-STATE-013"),
)
@pytest.mark.parametrize("row", rows("checkpoint", "checkpoints"), ids=lambda row: row["name"][2:])
def test_a_checkpoint_has_the_bytes_of_the_file(row):
    committed = (KAT / plain(row["file"])).read_bytes()
    assert (len(committed), hashlib.sha256(committed).digest()) == (plain(row["length"]), plain(row["sha256"]))
    trainer = trainer_of(row, StopAt(progress_of(row)))
    trainer.fit()
    assert trainer.progress == progress_of(row)
    assert stripped(trainer) == committed


def pairs_of_one_training():
    table = rows("checkpoint", "checkpoints")
    for early in table:
        for late in table:
            same = all(early[name] == late[name] for name in ("settings", "max_epochs", "validate_every"))
            if same and progress_of(early) < progress_of(late):
                yield pytest.param(early, late, id=f"{early['name'][2:]}-to-{late['name'][2:]}")


@pytest.mark.req("RW-KAT-001", "TR-REST-004", "TR-REST-005", "TR-REST-013")
@pytest.mark.parametrize(("early", "late"), list(pairs_of_one_training()))
def test_a_training_resumed_from_a_file_leads_to_the_later_one(early, late):
    file = KAT / plain(early["file"])
    trainer = trainer_of(late, StopAt(progress_of(late)))
    head = read_checkpoint(file).head
    origin = trainer.capture_state().head["metadata"]["origin"]  # the file has none, and a run needs an identity
    trainer.restore_state(Document({**head, "metadata": {**head["metadata"], "origin": origin}}))
    assert stripped(trainer) == file.read_bytes()
    trainer.fit()
    assert stripped(trainer) == (KAT / plain(late["file"])).read_bytes()
