"""The course of a run: which cases are asked at all, which are asked again, and what is known of them.

Spec: CONF-VERDICT-002, CONF-VERDICT-005, CONF-OP-002, and section 5 of 90-conformance.md.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from attrs import Factory, define, frozen

from tenuto.conformance_tests import again, asking
from tenuto.conformance_tests.asking import DEATHS_MAX, Asked, Terms
from tenuto.conformance_tests.baseline import Baseline
from tenuto.conformance_tests.cases import Case
from tenuto.conformance_tests.judge import Judgement, Verdict
from tenuto.conformance_tests.order import opens
from tenuto.conformance_tests.port import Port
from tenuto.conformance_tests.results import Result

CONFIRMED_MAX = 20
_ADAPTER_AT_FAULT = "not run: the adapter did not greet, or did not give back the values that it was sent"


@frozen
class Settings:
    """How a run goes.

    Attributes:
        terms: what the port gets to answer with.
        seed: of the order; None for that of the suite.
        baseline: the known failures of the port.
    """

    terms: Terms = Factory(Terms)
    seed: int | None = None
    baseline: Baseline = Factory(Baseline)


@define
class Course:
    """A run in progress.

    Attributes:
        blocked: why the other cases are not run; empty while they are.
        deaths: how often the adapter was lost; after ten times all others have the verdict of the last.
        confirmed: how many failures were asked again; beyond a number the port fails plainly enough.
        noise: how many lines on stdout were no replies.
    """

    port: Port
    settings: Settings
    blocked: str = ""
    deaths: int = 0
    confirmed: int = 0
    noise: int = 0
    last_death: Judgement | None = None

    def judged(self, case: Case, ask: Callable[[], Asked]) -> Result:
        """The result of the next case; it is asked only if the port claims it and can still answer."""
        if not case.is_claimed(self.port):
            return Result(case, Judgement(Verdict.NOT_CLAIMED), 0.0)
        if self.blocked:
            return Result(case, Judgement(Verdict.UNCOVERED, self.blocked), 0.0)
        if self.deaths >= DEATHS_MAX and self.last_death is not None:
            return self._known(case, self.last_death, 0.0)
        return self._settled(ask())

    def _settled(self, asked: Asked) -> Result:
        """The result of a case that was asked, and asked again where its verdict has to stand."""
        self.noise += asked.noise
        if asked.died:
            self.deaths += 1
            self.last_death = asked.judgement
        judgement = asked.judgement
        if asked.alone is not None:
            judgement = again.compare(judgement, asked.alone, lambda: self._alone(asked.case))
        elif self._is_in_doubt(asked.case, judgement):
            self.confirmed += 1
            judgement = again.confirm(judgement, lambda: self._alone(asked.case))
        if opens(asked.case) and judgement.verdict is not Verdict.PASS:
            self.blocked = self.blocked or _ADAPTER_AT_FAULT
        return self._known(asked.case, judgement, asked.seconds)

    def _is_in_doubt(self, case: Case, judgement: Judgement) -> bool:
        """Whether a verdict has to stand a second time: one that is not known, of a port that still answers."""
        if not again.may_be_asked_again(judgement) or self._known(case, judgement, 0.0).verdict is Verdict.XFAIL:
            return False
        return self.deaths < DEATHS_MAX and self.confirmed < CONFIRMED_MAX

    def _alone(self, case: Case) -> Judgement:
        return asking.ask_alone(self.port, case, self.settings.terms)

    def _known(self, case: Case, judgement: Judgement, seconds: float) -> Result:
        today = datetime.now(UTC).date()
        return Result(case, self.settings.baseline.judge(case, judgement, today), seconds)
