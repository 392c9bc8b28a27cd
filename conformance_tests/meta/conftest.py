"""What the tests of hostile adapters share."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tenuto.conformance_tests.cases import Case
from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.meta.expectations import Expectation
from tenuto.conformance_tests.meta.observation import Observation, observe
from tenuto.conformance_tests.plan import all_cases


@pytest.fixture(scope="module")
def every_case() -> list[Case]:
    return all_cases(spec_folder())


@pytest.fixture
def observed(tmp_path: Path, every_case: list[Case]) -> Callable[[Expectation], Observation]:
    """Puts an adapter to the suite; it has to get what it deserves, and to leave no process behind."""

    def deserved(expectation: Expectation) -> Observation:
        found = observe(expectation, every_case, tmp_path)
        assert found.verdicts == expectation.verdicts, found.details
        assert expectation.starts in {None, found.starts}
        assert not any(award.given for award in found.summary.awards.values())
        assert found.summary.exit_code == (set(found.verdicts.split()) - {"NOT_CLAIMED"} != {"PASS"})
        child = tmp_path / "child"
        assert not child.exists() or _gone(child.read_text()), "the child of the adapter is still alive"
        return found

    return deserved


def _gone(process_id: str) -> bool:
    status = Path("/proc", process_id, "stat")
    for _ in range(100):
        # A killed orphan may stay a zombie until its new parent looks.
        if not status.exists() or ") Z " in status.read_text():
            return True
        time.sleep(0.05)
    return False
