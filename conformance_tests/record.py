"""A run read back from its file of results: what reports are made of, for one port or several side by side.

Spec: section 8 of 90-conformance.md.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from tenuto.conformance_tests.judge import Verdict


class RecordError(Exception):
    """A file of results that cannot be read, or whose run did not come to its end; the message says what it lacks."""


@frozen
class Judged:
    """The verdict on one case, with the members of its line."""

    case: str
    title: str
    profile: str
    req: tuple[str, ...]
    verdict: Verdict
    detail: str
    expected: str
    actual: str
    seconds: float
    repro: str


@frozen
class Run:
    """One run of the suite against one port, with the members of header and footer."""

    suite: str
    spec: str
    name: str
    version: str
    language: str
    claims: tuple[str, ...]
    capabilities: tuple[str, ...]
    seed: int | None
    judged: tuple[Judged, ...]
    counts: Mapping[str, int]
    awarded: tuple[str, ...]
    withheld: Mapping[str, tuple[str, ...]]
    idle: tuple[str, ...]
    exit_code: int


def read_run(path: Path) -> Run:
    """Read a file of results.

    Raises:
        RecordError: It cannot be read, it is of another form, or its run did not come to its end.
    """
    try:
        lines = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}; expected a file of results") from error
    except ValueError as error:
        raise RecordError(f"{path}: {error}; expected a line of JSON for each case") from error
    kinds = [line.get("kind") if isinstance(line, dict) else None for line in lines]
    if len(lines) < 2 or (kinds[0], kinds[-1]) != ("header", "footer") or {*kinds[1:-1]} - {"verdict"}:
        raise RecordError(f"{path}: no header or no footer; expected the results of a run that came to its end")
    try:
        return _run(lines[0], lines[1:-1], lines[-1])
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{path}: {error!r}; expected the members of section 8 of 90-conformance.md") from error


def _run(header: dict[str, Any], verdicts: list[dict[str, Any]], footer: dict[str, Any]) -> Run:
    port = header["port"]
    return Run(
        suite=header["suite"],
        spec=header["spec"],
        name=port["name"],
        version=port["version"],
        language=port["language"],
        claims=tuple(port["claims"]),
        capabilities=tuple(port["capabilities"]),
        seed=header["seed"],
        judged=tuple(_judged(line) for line in verdicts),
        counts=dict(footer["counts"]),
        awarded=tuple(footer["awarded"]),
        withheld={profile: tuple(ids) for profile, ids in footer["withheld"].items()},
        idle=tuple(footer["idle"]),
        exit_code=footer["exit_code"],
    )


def _judged(line: dict[str, Any]) -> Judged:
    texts = {name: str(line[name]) for name in ("case", "title", "profile", "detail", "expected", "actual", "repro")}
    return Judged(**texts, req=tuple(line["req"]), verdict=Verdict(line["verdict"]), seconds=float(line["seconds"]))
