"""Compares the maps that the reference writes into files with the interface files: metadata, origin, architecture.

Such a map is built as a dict: one that is assigned to a variable, spread into another one, given as the value of a key,
or returned by a function or in a module, of the name of the record in lower case.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tenuto.interfaces.check_classes import MAPS, presence
from tenuto.interfaces.findings import Finding
from tenuto.interfaces.items import Interfaces, Place
from tenuto.interfaces.source import Module, Sources

__all__ = ["check_keys"]


def check_keys(interfaces: Interfaces, sources: Sources) -> Iterator[Finding]:
    """Yields the keys that a map of the reference lacks, or has beside those of its interface."""
    written: dict[str, dict[str, Place]] = {name.lower(): {} for name in MAPS}
    for module in sources.modules("reference", "callbacks"):
        for owner, node in _dicts(module):
            for key in node.keys if owner in written else ():
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    written[owner].setdefault(key.value, Place(module.path, key.lineno))
    records = interfaces.records()
    for name in MAPS:
        record, keys = records[name], written[name.lower()]
        for one in record.fields:
            where = next(iter(keys.values()), record.place)
            yield from presence(one, keys.get(one.name), where, "interface-key")
        for further in keys.keys() - {one.name for one in record.fields}:
            message = f"{further}: not in {name} of {record.place.path}; expected one of its keys"
            yield Finding(keys[further].path, keys[further].line, "interface-key", record.clause, message)


def _dicts(module: Module) -> Iterator[tuple[str, ast.Dict]]:
    """Yields every dict literal with a name that it goes by."""
    for node in ast.walk(module.tree):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ):
                yield from ((_plain(name), one) for one in _outermost(value))
            case ast.FunctionDef(name=name):
                returned = (one.value for one in ast.walk(node) if isinstance(one, ast.Return))
                yield from ((_plain(name), one) for value in returned for one in _outermost(value))
            case ast.Return(value=value):
                yield from ((module.path.rpartition("/")[2].removesuffix(".py"), one) for one in _outermost(value))
            case ast.Dict():
                yield from _inside(node)
            case _:
                pass


def _inside(node: ast.Dict) -> Iterator[tuple[str, ast.Dict]]:
    """Yields a dict under the names that it spreads, and the dicts that are values of its keys."""
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None and isinstance(value, ast.Name):
            yield _plain(value.id), node
        elif isinstance(key, ast.Constant) and isinstance(value, ast.Dict):
            yield str(key.value), value


def _outermost(value: ast.expr | None) -> Iterator[ast.Dict]:
    match value:
        case ast.Dict():
            yield value
        case ast.IfExp():
            yield from _outermost(value.body)
            yield from _outermost(value.orelse)
        case _:
            pass


def _plain(name: str) -> str:
    return name.strip("_").lower()
