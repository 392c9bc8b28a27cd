"""Rules about tests, parts and mutants: what has none says why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tenuto.conformance_tests.prose import Place
from tenuto.conformance_tests.registry import MUTANTS, PARTS, TODO, Mutant, Specification
from tenuto.conformance_tests.rules.breach import Breach, at

__all__ = ["MUTANT_FIELDS", "mutants", "parts", "tests", "unmutated"]

MUTANT_FIELDS: Final = ("id", "breaks", "file", "old", "new", "killed_by")


def tests(specification: Specification) -> Iterator[Breach]:
    """A MUST has a test or a case, and a case where it is scored, or says why not, and says so only as long."""
    for entry in specification.entries:
        lacking, found = specification.lacks(entry), specification.tests_of(entry.id)
        for what in () if "pending" in entry.fields else lacking:
            rule = "untested" if what == "test" else "caseless"
            yield at(entry.place, rule, entry.id, f"no {what}; expected one, or `excluded` or `pending`")
        if "pending" in entry.fields and not lacking:
            where = f"tested at {found[0].place}" if found else "nothing is missing"
            wish = f"remove `pending: {entry.fields['pending']}`: {where} (--fix-pending)"
            yield at(entry.place, "stale", entry.id, wish)
        if "excluded" in entry.fields and (specification.has_case(entry) or (found and "observe" not in entry.fields)):
            what = "it has a case" if specification.has_case(entry) else f"tested at {found[0].place}"
            yield at(entry.place, "stale", entry.id, f"remove `excluded: {entry.fields['excluded']}`: {what}")


def parts(specification: Specification) -> Iterator[Breach]:
    """`pending` names a part of the list, and every part of the list is named, there or in an interface file."""
    named = {str(entry.fields["pending"]): entry for entry in specification.entries if "pending" in entry.fields}
    for entry in specification.entries:
        part = entry.fields.get("pending")
        if part not in (None, TODO, *specification.parts):
            yield at(entry.place, "unknown-part", entry.id, f"pending: {part}; expected a part of {PARTS}")
    for part, sentence in specification.parts.items():
        if not isinstance(sentence, str) or not sentence.strip():
            yield at(Place(PARTS, 1), "unknown-part", "", f"{part}: {sentence!r}; expected one sentence")
        if part not in named and part not in specification.interface_parts:
            yield at(Place(PARTS, 1), "idle-part", "", f"{part}: nothing waits for it; remove it")


def mutants(specification: Specification) -> Iterator[Breach]:
    """A mutant has all its fields and an id of its own, finds its text, and breaks requirements that hold."""
    live = {entry.id for entry in specification.entries if not entry.retired}
    seen: set[str] = set()
    for mutant in specification.mutants:
        for message in _faults(mutant, live, seen):
            yield at(mutant.entry.place, "mutant", mutant.entry.id, message)
        seen.add(mutant.entry.id)
    for identity in specification.policy.without:
        wrong = "no such requirement" if identity not in live else "it has a mutant"
        if identity not in live or specification.mutants_of(identity):
            yield at(Place(f"{MUTANTS}/policy.yaml", 1), "mutant", identity, f"without: {wrong}; remove it")


def _faults(mutant: Mutant, live: set[str], seen: set[str]) -> Iterator[str]:
    fields = mutant.entry.fields
    if sorted(fields) != sorted(MUTANT_FIELDS):
        yield f"fields: {', '.join(fields)}; expected {', '.join(MUTANT_FIELDS)}"
    if mutant.entry.id in seen:
        yield "given twice; expected an id of its own"
    if not mutant.breaks:
        yield f"breaks: {fields.get('breaks')!r}; expected a list of requirements"
    for one in mutant.breaks:
        if one not in live:
            yield f"breaks {one}: no such requirement"
    if mutant.found != 1:
        yield f"old: {mutant.found} times in {fields.get('file')}; expected once"


def unmutated(specification: Specification) -> Iterator[Breach]:
    """A MUST of a scored profile has a mutant; nothing is asked before the catalog says `enforced: true`."""
    for entry in specification.entries if specification.policy.enforced else ():
        if specification.needs_mutant(entry) and not specification.mutants_of(entry.id):
            message = f"no mutant; expected one, or `excluded` or `pending`, or a reason in {MUTANTS}/policy.yaml"
            yield at(entry.place, "unmutated", entry.id, message)
