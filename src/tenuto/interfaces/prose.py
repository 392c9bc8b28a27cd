"""What the documents of the specification say in a form that can be compared: where a clause stands, and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import field, frozen

from tenuto.interfaces.items import Place

__all__ = ["FOLDER", "Prose", "Row", "load_prose"]

FOLDER: Final = "spec/v1"
_CLAUSE = re.compile(r"^\*\*([A-Z]+-[A-Z0-9]+-[0-9]{3})\*\*", re.MULTILINE)


@frozen
class Row:
    """A row of a table: column -> cell, with the marks of code taken off a cell that is one word of code."""

    cells: dict[str, str]
    place: Place


@frozen
class Prose:
    """All documents.

    Attributes:
        documents: Path -> text.
        clauses: Id -> path of the document that it stands in.
    """

    documents: dict[str, str]
    clauses: dict[str, str] = field(factory=dict)

    def rows(self, path: str, *columns: str) -> list[Row]:
        """Returns the rows of all tables of a document that start with these columns."""
        return [row for row in _rows(self.documents[path], path) if tuple(row.cells)[: len(columns)] == columns]


def load_prose(root: Path) -> Prose:
    """Reads the documents of a checkout."""
    documents = {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted((root / FOLDER).glob("*.md"))
    }
    clauses = {clause: path for path, text in documents.items() for clause in _CLAUSE.findall(text)}
    return Prose(documents, clauses)


def _rows(text: str, path: str) -> Iterator[Row]:
    head: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.startswith("|"):
            head = []
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not head:
            head = cells
        elif not set("".join(cells)) <= set("-: "):
            yield Row(dict(zip(head, map(_bare, cells), strict=False)), Place(path, number))


def _bare(cell: str) -> str:
    return cell[1:-1] if re.fullmatch(r"`[^`]*`", cell) else cell
