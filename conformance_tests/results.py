"""Results: one line of JSON for each verdict while the run goes on, counts, awards and the exit code.

Spec: section 8 of 90-conformance.md, CONF-VERDICT-002, CONF-VERDICT-003, CONF-VERDICT-004.
"""

import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import xxhash
from attrs import define, frozen

from tenuto.conformance_tests.cases import Case
from tenuto.conformance_tests.clauses import spec_version
from tenuto.conformance_tests.judge import Judgement, Verdict
from tenuto.conformance_tests.port import Port, included


@frozen
class Result:
    """A case with its verdict."""

    case: Case
    judgement: Judgement
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        return self.judgement.verdict


@frozen
class Summary:
    """A run as a whole.

    Attributes:
        counts: verdict -> how many cases have it.
        awarded: profile -> whether it is awarded.
        exit_code: the exit code of the runner.
    """

    counts: Mapping[str, int]
    awarded: Mapping[str, bool]
    exit_code: int


def exit_code(results: Sequence[Result]) -> int:
    """0 only if something was run and all of it passed; a case that is not claimed is neither.

    Spec: CONF-VERDICT-002, CONF-VERDICT-003.
    """
    verdicts = {result.verdict for result in results} - {Verdict.NOT_CLAIMED}
    if Verdict.SUITE_ERROR in verdicts:
        return 3
    return 0 if verdicts == {Verdict.PASS} else 1


def awards(port: Port, every_case: Sequence[Case], results: Sequence[Result]) -> dict[str, bool]:
    """Which claimed profiles are awarded: all cases of the whole suite in them were run and passed.

    Spec: CONF-VERDICT-004.
    """
    passed = {result.case.id for result in results if result.verdict is Verdict.PASS}
    found = {}
    for profile in sorted(port.claimed()):
        scored = {case.id for case in every_case if case.profile in included(profile)}
        own = any(case.profile == profile for case in every_case)
        found[profile] = own and scored <= passed
    return found


def summarize(port: Port, every_case: Sequence[Case], results: Sequence[Result]) -> Summary:
    """Counts, awards and the exit code of a run."""
    counts = Counter(str(result.verdict) for result in results)
    return Summary(dict(sorted(counts.items())), awards(port, every_case, results), exit_code(results))


def repro(port_path: Path, case: Case) -> str:
    """The command that runs one case again."""
    return f"tenuto conformance run --port {shlex.quote(str(port_path))} --only {shlex.quote(case.id)}"


@define
class ResultsFile:
    """The file of results; every line is complete when the next case starts.

    Spec: section 8 of 90-conformance.md.
    """

    stream: IO[str]

    @classmethod
    def create(cls, path: Path) -> "ResultsFile":
        """A new file, with the folder that it is in."""
        path.parent.mkdir(parents=True, exist_ok=True)
        return cls(path.open("w", encoding="ascii", newline="\n"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stream.close()

    def header(self, port: Port, plan: Sequence[Case]) -> None:
        """Versions, the port, and the plan before anything of it is run."""
        ids = [case.id for case in plan]
        self._line(
            {
                "kind": "header",
                "suite": metadata.version("tenuto"),
                "spec": spec_version(),
                "port": {
                    "name": port.name,
                    "version": port.version,
                    "language": port.language,
                    "claims": port.claims,
                    "capabilities": port.capabilities,
                },
                "plan": ids,
                "plan_xxh64": xxhash.xxh64_hexdigest("\n".join(ids).encode()),
            }
        )

    def verdict(self, port: Port, result: Result) -> None:
        """One case."""
        judgement = result.judgement
        parts = [judgement.detail]
        parts += [f"expected {judgement.expected}"] if judgement.expected else []
        parts += [f"got {judgement.actual}"] if judgement.actual else []
        self._line(
            {
                "kind": "verdict",
                "case": result.case.id,
                "profile": result.case.profile,
                "req": result.case.req,
                "verdict": str(result.verdict),
                "detail": "; ".join(part for part in parts if part),
                "seconds": round(result.seconds, 6),
                "repro": repro(port.path, result.case),
            }
        )

    def footer(self, summary: Summary) -> None:
        """The run as a whole."""
        self._line({"kind": "footer", **footer(summary)})

    def _line(self, record: Mapping[str, object]) -> None:
        self.stream.write(json.dumps(record, ensure_ascii=True) + "\n")
        self.stream.flush()


def footer(summary: Summary) -> dict[str, object]:
    """The members of the footer."""
    return {
        "counts": dict(summary.counts),
        "awarded": [profile for profile, given in summary.awarded.items() if given],
        "exit_code": summary.exit_code,
    }
