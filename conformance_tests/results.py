"""Results: one line of JSON for each verdict while the run goes on, between a header and a footer.

Spec: section 8 of 90-conformance.md.
"""

import json
import shlex
import shutil
import sys
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
from tenuto.conformance_tests.port import Port


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


def repro(port_path: Path, case_id: str) -> str:
    """The command that runs one case again, from the folder in which the runner was started."""
    program = "tenuto" if shutil.which("tenuto") else f"{shlex.quote(sys.executable)} -m tenuto.cli"
    return f"{program} conformance run --port {shlex.quote(str(port_path))} --filter {shlex.quote(case_id)}"


@define
class ResultsFile:
    """The file of results; every line is complete when the next case is judged.

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

    def header(self, port: Port, plan: Sequence[Case], seed: int | None) -> None:
        """Versions, the port, and the plan in the order in which it is asked, before anything of it is run.

        The hash is that of the sorted ids: runs in another order have the same one.
        """
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
                "seed": seed,
                "plan": ids,
                "plan_xxh64": xxhash.xxh64_hexdigest("\n".join(sorted(ids)).encode()),
            }
        )

    def verdict(self, port: Port, result: Result) -> None:
        """One case."""
        judgement = result.judgement
        self._line(
            {
                "kind": "verdict",
                "case": result.case.id,
                "title": result.case.title,
                "profile": result.case.profile,
                "req": result.case.req,
                "verdict": str(result.verdict),
                "detail": judgement.detail,
                "expected": judgement.expected,
                "actual": judgement.actual,
                "seconds": round(result.seconds, 6),
                "repro": repro(port.path, result.case.id),
            }
        )

    def footer(self, members: Mapping[str, object]) -> None:
        """The run as a whole."""
        self._line({"kind": "footer", **members})

    def _line(self, record: Mapping[str, object]) -> None:
        self.stream.write(json.dumps(record, ensure_ascii=True) + "\n")
        self.stream.flush()
