"""The page about other frameworks says what the tests show, and nothing else."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/peers.md"
PARTS = ROOT / "spec/v1/parts.yaml"
NO_PARTS = {"distributed training", "the profile ext:pool"}  # for later versions of the specification
ROW = re.compile(r"\| (?P<met>[^|]+) \| (?P<wrong>[^|]+) \| (?P<shown>[^|]+) \|")


def rows():
    found = [ROW.fullmatch(line) for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    assert all(found), "a row has three cells"
    return [row for row in found if row["met"] not in {"met in", "---"}]


def names_in(path):
    """The names of the tests of a module that are run: not those that are skipped or expected to fail."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            marks = {ast.unparse(one) for one in node.decorator_list}
            if not any("skip" in mark or "xfail" in mark for mark in marks):
                yield f"{path.relative_to(ROOT)}::{node.name}"


def shown(cell):
    """The tests that a cell names, in full."""
    for name in re.findall(r"`([^`]+)`", cell):
        module, _, test = name.partition("::")
        yield f"{module if '/' in module else f'tests/peers/test_{module}.py'}::{test}"


def test_every_row_has_a_test_that_is_run_or_a_reason_why_not():
    known = {name for path in (ROOT / "tests").rglob("test_*.py") for name in names_in(path)}
    parts = {*re.findall(r"^(\w+):", PARTS.read_text(), re.MULTILINE), *NO_PARTS}
    prose = "".join(path.read_text() for path in sorted((ROOT / "spec/v1").glob("*.md")))
    for row in rows():
        cell = row["shown"]
        if cell.startswith("open: "):
            assert cell.removeprefix("open: ") in parts, f"{cell}: is built; give the row its test"
        elif cell.startswith("on purpose: "):
            assert f"**{cell.removeprefix('on purpose: ')}** " in prose, cell
        else:
            named = list(shown(cell))
            assert named, row["met"]
            assert set(named) <= known, row["met"]


def test_every_test_about_other_frameworks_is_on_the_page():
    ours = {
        name for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__) for name in names_in(path)
    }
    named = {name for row in rows() for name in shown(row["shown"])}
    assert ours - named == set()
    assert len(rows()) >= 50


def test_no_complaint_stands_on_the_page_twice():
    told = [row["wrong"] for row in rows()]
    assert len(set(told)) == len(told)
