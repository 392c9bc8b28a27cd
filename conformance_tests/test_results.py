import json
import os
import shlex
import sys
from pathlib import Path

import pytest

from tenuto.conformance_tests.awards import summarize
from tenuto.conformance_tests.cases import READ, WRITE, Case, Hello
from tenuto.conformance_tests.clauses import clauses, explain, parse_clauses
from tenuto.conformance_tests.judge import Judgement, Verdict
from tenuto.conformance_tests.port import Port
from tenuto.conformance_tests.record import RecordError, read_run
from tenuto.conformance_tests.report import failure_text
from tenuto.conformance_tests.results import Result, ResultsFile, repro

PORT = Port(Path("a port/port.toml"), "x", "1", "Python", ("run",), ("codec",))
CASES = [
    Case("A/decode", READ, ("CONF-OP-003",), "a", Hello()),
    Case("A/recode", WRITE, ("CONF-OP-004",), "a", Hello()),
    Case("B/refuse", READ, ("CONF-VERDICT-001",), "b", Hello()),
]
FOUND = [
    Result(CASES[0], Judgement(Verdict.PASS), 0.5),
    Result(CASES[1], Judgement(Verdict.FAIL, "what happened", "this", "that"), 0.5),
    Result(CASES[2], Judgement(Verdict.PASS), 0.5),
]


def write(path: Path, cases: list[Case] = CASES, seed: int | None = None) -> Path:
    with ResultsFile.create(path) as output:
        output.header(PORT, cases, seed)
        for result in FOUND:
            output.verdict(PORT, result)
        output.footer(summarize(PORT, CASES, FOUND, []).footer())
    return path


@pytest.mark.req("CONF-VERDICT-003")
def test_the_file_of_results_is_complete_after_each_line(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.jsonl"
    with ResultsFile.create(path) as output:
        output.header(PORT, CASES, None)
        for count, result in enumerate(FOUND, 2):
            output.verdict(PORT, result)
            assert len(path.read_text().splitlines()) == count
        output.footer(summarize(PORT, CASES, FOUND, []).footer())
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["header", "verdict", "verdict", "verdict", "footer"]
    assert lines[0]["plan"] == ["A/decode", "A/recode", "B/refuse"]
    assert len(lines[0]["plan_xxh64"]) == 16
    of_the_text = {"kind", "case", "profile", "req", "verdict", "detail", "seconds", "repro"}
    assert lines[1].keys() == of_the_text | {"title", "expected", "actual"}
    assert (lines[-1]["counts"], lines[-1]["exit_code"]) == ({"FAIL": 1, "PASS": 2}, 1)
    assert lines[-1]["awarded"] == ["codec-read"]


def test_the_hash_of_a_plan_is_that_of_its_cases_in_any_order(tmp_path: Path) -> None:
    paths = [write(tmp_path / "1"), write(tmp_path / "2", CASES[::-1], 7), write(tmp_path / "3", CASES[:2])]
    headers = [json.loads(path.read_text().splitlines()[0]) for path in paths]
    assert headers[0]["plan_xxh64"] == headers[1]["plan_xxh64"] != headers[2]["plan_xxh64"]
    assert [header["seed"] for header in headers] == [None, 7, None]


def test_results_are_read_back(tmp_path: Path) -> None:
    run = read_run(write(tmp_path / "r", seed=7))
    assert (run.name, run.claims, run.seed, run.awarded, run.exit_code) == ("x", ("codec",), 7, ("codec-read",), 1)
    assert [(one.case, one.verdict, one.detail, one.expected, one.actual) for one in run.judged] == [
        (one.case.id, one.verdict, one.judgement.detail, one.judgement.expected, one.judgement.actual) for one in FOUND
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"kind": "footer"', '"kind": "foot"', "no footer"),
        ('"kind": "header"', '"kind": "head"', "no header"),
        ('"kind": "verdict", "case": "B/refuse"', '"kind": "v", "case": "B/refuse"', "no footer"),
        ('"verdict": "FAIL"', '"verdict": "FAILED"', "expected the members of section 8"),
        ('"language": "Python"', '"tongue": "Python"', "expected the members of section 8"),
        ('{"kind": "footer"', '{"kind": "footer', "expected a line of JSON"),
    ],
)
def test_results_of_another_form_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = write(tmp_path / "r")
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(RecordError, match=said):
        read_run(path)


def test_results_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="expected a file of results"):
        read_run(tmp_path / "none")
    (tmp_path / "empty").write_text("")
    with pytest.raises(RecordError, match="no header or no footer"):
        read_run(tmp_path / "empty")


def test_a_failure_is_explained() -> None:
    judgement = Judgement(Verdict.FAIL, "what happened", "this\nand this", "that")
    text = failure_text(PORT, Result(CASES[0], judgement, 0.0))
    assert "FAIL A/decode: a\n  what happened\n" in text
    assert "  expected: this\n            and this\n  got:      that\n" in text
    assert "CONF-OP-003: `decode` {`path`, `out`} MUST read" in text
    assert "--port 'a port/port.toml' --filter A/decode" in text


def test_the_command_that_shows_a_failure_again_is_one_that_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    words = shlex.split(repro(PORT.path, "A/decode"))
    assert words[:3] == [sys.executable, "-m", "tenuto.cli"]
    assert words[3:] == ["conformance", "run", "--port", "a port/port.toml", "--filter", "A/decode"]
    (tmp_path / "tenuto").write_text("#!/bin/sh\n")
    os.chmod(tmp_path / "tenuto", 0o700)
    assert shlex.split(repro(PORT.path, "A/decode"))[:2] == ["tenuto", "conformance"]


def test_clauses_are_found_in_prose() -> None:
    text = "# X\n\n**A-B-001** One MUST\nwrap. [Why.]\n\nNot **A-B-002** here.\n\n- **A-B-003** nor here\n"
    assert parse_clauses(text) == {"A-B-001": "One MUST wrap. [Why.]"}
    assert "CKPT-FILE-001" in clauses()
    assert explain(["A-B-009"]) == ["A-B-009: no such clause"]
