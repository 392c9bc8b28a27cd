"""The page of traceability, and the verdicts of a port by requirement that it shows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.meta.sample import CALLBACKS, change, write_sample
from tenuto.conformance_tests.plan import all_cases
from tenuto.conformance_tests.registry import REGISTRY, load
from tenuto.conformance_tests.trace import page
from tenuto.conformance_tests.verdicts import VerdictsError, read_verdicts, verdicts_text

CONVENTIONS, DOCUMENT = "../../spec/v1/00-conventions.md", "../../spec/v1/10-callbacks.md"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_sample(tmp_path)


def rows(root: Path) -> dict[str, str]:
    """Returns requirement -> the rest of its row."""
    lines = page(load(root)).splitlines()
    return dict(line.removeprefix("| [").split("](", 1) for line in lines if line.startswith("| ["))


def test_the_page_shows_tests_mutants_and_ports(root: Path) -> None:
    tests = "2: [test_it](../../tests/test_it.py), [CKPT-V-001](../../spec/v1/vectors/ckpt/valid/CKPT-V-001.yaml)"
    assert rows(root) == {
        "GEN-VER-001": f"{CONVENTIONS}) | MUST | suite | 1: [test_one](../../tests/test_it.py) | - | - |",
        "GEN-VER-002": f"{CONVENTIONS}) | SHOULD NOT | codec | - | - | - |",
        "CB-HOOK-001": f"{DOCUMENT}) | MUST | callbacks | pending: trainer | - | FAIL (1) |",
        "CB-HOOK-002": f"{DOCUMENT}) | MUST NOT | callbacks | {tests} | 1: CB-M-001 | PASS (2) |",
        "CB-HOOK-003": f"{DOCUMENT}) | MAY | callbacks | excluded | - | excluded |",
    }


def test_the_page_begins_with_counts(root: Path) -> None:
    text = page(load(root))
    assert "| area | MUST | MUST NOT | SHOULD | SHOULD NOT | MAY | total |" in text
    assert "| CB | 1 | 1 | - | - | 1 | 3 |" in text
    assert "| total | 2 | 1 | - | 1 | 1 | 5 |" in text
    assert "5 requirements: 2 tested, 1 pending, 1 excluded; 1 retired." in text
    assert "| trainer | 1 | 1 | the trainer |" in text
    assert "| CB-HOOK-003 | Nothing is required. |" in text
    assert text.index("### Conventions") < text.index("### Callbacks"), "in the order of the documents"


def test_many_tests_are_counted_and_three_are_named(root: Path) -> None:
    marks = "".join(f'\n@pytest.mark.req("CB-HOOK-002")\ndef test_{name}(): ...\n' for name in "cab")
    (root / "tests/test_more.py").write_text("import pytest\n" + marks)
    told = rows(root)["CB-HOOK-002"].split(" | ")[3]
    shown = ", ".join(f"[test_{name}](../../tests/test_more.py)" for name in "ab")
    assert told == f"5: [test_it](../../tests/test_it.py), {shown}, +2"


def test_a_test_that_moves_inside_its_file_does_not_change_the_page(root: Path) -> None:
    before = page(load(root))
    change(root, "tests/test_it.py", "import pytest", "import pytest\n\n\n")
    change(root, CALLBACKS, "# Callbacks", "# Callbacks\n\nMore.")
    assert page(load(root)) == before


def test_a_bar_in_a_text_does_not_break_a_table(root: Path) -> None:
    change(root, REGISTRY, "excluded: Nothing is required.", "excluded: Neither a | b.")
    assert r"| CB-HOOK-003 | Neither a \| b. |" in page(load(root))


PROFILES = {"a": "resume", "c": "checkpoint", "d": "ext:zstd", "e": "callbacks"}


def results(folder: Path, *cases: tuple[str, Sequence[str], str]) -> Path:
    lines = [
        {"kind": "header", "plan": [case for case, _, _ in cases]},
        *(
            {"kind": "verdict", "case": case, "profile": PROFILES.get(case, "codec"), "req": req, "verdict": verdict}
            for case, req, verdict in cases
        ),
        {"kind": "footer", "counts": {}},
    ]
    path = folder / "results.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.req("CONF-VERDICT-002")
def test_the_worst_verdict_of_the_claimed_cases_counts(tmp_path: Path) -> None:
    path = results(
        tmp_path,
        ("a", ["R-B-001", "R-A-001"], "PASS"),
        ("b", ["R-A-001"], "FAIL"),
        ("c", ["R-A-001"], "CRASH"),
        ("d", ["R-B-001"], "NOT_CLAIMED"),
        ("e", ["R-C-001"], "NOT_CLAIMED"),
        ("f", ["R-D-001"], "UNCOVERED"),
        ("g", ["R-D-001"], "PASS"),
    )
    assert (
        verdicts_text(read_verdicts(path, "abcdefg"))
        == """{
  "R-A-001": {"cases": 3, "profile": "codec", "verdict": "CRASH"},
  "R-B-001": {"cases": 1, "profile": "ext:zstd", "verdict": "PASS"},
  "R-C-001": {"cases": 1, "profile": "callbacks", "verdict": "NOT_CLAIMED"},
  "R-D-001": {"cases": 2, "profile": "codec", "verdict": "UNCOVERED"}
}
"""
    )


def test_only_a_full_run_that_ended_is_taken(tmp_path: Path) -> None:
    path = results(tmp_path, ("a", ["R-A-001"], "PASS"))
    assert list(read_verdicts(path, ["a"])) == ["R-A-001"]
    with pytest.raises(VerdictsError, match="1 cases are missing, b among them; expected a full run"):
        read_verdicts(path, ["a", "b"])
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(VerdictsError, match="no footer"):
        read_verdicts(path, ["a"])
    path.write_text("")
    with pytest.raises(VerdictsError, match="no header"):
        read_verdicts(path, [])
    path.write_text("{")
    with pytest.raises(VerdictsError, match="expected a line of JSON"):
        read_verdicts(path, [])
    with pytest.raises(VerdictsError, match="expected a file of results"):
        read_verdicts(tmp_path / "none", [])


def test_the_command_writes_and_checks_and_refuses_a_part_of_a_run(tmp_path: Path) -> None:
    full = results(tmp_path, *((case.id, case.req, "PASS") for case in all_cases(spec_folder())))
    out = tmp_path / "ports" / "verdicts.json"

    def verdicts(*more: str) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            "-m",
            "tenuto.cli",
            "spec",
            "verdicts",
            "--port-results",
            str(full),
            "--out",
            str(out),
        ]
        return subprocess.run([*command, *more], capture_output=True, text=True, check=False)

    assert verdicts("--check").returncode == 1
    assert not out.exists()
    assert verdicts().returncode == 0
    assert json.loads(out.read_text())["CKPT-FILE-001"]["verdict"] == "PASS"
    assert verdicts("--check").returncode == 0
    full.write_text(full.read_text().replace("PASS", "FAIL", 1))
    ended = verdicts("--check")
    assert ended.returncode == 1
    assert "FAIL" in ended.stderr
    assert "make verdicts" in ended.stderr
    results(tmp_path, ("CONF-HELLO", [], "PASS"))
    assert verdicts().returncode == 2
