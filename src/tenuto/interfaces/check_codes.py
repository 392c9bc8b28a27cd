"""Finds every error code that the product raises or logs, and compares codes and phases with the interface files.

An error is made by a class of `reference/errors.py`, or by a function that hands its first argument, the code, on to
one. The code has to be written where the error is made, or in a table that is looked up there. What is only told, not
raised, has its code in brackets at the end of its line of the log.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from attrs import frozen

from tenuto.interfaces.check_classes import presence
from tenuto.interfaces.findings import Finding
from tenuto.interfaces.items import Code, Interfaces, Place
from tenuto.interfaces.source import Class, Module, Sources

__all__ = ["check_codes"]

_ERRORS: Final = "reference/errors.py"
_FOLDERS: Final = ("reference", "callbacks", "src")
_PHASES: Final = {"ConfigError": "config", "RestoreError": "restore"}
_SUPER: Final = "super().__init__"
_LOG: Final = "_log"
_TOLD = re.compile(r"\[([a-z_]+)\]$")  # a code at the end of a line of the log


@frozen
class _Maker:
    """Something that makes an error from a code.

    Attributes:
        phase: The one that its errors have; None if the call says it.
        is_default: Whether a call that says no phase gets the first one of its code.
    """

    phase: str | None = None
    is_default: bool = False


@frozen
class _Call:
    """A call with an argument, and the function that it stands in, if any."""

    name: str
    node: ast.Call
    function: ast.FunctionDef | None

    @property
    def is_handed_on(self) -> bool:
        """Whether the first argument is that of the function."""
        given, function = self.node.args[0], self.function
        first = function.args.args[0].arg if function and function.args.args else ""
        return isinstance(given, ast.Name) and given.id == first

    def phase(self, maker: _Maker) -> str:
        """Returns the phase that the call says or its maker has; empty if it is that of the code."""
        given = next((word.value for word in self.node.keywords if word.arg == "phase"), None)
        return str(given.value) if isinstance(given, ast.Constant) else maker.phase or ""


@frozen
class _Raised:
    """An error code where it stands, with its phase (empty for the first one of the code) and what makes the error."""

    code: str
    phase: str
    maker: str
    place: Place


def check_codes(interfaces: Interfaces, sources: Sources) -> Iterator[Finding]:
    """Yields codes that no interface has, phases that do not fit, and codes that nothing raises."""
    codes = interfaces.codes()
    raised: dict[str, list[_Raised]] = {}
    classes = {found.node.name: found for found in _classes(sources)}
    calls = {module.path: [*_calls(module.tree, None)] for module in sources.modules(*_FOLDERS)}
    makers = _makers(calls, sources)
    for path, made in calls.items():
        for one in _raised(sources.module(path), made, makers[path]):
            raised.setdefault(one.code, []).append(one)
            yield from _judge(one, codes, classes)
    for name, code in codes.items():
        found = raised.get(name)
        yield from presence(code, found[0].place if found else None, code.place, "interface-code")


def _judge(one: _Raised, codes: Mapping[str, Code], classes: Mapping[str, Class]) -> Iterator[Finding]:
    where, code = one.place, codes.get(one.code)
    if code is None:
        message = f"error code {one.code or 'not written here'}; expected one of 80-error-codes.md, as a literal"
        yield Finding(where.path, where.line, "interface-code", "ERR-CODE-001", message)
        return
    if one.phase and one.phase not in code.phases:
        message = f"{one.code}: phase {one.phase}; expected {' or '.join(code.phases)}"
        yield Finding(where.path, where.line, "interface-code", code.clause, message)
    if one.maker in {_SUPER, _LOG}:
        return
    for field in code.fields:
        holders = [name for name, found in classes.items() if field.name in _attributes(found)]
        if one.maker not in holders:
            message = f"{one.code}: made by {one.maker}; expected {' or '.join(holders) or 'a class'} with {field.name}"
            yield Finding(where.path, where.line, "interface-code", "ERR-CODE-003", message)


def _calls(node: ast.AST, function: ast.FunctionDef | None) -> Iterator[_Call]:
    """Yields every call by a name, each with the innermost function around it."""
    for one in ast.iter_child_nodes(node):
        if isinstance(one, ast.Call) and one.args:
            if isinstance(one.func, ast.Name):
                yield _Call(one.func.id, one, function)
            elif isinstance(one.func, ast.Attribute):
                name = ast.unparse(one.func)
                yield _Call(_LOG if name.startswith(f"{_LOG}.") else name, one, function)
        yield from _calls(one, one if isinstance(one, ast.FunctionDef) else function)


def _classes(sources: Sources) -> list[Class]:
    return [Class(sources.module(_ERRORS), node) for node in sources.module(_ERRORS).classes()]


def _attributes(found: Class) -> set[str]:
    return {node.attr for node in ast.walk(found.node) if isinstance(node, ast.Attribute)}


def _makers(calls: Mapping[str, list[_Call]], sources: Sources) -> dict[str, dict[str, _Maker]]:
    """Returns, for each module, what makes an error there: names defined in it and names imported into it."""
    base = {found.node.name: _Maker(_PHASES.get(found.node.name)) for found in _classes(sources)}
    base.pop("TrainingInterrupted", None)  # takes no code: it has one
    makers: dict[str, dict[str, _Maker]] = {path: dict(base) for path in calls}
    grown = -1
    while grown != (grown := sum(map(len, makers.values()))):  # a function may hand on to one that is found later
        for path in calls:
            makers[path].update(_defined(calls[path], makers[path]))
            makers[path].update(_imported(sources.module(path), makers))
    return makers


def _defined(calls: Iterable[_Call], known: Mapping[str, _Maker]) -> dict[str, _Maker]:
    """Returns the functions that hand their first argument on."""
    found: dict[str, _Maker] = {}
    for call in calls:
        if call.name in known and call.is_handed_on and call.function:
            maker, own = known[call.name], call.phase(known[call.name])
            is_default = any(word.arg == "phase" for word in call.node.keywords) and not own
            found[call.function.name] = _Maker(own or None, is_default or (not own and maker.is_default))
    return found


def _imported(module: Module, makers: Mapping[str, Mapping[str, _Maker]]) -> dict[str, _Maker]:
    found: dict[str, _Maker] = {}
    for node in module.tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tenuto."):
            path = str(node.module).removeprefix("tenuto.").replace(".", "/") + ".py"
            known = makers.get(path, makers.get(f"src/tenuto/{path}", {}))
            found |= {alias.asname or alias.name: known[alias.name] for alias in node.names if alias.name in known}
    return found


def _raised(module: Module, calls: Iterable[_Call], makers: Mapping[str, _Maker]) -> Iterator[_Raised]:
    for call in calls:
        place = Place(module.path, call.node.lineno)
        given = call.node.args[0]
        if call.name in makers and not call.is_handed_on:
            is_raised_again = isinstance(given, ast.Attribute) and given.attr == "code"
            for text in () if is_raised_again else [*_texts(given, call.function, module)] or [""]:
                yield _Raised(text, call.phase(makers[call.name]), call.name, place)
        elif call.name == _SUPER and module.path == _ERRORS and isinstance(given, ast.Constant):
            yield _Raised(str(given.value), call.phase(_Maker()), call.name, place)
        elif call.name == _LOG and isinstance(given, ast.Constant) and (told := _TOLD.search(str(given.value))):
            yield _Raised(told[1], "", call.name, place)


def _texts(given: ast.AST, function: ast.FunctionDef | None, module: Module) -> Iterator[str]:
    """Yields the texts that an expression may be: a literal, a choice, a variable, a table that is looked up."""
    match given:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp():
            yield from _texts(given.body, function, module)
            yield from _texts(given.orelse, function, module)
        case ast.Dict():
            for value in given.values:
                yield from _texts(value, function, module)
        case ast.Name(id=name):
            for value in _assigned(name, function, module):
                yield from _texts(value, function, module)
        case ast.Call(func=ast.Attribute(value=table, attr="get"), args=[_, *otherwise]):
            yield from _texts(table, function, module)
            for one in otherwise:
                yield from _texts(one, function, module)
        case ast.Subscript(value=table):
            yield from _texts(table, function, module)
        case _:
            pass


def _assigned(name: str, function: ast.FunctionDef | None, module: Module) -> Iterator[ast.expr]:
    for node in (*(ast.walk(function) if function else ()), *module.tree.body):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            yield node.value
