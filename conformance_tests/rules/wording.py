"""Rules about the prose: keywords, weak words, ids, and the sections that every document has."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tenuto.conformance_tests.prose import Place, Sentence, keywords_of, without_code
from tenuto.conformance_tests.registry import Specification
from tenuto.conformance_tests.rules.breach import Breach, at

__all__ = ["documents", "ids", "requirements", "sentences"]

_WEAK = re.compile(r"\b(will|should|can)\b")
_ID = re.compile(r"([A-Z]+)-[A-Z]+-[0-9]{3}")
_FIRST_CELL = re.compile(r"\|([^|]*)\|(.*)")
_CONVENTIONS = "GEN"  # the area of the document that says what the keywords mean


def sentences(specification: Specification) -> Iterator[Breach]:
    """A keyword stands in the first sentence of a requirement and nowhere else."""
    for sentence in specification.sentences:
        if keywords_of(sentence.text) and not _defines(sentence, specification):
            yield at(sentence.place, "keyword-without-id", "", f"{sentence.text[:80]!r} has a keyword but no id")


def _defines(sentence: Sentence, specification: Specification) -> bool:
    """Whether a sentence says what the keywords mean: it names RFC 2119, or is a row that begins with them alone."""
    if "RFC 2119" in sentence.text:
        return True
    row = _FIRST_CELL.match(sentence.text)
    if not row or _area(sentence.place, specification) != _CONVENTIONS:
        return False
    rest = row[1]
    for word in keywords_of(row[1]):
        rest = rest.replace(word, "", 1)
    return not rest.strip(" ,") and not keywords_of(row[2])


def requirements(specification: Specification) -> Iterator[Breach]:
    """A normative sentence has one keyword and no word that looks like one."""
    for one in specification.requirements:
        words = keywords_of(one.text)
        if len(words) != 1:
            yield at(one.place, "one-keyword", one.id, f"keywords: {words or 'none'}; expected exactly one")
        for weak in _WEAK.findall(without_code(one.text)):
            yield at(one.place, "weak-word", one.id, f"{weak!r} in a normative sentence")


def ids(specification: Specification) -> Iterator[Breach]:
    """An id has the form and the area of its document, and is given once."""
    seen: dict[str, Place] = {}
    for one in specification.requirements:
        form = _ID.fullmatch(one.id)
        area = _area(one.place, specification)
        if not form or form[1] != area:
            yield at(one.place, "id-form", one.id, f"expected {area or 'AREA'}-TOPIC-NNN, an area of spec/README.md")
        if one.id in seen:
            yield at(one.place, "id-twice", one.id, f"also at {seen[one.id]}")
        seen.setdefault(one.id, one.place)
    entries: dict[str, Place] = {}
    for entry in specification.entries:
        if entry.id in entries:
            yield at(entry.place, "id-twice", entry.id, f"also at {entries[entry.id]}")
        entries.setdefault(entry.id, entry.place)


def documents(specification: Specification) -> Iterator[Breach]:
    """Every document says what a port is free to choose, so that silence is a fault."""
    wanted = "Implementation-defined"
    told = {heading.place.path for heading in specification.headings if wanted in heading.title}
    for name in specification.areas:
        path = f"spec/v1/{name}"
        if path not in told:
            yield at(
                Place(path, 1), "implementation-defined", "", f"no section; expected one with {wanted!r} in its title"
            )


def _area(place: Place, specification: Specification) -> str | None:
    return specification.areas.get(place.path.rpartition("/")[2])
