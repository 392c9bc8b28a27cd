"""Who names a requirement: tests and vectors that show it, docstrings that follow it, documents that speak of it."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

from tenuto.conformance_tests.entries import safe_load
from tenuto.conformance_tests.prose import Place, ids_in

__all__ = ["TRACE_PAGE", "Citation", "citations", "references"]

TRACE_PAGE: Final = "docs/reference/traceability.md"  # generated, and compared as a whole
_CODE_FOLDERS = ("benchmarks", "callbacks", "conformance_tests", "examples", "ports", "reference", "src", "tests")
_DOCUMENT_FOLDERS = ("docs", "ports", "spec")
_DOCUMENTS = ("CONTRIBUTING.md", "README.md")
_SKIPPED_FOLDERS = {"build", "__pycache__", "node_modules"}
_CITED = re.compile(r"^\W*\bSpec:((?:.*\S.*\n?)*)", re.MULTILINE)  # up to an empty line


@frozen
class Citation:
    """A place that names a requirement; `is_test` if it shows the requirement rather than mentions it."""

    id: str
    place: Place
    is_test: bool
    name: str = ""


def citations(root: Path) -> Iterator[Citation]:
    """Yields what tests and vectors show, and what docstrings name behind `Spec:`."""
    for folder in _CODE_FOLDERS:
        for path in _files(root / folder):
            relative = path.relative_to(root).as_posix()
            if path.suffix == ".py":
                yield from _python(path.read_text(), relative, is_test=path.name.startswith("test_"))
            elif path.suffix == ".mojo":
                yield from _cited(path.read_text(), relative, 1)
    for path in sorted((root / "spec").glob("v*/vectors/**/*.yaml")):
        yield from _sidecar(path, path.relative_to(root).as_posix())


def references(root: Path) -> Iterator[Citation]:
    """Yields every id that a document or an interface file names."""
    found = [path for folder in _DOCUMENT_FOLDERS for path in _files(root / folder) if path.suffix == ".md"]
    found += [root / name for name in _DOCUMENTS if (root / name).is_file()]
    found += sorted((root / "spec").glob("v*/interfaces/*.yaml"))
    for path in found:
        relative = path.relative_to(root).as_posix()
        if relative != TRACE_PAGE:
            yield from _named(path.read_text(), relative)


def _named(text: str, path: str) -> Iterator[Citation]:
    for identity in ids_in(text):
        at = max(text.find(identity), 0)  # not there if it lies inside a range
        yield Citation(identity, Place(path, text.count("\n", 0, at) + 1), is_test=False)


def _files(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):  # does not follow the links under src
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED_FOLDERS)
        yield from (Path(parent, name) for name in sorted(names))


def _cited(text: str, path: str, first_line: int) -> Iterator[Citation]:
    for found in _CITED.finditer(text):
        place = Place(path, first_line + text.count("\n", 0, found.start(1)))
        yield from (Citation(one, place, is_test=False) for one in ids_in(found[1]))


def _python(text: str, path: str, *, is_test: bool) -> Iterator[Citation]:
    shows = is_test and "pytest.mark.req" in text
    if "Spec:" in text or shows:  # parsing is most of the time that the linter takes
        tree = ast.parse(text)
        yield from _docstring_citations(tree, path)
        yield from _marks(list(ast.walk(tree)), path) if shows else ()


def _docstring_citations(node: ast.AST, path: str) -> Iterator[Citation]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        text = ast.get_docstring(node, clean=False)
        if text:
            yield from _cited(text, path, node.body[0].lineno)
    for name in ("body", "orelse", "handlers", "finalbody"):  # statements alone: no expression has a docstring
        inside = getattr(node, name, [])
        for statement in inside if isinstance(inside, list) else ():
            yield from _docstring_citations(statement, path)


def _marks(nodes: list[ast.AST], path: str) -> Iterator[Citation]:
    """Finds `pytest.mark.req(...)` as a decorator, in `pytestmark`, and in `marks=` of parameters."""
    names: dict[int, str] = {}
    for node in nodes:
        for decorator in getattr(node, "decorator_list", []):
            names.update({id(inside): getattr(node, "name", "") for inside in ast.walk(decorator)})
    for node in nodes:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "req"):
            continue
        for one, line in _arguments(node):
            yield Citation(one, Place(path, line), is_test=True, name=names.get(id(node), ""))


def _arguments(call: ast.Call) -> Iterator[tuple[str, int]]:
    """Yields the texts of a call, also of `*("one", "another")`; what is no text comes as it is written."""
    for argument in call.args:
        inside = argument.value if isinstance(argument, ast.Starred) else argument
        for one in inside.elts if isinstance(inside, ast.Tuple | ast.List) else [argument]:
            named = isinstance(one, ast.Constant) and isinstance(one.value, str)
            yield str(one.value) if named and isinstance(one, ast.Constant) else ast.unparse(one), one.lineno


def _sidecar(path: Path, relative: str) -> Iterator[Citation]:
    text = path.read_text()
    fields = safe_load(text)
    if isinstance(fields, dict):
        for one in map(str, fields.get("req") or ()):
            line = text[: max(text.find(one), 0)].count("\n") + 1
            yield Citation(one, Place(relative, line), is_test=True, name=str(fields.get("id", path.stem)))
