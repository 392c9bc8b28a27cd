"""The specification linter: pure rules over what `registry` loads; the list of them, and all breaches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tenuto.conformance_tests.citations import TRACE_PAGE
from tenuto.conformance_tests.prose import Place
from tenuto.conformance_tests.registry import Specification
from tenuto.conformance_tests.rules import coverage, entry, naming, wording
from tenuto.conformance_tests.rules.breach import Breach, at
from tenuto.conformance_tests.trace import page

__all__ = ["RULES", "Breach", "lint"]

RULES: Final = {
    "keyword-without-id": "a sentence with MUST, SHOULD or MAY is the first sentence of a requirement",
    "one-keyword": "a normative sentence holds exactly one keyword",
    "weak-word": "a normative sentence says neither will, should nor can",
    "id-form": "an id is AREA-TOPIC-NNN, with the area of its document",
    "id-twice": "an id is given once",
    "implementation-defined": "every document has a section of what is implementation-defined",
    "registry-missing": "every requirement of the prose has an entry",
    "registry-extra": "every entry has a requirement in the prose, or is retired",
    "registry-text": "an entry has the text of the prose",
    "registry-level": "an entry has the keyword of its text as level",
    "registry-field": "an entry has the known fields and values",
    "since": "`since` and `retired` name the current version or an earlier release",
    "observe-text": "`observe` says in its own words how a requirement is seen",
    "retired": "a retired requirement has an entry, and is nowhere else",
    "untested": "a MUST or MUST NOT has a test or a case, or says `excluded` without `observe`, or `pending`",
    "caseless": "a MUST or MUST NOT of a scored profile has a case of that profile, or says `excluded` or `pending`",
    "stale": "what has all that it needs does not say `pending`, what has a case does not say `excluded`",
    "unknown-part": "`pending` names a part of the list of parts",
    "idle-part": "a requirement or an item of an interface waits for every part of the list",
    "mutant": "a mutant is complete, and breaks requirements that exist",
    "unmutated": "a MUST or MUST NOT of a scored profile has a mutant, once the catalog enforces it",
    "unknown-id": "tests, vectors and docstrings name requirements that exist",
    "unknown-reference": "documents and interface files name requirements, vectors and examples that exist",
    "example": "an example has an id of its document, given once, a known kind, and something to run",
    "traceability": "the page of traceability is up to date",
}
_CHECKS: Final = (
    *(wording.sentences, wording.requirements, wording.ids, wording.documents),
    *(entry.agreement, entry.fields, entry.observations, entry.versions, entry.retirement),
    *(coverage.tests, coverage.parts, coverage.mutants, coverage.unmutated),
    *(naming.citations, naming.references, naming.examples),
)


def lint(specification: Specification) -> list[Breach]:
    """Returns all breaches, in the order of files and lines."""
    checks = (*_CHECKS, _traceability)
    return sorted({breach for check in checks for breach in check(specification)})


def _traceability(specification: Specification) -> Iterator[Breach]:
    if specification.trace_page != page(specification):
        message = "differs from what the registry and the tests say; run `tenuto spec trace`"
        yield at(Place(TRACE_PAGE, 1), "traceability", "", message)
