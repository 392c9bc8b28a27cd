"""What there is to run: one item for each block and for each row of a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from tenuto.conformance_tests.prose import Example, parse

ROOT = Path(__file__).parents[2]


class BadExampleError(Exception):
    """An example that cannot be run as it is written."""


@frozen
class Item:
    """A block, or one row of a table.

    Attributes:
        example: Where it stands.
        cells: Of the row, without the marks of code; empty for a block.
        number: Of the row, from 1; 0 for a block.
        partner: The block `document` of a block `ckpt-hex`.
    """

    example: Example
    cells: tuple[str, ...] = ()
    number: int = 0
    partner: Example | None = None

    @property
    def id(self):
        """The id of the example, and the number of the row."""
        return f"{self.example.id}[{self.number}]" if self.number else self.example.id

    @property
    def options(self):
        """What stands behind the id, such as `mode=min`."""
        return dict(word.split("=", 1) for word in self.example.words)

    def with_cell(self, at, text):
        """Returns the item with another text in a cell."""
        return evolve(self, cells=(*self.cells[:at], text, *self.cells[at + 1 :]))

    def with_line(self, at, line):
        """Returns the item with another line in its block."""
        body = self.example.body
        return evolve(self, example=evolve(self.example, body=(*body[:at], line, *body[at + 1 :])))


@frozen
class Verdict:
    """What an example states and what was found; they have to be equal."""

    stated: Any
    found: Any

    @property
    def agrees(self):
        """Whether the example is right."""
        return self.stated == self.found


def examples() -> list[Example]:
    """Returns every example, in the order of the documents."""
    paths = sorted((ROOT / "spec/v1").glob("*.md"))
    parts = (part for path in paths for part in parse(path.read_text(), path.relative_to(ROOT).as_posix()))
    return [part for part in parts if isinstance(part, Example)]


def items() -> list[Item]:
    """Returns everything that is run; a document goes with its file."""
    found = examples()
    documents = {example.id: example for example in found if example.kind == "document"}
    return [
        item
        for example in found
        if example.kind != "document"
        for item in (_rows(example) if example.form == "table" else [Item(example, partner=documents.get(example.id))])
    ]


def _rows(example: Example) -> Iterator[Item]:
    for number, row in enumerate(example.body[2:], 1):  # below the head and its rule
        cells = [cell.strip().replace("`", "") for cell in row.strip().strip("|").split("|")]
        yield Item(example, tuple(cells), number)
