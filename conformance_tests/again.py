"""Asks again where a port failed: a verdict that does not stand in a fresh process is a finding of its own.

Spec: section 5 of 90-conformance.md (`FLAKY`), CONF-VERDICT-002.
"""

from collections.abc import Callable

from tenuto.conformance_tests.judge import Judgement, Verdict

TIMES = 2
TIMES_LATE = 1  # each of these costs a whole deadline
_ASKED_AGAIN = {Verdict.FAIL, Verdict.CRASH, Verdict.TIMEOUT, Verdict.PROTOCOL, Verdict.NOT_TESTABLE}


def may_be_asked_again(judgement: Judgement) -> bool:
    """Whether a judgement is a failure of the port, which has to stand."""
    return judgement.verdict in _ASKED_AGAIN


def confirm(first: Judgement, ask: Callable[[], Judgement]) -> Judgement:
    """The first judgement if it stands when the case is asked again, otherwise `FLAKY`.

    Args:
        first: a failure.
        ask: asks the case of a fresh process.
    """
    found = [first.verdict]
    for _ in range(TIMES_LATE if first.verdict is Verdict.TIMEOUT else TIMES):
        other = ask()
        found.append(other.verdict)
        if other.verdict is Verdict.SUITE_ERROR:
            return other
        if other.verdict is not first.verdict:
            return flaky(found, first)
    return first


def flaky(found: list[Verdict], failure: Judgement) -> Judgement:
    """Several verdicts on one case; the reason is that of a failure among them."""
    detail = f"{', then '.join(found)} when asked again in a fresh process; {failure.detail}"
    return Judgement(Verdict.FLAKY, detail, failure.expected, failure.actual)


def compare(together: Judgement, alone: Judgement, ask: Callable[[], Judgement]) -> Judgement:
    """The judgement of a case that was asked of a process that had answered others, and of one that had not.

    Args:
        together: of the process that had answered others.
        alone: of the process that had not.
        ask: asks the case of another fresh process.

    Returns:
        The judgement if the two agree. `FLAKY` if fresh processes do not agree among themselves, otherwise a failure:
        something was carried over from an earlier case.
    """
    if Verdict.SUITE_ERROR in {together.verdict, alone.verdict}:
        return together if together.verdict is Verdict.SUITE_ERROR else alone
    if together.verdict is alone.verdict:
        return together
    failure = alone if together.verdict is Verdict.PASS else together
    other = ask()
    if other.verdict is not alone.verdict:
        return flaky([together.verdict, alone.verdict, other.verdict], failure)
    detail = f"state leak: {alone.verdict} alone, {together.verdict} after other cases; {failure.detail}"
    return Judgement(Verdict.FAIL, detail, failure.expected, failure.actual)
