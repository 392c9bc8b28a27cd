"""What the specification linter counts: for its summary, and for the page of traceability."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from tenuto.conformance_tests.entries import Entry
from tenuto.conformance_tests.registry import Specification

__all__ = ["Counts", "count", "level_rows", "summary"]

_LEVELS: Final = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY")


@frozen
class Counts:
    """Counts of the requirements that hold; retired ones are left out of everything else.

    Attributes:
        areas: Area -> level -> how many, in the order of `spec/README.md`.
        tested: How many have a test.
        pending: Part -> its requirements without a test, in the order of the registry.
        excluded: Those that say why they cannot be seen.
        retired: How many are retired.
        mutants: How many mutants there are.
        mutated: How many of `to_mutate` have one.
        to_mutate: How many need a mutant.
    """

    areas: Mapping[str, Counter[str]]
    tested: int
    pending: Mapping[str, list[Entry]]
    excluded: list[Entry]
    retired: int
    mutants: int
    mutated: int
    to_mutate: int

    def totals(self) -> str:
        """Returns the counts of requirements in a sentence."""
        requirements = sum(levels.total() for levels in self.areas.values())
        pending = sum(len(entries) for entries in self.pending.values())
        return (
            f"{requirements} requirements: {self.tested} tested, {pending} pending, {len(self.excluded)} excluded; "
            f"{self.retired} retired"
        )

    def mutation(self) -> str:
        """Returns the counts of mutants in a sentence."""
        return f"mutants: {self.mutants}, requirements with one: {self.mutated} of {self.to_mutate}"


def count(specification: Specification) -> Counts:
    """Counts the entries of the registry."""
    entries = [entry for entry in specification.entries if not entry.retired]
    areas = {area: Counter[str]() for area in specification.areas.values()}
    pending: dict[str, list[Entry]] = {}
    for entry in entries:
        areas.setdefault(entry.id.partition("-")[0], Counter())[str(entry.fields.get("level"))] += 1
        if "pending" in entry.fields:
            pending.setdefault(str(entry.fields["pending"]), []).append(entry)
    to_mutate = [entry for entry in entries if specification.needs_mutant(entry)]
    return Counts(
        areas=areas,
        tested=sum(bool(specification.tests_of(entry.id)) for entry in entries),
        pending=dict(sorted(pending.items())),
        excluded=[entry for entry in entries if "excluded" in entry.fields],
        retired=len(specification.entries) - len(entries),
        mutants=len(specification.mutants),
        mutated=sum(bool(specification.mutants_of(entry.id)) for entry in to_mutate),
        to_mutate=len(to_mutate),
    )


def level_rows(counts: Counts) -> list[list[str]]:
    """Returns a table of areas and levels as text, its head and its sums among the rows; nothing is `-`."""
    sums = sum(counts.areas.values(), Counter[str]())
    rows = [["area", *_LEVELS, "total"]]
    for name, levels in [*counts.areas.items(), ("total", sums)]:
        numbers = [levels[level] for level in _LEVELS]
        rows.append([name, *(str(number or "-") for number in [*numbers, levels.total()])])
    return rows


def summary(specification: Specification, *, pending: bool = False, excluded: bool = False) -> list[str]:
    """Returns the lines that end a run of the linter.

    Args:
        specification: What was checked.
        pending: Whether to name every MUST without a test, under the part that it waits for.
        excluded: Whether to name every requirement that cannot be seen, with the reason.
    """
    counts = count(specification)
    lines = [row[0].ljust(6) + "".join(f"{cell:>12}" for cell in row[1:]) for row in level_rows(counts)]
    lines.append(counts.totals())
    for part, entries in counts.pending.items():
        must = [entry for entry in entries if entry.binding]
        lines.append(f"pending {part}: {len(entries)}, {len(must)} of them MUST")
        lines += [f"  {entry.id}  {entry.fields.get('text')}" for entry in must if pending]
    if excluded:
        lines += [f"excluded {entry.id}: {entry.fields['excluded']}" for entry in counts.excluded]
    return [*lines, counts.mutation()]
