"""Loading what the specification linter compares: prose, registry, parts, mutants, verdicts, and who names what.

Nothing here judges; see `spec_lint`. Paths in the results are relative to the root of the repository.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from tenuto.conformance_tests.citations import TRACE_PAGE, Citation, citations, references
from tenuto.conformance_tests.entries import Entry, entries, safe_load
from tenuto.conformance_tests.port import PROFILE_INCLUDES, included
from tenuto.conformance_tests.prose import Example, Heading, Requirement, Sentence, parse

__all__ = ["MUTANTS", "PARTS", "REGISTRY", "TODO", "Mutant", "Specification", "load"]

REGISTRY: Final = "spec/v1/requirements.yaml"
PARTS: Final = "spec/v1/parts.yaml"
_INTERFACES: Final = "spec/v1/interfaces/*.yaml"
_PENDING: Final = re.compile(r"\bpending: ([a-z]+)")
MUTANTS: Final = "conformance_tests/mutants"
TODO: Final = "TODO"  # what a skeleton holds; no rule accepts it
_PROSE = "spec/v1"
_POLICY = "policy.yaml"
_AREA_ROW = re.compile(r"^\|\s*\[v1/([^\]]+)\].*?\|\s*`([A-Z]+)`", re.MULTILINE)
_RELEASE = re.compile(r"^## ([0-9]+\.[0-9]+)\b", re.MULTILINE)


@frozen
class Mutant:
    """A broken implementation that tests have to kill.

    Attributes:
        entry: Its fields: `id`, `breaks`, `file`, `old`, `new`, `killed_by`.
        found: How often `old` stands in `file`.
    """

    entry: Entry
    found: int

    @property
    def breaks(self) -> list[str]:
        """The ids of the requirements that it breaks."""
        ids = self.entry.fields.get("breaks")
        return [str(one) for one in ids] if isinstance(ids, list) else []


@frozen
class Policy:
    """What the catalog of mutants says about itself.

    Attributes:
        enforced: Whether a MUST without a mutant is a breach.
        without: Requirement -> the reason why no mutant can break it.
    """

    enforced: bool = False
    without: dict[str, str] = field(factory=dict)


@frozen
class Specification:
    """Everything that the linter compares.

    Attributes:
        areas: Prose file name -> area, from the table of `spec/README.md`.
        version: The current version, such as `1.0`.
        releases: The versions that `spec/CHANGELOG.md` has a section for.
        labels: The ids of vectors and examples, which have the form of a requirement's.
        parts: Name of a part that is still to be built -> one sentence.
        interface_parts: The parts for which items of the interface files wait.
        verdicts: Port -> requirement -> `cases`, their least `profile`, and `verdict` of the last full run.
        trace_page: The text of the page that `tenuto spec trace` writes; empty if there is none.
    """

    areas: dict[str, str]
    version: str
    releases: list[str]
    requirements: list[Requirement]
    sentences: list[Sentence]
    headings: list[Heading]
    examples: list[Example]
    entries: list[Entry]
    citations: list[Citation]
    references: list[Citation]
    labels: set[str]
    parts: dict[str, Any]
    interface_parts: set[str]
    mutants: list[Mutant]
    policy: Policy
    verdicts: dict[str, dict[str, dict[str, Any]]]
    trace_page: str

    @cached_property
    def _tests(self) -> dict[str, list[Citation]]:
        tests: dict[str, list[Citation]] = {}
        for citation in self.citations:
            if citation.is_test:
                tests.setdefault(citation.id, []).append(citation)
        return tests

    def tests_of(self, requirement_id: str) -> list[Citation]:
        """Returns the tests that show a requirement."""
        return self._tests.get(requirement_id, [])

    def mutants_of(self, requirement_id: str) -> list[Mutant]:
        """Returns the mutants that break a requirement."""
        return [mutant for mutant in self.mutants if requirement_id in mutant.breaks]

    def has_case(self, entry: Entry) -> bool:
        """Whether a case of its profile, or of one that this includes, judges it; a full run of a port lists all."""
        profile = str(entry.fields.get("profile"))
        profiles = included(profile) if profile in PROFILE_INCLUDES else {profile}
        found = [verdicts[entry.id] for verdicts in self.verdicts.values() if entry.id in verdicts]
        return any(one.get("profile") in profiles for one in found)

    def lacks(self, entry: Entry) -> list[str]:
        """What a MUST still has to get: a test, and, where it is scored, a case; nothing of what `excluded` excuses."""
        if not entry.binding:
            return []
        scored, has_case = entry.fields.get("profile") in PROFILE_INCLUDES, self.has_case(entry)
        no_test = "observe" in entry.fields and not has_case and not self.tests_of(entry.id)
        no_case = scored and "excluded" not in entry.fields and not has_case
        return ["test"] * no_test + ["case"] * no_case

    def needs_mutant(self, entry: Entry) -> bool:
        """Whether an entry is a MUST of a scored profile that nothing excuses from having a mutant."""
        excused = "observe" not in entry.fields or "pending" in entry.fields or entry.id in self.policy.without
        return entry.binding and entry.fields.get("profile") in PROFILE_INCLUDES and not excused


def load(root: Path) -> Specification:
    """Loads the specification that lies under a root folder.

    Raises:
        OSError: A file of the specification is missing.
        yaml.YAMLError: The registry, a sidecar or a list is no YAML.
    """
    readme = (root / "spec" / "README.md").read_text()
    prose = [one for path in sorted((root / _PROSE).glob("*.md")) for one in parse(path.read_text(), _name(path, root))]
    examples = [one for one in prose if isinstance(one, Example)]
    vectors = {path.stem for path in (root / _PROSE / "vectors").rglob("*.yaml")}
    return Specification(
        areas=dict(_AREA_ROW.findall(readme)),
        version=(root / "spec" / "VERSION").read_text().strip(),
        releases=_RELEASE.findall(_text(root / "spec" / "CHANGELOG.md")),
        requirements=[one for one in prose if isinstance(one, Requirement)],
        sentences=[one for one in prose if isinstance(one, Sentence)],
        headings=[one for one in prose if isinstance(one, Heading)],
        examples=examples,
        entries=entries((root / REGISTRY).read_text(), REGISTRY),
        citations=list(citations(root)),
        references=list(references(root)),
        labels=vectors | {one.id for one in examples},
        parts=safe_load(_text(root / PARTS)) or {},
        interface_parts=set(_PENDING.findall("".join(path.read_text() for path in root.glob(_INTERFACES)))),
        mutants=_mutants(root),
        policy=_policy(root / MUTANTS / _POLICY),
        verdicts={
            path.parent.name: json.loads(path.read_text()) for path in sorted(root.glob("ports/*/verdicts.json"))
        },
        trace_page=_text(root / TRACE_PAGE),
    )


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _text(path: Path) -> str:
    """Returns the text of a file that need not be there."""
    return path.read_text() if path.is_file() else ""


def _mutants(root: Path) -> list[Mutant]:
    paths = [path for path in sorted((root / MUTANTS).glob("*.yaml")) if path.name != _POLICY]
    found = [entry for path in paths for entry in entries(path.read_text(), _name(path, root))]
    return [Mutant(entry, _count(root, entry.fields)) for entry in found]


def _count(root: Path, fields: dict[str, Any]) -> int:
    old, file = fields.get("old"), fields.get("file")
    if not (isinstance(old, str) and old and isinstance(file, str) and file):
        return 0
    return _text(root / file).count(old)


def _policy(path: Path) -> Policy:
    fields = safe_load(_text(path)) or {}
    return Policy(fields.get("enforced") is True, dict(fields.get("without") or {}))
