from pathlib import Path

import pytest

from tenuto.conformance_tests.awards import Award, Summary, awards, exit_code, is_failure, summarize
from tenuto.conformance_tests.cases import READ, WRITE, Case, Hello
from tenuto.conformance_tests.coverage import registry, required, uncovered
from tenuto.conformance_tests.entries import Entry
from tenuto.conformance_tests.judge import Judgement, Verdict
from tenuto.conformance_tests.port import Port
from tenuto.conformance_tests.prose import Place
from tenuto.conformance_tests.report import holes
from tenuto.conformance_tests.results import Result
from tenuto.conformance_tests.verdicts import worst

PORT = Port(Path("port.toml"), "x", "1", "Python", ("run",), ("codec",))
CASES = [
    Case("A/decode", READ, ("R-A-001",), "a", Hello()),
    Case("A/recode", WRITE, ("R-B-001",), "a", Hello()),
    Case("B/refuse", READ, ("R-A-001",), "b", Hello()),
]
GOOD = Verdict.PASS
BAD = [verdict for verdict in Verdict if is_failure(verdict) and verdict is not Verdict.SUITE_ERROR]


def entry(identity: str, profile: str, level: str = "MUST", **more: str) -> Entry:
    return Entry({"id": identity, "profile": profile, "level": level, **more}, Place("requirements.yaml", 1))


REGISTERED = [entry("R-A-001", READ), entry("R-B-001", WRITE)]


def results(*verdicts: Verdict) -> list[Result]:
    return [Result(case, Judgement(verdict), 0.5) for case, verdict in zip(CASES, verdicts, strict=False)]


def given(*verdicts: Verdict, registered: list[Entry] = REGISTERED, port: Port = PORT) -> dict[str, bool]:
    return {name: one.given for name, one in awards(port, CASES, results(*verdicts), registered).items()}


def test_what_counts_as_a_failure() -> None:
    neither = {Verdict.PASS, Verdict.NOT_CLAIMED, Verdict.XFAIL}
    assert {verdict for verdict in Verdict if not is_failure(verdict)} == neither


@pytest.mark.req("CONF-VERDICT-002")
def test_what_is_said_of_several_cases_is_the_worst() -> None:
    for verdict in set(Verdict) - {Verdict.NOT_CLAIMED}:
        assert worst([Verdict.PASS, verdict, Verdict.NOT_CLAIMED]) is verdict
        assert is_failure(worst([Verdict.XFAIL, verdict])) == is_failure(verdict)
    assert worst([Verdict.NOT_CLAIMED]) is Verdict.NOT_CLAIMED


@pytest.mark.req("CONF-VERDICT-003", "CONF-VERDICT-002")
def test_exit_codes() -> None:
    free, broken = Verdict.NOT_CLAIMED, Verdict.SUITE_ERROR
    assert exit_code(results(GOOD, GOOD, GOOD)) == 0
    assert exit_code(results(GOOD, free, GOOD)) == 0
    assert exit_code(results(GOOD, Verdict.XFAIL, GOOD)) == 0
    assert exit_code(results(GOOD, GOOD, GOOD), ["X"]) == 1
    assert exit_code([]) == 1
    assert exit_code(results(free, free, Verdict.XFAIL)) == 1
    assert exit_code(results(GOOD, broken, Verdict.FAIL)) == 3
    for bad in BAD:
        assert exit_code(results(GOOD, bad, GOOD)) == 1


@pytest.mark.req("CONF-VERDICT-004", "CONF-VERDICT-002")
def test_a_profile_is_awarded_if_all_of_it_passed() -> None:
    assert given(GOOD, GOOD, GOOD) == {"codec-read": True, "codec": True}
    # A profile that includes another one needs its cases too.
    assert given(Verdict.FAIL, GOOD, GOOD) == {"codec-read": False, "codec": False}
    assert given(GOOD, Verdict.FAIL, GOOD) == {"codec-read": True, "codec": False}
    # What was not run is not passed.
    assert given(GOOD, GOOD) == {"codec-read": False, "codec": False}
    for other in set(Verdict) - {GOOD}:
        assert not any(given(other, GOOD, GOOD).values())


@pytest.mark.req("CONF-VERDICT-004")
def test_a_profile_without_cases_of_its_own_is_not_awarded() -> None:
    port = Port(Path("port.toml"), "x", "1", "Python", ("run",), ("callbacks",))
    found = awards(port, CASES, results(GOOD, GOOD, GOOD), REGISTERED)
    assert {name: one.given for name, one in found.items()} == {"codec-read": True, "codec": True, "callbacks": False}
    assert str(found["callbacks"]) == "no, not all of it was run"


@pytest.mark.req("CONF-PROF-001", "CONF-VERDICT-002")
def test_a_case_that_needs_a_capability_is_scored_for_a_port_that_claims_it() -> None:
    cases = [CASES[0], CASES[1], Case("C", READ, ("R-A-001",), "c", Hello(), frozenset({"signals"}))]
    able = Port(Path("port.toml"), "x", "1", "Python", ("run",), ("codec",), ("signals",))
    found = [Result(case, Judgement(verdict), 0.0) for case, verdict in zip(cases, (GOOD, GOOD, Verdict.NOT_CLAIMED))]  # noqa: B905 - equal
    assert all(one.given for one in awards(PORT, cases, found, REGISTERED).values())
    assert not any(one.given for one in awards(able, cases, found, REGISTERED).values())


@pytest.mark.req("CONF-PROF-002")
def test_a_requirement_without_a_case_withholds_every_profile_that_holds_it() -> None:
    hole = [*REGISTERED, entry("R-A-002", READ), entry("R-A-003", READ, "MUST NOT")]
    assert given(GOOD, GOOD, GOOD, registered=hole) == {"codec-read": False, "codec": False}
    assert given(GOOD, GOOD, GOOD, registered=[*REGISTERED, entry("R-B-002", WRITE)]) == {
        "codec-read": True,
        "codec": False,
    }
    summary = summarize(PORT, CASES, results(GOOD, GOOD, GOOD), hole)
    assert summary.exit_code == 0
    assert str(summary.awards["codec"]) == "withheld: 2 requirements without a case"
    assert summary.footer()["withheld"] == {"codec-read": ("R-A-002", "R-A-003"), "codec": ("R-A-002", "R-A-003")}
    assert list(holes(summary)) == ["without a case, codec-read: R-A-002, R-A-003"]
    # A profile that has failed is not said to wait for cases alone.
    assert str(summarize(PORT, CASES, results(Verdict.FAIL, GOOD, GOOD), hole).awards["codec"]) == "no"
    assert list(holes(Summary({}, {"codec": Award(1, False, ("R-A-002",))}, 1))) == []


@pytest.mark.req("CONF-PROF-002")
def test_what_has_to_have_a_case() -> None:
    others = [
        entry("R-C-001", READ, "SHOULD"),
        entry("R-C-002", READ, "MAY"),
        entry("R-C-003", READ, excluded="Nothing shows it."),
        entry("R-C-004", "resume"),
        entry("R-C-005", "tool"),
        entry("R-C-006", READ, pending="part"),
    ]
    assert required("codec", [*REGISTERED, *others]) == ["R-A-001", "R-B-001", "R-C-006"]
    # A case of a greater profile is not run for a port that claims the smaller one alone.
    assert uncovered(READ, [entry("R-B-001", READ)], CASES) == ("R-B-001",)
    assert uncovered(WRITE, [entry("R-B-001", READ)], CASES) == ()


def test_the_registry_of_the_specification_is_read() -> None:
    assert {"CONF-PROF-002", "CKPT-CANON-005"} < {one.id for one in registry()}
    assert "CKPT-CANON-005" in required("codec", registry())
    assert "CONF-PROF-002" not in required("resume", registry())
