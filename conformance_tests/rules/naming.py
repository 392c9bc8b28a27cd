"""Rules about who names what: citations, references between documents, and the ids of examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tenuto.conformance_tests.prose import BLOCK_KINDS, Example
from tenuto.conformance_tests.registry import Specification
from tenuto.conformance_tests.rules.breach import Breach, at

__all__ = ["TABLE_KINDS", "citations", "examples", "references"]

TABLE_KINDS: Final = ("best", "due", "keep", "list", "name", "newest", "step")
_EXAMPLE_ID = re.compile(r"EX-([A-Z]+)-[0-9]{3}")
_WORD = re.compile(r"[a-z_]+=.+", re.DOTALL)
_CHANGELOG = "spec/CHANGELOG.md"


def citations(specification: Specification) -> Iterator[Breach]:
    """Tests, vectors and docstrings name requirements that exist."""
    known = {one.id for one in specification.requirements} | {entry.id for entry in specification.entries}
    for citation in specification.citations:
        if citation.id not in known:
            yield at(citation.place, "unknown-id", citation.id, "no such requirement")


def references(specification: Specification) -> Iterator[Breach]:
    """Documents and interface files name what exists; only the changelog also names what is retired."""
    prose = {one.id for one in specification.requirements}
    retired = {entry.id for entry in specification.entries if entry.retired}
    live = prose | {entry.id for entry in specification.entries} - retired | specification.labels
    for reference in specification.references:
        if reference.id in live or (reference.id in retired and reference.place.path == _CHANGELOG):
            continue
        why = f"retired; only {_CHANGELOG} names it" if reference.id in retired else "no such requirement"
        yield at(reference.place, "unknown-reference", reference.id, why)


def examples(specification: Specification) -> Iterator[Breach]:
    """An example has an id of its area, given once, a known kind, settings that are pairs, and something to run."""
    seen: dict[str, list[Example]] = {}
    for example in specification.examples:
        for message in _faults(example, specification, seen.setdefault(example.id, [])):
            yield at(example.place, "example", example.id, message)
        seen[example.id].append(example)


def _faults(example: Example, specification: Specification, others: list[Example]) -> Iterator[str]:
    area = specification.areas.get(example.place.path.rpartition("/")[2])
    form = _EXAMPLE_ID.fullmatch(example.id)
    if not form or form[1] != area:
        yield f"id {example.id or 'missing'}; expected EX-{area or 'AREA'}-NNN"
    together = sorted([example.kind, *(other.kind for other in others)])
    if others and together != ["ckpt-hex", "document"]:  # these two are one example
        yield f"also at {others[0].place}; expected an id of its own"
    kinds = BLOCK_KINDS if example.form == "block" else TABLE_KINDS
    if example.kind not in kinds:
        yield f"kind {example.kind or 'missing'}; expected {', '.join(kinds)}"
    for word in example.words:
        if not _WORD.fullmatch(word):
            yield f"{word!r}; expected key=value"
    if not any(line.strip() for line in example.body):
        yield "nothing to run; expected a block with lines, or a table directly below"
