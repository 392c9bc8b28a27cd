"""The verdicts of a port by requirement, from the results of a full run: what the page of traceability shows of a port.

Spec: sections 5 and 8 of 90-conformance.md, CONF-VERDICT-002.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tenuto.conformance_tests.judge import Verdict
from tenuto.conformance_tests.port import included

__all__ = ["VerdictsError", "read_verdicts", "verdicts_text", "worst"]

# The worst first: one case that fails decides what is said of a requirement. Cases that the port does not claim count
# for nothing, unless a requirement has no others.
_ORDER: Final = (
    *(Verdict.SUITE_ERROR, Verdict.CRASH, Verdict.TIMEOUT, Verdict.PROTOCOL, Verdict.FAIL),
    *(Verdict.FLAKY, Verdict.NOT_TESTABLE, Verdict.UNCOVERED, Verdict.XPASS, Verdict.XFAIL, Verdict.PASS),
)


class VerdictsError(Exception):
    """A file of results that does not show a full run; the message says what it lacks."""


def read_verdicts(path: Path, plan: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Returns requirement -> how many cases judged it, the least profile of them, and the worst of their verdicts.

    Args:
        path: `results.jsonl` of a run.
        plan: The ids of all cases of the suite.

    Raises:
        VerdictsError: The file cannot be read, is no file of results, or its run was not a full one.
    """
    records = _records(path)
    header, *cases, footer = [*records, {}, {}] if len(records) < 2 else records
    if header.get("kind") != "header" or footer.get("kind") != "footer":
        raise VerdictsError(f"{path}: no header or no footer; expected the results of a run that came to its end")
    missing = set(plan) - {str(case.get("case")) for case in cases}
    if missing:
        raise VerdictsError(f"{path}: {len(missing)} cases are missing, {min(missing)} among them; expected a full run")
    found: dict[str, list[tuple[str, Verdict]]] = {}
    for case in cases:
        for requirement in case["req"]:
            found.setdefault(requirement, []).append((case["profile"], Verdict(case["verdict"])))
    return {requirement: _sum(found[requirement]) for requirement in sorted(found)}


def verdicts_text(verdicts: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns the text of `verdicts.json`: a requirement on each line, so that a change shows as one."""
    lines = [f"  {json.dumps(requirement)}: {json.dumps(verdict)}" for requirement, verdict in verdicts.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text("ascii").splitlines()]
    except OSError as error:
        raise VerdictsError(f"{path}: {error.strerror}; expected a file of results") from error
    except ValueError as error:
        raise VerdictsError(f"{path}: {error}; expected a line of JSON for each case") from error


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Returns what is said of several cases together; those that are not claimed count if there are no others."""
    claimed = [verdict for verdict in verdicts if verdict is not Verdict.NOT_CLAIMED]
    return min(claimed, key=_ORDER.index) if claimed else Verdict.NOT_CLAIMED


def _sum(judged: Sequence[tuple[str, Verdict]]) -> dict[str, Any]:
    verdicts = [verdict for _, verdict in judged]
    claimed = [verdict for verdict in verdicts if verdict is not Verdict.NOT_CLAIMED]
    profile = min((profile for profile, _ in judged), key=lambda name: (len(included(name)), name))
    return {"cases": len(claimed or verdicts), "profile": profile, "verdict": str(worst(verdicts))}
