"""Runs as they are read back from results, made up for the tests of reports."""

from typing import Any

from attrs import evolve

from tenuto.conformance_tests.judge import Verdict
from tenuto.conformance_tests.record import Judged, Run

__all__ = ["judged", "run_of"]

_RUN = Run(
    suite="0.1.0",
    spec="1.0",
    name="x",
    version="0.1.0",
    language="Python",
    claims=("codec",),
    capabilities=(),
    seed=None,
    judged=(),
    counts={},
    awarded=(),
    withheld={},
    idle=(),
    exit_code=1,
)


def judged(case: str, verdict: Verdict, **more: Any) -> Judged:
    """One case; it shows two requirements."""
    told: dict[str, Any] = {
        "title": f"about {case}",
        "profile": "codec-read",
        "req": ("CKPT-FILE-001", "CKPT-READ-001"),
        "detail": "",
        "expected": "",
        "actual": "",
        "seconds": 0.5,
        "repro": f"tenuto conformance run --filter {case}",
    }
    return Judged(case=case, verdict=verdict, **(told | more))


def run_of(*cases: Judged, **more: Any) -> Run:
    """A run of these cases."""
    counts: dict[str, int] = {}
    for case in cases:
        counts[case.verdict] = counts.get(case.verdict, 0) + 1
    return evolve(_RUN, judged=cases, counts=counts, **more)
