import json
from datetime import date
from pathlib import Path

import pytest

from tenuto.conformance_tests.baseline import NAME, Baseline, BaselineError, Known, read_baseline
from tenuto.conformance_tests.cases import Case, Hello
from tenuto.conformance_tests.command import Options, judge_port
from tenuto.conformance_tests.judge import Judgement, Verdict
from tenuto.conformance_tests.meta.ports import hostile
from tenuto.conformance_tests.port import Port

TODAY = date(2030, 1, 31)
CASES = [Case(f"C-{number:02}/decode", "codec-read", (), "c", Hello()) for number in range(30)]
CASES.append(Case("W/recode", "codec", (), "w", Hello()))


def port_in(folder: Path, text: str) -> Port:
    (folder / NAME).write_text(text)
    return Port(folder / "port.toml", "x", "1", "Python", ("run",), ("codec-read",))


def judgement(verdict: Verdict, actual: str = "error bad_magic in phase open") -> Judgement:
    return Judgement(verdict, "why", "this", actual)


def test_a_port_without_a_baseline_knows_of_no_failure(tmp_path: Path) -> None:
    port = Port(tmp_path / "port.toml", "x", "1", "Python", ("run",), ("codec-read",))
    assert read_baseline(port, CASES) == Baseline()
    assert Baseline().judge(CASES[0], judgement(Verdict.FAIL), TODAY) == judgement(Verdict.FAIL)


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.CRASH, Verdict.TIMEOUT, Verdict.PROTOCOL])
def test_a_known_failure_is_expected_to_fail_in_the_same_way(verdict: Verdict) -> None:
    known = Known("C-01/decode", "issue 7", verdict)
    found = known.judge(judgement(verdict), TODAY)
    assert (found.verdict, found.detail) == (Verdict.XFAIL, "known: issue 7; why")
    others = {Verdict.FAIL, Verdict.CRASH, Verdict.TIMEOUT, Verdict.PROTOCOL, Verdict.NOT_TESTABLE} - {verdict}
    for other in others:
        found = known.judge(judgement(other), TODAY)
        assert (found.verdict, found.detail) == (other, f"known to fail with {verdict}, now otherwise; why")


def test_a_known_failure_that_passes_is_a_failure_of_the_baseline() -> None:
    found = Known("C-01/decode", "issue 7", Verdict.FAIL).judge(Judgement(Verdict.PASS), TODAY)
    assert (found.verdict, found.detail) == (
        Verdict.XPASS,
        "it passes now; expected it to fail, as conformance-baseline.yaml says: issue 7",
    )


def test_a_known_code_has_to_be_the_one_that_came() -> None:
    known = Known("C-01/decode", "issue 7", Verdict.FAIL, code="bad_magic")
    assert known.judge(judgement(Verdict.FAIL), TODAY).verdict is Verdict.XFAIL
    for other in ("error bad_magical in phase open", "ok", ""):
        found = known.judge(judgement(Verdict.FAIL, other), TODAY)
        assert (found.verdict, found.detail[:35]) == (Verdict.FAIL, "known to fail with FAIL bad_magic, ")


def test_a_known_failure_expires() -> None:
    known = Known("C-01/decode", "issue 7", Verdict.FAIL, expires=TODAY)
    assert known.judge(judgement(Verdict.FAIL), date(2030, 1, 30)).verdict is Verdict.XFAIL
    found = known.judge(judgement(Verdict.FAIL), TODAY)
    assert (found.verdict, found.detail) == (Verdict.FAIL, "known until 2030-01-31; why")
    assert known.judge(Judgement(Verdict.PASS), TODAY).verdict is Verdict.XPASS


@pytest.mark.parametrize("verdict", [Verdict.NOT_CLAIMED, Verdict.UNCOVERED, Verdict.FLAKY, Verdict.SUITE_ERROR])
def test_nothing_but_a_failure_of_the_port_is_excused(verdict: Verdict) -> None:
    known = Known("C-01/decode", "issue 7", Verdict.FAIL)
    assert known.judge(judgement(verdict), TODAY) == judgement(verdict)


def test_entries_and_patterns_name_cases(tmp_path: Path) -> None:
    text = "C-00/decode: {reason: a, verdict: CRASH}\nC-1*: {reason: b, code: bad_magic, expires: 2030-01-31}\n"
    found = read_baseline(port_in(tmp_path, text), CASES)
    assert sorted(found.entries) == ["C-00/decode", *(f"C-{number}/decode" for number in range(10, 20))]
    assert found.entries["C-00/decode"] == Known("C-00/decode", "a", Verdict.CRASH)
    assert found.entries["C-10/decode"] == Known("C-1*", "b", Verdict.FAIL, "bad_magic", date(2030, 1, 31))
    assert found.idle == ()


def test_an_entry_for_a_case_that_is_not_scored_is_told(tmp_path: Path) -> None:
    text = "C-00/decode: {reason: a, verdict: FAIL}\nX*: {reason: a, verdict: FAIL}\nW/*: {reason: a, verdict: FAIL}\n"
    assert read_baseline(port_in(tmp_path, text), CASES).idle == ("X*", "W/*")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("C-*: {reason: a, verdict: FAIL}", r"C-\*: 30 cases; expected at most 20"),
        ("C-01*: {reason: a, verdict: FAIL}\nC-01/decode: {reason: a, verdict: FAIL}", "named by C-01. already"),
        ("C-01/decode: {reason: a, verdict: FAIL}\nC-01/decode: {reason: b, verdict: FAIL}", "expected each id once"),
        ("- C-01/decode", "list; expected a map"),
        ("C-01/decode: FAIL", "expected reason, verdict or code"),
        ("C-01/decode: {reason: a}", "expected reason, verdict or code"),
        ("C-01/decode: {reason: a, verdict: FAIL, until: 2030-01-31}", "expected reason, verdict or code"),
        ("C-01/decode: {verdict: FAIL}", "reason is None; expected a text"),
        ("C-01/decode: {reason: ' ', verdict: FAIL}", "reason is ' '; expected a text"),
        ("C-01/decode: {reason: a, verdict: PASS}", "verdict is 'PASS'; expected a failure"),
        ("C-01/decode: {reason: a, verdict: NOT_CLAIMED}", "expected a failure"),
        ("C-01/decode: {reason: a, verdict: FAILED}", "expected a failure"),
        ("C-01/decode: {reason: a, code: 7}", "code is 7; expected a code"),
        ("C-01/decode: {reason: a, verdict: FAIL, expires: soon}", "expires is 'soon'; expected a day"),
        ("C-01/decode: {reason: a, verdict: FAIL, expires: 2030-01-31 10:00:00}", "expected a day"),
        ("C-01/decode: {reason: a, verdict: FAIL, expires: 2030-02-31}", "expected YAML"),
        ("C-01/decode: [", "expected YAML"),
    ],
)
def test_a_baseline_that_breaks_a_rule_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BaselineError, match=said):
        read_baseline(port_in(tmp_path, text), CASES)


@pytest.mark.req("CONF-VERDICT-003", "CONF-VERDICT-004")
def test_a_baseline_makes_a_run_end_well_and_buys_no_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = hostile(tmp_path, "canned_error")
    options = Options(path, filters=["CKPT-I-001", "CKPT-I-050"], results=tmp_path / "r", as_json=True)

    def judged(text: str) -> tuple[int, dict[str, object]]:
        (tmp_path / NAME).write_text(text)
        return judge_port(options), json.loads(capsys.readouterr().out)

    code, told = judged("CKPT-I-001/refuse: {reason: not written yet, verdict: FAIL, code: bad_magic}")
    assert (code, told["counts"], told["awarded"]) == (0, {"PASS": 1, "XFAIL": 1}, [])
    code, told = judged("CKPT-I-0?[01]/refuse: {reason: not written yet, code: bad_magic}")
    assert (code, told["counts"]) == (1, {"XFAIL": 1, "XPASS": 1})
    code, told = judged("CKPT-I-001/refuse: {reason: not written yet, code: bad_magic}\nX: {reason: x, code: x}")
    assert (code, told["counts"], told["idle"]) == (1, {"PASS": 1, "XFAIL": 1}, ["X"])
    (tmp_path / NAME).write_text("[")
    assert judge_port(options) == 2
    assert "expected YAML" in capsys.readouterr().err


@pytest.mark.parametrize(("code", "starts"), [("bad_magic", 1), ("truncated", 3)])
def test_a_failure_that_is_known_is_not_asked_again(tmp_path: Path, code: str, starts: int) -> None:
    """Of another code it is not known, and asked twice more."""
    path = hostile(tmp_path, "canned_error")
    (tmp_path / NAME).write_text(f"CKPT-I-001/refuse: {{reason: not written yet, code: {code}}}")
    judge_port(Options(path, filters=["CKPT-I-001"], results=tmp_path / "r", as_json=True))
    assert len((tmp_path / "starts").read_text()) == starts
