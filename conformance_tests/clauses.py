"""The text of the specification: where it is, its version, and its clauses by id.

Spec: section 4 of 90-conformance.md (a failure is explained by the clause, not by a message of the port).
"""

from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path

from tenuto.conformance_tests.prose import Requirement, parse


def spec_folder() -> Path:
    """The folder of version 1 of the specification that this package is installed with."""
    return Path(str(resources.files("tenuto"))) / "spec" / "v1"


def spec_version() -> str:
    """The version of that specification."""
    return (spec_folder().parent / "VERSION").read_text("utf-8").strip()


def parse_clauses(text: str) -> dict[str, str]:
    """The paragraphs that start with an id, each on one line."""
    found = [one for one in parse(text, "") if isinstance(one, Requirement)]
    return {one.id: f"{one.text} {one.explanation}".rstrip() for one in found}


@cache
def clauses() -> dict[str, str]:
    """All clauses of the specification by their ids."""
    found: dict[str, str] = {}
    for path in sorted(spec_folder().glob("*.md")):
        found.update(parse_clauses(path.read_text("utf-8")))
    return found


def explain(ids: Iterable[str]) -> list[str]:
    """One line for each id with its text."""
    return [f"{one}: {clauses().get(one, 'no such clause')}" for one in ids]
