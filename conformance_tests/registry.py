"""Loading what the specification linter compares: requirements in the prose, the registry, and who cites what.

Nothing here judges; see `spec_lint`. Paths in the results are relative to the root of the repository.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from attrs import field, frozen

__all__ = [
    "REGISTRY",
    "Citation",
    "Entry",
    "Place",
    "Requirement",
    "Sentence",
    "Specification",
    "first_sentence",
    "load",
]

REGISTRY = "spec/v1/requirements.yaml"
_PROSE = "spec/v1"
_CODE_FOLDERS = ("benchmarks", "callbacks", "conformance_tests", "examples", "ports", "reference", "src", "tests")
_SKIPPED_FOLDERS = {"build", "__pycache__", "node_modules"}
_AREA_ROW = re.compile(r"^\|\s*\[v1/([^\]]+)\].*?\|\s*`([A-Z]+)`", re.MULTILINE)
_BOLD_START = re.compile(r"\*\*([^*]+)\*\*\s*")
_LOOKS_LIKE_ID = re.compile(r"[A-Za-z]+(-[A-Za-z0-9]+)+")
_SENTENCE_END = re.compile(r"(?<=[.:?!])\s+(?=[A-Z`\[*])")
_CODE = re.compile(r"`[^`]*`")
_ID = re.compile(r"\b[A-Z]+-[A-Z0-9]+-[0-9]+\b")
_RANGE = re.compile(r"\b([A-Z]+-[A-Z0-9]+)-([0-9]+)\s+to\s+([A-Z]+-[A-Z0-9]+)-([0-9]+)\b")
_CITED = re.compile(r"^\W*\bSpec:((?:.*\S.*\n?)*)", re.MULTILINE)  # up to an empty line


@frozen
class Place:
    """A line of a file."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@frozen
class Requirement:
    """A paragraph of the prose that starts with an id: the id and its normative first sentence."""

    id: str
    text: str
    place: Place


@frozen
class Sentence:
    """Any other sentence of the prose."""

    text: str
    place: Place


@frozen
class Entry:
    """One entry of the registry, with all its fields as they were written."""

    fields: dict[str, Any]
    place: Place

    @property
    def id(self) -> str:
        """The id; empty if there is none."""
        return str(self.fields.get("id", ""))


@frozen
class Citation:
    """A place that names a requirement; `is_test` if it shows the requirement rather than mentions it."""

    id: str
    place: Place
    is_test: bool
    name: str = ""


@frozen
class Specification:
    """Everything that the linter compares.

    Attributes:
        areas: Prose file name -> area, from the table of `spec/README.md`.
    """

    areas: dict[str, str]
    requirements: list[Requirement] = field(factory=list)
    sentences: list[Sentence] = field(factory=list)
    entries: list[Entry] = field(factory=list)
    citations: list[Citation] = field(factory=list)

    def tests_of(self, requirement_id: str) -> list[Citation]:
        """Returns the tests that show a requirement."""
        return [citation for citation in self.citations if citation.is_test and citation.id == requirement_id]


def load(root: Path) -> Specification:
    """Loads the specification that lies under a root folder.

    Raises:
        OSError: A file of the specification is missing.
        yaml.YAMLError: The registry or a sidecar is no YAML.
    """
    readme = (root / "spec" / "README.md").read_text()
    found = Specification(dict(_AREA_ROW.findall(readme)))
    for path in sorted((root / _PROSE).glob("*.md")):
        for item in _prose(path.read_text(), path.relative_to(root).as_posix()):
            if isinstance(item, Requirement):
                found.requirements.append(item)
            else:
                found.sentences.append(item)
    found.entries.extend(_entries((root / REGISTRY).read_text()))
    found.citations.extend(_citations(root))
    return found


def first_sentence(paragraph: str) -> str:
    """Returns the text up to the first period that is followed by a space; periods inside code do not count."""
    end = _CODE.sub(lambda code: "x" * len(code[0]), paragraph).find(". ")
    return paragraph if end < 0 else paragraph[: end + 1]


def _prose(text: str, path: str) -> Iterator[Requirement | Sentence]:
    for line, paragraph in _paragraphs(text):
        place = Place(path, line)
        bold, rest = _BOLD_START.match(paragraph), paragraph
        if bold and _LOOKS_LIKE_ID.fullmatch(bold[1]):
            body = paragraph[bold.end() :]
            normative = first_sentence(body)
            yield Requirement(bold[1], normative, place)
            rest = body[len(normative) :].strip()
        for sentence in _SENTENCE_END.split(rest):
            if sentence:
                yield Sentence(sentence, place)


def _paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """Yields each paragraph, table row and list item on one line, with its line number; code blocks are left out."""
    lines: list[str] = []
    start = 0
    fenced = False
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        fence = line.lstrip().startswith("```")
        alone = line.startswith(("|", "#"))
        if (not line.strip() or fence or alone or fenced) and lines:
            yield start, " ".join(lines)
            lines = []
        if fence:
            fenced = not fenced
        elif alone and not fenced:
            yield number, line
        elif line.strip() and not fenced:
            start = start if lines else number
            lines.append(line.strip())


def _entries(text: str) -> Iterator[Entry]:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    nodes = root.value if isinstance(root, yaml.SequenceNode) else []
    for node, fields in zip(nodes, yaml.safe_load(text) or [], strict=True):
        yield Entry(
            fields if isinstance(fields, dict) else {"id": str(fields)}, Place(REGISTRY, node.start_mark.line + 1)
        )


def _citations(root: Path) -> Iterator[Citation]:
    for folder in _CODE_FOLDERS:
        for path in _files(root / folder):
            relative = path.relative_to(root).as_posix()
            if path.suffix == ".py":
                tree = ast.parse(path.read_text())
                yield from _docstring_citations(tree, relative)
                if path.name.startswith("test_"):
                    yield from _marks(tree, relative)
            elif path.suffix == ".mojo":
                yield from _cited(path.read_text(), relative, 1)
    for path in sorted((root / "spec").glob("v*/vectors/**/*.yaml")):
        yield from _sidecar(path, path.relative_to(root).as_posix())


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):  # does not follow the links under src
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED_FOLDERS)
        yield from (Path(parent, name) for name in sorted(names))


def _cited(text: str, path: str, first_line: int) -> Iterator[Citation]:
    for found in _CITED.finditer(text):
        place = Place(path, first_line + text.count("\n", 0, found.start(1)))
        ids = dict.fromkeys(_ID.findall(found[1]))
        for topic, first, last_topic, last in _RANGE.findall(found[1]):
            inside = range(int(first), int(last) + 1) if topic == last_topic else ()
            ids.update(dict.fromkeys(f"{topic}-{number:0{len(first)}}" for number in inside))
        yield from (Citation(one, place, is_test=False) for one in ids)


def _docstring_citations(tree: ast.Module, path: str) -> Iterator[Citation]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node, clean=False)
            if text:
                yield from _cited(text, path, node.body[0].lineno)


def _marks(tree: ast.Module, path: str) -> Iterator[Citation]:
    """Finds `pytest.mark.req(...)` as a decorator, in `pytestmark`, and in `marks=` of parameters."""
    names = {id(mark): node for node in ast.walk(tree) for mark in getattr(node, "decorator_list", [])}
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.req"):
            continue
        test = getattr(names.get(id(node)), "name", "")
        for argument in node.args:
            named = isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            one = str(argument.value) if named and isinstance(argument, ast.Constant) else ast.unparse(argument)
            yield Citation(one, Place(path, argument.lineno), is_test=True, name=test)


def _sidecar(path: Path, relative: str) -> Iterator[Citation]:
    text = path.read_text()
    fields = yaml.safe_load(text)
    if isinstance(fields, dict):
        for one in map(str, fields.get("req") or ()):
            line = text[: max(text.find(one), 0)].count("\n") + 1
            yield Citation(one, Place(relative, line), is_test=True, name=str(fields.get("id", path.stem)))
