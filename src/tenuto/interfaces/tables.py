"""Writes the reference pages under `docs/reference/`, and the table of error codes in the prose."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from tenuto.interfaces.items import Call, Code, Constant, Field, Interface, Interfaces, Item, Record
from tenuto.interfaces.prose import Prose

__all__ = ["table_files", "with_error_table"]

_FOLDER: Final = "docs/reference"
_PAGES: Final = {
    "callbacks": ("base_callback", "Callbacks"),
    "checkpoint-callback": ("checkpoint_callback", "The checkpoint callback"),
    "trainer": ("trainer", "The trainer"),
    "ckpt-format": ("ckpt", "The file format"),
}
_ERRORS_START, _ERRORS_END = "<!-- generated: errors -->", "<!-- end -->"
_Row: TypeAlias = tuple[Item, list[str]]  # what it is about, and its cells but the clause


def table_files(interfaces: Interfaces, prose: Prose) -> dict[str, str]:
    """Returns the text of every page by its path."""
    by_name = {interface.name: interface for interface in interfaces}
    pages = {
        f"{_FOLDER}/{page}.md": _Page(_FOLDER, prose).interface(by_name[name], title)
        for page, (name, title) in _PAGES.items()
    }
    return {**pages, f"{_FOLDER}/errors.md": _Page(_FOLDER, prose).errors(interfaces)}


def with_error_table(text: str, interfaces: Interfaces, prose: Prose) -> str:
    """Returns a document with the table of error codes between its two markers."""
    before, start, rest = text.partition(_ERRORS_START)
    _, end, after = rest.partition(_ERRORS_END)
    table = _Page("spec/v1", prose).error_table(interfaces.codes().values())
    return f"{before}{start}\n{table}\n{end}{after}" if end else text


class _Page:
    """Renders items as Markdown.

    Args:
        folder: Where the page is to lie; links are relative to it.
        prose: Knows where each clause stands.
    """

    def __init__(self, folder: str, prose: Prose) -> None:
        self._folder = folder
        self._clauses = prose.clauses

    def interface(self, interface: Interface, title: str) -> str:
        """Returns the page of one interface file."""
        link = f"[`{interface.name}.yaml`](../../{interface.path})"
        blocks = [
            f"<!-- generated from {interface.path} by `make spec`; do not edit -->",
            f"# {title}",
            f"Version {interface.version} of {link}. A row links the document of the requirement that it rests on.",
        ]
        if interface.hooks:
            hooks: list[_Row] = [
                (hook, [f"`{hook.name}`", _told(hook), f"`{hook.context}`"]) for hook in interface.hooks
            ]
            blocks += ["## Hooks", self._table(("hook", "moment", "context"), hooks)]
        for record in (*interface.contexts, *interface.classes, *interface.records):
            blocks += self._record(record)
        for name, words in interface.words.items():
            told: list[_Row] = [(word, [f"`{word.name}`", _told(word)]) for word in words]
            blocks += [f"## Words of `{name}`", self._table(("word", "meaning"), told)]
        for name, constants in interface.constants.items():
            blocks += [f"## {name.replace('_', ' ').capitalize()}", self._constants(constants)]
        blocks += ["## Errors", self.error_table(interface.errors)]
        return "\n\n".join(blocks) + "\n"

    def errors(self, interfaces: Interfaces) -> str:
        """Returns the page of all error codes."""
        blocks = (
            "<!-- generated from spec/v1/interfaces/*.yaml by `make spec`; do not edit -->",
            "# Errors",
            "The rules stand in [`80-error-codes.md`](../../spec/v1/80-error-codes.md).",
            self.error_table(interfaces.codes().values()),
        )
        return "\n\n".join(blocks) + "\n"

    def error_table(self, codes: Iterable[Code]) -> str:
        """Returns the table of error codes."""
        rows: list[_Row] = []
        for code in codes:
            phases = ", ".join(f"`{phase}`" for phase in code.phases)
            fields = ", ".join(f"`{one.name}` {one.type}" for one in code.fields)
            rows.append((code, [f"`{code.name}`", phases, fields, _told(code)]))
        return self._table(("code", "phase", "fields", "meaning"), rows)

    def _record(self, record: Record) -> Iterator[str]:
        base = f" It has all of `{record.base}` too." if record.base else ""
        told = _told(record)
        yield f"## {record.name}"
        yield f"{told[:1].upper()}{told[1:]} ({self._link(record.clause)}).{base}"
        if record.settings:
            yield self._table(("setting", "type", "default", "range", "meaning"), self._fields(record.settings, True))
        if record.fields:
            ranged = any(one.range_text or not one.is_required for one in record.fields)
            columns = ("field", "type", "default", "range", "meaning") if ranged else ("field", "type", "meaning")
            yield self._table(columns, self._fields(record.fields, ranged))
        for call in record.calls:
            yield from self._call(call)

    def _call(self, call: Call) -> Iterator[str]:
        names = ", ".join(one.name for one in call.arguments)
        yield f"`{call.name}({names})`: {_told(call)} ({self._link(call.clause)}). Returns `{call.returns}`."
        if call.arguments:
            columns = ("argument", "type", "default", "range", "meaning")
            yield self._table(columns, self._fields(call.arguments, True))

    def _fields(self, fields: Sequence[Field], is_ranged: bool) -> list[_Row]:
        rows: list[_Row] = []
        for one in fields:
            extent = [_default(one), one.range_text] * is_ranged
            rows.append((one, [f"`{one.name}`", f"`{one.type}`", *extent, _told(one)]))
        return rows

    def _constants(self, constants: Sequence[Constant]) -> str:
        has_code = any(constant.code for constant in constants)
        has_text = any(constant.text for constant in constants)
        columns = ["name", "value"] + ["code"] * has_code + ["meaning"] * has_text
        rows: list[_Row] = []
        for one in constants:
            further = [f"`{one.code}`" if one.code else ""] * has_code + [_told(one)] * has_text
            rows.append((one, [f"`{one.name}`", f"{one.value}", *further]))
        return self._table(columns, rows)

    def _table(self, columns: Sequence[str], rows: Sequence[_Row]) -> str:
        lines = [f"| {' | '.join((*columns, 'clause'))} |", "| --- " * (len(columns) + 1) + "|"]
        lines += [f"| {' | '.join((*cells, self._link(item.clause)))} |" for item, cells in rows]
        return "\n".join(lines)

    def _link(self, clause: str) -> str:
        path = os.path.relpath(self._clauses[clause], self._folder)
        return f"[{clause}]({path})"


def _told(item: Item) -> str:
    return item.text + (f" (the reference lacks it: {item.pending})" if item.pending else "")


def _default(one: Field) -> str:
    if one.is_required:
        return ""
    plain: Any = one.default
    if plain is None:
        return "nil"
    return f"`{str(plain).lower() if isinstance(plain, bool) else plain}`"
