"""Loggers write every value once, over several attempts, and never end a training."""

import csv
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from recorder import Recorder, saving, small
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event, SessionLog

import tenuto
from tenuto.reference.checkpoint.storage import PosixStorage

HEADER = ["attempt", "epoch", "global_step", "metric", "value"]


class Stopped(Exception):  # noqa: N818 - it stops a test
    pass


def fail(_):
    raise Stopped


def at(step, act=fail):
    """Returns an action for a recorder: at one step only."""
    return lambda context: act(context) if context.progress.global_step == step else None


def table(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def train(folder, *callbacks, resume="never", **settings):
    trainer = small(*callbacks, saving(folder, save_every_steps=1), **settings)
    return trainer, trainer.fit(resume=resume)


# -- what is written --------------------------------------------------------------------------------------------------


@pytest.mark.req("CB-READY-002", "CB-READY-003")
def test_the_table_has_each_value_once_with_its_step_and_to_the_last_bit(tmp_path):
    told = []
    note = Recorder(on_epoch_end=lambda context: told.append(dict(context.metrics)))
    small(note, tenuto.CSVLogger(tmp_path / "new" / "metrics.csv")).fit()

    header, *rows = table(tmp_path / "new/metrics.csv")
    assert header == HEADER
    assert [(int(epoch), int(step), name) for _, epoch, step, name, _ in rows if "abs" not in name] == [
        (0, 1, "train_loss_step"),
        (0, 2, "train_loss_step"),
        (1, 2, "train_loss"),
        (1, 2, "val_loss"),
        (1, 3, "train_loss_step"),
        (1, 4, "train_loss_step"),
        (2, 4, "train_loss"),
        (2, 4, "val_loss"),
    ]
    last = {name: value for _, epoch, _, name, value in rows if epoch == "2"}
    assert {name: float(value) for name, value in last.items()} == {
        name: metric.value for name, metric in told[-1].items() if not name.endswith("_step")
    }


@pytest.mark.req("CB-READY-002", "CB-READY-003")
def test_a_resumed_attempt_writes_its_own_values_alone(tmp_path):
    path = tmp_path / "metrics.csv"
    with pytest.raises(Stopped):
        train(tmp_path, tenuto.CSVLogger(path), Recorder(on_batch_start=at(3)))
    first = path.read_bytes()
    train(tmp_path, tenuto.CSVLogger(path), resume="auto")

    assert path.read_bytes().startswith(first)
    rows = [row for row in table(path)[1:] if "abs" not in row[3]]
    assert [row[2:4] for row in rows if row[0] == "2"] == [
        ["4", "train_loss_step"],
        ["4", "train_loss"],
        ["4", "val_loss"],
    ]
    assert table(path).count(HEADER) == 1


@pytest.mark.req("CB-READY-003")
def test_a_line_that_a_kill_has_torn_is_ended_before_the_next_one(tmp_path):
    path = tmp_path / "metrics.csv"
    small(tenuto.CSVLogger(path)).fit()
    whole = table(path)
    path.write_bytes(path.read_bytes() + b"1,2,4,val_lo")
    small(tenuto.CSVLogger(path)).fit()
    assert table(path) == [*whole, ["1", "2", "4", "val_lo"], *whole[1:]]


@pytest.mark.req("CB-READY-002")
def test_the_values_of_each_batch_of_a_window_and_of_a_manual_save_are_written(tmp_path):
    path, held = tmp_path / "metrics.csv", []
    saver = saving(tmp_path)

    def save(_):
        saver.save_checkpoint(held[0], metrics={"by_hand": 0.5})

    held.append(small(tenuto.CSVLogger(path), Recorder(on_epoch_end=save), saver, max_epochs=1, accumulate=2))
    held[0].fit()
    rows = table(path)[1:]
    assert [row[2] for row in rows if row[3] == "train_loss_step"] == ["0", "1"]
    assert [row[2:] for row in rows if row[3] == "by_hand"] == [["1", "by_hand", "0.5"]]


def events(folder):
    """Reads the event files of a folder in the order of their attempts, checking each checksum."""
    for path in sorted(Path(folder).iterdir(), key=lambda path: int(path.name.rpartition(".")[2])):
        data = path.read_bytes()
        while data:
            length = int.from_bytes(data[:8], "little")
            assert masked(data[:8]) == int.from_bytes(data[8:12], "little")
            record = data[12 : 12 + length]
            assert masked(record) == int.from_bytes(data[12 + length : 16 + length], "little")
            yield Event.FromString(record)
            data = data[16 + length :]


def masked(data):
    """The checksum of the format: CRC-32C, rotated and shifted."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@pytest.mark.req("CB-READY-002")
def test_event_files_hold_each_value_and_tell_where_an_attempt_goes_on(tmp_path):
    with pytest.raises(Stopped):
        train(tmp_path, tenuto.TensorBoardLogger(tmp_path / "events"), Recorder(on_batch_start=at(3)))
    trainer, _ = train(tmp_path, tenuto.TensorBoardLogger(tmp_path / "events"), resume="auto")

    found = list(events(tmp_path / "events"))
    scalars = [(event.step, value.tag, value.simple_value) for event in found for value in event.summary.value]
    assert [(step, tag) for step, tag, _ in scalars if "abs" not in tag] == [
        (1, "train_loss_step"),
        (2, "train_loss_step"),
        (2, "train_loss"),
        (2, "val_loss"),
        (3, "train_loss_step"),
        (4, "train_loss_step"),
        (4, "train_loss"),
        (4, "val_loss"),
    ]
    assert {tag: value for _, tag, value in scalars} == pytest.approx(trainer.metrics.current(), rel=1e-6)
    assert [event.step for event in found if event.session_log.status == SessionLog.START] == [4]
    assert len(list((tmp_path / "events").iterdir())) == 2


class Collecting(tenuto.MetricLogger):
    def __init__(self):
        super().__init__()
        self.written, self.closed = [], 0

    def write_values(self, values, context):
        self.written += [(metric.step, name, metric.value) for name, metric in values.items()]

    def close(self):
        self.closed += 1


@pytest.mark.req("CB-READY-002")
def test_a_value_of_nan_is_written_once():
    logger = Collecting()
    small(logger, script={"val_loss": [math.nan, math.nan]}, validate_every=1, max_epochs=1).fit()
    assert [step for step, name, _ in logger.written if name == "val_val_loss"] == [2]


# -- what goes wrong --------------------------------------------------------------------------------------------------


class FullDisk(PosixStorage):
    def write(self, file, pieces):
        raise OSError(28, "No space left on device")


@pytest.mark.req("CB-READY-001")
def test_a_logger_on_a_full_disk_says_so_once_and_training_and_saves_go_on(tmp_path, caplog):
    trainer, result = train(tmp_path, tenuto.CSVLogger(tmp_path / "metrics.csv", FullDisk()))
    assert result.progress.epoch == 2
    assert (tmp_path / "checkpoint_epoch_0002.ckpt").exists()
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert errors == [
        "CSVLogger: OSError: [Errno 28] No space left on device; it is switched off until the attempt ends"
    ]
    assert trainer.metrics.current()


@pytest.mark.req("CB-READY-001")
@pytest.mark.parametrize("make", [tenuto.CSVLogger, tenuto.TensorBoardLogger])
def test_a_logger_whose_folder_is_a_file_ends_no_training(tmp_path, make, caplog):
    (tmp_path / "file").write_text("not a folder")
    small(make(tmp_path / "file" / "log")).fit()
    assert [record.levelname for record in caplog.records if "switched off" in record.getMessage()] == ["ERROR"]


@pytest.mark.req("CB-READY-001")
def test_a_logger_that_failed_is_closed_and_tried_again_in_the_next_attempt(tmp_path, caplog):
    class Failing(Collecting):
        fails, tries = True, 0

        def write_values(self, values, context):
            self.tries += 1
            if self.fails:
                raise RuntimeError("server is down")
            super().write_values(values, context)

        def close(self):
            super().close()
            if self.fails:
                raise RuntimeError("server is still down")

    logger = Failing()
    with pytest.raises(Stopped):
        train(tmp_path, logger, Recorder(on_batch_start=at(3)))
    assert (logger.written, logger.tries, logger.closed) == ([], 1, 1)
    assert caplog.text.count("is down") + caplog.text.count("still down") == 1
    logger.fails = False
    train(tmp_path, logger, resume="auto")
    assert {step for step, *_ in logger.written} == {4}
    assert logger.closed == 2


@pytest.mark.req("CB-READY-001")
def test_a_signal_inside_a_logger_is_not_swallowed():
    class Interrupted(tenuto.MetricLogger):
        def write_values(self, values, context):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small(Interrupted()).fit()


# -- packages that may be missing -------------------------------------------------------------------------------------


@pytest.mark.req("CB-READY-012")
@pytest.mark.parametrize(
    ("package", "make", "extra"),
    [
        ("tensorboardX", "tenuto.TensorBoardLogger('events')", "tenuto[tensorboard]"),
        ("wandb", "tenuto.WandbLogger('project', folder='runs')", "tenuto[wandb]"),
    ],
)
def test_a_package_that_is_missing_is_named_when_the_logger_is_made(tmp_path, package, make, extra):
    attempt = f"try:\n    {make}\nexcept tenuto.ConfigError as error:\n    print(error)"
    code = f"import sys; sys.modules[{package!r}] = None\nimport tenuto\n{attempt}"
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "[missing_package]" in ended.stdout
    assert extra in ended.stdout
    assert os.listdir(tmp_path) == []
