"""The prose of the specification as data: requirements, other sentences, headings and examples, with their places."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Final

from attrs import frozen

__all__ = [
    "BLOCK_KINDS",
    "Example",
    "Heading",
    "Place",
    "Requirement",
    "Sentence",
    "first_sentence",
    "ids_in",
    "keywords_of",
    "parse",
    "without_code",
]

BLOCK_KINDS: Final = ("ckpt-hex", "document", "trace", "python")
_BOLD_START = re.compile(r"\*\*([^*]+)\*\*\s*")
_LOOKS_LIKE_ID = re.compile(r"[A-Za-z]+(-[A-Za-z0-9]+)+")
_SENTENCE_END = re.compile(r"(?<=[.:?!])\s+(?=[A-Z`\[*])")
_CODE = re.compile(r"`[^`]*`")
_KEYWORD = re.compile(r"\b(MUST NOT|SHOULD NOT|MUST|SHOULD|MAY)\b")
_ID = re.compile(r"\b[A-Z]+-[A-Z]+-[0-9]+\b")
_RANGE = re.compile(r"\b([A-Z]+-[A-Z]+)-([0-9]+)\s+to\s+([A-Z]+-[A-Z]+)-([0-9]+)\b")
_FENCE = re.compile(r"\s*(`{3,}|~{3,})\s*(.*?)\s*")
_TABLE_EXAMPLE = re.compile(r"<!--\s*example\b(.*?)-->\s*")


@frozen
class Place:
    """A line of a file."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@frozen
class Requirement:
    """A paragraph that starts with an id: the id, its normative first sentence, and what explains that."""

    id: str
    text: str
    explanation: str
    place: Place


@frozen
class Sentence:
    """Any other sentence, heading or row of a table."""

    text: str
    place: Place


@frozen
class Heading:
    """The title of a section."""

    title: str
    place: Place


@frozen
class Example:
    """A block of code or a table that the tests run.

    Attributes:
        form: `block` or `table`.
        kind: What the tests do with it.
        words: What stands behind the id, each a `key=value`.
        body: The lines of the block, or the rows of the table with its head.
    """

    form: str
    kind: str
    id: str
    words: tuple[str, ...]
    body: tuple[str, ...]
    place: Place


@frozen
class _Block:
    """Lines that belong together, of kind code (the info string first), table, heading, comment, paragraph or empty."""

    kind: str
    line: int
    lines: list[str]


def parse(text: str, path: str) -> Iterator[Requirement | Sentence | Heading | Example]:
    """Yields what a document holds."""
    blocks = [block for block in _blocks(text.splitlines()) if block.kind != "empty"]
    for block, following in zip(blocks, [*blocks[1:], _Block("empty", 0, [])], strict=True):
        place = Place(path, block.line)
        if block.kind == "code":
            yield from _block_example(block, place)
        elif block.kind == "comment":
            yield from _table_example(block, following, place)
        elif block.kind == "table":
            yield from (Sentence(row, Place(path, block.line + at)) for at, row in enumerate(block.lines))
        elif block.kind == "heading":
            yield Heading(block.lines[0].lstrip("#").strip(), place)
            yield Sentence(block.lines[0], place)
        elif block.kind == "paragraph":
            yield from _paragraph(" ".join(line.strip() for line in block.lines), place)


def first_sentence(paragraph: str) -> str:
    """Returns the text up to the first period that is followed by a space; periods inside code do not count."""
    end = _CODE.sub(lambda code: "x" * len(code[0]), paragraph).find(". ")
    return paragraph if end < 0 else paragraph[: end + 1]


def without_code(sentence: str) -> str:
    """Returns a sentence without what is set as code."""
    return _CODE.sub("", sentence)


def keywords_of(sentence: str) -> list[str]:
    """Returns the RFC 2119 words of a sentence; what is set as code does not count."""
    return _KEYWORD.findall(without_code(sentence))


def ids_in(text: str) -> list[str]:
    """Returns the ids that a text names, each once; `A-B-001 to A-B-003` names three."""
    ids = dict.fromkeys(_ID.findall(text))
    for topic, first, last_topic, last in _RANGE.findall(text):
        inside = range(int(first) + 1, int(last)) if topic == last_topic else ()
        ids.update(dict.fromkeys(f"{topic}-{number:0{len(first)}}" for number in inside))
    return list(ids)


def _blocks(lines: Iterable[str]) -> Iterator[_Block]:
    current = _Block("empty", 0, [])
    fence = ""
    for number, line in enumerate(lines, start=1):
        found = _FENCE.fullmatch(line)
        if fence:
            if found and found[1].startswith(fence) and not found[2]:
                fence = ""
            else:
                current.lines.append(line)
            continue
        kind = "code" if found else _kind(line)
        if kind == current.kind and kind in {"table", "paragraph"}:
            current.lines.append(line)
            continue
        yield current
        fence = found[1] if found else ""
        current = _Block(kind, number, [found[2] if found else line])
    yield current


def _kind(line: str) -> str:
    if not line.strip():
        return "empty"
    beginnings = {"|": "table", "#": "heading", "<!--": "comment"}
    return next((kind for beginning, kind in beginnings.items() if line.startswith(beginning)), "paragraph")


def _paragraph(text: str, place: Place) -> Iterator[Requirement | Sentence]:
    bold, rest = _BOLD_START.match(text), text
    if bold and _LOOKS_LIKE_ID.fullmatch(bold[1]):
        body = text[bold.end() :]
        normative = first_sentence(body)
        rest = body[len(normative) :].strip()
        yield Requirement(bold[1], normative, rest, place)
    for sentence in _SENTENCE_END.split(rest):
        if sentence:
            yield Sentence(sentence, place)


def _block_example(block: _Block, place: Place) -> Iterator[Example]:
    info, *body = block.lines
    kind, identity, words = _words(info)
    if kind in BLOCK_KINDS or identity:  # a block with nothing but a language behind its fence is no example
        yield Example("block", kind, identity, words, tuple(body), place)


def _table_example(comment: _Block, following: _Block, place: Place) -> Iterator[Example]:
    found = _TABLE_EXAMPLE.fullmatch(comment.lines[0])
    if found:
        _, identity, words = _words(f"table {found[1]}")
        body = following.lines if following.kind == "table" else []
        kind = next((word.removeprefix("kind=") for word in words if word.startswith("kind=")), "")
        yield Example("table", kind, identity, words, tuple(body), place)


def _words(info: str) -> tuple[str, str, tuple[str, ...]]:
    """Splits `kind id key=value ...`; a value with spaces stands in quotes."""
    try:
        words = shlex.split(info)
    except ValueError:  # a quote without its end: the rule about examples shows it
        words = info.split()
    kind, identity, *rest = [*words, "", ""][: max(len(words), 2)]
    return kind, identity, tuple(rest)
