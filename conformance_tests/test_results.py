import json
import os
import shlex
import sys
from pathlib import Path

import pytest

from tenuto.conformance_tests.cases import READ, WRITE, Case, Hello, SuiteError, read_source, select
from tenuto.conformance_tests.clauses import clauses, explain, parse_clauses
from tenuto.conformance_tests.command import UsageError, choose, judge_file, judge_port
from tenuto.conformance_tests.judge import Judgement, Verdict
from tenuto.conformance_tests.plan import all_cases
from tenuto.conformance_tests.port import Port
from tenuto.conformance_tests.report import failure_text
from tenuto.conformance_tests.results import Result, ResultsFile, awards, exit_code, repro, summarize

PORT = Port(Path("a port/port.toml"), "x", "1", "Python", ("run",), ("codec",))
CASES = [
    Case("A/decode", READ, ("CONF-OP-003",), "a", Hello()),
    Case("A/recode", WRITE, ("CONF-OP-004",), "a", Hello()),
    Case("B/refuse", READ, ("CONF-VERDICT-001",), "b", Hello()),
]
BAD = [verdict for verdict in Verdict if verdict not in {Verdict.PASS, Verdict.NOT_CLAIMED, Verdict.SUITE_ERROR}]


def results(*verdicts: Verdict) -> list[Result]:
    return [Result(case, Judgement(verdict), 0.5) for case, verdict in zip(CASES, verdicts, strict=False)]


@pytest.mark.req("CONF-VERDICT-003", "CONF-VERDICT-002")
def test_exit_codes() -> None:
    good, free, broken = Verdict.PASS, Verdict.NOT_CLAIMED, Verdict.SUITE_ERROR
    assert exit_code(results(good, good, good)) == 0
    assert exit_code(results(good, free, good)) == 0
    assert exit_code([]) == 1
    assert exit_code(results(free, free, free)) == 1
    assert exit_code(results(good, broken, Verdict.FAIL)) == 3
    for bad in BAD:
        assert exit_code(results(good, bad, good)) == 1


@pytest.mark.req("CONF-VERDICT-004", "CONF-VERDICT-002")
def test_awards() -> None:
    good = Verdict.PASS
    assert awards(PORT, CASES, results(good, good, good)) == {"codec": True, "codec-read": True}
    # A profile that includes another one needs its cases too.
    assert awards(PORT, CASES, results(Verdict.FAIL, good, good)) == {"codec": False, "codec-read": False}
    assert awards(PORT, CASES, results(good, Verdict.FAIL, good)) == {"codec": False, "codec-read": True}
    # What was not run is not passed.
    assert awards(PORT, CASES, results(good, good)) == {"codec": False, "codec-read": False}
    for other in (*BAD, Verdict.NOT_CLAIMED, Verdict.SUITE_ERROR):
        assert not any(awards(PORT, CASES, results(other, good, good)).values())


@pytest.mark.req("CONF-VERDICT-004")
def test_a_profile_without_cases_is_not_awarded() -> None:
    port = Port(Path("port.toml"), "x", "1", "Python", ("run",), ("callbacks",))
    assert awards(port, CASES, results(Verdict.PASS, Verdict.PASS, Verdict.PASS)) == {"callbacks": False}


@pytest.mark.req("CONF-VERDICT-003")
def test_the_file_of_results_is_complete_after_each_line(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.jsonl"
    found = results(Verdict.PASS, Verdict.FAIL, Verdict.PASS)
    with ResultsFile.create(path) as output:
        output.header(PORT, CASES)
        for count, result in enumerate(found, 2):
            output.verdict(PORT, result)
            assert len(path.read_text().splitlines()) == count
        output.footer(summarize(PORT, CASES, found))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["header", "verdict", "verdict", "verdict", "footer"]
    assert lines[0]["plan"] == ["A/decode", "A/recode", "B/refuse"]
    assert len(lines[0]["plan_xxh64"]) == 16
    keys = {"kind", "case", "profile", "req", "verdict", "detail", "seconds", "repro"}
    assert lines[1].keys() == keys
    assert (lines[-1]["counts"], lines[-1]["exit_code"]) == ({"FAIL": 1, "PASS": 2}, 1)
    assert lines[-1]["awarded"] == ["codec-read"]


def test_a_failure_is_explained() -> None:
    judgement = Judgement(Verdict.FAIL, "what happened", "this", "that")
    text = failure_text(PORT, Result(CASES[0], judgement, 0.0))
    assert "FAIL A/decode" in text
    assert "what happened" in text
    assert "expected: this" in text
    assert "got:      that" in text
    assert "CONF-OP-003: `decode` {`path`, `out`} MUST read" in text
    assert "--port 'a port/port.toml' --only A/decode" in text
    assert shlex.split(repro(PORT.path, CASES[0]))[4] == "a port/port.toml"


def test_clauses_are_found_in_prose() -> None:
    text = "# X\n\n**A-B-001** One MUST\nwrap. [Why.]\n\nNot **A-B-002** here.\n\n- **A-B-003** nor here\n"
    assert parse_clauses(text) == {"A-B-001": "One MUST wrap. [Why.]"}
    assert "CKPT-FILE-001" in clauses()
    assert explain(["A-B-009"]) == ["A-B-009: no such clause"]


@pytest.mark.req("CONF-VERDICT-003")
def test_options_that_ask_for_what_there_is_not() -> None:
    assert [case.id for case in select(CASES, ["A"])] == ["A/decode", "A/recode"]
    assert [case.id for case in choose(CASES, None, ["A/recode"])] == ["A/recode"]
    assert [case.id for case in choose(CASES, "codec-read", [])] == ["A/decode", "B/refuse"]
    for profile, only in (
        ("codecs", []),
        ("callbacks", []),
        (None, ["C"]),
        (None, ["A", "C"]),
        ("codec-read", ["A/recode"]),
    ):
        with pytest.raises(UsageError):
            choose(CASES, profile, only)


@pytest.mark.req("CONF-VERDICT-003", "CONF-PORT-001")
def test_wrong_usage_ends_with_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "port.toml"
    path.write_text('nam = "x"\n')
    assert judge_port(path, None, [], tmp_path / "r", as_json=False) == 2
    assert "unknown key 'nam'" in capsys.readouterr().err
    path.write_text('name="x"\nversion="1"\nlanguage="none"\nrun=["false"]\nclaims=["codec"]\n')
    assert judge_port(path, None, ["CKPT-V-0"], tmp_path / "r", as_json=False) == 2
    assert judge_port(path, None, ["CONF-BYE"], path / "r", as_json=False) == 2


@pytest.mark.req("CONF-VERDICT-002")
def test_cases_that_are_not_run_are_counted_and_their_reason_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "port.toml"
    head = 'name="x"\nversion="1"\nlanguage="none"\nclaims=["codec-read"]\n'
    build = [sys.executable, "-c", "raise SystemExit('no compiler' * 2)"]
    path.write_text(f'{head}run=["true"]\nbuild={build!r}\n')
    assert judge_port(path, None, [], tmp_path / "r", as_json=False) == 1
    told = capsys.readouterr().out
    assert told.count("no compilerno compiler") == 1
    assert "CONF-OP-001" not in told
    cases = len((tmp_path / "r").read_text().splitlines()) - 2
    uncovered = sum('"verdict": "UNCOVERED"' in line for line in (tmp_path / "r").read_text().splitlines())
    assert 0 < uncovered < cases
    assert f"UNCOVERED: {uncovered} cases were not run" in told
    path.write_text(f'{head}run=["false"]\n')
    assert judge_port(path, None, [], tmp_path / "r", as_json=False) == 1
    told = capsys.readouterr().out
    assert (told.count("CRASH CONF-HELLO"), told.count("CRASH CONF-ECHO"), told.count("again: ")) == (1, 1, 2)
    assert "ended with exit code 1" in told
    assert f"UNCOVERED: {uncovered - 2} cases were not run" in told


def test_the_results_of_one_case_do_not_replace_those_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "port.toml"
    path.write_text('name="x"\nversion="1"\nlanguage="none"\nrun=["false"]\nclaims=["codec-read"]\n')
    folder = tmp_path / "build" / "conformance"
    judge_port(path, None, [], None, as_json=True)
    whole = (folder / "x.jsonl").read_text()
    judge_port(path, None, ["CONF-BYE"], None, as_json=True)
    assert (folder / "x.jsonl").read_text() == whole
    assert len((folder / "x.only.jsonl").read_text().splitlines()) == 3
    judge_port(path, None, ["CONF-BYE"], tmp_path / "mine", as_json=True)
    assert (tmp_path / "mine").exists()


def test_a_file_that_is_not_there_is_told_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, pipe = tmp_path / "port.toml", tmp_path / "pipe"
    assert judge_port(path, None, [], None, as_json=False) == 2
    assert capsys.readouterr().err == f"{path}: no such file; expected a readable port.toml\n"
    path.write_text('name="x"\nversion="1"\nlanguage="none"\nrun=["false"]\nclaims=["codec"]\n')
    os.mkfifo(pipe)
    for missing, said in (
        (tmp_path / "nothere", "no such file"),
        (path / "x", "no such file"),
        (tmp_path, "not a regular file"),
        (pipe, "not a regular file"),
    ):
        assert judge_file(path, missing) == 2
        assert capsys.readouterr().err == f"{missing}: {said}; expected a checkpoint\n"


@pytest.mark.req("CONF-VERDICT-002", "CONF-VERDICT-003")
def test_a_port_that_claims_nothing_passes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "port.toml"
    path.write_text('name="x"\nversion="1"\nlanguage="none"\nrun=["false"]\nclaims=[]\n')
    assert judge_port(path, None, [], tmp_path / "r", as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["counts"].keys() == {"NOT_CLAIMED"}


@pytest.mark.req("CONF-VERDICT-003")
def test_a_fault_of_the_suite_is_not_blamed_on_the_port(tmp_path: Path) -> None:
    with pytest.raises(SuiteError):
        all_cases(tmp_path)
    sidecar = tmp_path / "CKPT-V-001.yaml"
    for text in ("", "id: [", "id: CKPT-V-001\n", "- a\n"):
        sidecar.write_text(text)
        with pytest.raises(SuiteError):
            read_source(sidecar)
