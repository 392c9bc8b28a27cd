"""Compares the tables of the prose with the interface files: names in order, types, defaults, ranges, limits, codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from tenuto.interfaces.findings import Finding
from tenuto.interfaces.items import Constant, Field, Interfaces, Item, Place, Record
from tenuto.interfaces.prose import Prose, Row
from tenuto.interfaces.types import Type

__all__ = ["check_text"]

_CALLBACKS, _CHECKPOINT = "spec/v1/10-callbacks.md", "spec/v1/20-checkpoint-callback.md"
_TRAINER, _FORMAT = "spec/v1/30-trainer.md", "spec/v1/40-ckpt-format.md"
_Item = TypeVar("_Item", bound=Item)
_SETTING = ("setting", "type", "default", "range", "meaning")


def check_text(interfaces: Interfaces, prose: Prose) -> Iterator[Finding]:
    """Yields what an interface file says otherwise than the prose, which decides."""
    yield from _clauses(interfaces, prose)
    records = interfaces.records()
    hooks = prose.rows(_CALLBACKS, "hook", "moment")
    yield from _names(hooks, "hook", interfaces.base_callback.hooks, "CB-HOOK-001")
    for row, hook in _pairs(hooks, "hook", interfaces.base_callback.hooks):
        yield from _differ(row, hook, "moment", row.cells["moment"], hook.text)
        own = "`, `".join(one.name for one in records[hook.context].fields) if records[hook.context].base else ""
        yield from _differ(row, hook, "fields", row.cells[tuple(row.cells)[2]].strip("`"), own)
    for path, name in ((_CALLBACKS, "EarlyStopping"), (_CHECKPOINT, "CheckpointCallback"), (_TRAINER, "Trainer")):
        yield from _settings(prose.rows(path, *_SETTING), records[name])
    yield from _format(interfaces, prose)


def _clauses(interfaces: Interfaces, prose: Prose) -> Iterator[Finding]:
    for interface in interfaces:
        for item in interface.items():
            if item.clause not in prose.clauses:
                yield _finding(item.place, "interface-form", item.clause, f"{item.name}: no such clause in the prose")
        for code in interface.errors:
            document = prose.clauses.get(code.clause, "")
            if f"`{code.name}`" not in prose.documents.get(document, f"`{code.name}`"):
                yield _finding(code.place, "interface-text", code.clause, f"{code.name}: {document} does not name it")


def _settings(rows: Sequence[Row], record: Record) -> Iterator[Finding]:
    """A row may name an argument of a call: `resume` (of `fit`)."""
    calls = {call.name: call for call in record.calls}
    own: list[Row] = []
    for row in rows:
        name, _, call = row.cells["setting"].partition(" (of ")
        if not call:
            own.append(row)
            continue
        arguments = {one.name: one for one in calls[call.strip("`)")].arguments}
        argument = arguments.get(name.strip("`"))
        if argument is None:
            yield _finding(row.place, "interface-text", record.clause, f"{name}: not in {record.place.path}")
        else:
            yield from _setting(row, argument)
    named = {row.cells["setting"] for row in own}
    # `callbacks` of the trainer and the like stand in the text, not in its table.
    listed = [one for one in record.settings if one.name in named or record.name != "Trainer"]
    yield from _names(own, "setting", listed, record.clause)
    for row, setting in _pairs(own, "setting", listed):
        yield from _setting(row, setting)


def _setting(row: Row, setting: Field) -> Iterator[Finding]:
    yield from _differ(row, setting, "type", row.cells["type"].replace("`", ""), _type(setting.type))
    told = "" if setting.is_required else _plain(setting.default)
    yield from _differ(row, setting, "default", row.cells["default"].strip("`"), told)
    words = setting.type.inner.words
    range_text = ", ".join(words) or setting.range_text
    yield from _differ(row, setting, "range", row.cells["range"].replace("`", ""), range_text)
    yield from _differ(row, setting, "meaning", row.cells["meaning"], setting.text)


def _type(one: Type) -> str:
    if one.name == "oneof":
        *first, last = (word for argument in one.arguments for word in (argument.words or (_type(argument),)))
        return f"{', '.join(first)} or {last}"
    if one.is_optional:
        return f"{_type(one.inner)} or nil"
    return {"int": "integer"}.get(one.name, one.name)


def _plain(value: Any) -> str:  # noqa: ANN401 - plain data of any kind
    if value is None:
        return "nil"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _format(interfaces: Interfaces, prose: Prose) -> Iterator[Finding]:
    constants = interfaces.ckpt.constants
    keys = (*constants["head_keys"], *constants["tail_keys"])
    rows = prose.rows(_FORMAT, "#", "key", "value")
    yield from _names(rows, "key", keys, "CKPT-FILE-002")
    for row, key in _pairs(rows, "key", keys):
        yield from _differ(
            row, key, "kind", row.cells["value"].replace(":", " ").replace(",", " ").split()[0], key.value
        )
    limits = [limit for limit in constants["limits"] if limit.clause == "CKPT-LIM-001"]
    rows = prose.rows(_FORMAT, "limit", "value", "code")
    yield from _names(rows, "code", limits, "CKPT-LIM-001")
    for row, limit in _pairs(rows, "code", limits):
        yield from _differ(row, limit, "value", row.cells["value"], str(limit.value))
    yield from _dtypes(prose, constants["dtypes"])
    yield from _phases(interfaces, prose)


def _dtypes(prose: Prose, dtypes: Sequence[Constant]) -> Iterator[Finding]:
    """The table has three pairs of columns, read from the lines as they are: their heads are equal."""
    found: dict[str, tuple[str, Place]] = {}
    for number, line in enumerate(prose.documents[_FORMAT].splitlines(), start=1):
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        pairs = list(zip(cells[::2], cells[1::2], strict=False))
        if len(cells) == 6 and all(size.isdigit() or not size for _, size in pairs):
            found.update({name.strip("`"): (size, Place(_FORMAT, number)) for name, size in pairs if name})
    for dtype in dtypes:
        size, place = found.pop(dtype.name, ("none", dtype.place))
        if size != str(dtype.value):
            yield _finding(place, "interface-text", dtype.clause, f"{dtype.name}: {size} bytes; expected {dtype.value}")
    for name, (_, place) in found.items():
        yield _finding(place, "interface-text", "CKPT-VAL-004", f"{name}: not in {interfaces_path(dtypes)}")


def interfaces_path(items: Sequence[Item]) -> str:
    """Returns the path of the file that items stand in."""
    return items[0].place.path


def _phases(interfaces: Interfaces, prose: Prose) -> Iterator[Finding]:
    """Step by step, the table of CKPT-READ-001 names codes with their phase."""
    codes = interfaces.codes()
    for row in prose.rows(_FORMAT, "step", "phase", "check", "code"):
        for name in row.cells["code"].replace("`", "").split(", "):
            if name and name not in codes:
                yield _finding(row.place, "interface-text", "CKPT-READ-001", f"{name}: not in {interfaces.ckpt.path}")
            elif name:
                yield from _differ(row, codes[name], "phase", row.cells["phase"], codes[name].phases[0])


def _names(rows: Iterable[Row], column: str, items: Sequence[Item], clause: str) -> Iterator[Finding]:
    """Names of a table and of a section have to be the same, in the same order; the clause is that of the table."""
    told = {row.cells[column]: row for row in rows}
    known = {item.name: item for item in items}
    for name in told.keys() - known.keys():
        yield _finding(told[name].place, "interface-text", clause, f"{name}: not in {interfaces_path(items)}")
    for name in known.keys() - told.keys():
        item = known[name]
        yield _finding(item.place, "interface-text", item.clause, f"{name}: in no row of the table {column!r}")
    if told.keys() == known.keys():
        for (name, row), item in zip(told.items(), items, strict=True):
            yield from _differ(row, item, "place in the order", name, item.name)


def _pairs(rows: Iterable[Row], column: str, items: Iterable[_Item]) -> Iterator[tuple[Row, _Item]]:
    """Yields each row with the item of its name."""
    known = {item.name: item for item in items}
    yield from ((row, known[row.cells[column]]) for row in rows if row.cells[column] in known)


def _differ(row: Row, item: Item, what: str, told: str, known: str) -> Iterator[Finding]:
    if told != known:
        message = f"{item.name}: {what} {told!r} in the text; {known!r} at {item.place}"
        yield _finding(row.place, "interface-text", item.clause, message)


def _finding(place: Place, rule: str, clause: str, message: str) -> Finding:
    return Finding(place.path, place.line, rule, clause, message)
