"""What `make bench` writes, from a run that is too small for its figures to mean anything."""

import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from benchmarks import files
from benchmarks.figures import sparse_checkpoint
from benchmarks.loops import BAREBONES, IGNITE, LIGHTNING
from benchmarks.measure import Bar, Goal, bar_of
from benchmarks.report import cells
from benchmarks.run import GOALS
from tenuto.reference.checkpoint import open_file, tensors_of, verify_checkpoint

ROOT = Path(__file__).parents[1]
OTHERS = {goal.bar for goal in files.GOALS if "safetensors" in goal.bar}
PEERS = {IGNITE.bar, LIGHTNING.bar, BAREBONES.bar} | OTHERS  # not among the packages of development


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A whole run in a process of its own; returns its folder and what it printed."""
    out = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "benchmarks.run", "--quick", "--out", str(out)]
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return out, ended.stdout


def test_the_file_has_every_bar_once_in_its_form(quick):
    bars = json.loads((quick[0] / "bench.json").read_text())
    assert [(bar["bar"], bar["goal"]) for bar in bars] == [(goal.bar, goal.most) for goal in GOALS]
    for bar in bars:
        assert list(bar) == ["bar", "value", "goal", "holds", "n", "spread"]
        if bar["value"] is None:
            assert bar["bar"] in PEERS
            assert (bar["holds"], bar["n"], bar["spread"]) == (None, 0, None)
        else:
            assert bar["spread"][0] <= bar["value"] <= bar["spread"][1]
            assert bar["holds"] == (None if bar["goal"] is None else bar["value"] <= bar["goal"])
            assert bar["n"] >= 2


def test_table_page_and_picture_show_every_bar_and_the_resume(quick):
    out, printed = quick
    page = (out / "benchmarks.md").read_text()
    for bar in json.loads((out / "bench.json").read_text()):
        row = cells(Bar(**bar))
        assert f"| {' | '.join(row)} |" in page
        assert row[1] in printed
    assert "| tenuto | equal | equal | 0 |" in page
    for picture in ("bench.png", "growth.png"):
        assert (out / picture).read_bytes().startswith(b"\x89PNG")
    grown = json.loads((out / "growth.json").read_text())
    assert {(one["what"], one["who"]) for one in grown} >= {("bytes", "tenuto"), ("tensors", "torch.save")}
    assert all(one["seconds"] > 0 for one in grown)


@pytest.mark.req("CKPT-READ-004", "STORE-CLI-002")
def test_a_file_of_8_gib_is_opened_and_listed_in_8_mib_of_memory_and_has_every_byte_of_a_good_one(tmp_path):
    sparse_checkpoint(tmp_path / "small.ckpt", 100, 100 * 4096)
    assert len(verify_checkpoint(tmp_path / "small.ckpt").rows) == 100
    path = tmp_path / "large.ckpt"
    sparse_checkpoint(path, 1000, 8 << 30)
    assert path.stat().st_size > 8 << 30
    tracemalloc.start()
    with open_file(path) as opened:
        names = [name for name, _ in tensors_of(opened.head)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(set(names)) == 1000
    assert peak <= 8 << 20


@pytest.mark.parametrize(
    ("ratios", "goal", "value", "holds"),
    [
        ([1.0, 1.02, 9.0], 1.03, 1.02, True),
        ([1.0, 1.04, 1.05], 1.03, 1.04, False),
        ([1.0, 1.03, 1.05], 1.03, 1.03, True),
        ([2.0, 3.0, 4.0], None, 3.0, None),
        ([], None, None, None),
    ],
)
def test_a_bar_is_judged_by_its_median(ratios, goal, value, holds):
    bar = bar_of(Goal("a / b", goal), ratios)
    assert (bar.value, bar.holds, bar.n) == (value, holds, len(ratios))
