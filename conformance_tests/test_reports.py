import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tenuto.conformance_tests.badge import badge, badge_json, badge_svg
from tenuto.conformance_tests.judge import Verdict
from tenuto.conformance_tests.junit import junit_text
from tenuto.conformance_tests.meta.runs import judged, run_of
from tenuto.conformance_tests.publish import report_page

KINDS = {
    Verdict.PASS: None,
    Verdict.FAIL: "failure",
    Verdict.CRASH: "error",
    Verdict.TIMEOUT: "error",
    Verdict.PROTOCOL: "failure",
    Verdict.NOT_TESTABLE: "failure",
    Verdict.NOT_CLAIMED: "skipped",
    Verdict.XFAIL: "skipped",
    Verdict.XPASS: "failure",
    Verdict.FLAKY: "failure",
    Verdict.UNCOVERED: "error",
    Verdict.SUITE_ERROR: "error",
}


@pytest.mark.req("CONF-VERDICT-002")
@pytest.mark.parametrize("verdict", Verdict)
def test_the_element_of_each_verdict_in_junit(verdict: Verdict) -> None:
    root = ElementTree.fromstring(junit_text(run_of(judged("C-01/decode", verdict))))  # noqa: S314 - our own text
    case = root.find("testsuite/testcase")
    assert case is not None
    assert [child.tag for child in case if child.tag != "properties"] == [KINDS[verdict]] * (KINDS[verdict] is not None)
    counts = {name: root[0].get(name) for name in ("tests", "failures", "errors", "skipped")}
    own = {"failure": "failures", "error": "errors", "skipped": "skipped"}.get(KINDS[verdict] or "")
    assert counts == {"tests": "1", "failures": "0", "errors": "0", "skipped": "0"} | ({own: "1"} if own else {})


def test_what_junit_tells_of_a_case() -> None:
    failure = judged("C-01/decode", Verdict.FAIL, detail="why <&> \x00\x1b\ud800", expected="this", actual="that")
    root = ElementTree.fromstring(junit_text(run_of(failure)))  # noqa: S314 - our own text
    case = root.find("testsuite/testcase")
    assert case is not None
    assert (case.get("classname"), case.get("name")) == ("tenuto.codec-read.x", "C-01/decode")
    assert [one.get("value") for one in case.iter("property")] == ["CKPT-FILE-001", "CKPT-READ-001"]
    found = case.find("failure")
    assert found is not None
    assert (found.get("type"), found.get("message")) == ("FAIL", "why <&> \ufffd\ufffd\ufffd")
    assert found.text == "expected: this\ngot:      that\nagain: tenuto conformance run --filter C-01/decode"


@pytest.mark.req("CONF-VERDICT-004", "CONF-PROF-002")
@pytest.mark.parametrize(
    ("claims", "verdicts", "more", "label", "message"),
    [
        (("codec",), ["PASS"], {"awarded": ("codec-read", "codec")}, "tenuto 1.0 codec", "pass"),
        (("codec", "codec-read"), ["FAIL", "CRASH", "PASS"], {}, "tenuto 1.0 codec", "fails 2"),
        (("codec",), ["XFAIL", "PASS"], {}, "tenuto 1.0 codec", "not run"),
        (("codec",), ["PASS"], {"withheld": {"codec": ("R-A-001", "R-A-002")}}, "tenuto 1.0 codec", "withheld 2"),
        (("codec",), ["FLAKY"], {"withheld": {"codec": ("R-A-001",)}}, "tenuto 1.0 codec", "fails 1"),
        (("resume", "ext:zstd"), ["PASS"], {"awarded": ("codec",)}, "tenuto 1.0 resume", "not run"),
        ((), [], {}, "tenuto 1.0", "no profile"),
    ],
)
def test_what_a_badge_says(
    claims: tuple[str, ...], verdicts: list[str], more: dict[str, object], label: str, message: str
) -> None:
    cases = [judged(f"C-{number}", Verdict(verdict)) for number, verdict in enumerate(verdicts)]
    shown = badge(run_of(*cases, claims=claims, **more))
    assert (shown.label, shown.message) == (label, message)
    told = json.loads(badge_json(shown))
    assert (told["schemaVersion"], told["label"], told["message"]) == (1, label, message)
    picture = ElementTree.fromstring(badge_svg(shown))  # noqa: S314 - our own text
    assert [one.text for one in picture.iter("{http://www.w3.org/2000/svg}text")] == [label, message]
    assert picture.get("aria-label") == f"{label}: {message}"


def test_the_failures_of_a_greater_profile_are_not_those_of_the_badge() -> None:
    run = run_of(judged("C-1", Verdict.FAIL, profile="codec"), claims=("codec-read",), awarded=("codec-read",))
    assert badge(run).message == "pass"


def test_a_page_of_results_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report_page([tmp_path / "none"], tmp_path / "page.html") == 2
    assert "expected a file of results" in capsys.readouterr().err
    assert not (tmp_path / "page.html").exists()
