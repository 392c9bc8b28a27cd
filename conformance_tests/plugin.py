"""The cases of the suite as tests of pytest: one for each requirement and each case that judges it.

    pytest --pyargs tenuto.conformance_tests --port port.toml
    pytest -p tenuto.conformance_tests.plugin --port port.toml

A case is asked once, whatever the number of its requirements. The first form needs the plugin to be known to pytest,
as it is where tenuto was installed. Without `--port` the plugin does nothing.

Spec: sections 5 and 6 of 90-conformance.md, CONF-VERDICT-002.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tenuto.conformance_tests.cases import Case
    from tenuto.conformance_tests.results import Result
    from tenuto.conformance_tests.single import Answers

_PACKAGE = Path(__file__).parent
_HERE = Path(__file__)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds `--port`."""
    group = parser.getgroup("tenuto", "conformance of a port with the tenuto specification")
    group.addoption("--port", dest="tenuto_port", metavar="PORT_TOML", type=Path, help="the port to judge")


def pytest_configure(config: pytest.Config) -> None:
    """Where nothing else is asked for, the cases are all that is collected."""
    if _port(config) is not None and config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args = [str(_HERE)]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The suite's own tests say nothing about a port."""
    inside = _PACKAGE in collection_path.parents and collection_path.resolve() != _HERE.resolve()
    return True if _port(config) is not None and inside else None


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """This file stands for the cases."""
    if _port(parent.config) is None or file_path.resolve() != _HERE.resolve():
        return None
    collector: pytest.Collector = Cases.from_parent(parent, path=file_path, nodeid="tenuto.conformance_tests")
    return collector


def _port(config: pytest.Config) -> Path | None:
    found: Path | None = config.getoption("tenuto_port")
    return found


class Cases(pytest.File):
    """All cases, by requirement."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yields an item for each requirement and case, in the order of the suite.

        Raises:
            pytest.UsageError: There is no such port, or its `port.toml` or baseline breaks a rule.
        """
        from tenuto.conformance_tests.single import AnswersError, answers_of  # noqa: PLC0415 - not needed without a port

        port = _port(self.config)
        assert port is not None, "the collector is made for a port"  # noqa: S101
        try:
            answers = answers_of(port)
        except AnswersError as error:
            raise pytest.UsageError(str(error)) from error
        self.session.config.add_cleanup(answers.close)
        for case in answers.plan:
            for requirement in case.req:
                yield CaseItem.from_parent(self, name=f"{requirement}[{case.id}]", answers=answers, case=case)


class CaseItem(pytest.Item):
    """One case in the light of one requirement."""

    def __init__(self, *, answers: Answers, case: Case, **more: object) -> None:
        super().__init__(**more)  # type: ignore[arg-type]  # pytest's own members of a node
        self._answers, self._case = answers, case

    def runtest(self) -> None:
        """Passes, fails, or is skipped where the verdict counts as neither."""
        from tenuto.conformance_tests.awards import is_failure  # noqa: PLC0415 - not needed without a port

        result = self._answers.result(self._case)
        self.user_properties += [("requirement", self.name.partition("[")[0]), ("verdict", str(result.verdict))]
        if is_failure(result.verdict):
            raise FailedCaseError(result)
        if result.verdict != "PASS":
            pytest.skip(f"{result.verdict} {result.judgement.detail}".strip())

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """A failure of the port as the runner shows it; anything else with its traceback."""
        if isinstance(excinfo.value, FailedCaseError):
            return self._answers.explain(excinfo.value.result)
        return str(super().repr_failure(excinfo, "long" if style is None else style))  # type: ignore[arg-type]

    def reportinfo(self) -> tuple[Path, None, str]:
        """What pytest shows of an item."""
        return self.path, None, self.name


class FailedCaseError(Exception):
    """The port failed a case."""

    def __init__(self, result: Result) -> None:
        super().__init__(str(result.verdict))
        self.result = result
