"""Puts a hostile adapter to the suite, and shows what it got beside what it deserves.

    python -m tenuto.conformance_tests.meta.observation [ADAPTER...]

prints the table; exit code 1 if one got something else.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from tenuto.conformance_tests.asking import Terms
from tenuto.conformance_tests.awards import Summary
from tenuto.conformance_tests.cases import Case
from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.course import Settings
from tenuto.conformance_tests.meta.expectations import EXPECTATIONS, Expectation
from tenuto.conformance_tests.meta.hostile.__main__ import BEHAVIORS
from tenuto.conformance_tests.meta.ports import hostile
from tenuto.conformance_tests.plan import all_cases
from tenuto.conformance_tests.port import read_port
from tenuto.conformance_tests.results import Result
from tenuto.conformance_tests.runner import run
from tenuto.conformance_tests.selection import choose


@frozen
class Observation:
    """What came of it.

    Attributes:
        results: of the cases, in the order of the plan.
        summary: of the run.
        folder: where the adapter ran.
    """

    results: list[Result]
    summary: Summary
    folder: Path

    @property
    def verdicts(self) -> str:
        """The verdicts of the cases."""
        return " ".join(str(result.verdict) for result in self.results)

    @property
    def details(self) -> str:
        """The reasons of the verdicts."""
        return "\n".join(result.judgement.detail for result in self.results)

    @property
    def starts(self) -> int:
        """How many processes of the adapter there were."""
        return len((self.folder / "starts").read_text())


def observe(expectation: Expectation, every_case: Sequence[Case], folder: Path, jobs: int = 1) -> Observation:
    """Put an adapter to its cases, in a folder that is empty."""
    path = hostile(folder, expectation.adapter, expectation.claims, expectation.capabilities)
    terms = Terms(expectation.deadlines, jobs=jobs, process_per_test=expectation.process_per_test)
    plan = choose(every_case, None, expectation.only)
    results, summary = run(read_port(path), plan, every_case, folder / "results.jsonl", Settings(terms))
    return Observation(results, summary, folder)


def main(adapters: Sequence[str]) -> int:
    """Print the table of all adapters, or of some; returns the exit code."""
    every_case = all_cases(spec_folder())
    print("| adapter | what it does | deserved | observed | |\n| --- | --- | --- | --- | --- |")
    wrong = 0
    for expectation in EXPECTATIONS:
        if adapters and expectation.adapter not in adapters:
            continue
        with tempfile.TemporaryDirectory() as folder:
            observed = observe(expectation, every_case, Path(folder)).verdicts
        agrees = observed == expectation.verdicts
        wrong += not agrees
        what = (BEHAVIORS[expectation.adapter].__doc__ or "").splitlines()[0]
        told = f"{expectation.adapter}{', each case alone too' if expectation.process_per_test else ''}"
        print(f"| {told} | {what} | {expectation.verdicts} | {observed} | {'yes' if agrees else 'NO'} |", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
