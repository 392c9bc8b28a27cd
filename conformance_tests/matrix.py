"""The matrix of requirements and ports: what each port has come to on each requirement, as data.

Spec: CONF-PROF-002, CONF-VERDICT-002, and section 6 of 90-conformance.md.
"""

from collections.abc import Iterator, Sequence

from attrs import frozen

from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.coverage import registry
from tenuto.conformance_tests.entries import Entry
from tenuto.conformance_tests.judge import Verdict
from tenuto.conformance_tests.port import PROFILE_INCLUDES, included
from tenuto.conformance_tests.prose import Heading, Requirement, parse
from tenuto.conformance_tests.record import Judged, Run
from tenuto.conformance_tests.verdicts import worst

NO_CASE = "no case"
NOT_CLAIMED = "not claimed"
EXCLUDED = "excluded"


@frozen
class Row:
    """A requirement that binds ports.

    Attributes:
        entry: of the registry.
        text: its normative sentence.
        explanation: what follows it.
    """

    entry: Entry
    text: str
    explanation: str

    @property
    def id(self) -> str:
        """Its id."""
        return self.entry.id

    @property
    def profile(self) -> str:
        """The first profile that it belongs to."""
        return str(self.entry.fields["profile"])


@frozen
class Section:
    """A document of the specification with its requirements."""

    title: str
    rows: tuple[Row, ...]


@frozen
class Cell:
    """What a port has come to on a requirement.

    Attributes:
        word: the worst verdict of its cases, `no case`, `not claimed` or `excluded`.
        passed: how many of its cases passed.
        judged: its cases, without those that are not claimed.
    """

    word: str
    passed: int
    judged: tuple[Judged, ...]


def sections() -> Iterator[Section]:
    """The documents that have requirements of a profile, in their order."""
    entries = {entry.id: entry for entry in registry() if entry.fields["profile"] in PROFILE_INCLUDES}
    for path in sorted(spec_folder().glob("*.md")):
        found = list(parse(path.read_text("utf-8"), path.name))
        title = next((one.title for one in found if isinstance(one, Heading)), path.stem)
        rows = [
            Row(entries[one.id], one.text, one.explanation)
            for one in found
            if isinstance(one, Requirement) and one.id in entries
        ]
        if rows:
            yield Section(title, tuple(rows))


def cells(run: Run, rows: Sequence[Row]) -> dict[str, Cell]:
    """The column of a port: requirement -> what it has come to there."""
    claimed = frozenset().union(*(included(profile) for profile in run.claims))
    judged: dict[str, list[Judged]] = {}
    for one in run.judged:
        for identity in one.req:
            judged.setdefault(identity, []).append(one)
    return {row.id: _cell(row, judged.get(row.id, []), claimed) for row in rows}


def _cell(row: Row, judged: Sequence[Judged], claimed: frozenset[str]) -> Cell:
    scored = [one for one in judged if one.verdict is not Verdict.NOT_CLAIMED]
    passed = sum(one.verdict is Verdict.PASS for one in scored)
    if scored:
        return Cell(str(worst([one.verdict for one in scored])), passed, tuple(scored))
    if judged or row.profile not in claimed:
        return Cell(NOT_CLAIMED, 0, ())
    return Cell(EXCLUDED if "excluded" in row.entry.fields else NO_CASE, 0, ())
