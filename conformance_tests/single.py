"""Answers of a port to one case at a time, for those who decide by themselves what is asked next, such as pytest.

Spec: CONF-OP-002, CONF-VERDICT-005.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from attrs import define, field

from tenuto.conformance_tests import asking
from tenuto.conformance_tests.baseline import BaselineError, read_baseline
from tenuto.conformance_tests.cases import Case, SuiteError
from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.course import Course, Settings
from tenuto.conformance_tests.plan import all_cases
from tenuto.conformance_tests.port import PortError, read_port
from tenuto.conformance_tests.report import failure_text
from tenuto.conformance_tests.results import Result
from tenuto.conformance_tests.runner import build
from tenuto.conformance_tests.session import Session, opened


class AnswersError(Exception):
    """There is no such port, or its `port.toml` or its baseline breaks a rule, or the suite is at fault."""


@define
class Answers:
    """A conversation with a port that begins with the first case.

    Attributes:
        plan: all cases of the suite, in its order.
        course: the port, and what is known of it.
    """

    plan: Sequence[Case]
    course: Course
    _found: dict[str, Result] = field(factory=dict)
    _stack: ExitStack = field(factory=ExitStack)
    _session: Session | None = None

    def result(self, case: Case) -> Result:
        """The result of a case, which is asked once."""
        if case.id not in self._found:
            self._found[case.id] = self.course.judged(case, lambda: asking.ask(self._opened(), case))
        return self._found[case.id]

    def explain(self, result: Result) -> str:
        """A failure as the runner shows it."""
        return failure_text(self.course.port, result)

    def close(self) -> None:
        """End the conversation."""
        self._stack.close()

    def _opened(self) -> Session:
        if self._session is None:
            terms = self.course.settings.terms
            port = self.course.port
            self._session = self._stack.enter_context(opened(port, terms.deadlines, terms.limits))
        return self._session


def answers_of(path: Path) -> Answers:
    """The answers of the port of a `port.toml`, which is built first; raises `AnswersError` if it cannot be judged."""
    try:
        port = read_port(path)
        plan = all_cases(spec_folder())
        settings = Settings(baseline=read_baseline(port, plan))
    except (PortError, BaselineError, SuiteError) as error:
        raise AnswersError(str(error)) from error
    course = Course(port, settings, blocked=build(port) or "")
    return Answers(plan, course)
