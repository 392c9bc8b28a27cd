"""The specification linter: pure rules over what `registry` loads.

One rule of the design is not built yet: that every MUST has a mutant, a broken implementation that its test kills.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from attrs import frozen

from tenuto.conformance_tests.registry import REGISTRY, Entry, Place, Requirement, Specification

__all__ = [
    "FIELDS",
    "PROFILES",
    "RULES",
    "Breach",
    "keywords_of",
    "lint",
    "stale_pending",
    "summary",
    "without_pending",
]

FIELDS: Final = ("id", "level", "since", "profile", "text", "observe", "excluded", "pending")
_REQUIRED: Final = ("id", "level", "since", "profile", "text")
PROFILES: Final = (
    *("codec-read", "codec", "callbacks", "checkpoint", "resume", "crash-process", "crash-power"),
    "tool",  # binds the command line of tenuto, no port
    "suite",  # binds the runner, no port
)
RULES: Final = {
    "keyword-without-id": "a sentence with MUST, SHOULD or MAY is the first sentence of a requirement",
    "one-keyword": "a normative sentence holds exactly one keyword",
    "weak-word": "a normative sentence says neither will, should nor can",
    "id-form": "an id is AREA-TOPIC-NNN, with the area of its document",
    "id-twice": "an id is given once",
    "registry-missing": "every requirement of the prose has an entry",
    "registry-extra": "every entry has a requirement in the prose",
    "registry-text": "an entry has the text of the prose",
    "registry-level": "an entry has the keyword of its text as level",
    "registry-field": "an entry has the known fields and values",
    "untested": "a MUST or MUST NOT has a test, or says `excluded` or `pending`",
    "stale": "what has a test says neither `excluded` nor `pending`",
    "unknown-id": "tests, vectors and docstrings name requirements that exist",
}
_KEYWORD = re.compile(r"\b(MUST NOT|SHOULD NOT|MUST|SHOULD|MAY)\b")
_WEAK = re.compile(r"\b(will|should|can)\b")
_CODE = re.compile(r"`[^`]*`")
_ID = re.compile(r"([A-Z]+)-[A-Z]+-[0-9]{3}")


@frozen(order=True)
class Breach:
    """One breach of one rule."""

    path: str
    line: int
    rule: str
    id: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.id or '-'}: {self.message}"


def lint(specification: Specification) -> list[Breach]:
    """Returns all breaches, in the order of files and lines."""
    rules = (_sentences, _requirements, _ids, _registry, _fields, _coverage, _unknown)
    return sorted({breach for rule in rules for breach in rule(specification)})


def keywords_of(sentence: str) -> list[str]:
    """Returns the RFC 2119 words of a sentence; what is set as code does not count."""
    return _KEYWORD.findall(_CODE.sub("", sentence))


def _breach(place: Place, rule: str, identity: str, message: str) -> Breach:
    return Breach(place.path, place.line, rule, identity, message)


def _sentences(specification: Specification) -> Iterator[Breach]:
    for sentence in specification.sentences:
        defines = "RFC 2119" in sentence.text  # the sentence that says what the words mean
        if keywords_of(sentence.text) and not defines:
            yield _breach(sentence.place, "keyword-without-id", "", f"{sentence.text[:80]!r} has a keyword but no id")


def _requirements(specification: Specification) -> Iterator[Breach]:
    for one in specification.requirements:
        words = keywords_of(one.text)
        if len(words) != 1:
            yield _breach(one.place, "one-keyword", one.id, f"keywords: {words or 'none'}; expected exactly one")
        for weak in _WEAK.findall(_CODE.sub("", one.text)):
            yield _breach(one.place, "weak-word", one.id, f"{weak!r} in a normative sentence")


def _ids(specification: Specification) -> Iterator[Breach]:
    seen: dict[str, Place] = {}
    for one in specification.requirements:
        form = _ID.fullmatch(one.id)
        area = specification.areas.get(one.place.path.rpartition("/")[2])
        if not form or form[1] != area:
            yield _breach(
                one.place, "id-form", one.id, f"expected {area or 'AREA'}-TOPIC-NNN, an area of spec/README.md"
            )
        if one.id in seen:
            yield _breach(one.place, "id-twice", one.id, f"also at {seen[one.id]}")
        seen.setdefault(one.id, one.place)
    entries: dict[str, Place] = {}
    for entry in specification.entries:
        if entry.id in entries:
            yield _breach(entry.place, "id-twice", entry.id, f"also at {entries[entry.id]}")
        entries.setdefault(entry.id, entry.place)


def _registry(specification: Specification) -> Iterator[Breach]:
    prose = {one.id: one for one in specification.requirements}
    entries = {entry.id: entry for entry in specification.entries}
    for identity, one in prose.items():
        if identity not in entries:
            yield _breach(one.place, "registry-missing", identity, f"no entry in {REGISTRY}")
        else:
            yield from _differences(one, entries[identity])
    for identity, entry in entries.items():
        if identity not in prose:
            yield _breach(entry.place, "registry-extra", identity, "no such requirement in the prose")


def _differences(one: Requirement, entry: Entry) -> Iterator[Breach]:
    if entry.fields.get("text") != one.text:
        yield _breach(entry.place, "registry-text", one.id, f"text differs from {one.place}; expected {one.text!r}")
    words = keywords_of(one.text)
    if len(words) == 1 and entry.fields.get("level") != words[0]:
        yield _breach(entry.place, "registry-level", one.id, f"{entry.fields.get('level')}; expected {words[0]}")


def _fields(specification: Specification) -> Iterator[Breach]:
    for entry in specification.entries:
        for name, value in entry.fields.items():
            if name not in FIELDS:
                yield _breach(entry.place, "registry-field", entry.id, f"field {name!r}; expected {', '.join(FIELDS)}")
            elif not isinstance(value, str) or not value.strip():
                yield _breach(entry.place, "registry-field", entry.id, f"{name}: {value!r}; expected text")
        for name in _REQUIRED:
            if name not in entry.fields:
                yield _breach(entry.place, "registry-field", entry.id, f"no field {name!r}; expected it")
        profile = entry.fields.get("profile", PROFILES[0])
        if profile not in PROFILES:
            yield _breach(
                entry.place, "registry-field", entry.id, f"profile {profile!r}; expected {', '.join(PROFILES)}"
            )
        if ("observe" in entry.fields) == ("excluded" in entry.fields):
            yield _breach(entry.place, "registry-field", entry.id, "expected one of observe and excluded")


def _coverage(specification: Specification) -> Iterator[Breach]:
    for entry in specification.entries:
        tests = specification.tests_of(entry.id)
        excuses = [name for name in ("excluded", "pending") if name in entry.fields]
        if not tests and not excuses and str(entry.fields.get("level")).startswith("MUST"):
            yield _breach(entry.place, "untested", entry.id, "no test; expected one, or `excluded` or `pending`")
        for name in excuses if tests else ():
            wish = f"remove `{name}: {entry.fields[name]}`: tested at {tests[0].place}"
            yield _breach(entry.place, "stale", entry.id, wish + " (--fix-pending)" * (name == "pending"))


def _unknown(specification: Specification) -> Iterator[Breach]:
    known = {one.id for one in specification.requirements} | {entry.id for entry in specification.entries}
    for citation in specification.citations:
        if citation.id not in known:
            yield _breach(citation.place, "unknown-id", citation.id, "no such requirement")


def stale_pending(specification: Specification) -> set[str]:
    """Returns the ids that say `pending` although they have a test."""
    return {one.id for one in specification.entries if "pending" in one.fields and specification.tests_of(one.id)}


def without_pending(registry: str, ids: set[str]) -> str:
    """Returns the text of the registry without the `pending` lines of some entries; all else is left byte for byte."""
    kept: list[str] = []
    current, dropping = "", False
    for line in registry.splitlines(keepends=True):
        start = re.match(r"- id:\s*(\S+)", line)
        current = start[1] if start else current
        continued = dropping and line.startswith("    ")  # a folded text goes on further indented
        dropping = continued or (current in ids and line.startswith("  pending:"))
        if not dropping:
            kept.append(line)
    return "".join(kept)


def summary(specification: Specification) -> dict[str, Any]:
    """Returns the counts: requirements by area and level, how many are tested, pending by part, excluded."""
    entries = specification.entries
    tested = [entry for entry in entries if specification.tests_of(entry.id)]
    areas = {area: Counter[str]() for area in specification.areas.values()}
    for entry in entries:
        areas.setdefault(entry.id.partition("-")[0], Counter())[str(entry.fields.get("level"))] += 1
    return {
        "requirements": len(entries),
        "areas": {area: dict(levels) for area, levels in areas.items()},
        "tested": len(tested),
        "pending": dict(Counter(str(entry.fields["pending"]) for entry in entries if "pending" in entry.fields)),
        "excluded": sum("excluded" in entry.fields for entry in entries),
    }
