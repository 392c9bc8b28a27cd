"""The layout of the repository, and the sizes that keep its modules readable."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("benchmarks", "callbacks", "conformance_tests", "examples", "ports/python", "reference", "src", "tests")
MODULE_LINES_MAX = 300
FUNCTION_LINES_MAX = 40

# Path, or path::function, and the reason why it may be longer.
LONGER = {
    "tests/test_codec.py": "one test module for each module under test; its tables of values are long",
    "tests/test_store.py": "one test module for each module under test",
}


def modules():
    for folder in OURS:
        for parent, folders, names in os.walk(ROOT / folder):  # does not follow the links under src
            folders[:] = [name for name in folders if name not in {"build", "__pycache__"}]
            yield from (Path(parent, name) for name in names if name.endswith(".py"))


def too_long():
    for path in modules():
        text, name = path.read_text(), path.relative_to(ROOT).as_posix()
        lines = text.count("\n")
        if lines > MODULE_LINES_MAX:
            yield name, lines
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = (node.end_lineno - body[0].lineno + 1) if body else 0
                if lines > FUNCTION_LINES_MAX:
                    yield f"{name}::{node.name}", lines


def test_modules_and_functions_are_short():
    found = dict(too_long())
    assert {name: lines for name, lines in found.items() if name not in LONGER} == {}
    assert sorted(LONGER.keys() - found.keys()) == [], "short again: take it off the list"


@pytest.mark.parametrize("name", ["spec", "reference", "callbacks", "conformance_tests"])
def test_the_four_links_are_links(name):
    link = ROOT / "src/tenuto" / name
    assert link.is_symlink()
    assert os.readlink(link) == f"../../{name}"
    assert link.resolve() == ROOT / name


def test_the_specification_holds_no_code():
    assert list((ROOT / "spec").rglob("*.py")) == []


@pytest.mark.parametrize("module", ["tenuto", "tenuto.cli", "tenuto.reference.checkpoint", "tenuto.callbacks.policies"])
def test_importing_does_not_import_torch(module):
    code = f"import sys, {module}; print([name for name in sys.modules if name.split('.')[0] == 'torch'])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("[]\n", "")
