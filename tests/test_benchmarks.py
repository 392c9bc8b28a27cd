"""What `make bench` writes, from a run that is too small for its figures to mean anything."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.loops import BAREBONES, IGNITE, LIGHTNING
from benchmarks.measure import Bar, Goal, bar_of
from benchmarks.report import cells
from benchmarks.run import GOALS

ROOT = Path(__file__).parents[1]
PEERS = {IGNITE.bar, LIGHTNING.bar, BAREBONES.bar}  # not among the packages of development


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
    assert (out / "bench.png").read_bytes().startswith(b"\x89PNG")


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
