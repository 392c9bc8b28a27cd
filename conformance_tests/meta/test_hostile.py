"""The runner survives every hostile adapter and gives it exactly the verdicts that it deserves."""

import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tenuto.conformance_tests.cases import Case, Refusal, Refuse, SuiteError
from tenuto.conformance_tests.meta.expectations import (
    ENDS,
    EXPECTATIONS,
    FORMS,
    IMPATIENT,
    LIES,
    MACHINE,
    SILENCE,
    Expectation,
)
from tenuto.conformance_tests.meta.hostile.__main__ import BEHAVIORS
from tenuto.conformance_tests.meta.observation import Observation, main, observe
from tenuto.conformance_tests.meta.ports import hostile, write_port
from tenuto.conformance_tests.plan import adapter_cases
from tenuto.conformance_tests.port import read_port
from tenuto.conformance_tests.process import Adapter, Outcome
from tenuto.conformance_tests.runner import run
from tenuto.conformance_tests.selection import choose

Observe = Callable[[Expectation], Observation]


def by_adapter(expectations: Sequence[Expectation]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("expectation", expectations, ids=[one.adapter for one in expectations])


@pytest.mark.req("CONF-VERDICT-005", "CONF-VERDICT-001", "CONF-OP-005")
@by_adapter(ENDS)
def test_an_adapter_that_ends_as_it_should_not(observed: Observe, expectation: Expectation) -> None:
    observed(expectation)


@pytest.mark.req("CONF-VERDICT-005", "CONF-LINE-003")
@by_adapter(SILENCE)
def test_an_adapter_without_an_answer(observed: Observe, expectation: Expectation) -> None:
    observed(expectation)


@pytest.mark.req("CONF-LINE-002", "CONF-LINE-004", "CONF-LINE-005", "CONF-REPLY-001", "CONF-VERDICT-006", "CONF-OP-002")
@by_adapter(FORMS)
def test_an_adapter_that_breaks_the_form_of_replies(observed: Observe, expectation: Expectation) -> None:
    observed(expectation)


@pytest.mark.req("CONF-VERDICT-007", "CONF-VERDICT-001", "CONF-VERDICT-004", "CONF-OP-001", "CONF-OP-002")
@by_adapter(LIES)
def test_an_adapter_that_lies(observed: Observe, expectation: Expectation) -> None:
    observed(expectation)


@pytest.mark.req("CONF-VERDICT-005")
@by_adapter(MACHINE)
def test_an_adapter_that_takes_too_much(observed: Observe, expectation: Expectation) -> None:
    observed(expectation)


def test_every_hostile_adapter_has_an_expectation() -> None:
    assert {one.adapter for one in EXPECTATIONS} == set(BEHAVIORS)
    assert len(BEHAVIORS) >= 40


def test_the_table_tells_what_was_deserved_from_what_was_observed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = [Expectation("canned_error", "PASS PASS", only=("CKPT-I-001", "CKPT-I-050"))]
    right = [Expectation("canned_error", "FAIL PASS", only=("CKPT-I-001", "CKPT-I-050"))]
    for expectations, word in ((wrong, "NO"), (right, "yes")):
        monkeypatch.setattr("tenuto.conformance_tests.meta.observation.EXPECTATIONS", expectations)
        assert main(["canned_error"]) == (word == "NO")
        told = f"| canned_error | Always the same refusal. | {expectations[0].verdicts} | FAIL PASS | {word} |"
        assert told in capsys.readouterr().out


@pytest.mark.req("CONF-LINE-003", "CONF-VERDICT-005")
def test_a_missing_answer_is_explained_by_what_came_instead(observed: Observe) -> None:
    one = ("CKPT-I-001",)
    run = observed(Expectation("forgets_prefix", "PASS TIMEOUT", ("CONF-HELLO", *one), deadlines=IMPATIENT))
    assert "1 line without the prefix `@tenuto ` was ignored, the first: '{" in run.details
    assert "not written yet" in run.details
    assert "forgotten prefix or flush?" in run.details
    assert run.summary.noise == 5  # two with the greeting of each of the two processes, and one for the file
    two = (*one, "CKPT-V-001/recode")
    run = observed(Expectation("forgets_flush", "TIMEOUT TIMEOUT", two, deadlines=IMPATIENT))
    first, second = run.details.splitlines()
    assert "nothing came on stdout; forgotten flush?" in first
    assert """not ended: '@tenuto {"id"'""" in second
    assert "nothing came on stdout" in observed(Expectation("crashes_on_files", "CRASH", one)).details
    run = observed(Expectation("prints_garbage", "TIMEOUT", one, deadlines=IMPATIENT))
    assert r"1000 lines without the prefix `@tenuto ` were ignored, the first: '\x00\x01 not a reply'" in run.details


@pytest.mark.req("CONF-VERDICT-005")
@pytest.mark.parametrize("jobs", [1, 3])
def test_after_ten_deaths_the_rest_has_the_verdict_of_the_last(
    tmp_path: Path, every_case: list[Case], jobs: int
) -> None:
    refused = [f"CKPT-I-{number:03}" for number in range(10, 20)]
    only = ["CONF-HELLO", *refused, "CONF-BYE", "CKPT-I-050"]
    run = observe(Expectation("crashes_on_files", "", only), every_case, tmp_path, jobs)
    assert run.verdicts == "PASS" + " CRASH" * 12
    asked_again = 2 * 9  # the tenth death ends that too
    assert run.starts == 1 + 10 + asked_again


@pytest.mark.req("CONF-VERDICT-005")
def test_an_adapter_that_cannot_be_started(tmp_path: Path, every_case: list[Case]) -> None:
    path = write_port(tmp_path, ["./missing"], ["codec"])
    plan = choose(every_case, None, ["CKPT-I-001", "CKPT-V-001/decode"])
    results, summary = run(read_port(path), plan, every_case, tmp_path / "results.jsonl")
    assert [str(result.verdict) for result in results] == ["CRASH", "CRASH"]
    assert "the adapter could not be started" in results[0].judgement.detail
    assert summary.exit_code == 1


@pytest.mark.req("CONF-VERDICT-003")
def test_a_fault_of_the_suite_has_its_own_verdict(tmp_path: Path) -> None:
    def place(path: Path) -> None:
        raise SuiteError(f"{path.name}: gone; expected a vector")

    path = hostile(tmp_path, "canned_error")
    broken = Case("X/refuse", "codec-read", (), "x", Refuse(place, Refusal("bad_magic", "open")))
    plan = [broken, *(case for case in adapter_cases() if case.id == "CONF-UNKNOWN-OP")]
    results, summary = run(read_port(path), plan, plan, tmp_path / "results.jsonl")
    assert [str(result.verdict) for result in results] == ["SUITE_ERROR", "PASS"]
    assert summary.exit_code == 3


@pytest.mark.req("CONF-VERDICT-003")
def test_a_fault_of_the_suite_in_mid_request_is_not_blamed_on_the_port_by_the_next_case(
    tmp_path: Path, every_case: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, asked = Adapter.ask, []

    def failing(self: Adapter, line: bytes, seconds: float, given_up: threading.Event | None = None) -> Outcome:
        asked.append(line)
        if len(asked) != 2:  # the greeting, then the first case
            return ask(self, line, seconds, given_up)
        assert self.popen.stdin is not None
        self.popen.stdin.write(line)
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Adapter, "ask", failing)
    plan = choose(every_case, None, ["CKPT-I-050", "CKPT-I-051"])
    results, _ = run(read_port(hostile(tmp_path, "canned_error")), plan, every_case, tmp_path / "results.jsonl")
    assert [str(result.verdict) for result in results] == ["SUITE_ERROR", "PASS"]


def test_a_build_that_fails_leaves_every_case_uncovered(tmp_path: Path, every_case: list[Case]) -> None:
    build = [sys.executable, "-c", "raise SystemExit('no compiler')"]
    path = write_port(tmp_path, ["true"], ["codec"], build=build)
    plan = choose(every_case, None, ["CONF-HELLO", "CKPT-V-001/decode"])
    results, summary = run(read_port(path), plan, every_case, tmp_path / "results.jsonl")
    assert [str(result.verdict) for result in results] == ["UNCOVERED", "UNCOVERED"]
    assert "no compiler" in results[0].judgement.detail
    assert summary.exit_code == 1
