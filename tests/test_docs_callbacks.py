"""The job of the guide to the ready-made callbacks trains, and each callback has done its part."""

import csv
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

from recorder import small

TEXT = (Path(__file__).parents[1] / "docs/guides/ready-made-callbacks.md").read_text()
CODE = dict(re.findall(r"^```python (\w+\.py)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE))


def test_the_job_of_the_guide_leaves_what_each_callback_is_for(tmp_path):
    (tmp_path / "job.py").write_text(CODE["job.py"])
    train = [Path(sys.executable).parent / "tenuto", "train", "job.py", "--output", "runs/a"]
    ended = subprocess.run(train, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "epoch 3/3" in ended.stderr
    with (tmp_path / "runs/a/metrics.csv").open(newline="") as file:
        names = {row["metric"] for row in csv.DictReader(file)}
    assert names == {"train_loss_step", "train_loss", "val_loss", "lr", "gradient_norm"}
    (events,) = (tmp_path / "runs/a/events").iterdir()
    assert all(name.encode() in events.read_bytes() for name in names)
    told = json.loads((tmp_path / "told.json").read_text())
    assert (told["outcome"], told["epoch"]) == ("completed", 3)


def test_the_logger_of_the_guide_prints_each_value(tmp_path, capsys):
    (tmp_path / "own_logger.py").write_text(CODE["own_logger.py"])
    spec = importlib.util.spec_from_file_location("own_logger", tmp_path / "own_logger.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    trainer = small(module.PrintLogger(), max_epochs=1)
    trainer.fit()
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[:2] for line in lines if line[1] == "train_loss_step"] == [
        ["1", "train_loss_step"],
        ["2", "train_loss_step"],
    ]
    assert {name: float(value) for _, name, value in lines} == trainer.metrics.current()
