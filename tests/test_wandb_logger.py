"""The logger for Weights & Biases, on the real package where it is installed: offline, both attempts in one run."""

import shutil
import sys
from pathlib import Path

import pytest
from recorder import Recorder, refusal, saving, small

import tenuto


class Stopped(Exception):  # noqa: N818 - it stops a test
    pass


@pytest.mark.req("CB-READY-013")
def test_a_mode_that_wandb_does_not_have_is_refused(tmp_path):
    assert refusal(lambda: tenuto.WandbLogger("p", folder=tmp_path, mode="sometimes")) == ("invalid_setting", "config")


WANDB = pytest.mark.skipif(
    shutil.which("wandb", path=str(Path(sys.executable).parent)) is None,
    reason="wandb is too large for the development environment; `pip install 'tenuto[wandb]'` lets this run",
)


def wandb_records(path):
    """Yields the records of a file of W&B: the log format of LevelDB behind seven bytes."""
    data, offset, parts = path.read_bytes(), 7, []
    while offset + 7 <= len(data):
        if 32768 - offset % 32768 < 7:  # no header begins in the last bytes of a block
            offset += 32768 - offset % 32768
            continue
        length, kind = int.from_bytes(data[offset + 4 : offset + 6], "little"), data[offset + 6]
        parts.append(data[offset + 7 : offset + 7 + length])
        offset += 7 + length
        if kind in {1, 4}:  # a whole record, or its last part
            yield b"".join(parts)
            parts = []


@WANDB
@pytest.mark.req("CB-READY-002")
def test_both_attempts_are_one_run_of_wandb_with_each_value_once(tmp_path):
    from wandb.proto import wandb_internal_pb2

    def stop(context):
        if context.progress.global_step == 3:
            raise Stopped

    def logger():
        return tenuto.WandbLogger("project", folder=tmp_path / "logs", mode="offline", config={"width": 4})

    with pytest.raises(Stopped):
        small(logger(), Recorder(on_batch_start=stop), saving(tmp_path, save_every_steps=1)).fit()
    trainer = small(logger(), saving(tmp_path, save_every_steps=1))
    trainer.fit(resume="auto")

    rows, ids = [], set()
    for path in sorted((tmp_path / "logs").rglob("run-*.wandb"), key=lambda path: path.stat().st_mtime_ns):
        for data in wandb_records(path):
            record = wandb_internal_pb2.Record.FromString(data)
            if record.WhichOneof("record_type") == "run":
                ids.add(record.run.run_id)
            elif record.WhichOneof("record_type") == "history":
                items = {"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
                rows += [(items["global_step"], name) for name in items if name in {"train_loss_step", "val_loss"}]
    assert ids == {trainer.run.run_id}
    assert rows == [
        ("1", "train_loss_step"),
        ("2", "train_loss_step"),
        ("2", "val_loss"),
        ("3", "train_loss_step"),
        ("4", "train_loss_step"),
        ("4", "val_loss"),
    ]
