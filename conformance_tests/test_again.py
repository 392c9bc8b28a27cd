import pytest

from tenuto.conformance_tests.again import compare, confirm, may_be_asked_again
from tenuto.conformance_tests.judge import Judgement, Verdict


def judgement(verdict: Verdict) -> Judgement:
    return Judgement(verdict, f"why {verdict}", "this", "that")


class Asking:
    """Gives one verdict after the other."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.left = list(verdicts)

    def __call__(self) -> Judgement:
        return judgement(self.left.pop(0))


def test_every_failure_of_a_port_is_asked_again_and_nothing_else() -> None:
    of_the_port = {Verdict.FAIL, Verdict.CRASH, Verdict.TIMEOUT, Verdict.PROTOCOL, Verdict.NOT_TESTABLE}
    assert {verdict for verdict in Verdict if may_be_asked_again(judgement(verdict))} == of_the_port


@pytest.mark.parametrize(
    ("first", "others", "verdict", "left"),
    [
        ("FAIL", ["FAIL", "FAIL", "PASS"], "FAIL", 1),
        ("CRASH", ["CRASH", "CRASH"], "CRASH", 0),
        ("FAIL", ["PASS", "FAIL"], "FLAKY", 1),
        ("FAIL", ["FAIL", "PASS"], "FLAKY", 0),
        ("FAIL", ["CRASH", "FAIL"], "FLAKY", 1),
        ("TIMEOUT", ["TIMEOUT", "PASS"], "TIMEOUT", 1),  # each more costs a whole deadline
        ("TIMEOUT", ["PASS"], "FLAKY", 0),
        ("FAIL", ["SUITE_ERROR"], "SUITE_ERROR", 0),
    ],
)
def test_a_failure_that_is_asked_again(first: str, others: list[str], verdict: str, left: int) -> None:
    ask = Asking(*map(Verdict, others))
    found = confirm(judgement(Verdict(first)), ask)
    assert (str(found.verdict), len(ask.left)) == (verdict, left)


def test_what_is_said_of_several_verdicts() -> None:
    found = confirm(judgement(Verdict.FAIL), Asking(Verdict.FAIL, Verdict.PASS))
    assert found.detail == "FAIL, then FAIL, then PASS when asked again in a fresh process; why FAIL"
    assert (found.expected, found.actual) == ("this", "that")


@pytest.mark.parametrize(
    ("together", "alone", "others", "verdict"),
    [
        ("PASS", "PASS", [], "PASS"),
        ("FAIL", "FAIL", [], "FAIL"),
        ("PASS", "FAIL", ["FAIL"], "FAIL"),
        ("FAIL", "PASS", ["PASS"], "FAIL"),
        ("CRASH", "PASS", ["PASS"], "FAIL"),
        ("PASS", "FAIL", ["PASS"], "FLAKY"),
        ("FAIL", "PASS", ["FAIL"], "FLAKY"),
        ("SUITE_ERROR", "PASS", [], "SUITE_ERROR"),
        ("PASS", "SUITE_ERROR", [], "SUITE_ERROR"),
    ],
)
def test_a_case_alone_and_after_others(together: str, alone: str, others: list[str], verdict: str) -> None:
    ask = Asking(*map(Verdict, others))
    found = compare(judgement(Verdict(together)), judgement(Verdict(alone)), ask)
    assert (str(found.verdict), ask.left) == (verdict, [])


def test_a_state_that_leaks_is_called_so() -> None:
    found = compare(judgement(Verdict.PASS), judgement(Verdict.FAIL), Asking(Verdict.FAIL))
    assert found.detail == "state leak: FAIL alone, PASS after other cases; why FAIL"
    found = compare(judgement(Verdict.CRASH), judgement(Verdict.PASS), Asking(Verdict.PASS))
    assert found.detail == "state leak: PASS alone, CRASH after other cases; why CRASH"
