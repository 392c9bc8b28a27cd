"""`tenuto spec`: what its commands print, write and return."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tenuto.conformance_tests.citations import TRACE_PAGE
from tenuto.conformance_tests.meta.sample import CALLBACKS, ENTRIES, MUTANT, VERDICTS, change, write_sample
from tenuto.conformance_tests.registry import PARTS, REGISTRY


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_sample(tmp_path)


def spec(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tenuto.cli", "spec", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_lint_counts_what_there_is(root: Path) -> None:
    ended = spec("lint", "--root", root)
    assert ended.returncode == 0, ended.stdout
    area, *_, total, totals, part, mutants, _interfaces, breaches = ended.stdout.splitlines()
    assert area.split() == ["area", "MUST", "MUST", "NOT", "SHOULD", "SHOULD", "NOT", "MAY", "total"]
    assert total.split() == ["total", "2", "1", "-", "1", "1", "5"]
    assert totals == "5 requirements: 2 tested, 1 pending, 1 excluded; 1 retired"
    assert part == "pending trainer: 1, 1 of them MUST"
    assert mutants == "mutants: 1, requirements with one: 1 of 1"
    assert breaches == "no breaches"


def test_lint_names_what_is_pending_or_excluded_on_request(root: Path) -> None:
    change(root, REGISTRY, "  excluded: Nothing is required.", "  excluded: Nothing is required.\n  pending: trainer")
    assert spec("trace", "--root", root).returncode == 0
    quiet, told = spec("lint", "--root", root), spec("lint", "--root", root, "--pending", "--excluded")
    added = [line for line in told.stdout.splitlines() if line not in quiet.stdout.splitlines()]
    assert added == [
        "  CB-HOOK-001  A trainer MUST call `will` hooks.",
        "excluded CB-HOOK-003: Nothing is required.",
    ], "of the two that wait for a part only one is a MUST"


def test_fix_pending_removes_these_lines_and_nothing_else(root: Path) -> None:
    change(root, "tests/test_it.py", '"CB-HOOK-002"', '"CB-HOOK-001", "CB-HOOK-002"')
    ended = spec("lint", "--root", root, "--fix-pending")
    assert "removed" not in ended.stdout, "it has a test, and lacks a case"
    change(root, VERDICTS, '"profile": "resume"', '"profile": "callbacks"')
    assert spec("lint", "--root", root).returncode == 1
    ended = spec("lint", "--root", root, "--fix-pending")
    assert "removed `pending` from 1: CB-HOOK-001" in ended.stdout
    assert (root / REGISTRY).read_text() == ENTRIES.replace("  pending: trainer\n", "")
    change(root, PARTS, "trainer: the trainer", "")
    change(root, MUTANT, "[CB-HOOK-002]", "[CB-HOOK-002, CB-HOOK-001]")
    assert spec("trace", "--root", root).returncode == 0
    assert spec("lint", "--root", root).returncode == 0


def test_skeletons_are_breaches_until_they_are_filled(root: Path) -> None:
    change(root, CALLBACKS, "A port MAY", "A port SHOULD")
    change(root, CALLBACKS, "**CB-HOOK-003**", "**CB-HOOK-005** It MUST be.\n\n**CB-HOOK-003**")
    ended = spec("lint", "--root", root, "--add-missing", "--sync")
    assert ended.returncode == 1, ended.stdout
    assert "took the prose into 1: CB-HOOK-003" in ended.stdout
    assert "added a skeleton for 1: CB-HOOK-005" in ended.stdout
    found = [line for line in ended.stdout.splitlines() if line.startswith(REGISTRY)]
    assert [line.split(": ", 1)[1] for line in found] == [
        "registry-field: CB-HOOK-005: observe: 'TODO'; expected text",
        "registry-field: CB-HOOK-005: pending: 'TODO'; expected text",
    ]
    filled = (root / REGISTRY).read_text().replace("observe: TODO", "observe: One sees it in a trace.")
    (root / REGISTRY).write_text(filled.replace("pending: TODO", "pending: trainer"))
    assert spec("trace", "--root", root).returncode == 0
    assert spec("lint", "--root", root).returncode == 0


def test_show(root: Path) -> None:
    ended = spec("show", "cb-hook-002", "--root", root)
    assert ended.returncode == 0
    for told in ("A context MUST NOT hold", f"{CALLBACKS}:7", "tests/test_it.py:4 test_it", "A trace shows it."):
        assert told in ended.stdout
    assert "mutants:  CB-M-001\ntests:    2\n" in ended.stdout
    assert "\n\n[A reason that can say more. And more.]\n\n" in spec("show", "CB-HOOK-001", "--root", root).stdout
    retired = spec("show", "CB-HOOK-004", "--root", root).stdout
    assert "not in the prose" in retired
    assert "retired:  1.0\nreason:   It asked too much.\n" in retired
    unknown = spec("show", "CB-HOOK-099", "--root", root)
    assert unknown.returncode == 1
    assert "CB-HOOK-001" in unknown.stderr


def test_a_folder_without_a_specification_is_usage(tmp_path: Path) -> None:
    assert spec("lint", "--root", tmp_path).returncode == 2


def test_a_registry_that_is_no_yaml_is_told_in_a_line(root: Path) -> None:
    change(root, REGISTRY, "observe: A", "observe: A: b")
    ended = spec("lint", "--root", root)
    assert ended.returncode == 1
    assert "cannot be read" in ended.stderr
    assert "Traceback" not in ended.stderr
    (root / REGISTRY).write_text("CB-HOOK-001: it is a map\n")
    assert f"{REGISTRY}: tag:yaml.org,2002:map; expected a list" in spec("lint", "--root", root).stderr


def test_trace_writes_the_page_and_checks_it(root: Path) -> None:
    assert spec("trace", "--check", "--root", root).returncode == 0
    page = root / TRACE_PAGE
    good = page.read_text()
    change(root, "ports/mojo/verdicts.json", "PASS", "FAIL")
    ended = spec("trace", "--check", "--root", root)
    assert ended.returncode == 1
    assert "| FAIL (2) |" in ended.stderr
    assert "run `tenuto spec trace`" in ended.stderr
    assert page.read_text() == good, "a check writes nothing"
    assert spec("trace", "--root", root).returncode == 0
    assert page.read_text() == good.replace("PASS (2)", "FAIL (2)")
    page.unlink()
    assert spec("trace", "--check", "--root", root).returncode == 1
