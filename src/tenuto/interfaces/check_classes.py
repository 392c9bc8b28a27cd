"""Compares the classes of the reference with the interface files: hooks, contexts, records, settings, calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Final

from tenuto.interfaces.findings import Finding
from tenuto.interfaces.items import Call, Field, Hook, Interfaces, Item, Place, Record
from tenuto.interfaces.source import MISSING, Argument, Class, Sources
from tenuto.interfaces.types import Type

__all__ = ["check_classes", "presence"]

_FOLDERS: Final = ("callbacks", "reference")
_BASE: Final = "BaseCallback"
# Maps in a file, which the reference builds as dicts: see `check_keys`.
MAPS: Final = ("Architecture", "Metadata", "Origin", "Producer", "Trigger")


def check_classes(interfaces: Interfaces, sources: Sources) -> Iterator[Finding]:
    """Yields what a class of the reference has otherwise than its interface."""
    for interface in interfaces:
        for record in (*interface.records, *interface.contexts, *interface.classes):
            if record.name in MAPS:
                continue
            found = sources.find(record.name, *_FOLDERS)
            yield from presence(record, _place(found[0]) if found else None, record.place, "interface-field")
            last = [one for one in found if _inherits(one)] or found
            for one in found if record.pending is None else ():
                if record in interface.classes:
                    yield from _class(record, one, sources, is_last=one in last)
                else:
                    yield from _fields(record, one, sources)
    bases = sources.find(_BASE, "callbacks")
    for base in bases:
        yield from _hooks(interfaces.base_callback.hooks, base, sources)


def presence(item: Item, found: Place | None, where: Place, rule: str) -> Iterator[Finding]:
    """Yields a finding if an item is missing where it is not pending, or there where it is."""
    if found is None and item.pending is None:
        yield Finding(where.path, where.line, rule, item.clause, f"{item.name}: missing; expected it")
    if found is not None and item.pending is not None:
        message = f"{item.name}: `pending: {item.pending}`; expected none, the reference has it at {found}"
        yield Finding(item.place.path, item.place.line, "interface-pending", item.clause, message)


def _place(found: Class, node: ast.stmt | Argument | None = None) -> Place:
    if isinstance(node, Argument):
        return node.place
    return Place(found.module.path, (node or found.node).lineno)


def _class(record: Record, found: Class, sources: Sources, *, is_last: bool) -> Iterator[Finding]:
    """A setting is pending until the last of the classes of one name has it, the one that users meet."""
    maker = found.methods.get("__init__")
    made_with = sources.arguments(found.module, maker) if maker else sources.fields(found)
    if record.settings:
        settings = tuple(one for one in record.settings if is_last or one.pending is None)
        yield from _arguments(settings, made_with, found, "interface-setting")
        if maker is None:  # a class of settings; the others are made with things of their framework too
            yield from _further({one.name for one in record.settings}, made_with, found, record, "interface-setting")
    for one in record.fields:
        yield from _offered(one, found, sources)
    for call in record.calls:
        if call.name not in found.methods and _inherits(found):
            continue
        owner, method = sources.method(found, call.name) or (found, None)
        yield from presence(call, _place(owner, method) if method else None, _place(found), "interface-call")
        if method is not None and call.pending is None:
            yield from _call(call, method, owner, sources)


def _inherits(found: Class) -> bool:
    """Whether a class extends one of the same name, which is checked too and has its calls."""
    return any(found.node.name in ast.unparse(base) for base in found.node.bases)


def _fields(record: Record, found: Class, sources: Sources) -> Iterator[Finding]:
    """A context has the fields of the interface and no other; a value may have further ones that have a default."""
    fields = sources.fields(found)
    for call in record.calls:
        offered = fields.pop(call.name, None)
        yield from presence(call, _place(found, offered) if offered else None, _place(found), "interface-call")
        if offered is not None:
            yield from _service(call, offered, found, sources)
    inherited = set(sources.fields(Class(found.module, found.node))) - {
        node.target.id
        for node in found.node.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    own = {name: one for name, one in fields.items() if not record.base or name not in inherited}
    yield from _arguments(record.fields, own, found, "interface-field")
    required = {name: one for name, one in own.items() if one.default is MISSING}
    yield from _further({one.name for one in record.fields}, required, found, record, "interface-field")


def _arguments(
    expected: tuple[Field, ...], found: Mapping[str, Argument], owner: Class, rule: str
) -> Iterator[Finding]:
    for one in expected:
        argument = found.get(one.name)
        yield from presence(one, _place(owner, argument) if argument else None, _place(owner), rule)
        if argument is None or one.pending is not None:
            continue
        where = _place(owner, argument)
        if not _fits(one.type, argument.annotation):
            message = f"{one.name}: type {argument.annotation or 'unknown'}; expected {one.type}"
            yield Finding(where.path, where.line, rule, one.clause, message)
        if not _same_default(one, argument):
            got = "none" if argument.default is MISSING else repr(argument.default)
            message = f"{one.name}: default {got}; expected {'none' if one.is_required else repr(one.default)}"
            yield Finding(where.path, where.line, rule, one.clause, message)


def _same_default(one: Field, argument: Argument) -> bool:
    if one.is_required or argument.default is MISSING:
        return one.is_required and argument.default is MISSING
    return type(one.default) is type(argument.default) and bool(one.default == argument.default)


def _further(
    known: set[str], found: Mapping[str, Argument], owner: Class, record: Record, rule: str
) -> Iterator[Finding]:
    for name, argument in found.items():
        if name not in known:
            where = _place(owner, argument)
            message = f"{name}: not in {record.name} of {record.place.path}; expected no other than its own"
            yield Finding(where.path, where.line, rule, record.clause, message)


def _offered(one: Field, found: Class, sources: Sources) -> Iterator[Finding]:
    """A field of a class is an annotated attribute or a property."""
    method, fields = found.methods.get(one.name), sources.fields(found, is_given=False)
    where = _place(found, method or fields.get(one.name))
    is_there = method is not None or one.name in fields
    yield from presence(one, where if is_there else None, where, "interface-field")
    if not is_there or one.pending is not None:
        return
    got = sources.type_of(found.module, method.returns) if method else fields[one.name].annotation
    if not _fits(one.type, got):
        message = f"{one.name}: type {got or 'unknown'}; expected {one.type}"
        yield Finding(where.path, where.line, "interface-field", one.clause, message)
    if method is None:
        yield from _arguments((one,), fields, found, "interface-field")


def _call(call: Call, method: ast.FunctionDef, found: Class, sources: Sources) -> Iterator[Finding]:
    arguments = sources.arguments(found.module, method)
    yield from _arguments(call.arguments, arguments, found, "interface-call")
    required = {name: one for name, one in arguments.items() if one.default is MISSING}
    known = {one.name for one in call.arguments}
    for name in required.keys() - known:
        message = f"{call.name}: argument {name}; expected a default, the interface does not have it"
        yield Finding(found.module.path, method.lineno, "interface-call", call.clause, message)
    got = sources.type_of(found.module, method.returns)
    if not _fits(call.returns, got):
        message = f"{call.name}: returns {got or 'unknown'}; expected {call.returns}"
        yield Finding(found.module.path, method.lineno, "interface-call", call.clause, message)


def _service(call: Call, offered: Argument, found: Class, sources: Sources) -> Iterator[Finding]:
    """A call of a context is a field: a `Callable[[...], ...]`, or a protocol with `__call__`."""
    node = next(
        one for one in ast.walk(found.node) if isinstance(one, ast.AnnAssign) and one.lineno == offered.place.line
    )
    match node.annotation:
        case ast.Subscript(value=ast.Name(id="Callable"), slice=ast.Tuple(elts=[ast.List(elts=given), returns])):
            types = [sources.type_of(found.module, one) for one in given]
            fits = len(types) == len(call.arguments) and all(
                _fits(one.type, got) for one, got in zip(call.arguments, types, strict=True)
            )
            if not fits or not _fits(call.returns, sources.type_of(found.module, returns)):
                names = ", ".join(str(one.type) for one in call.arguments)
                message = f"{call.name}: {ast.unparse(node.annotation)}; expected ({names}) -> {call.returns}"
                yield Finding(offered.place.path, offered.place.line, "interface-call", call.clause, message)
        case ast.Name(id=name):
            for protocol in sources.find(name, *_FOLDERS):
                yield from _call(call, protocol.methods["__call__"], protocol, sources)
        case _:
            message = f"{call.name}: {ast.unparse(node.annotation)}; expected something that is called"
            yield Finding(offered.place.path, offered.place.line, "interface-call", call.clause, message)


def _hooks(hooks: tuple[Hook, ...], base: Class, sources: Sources) -> Iterator[Finding]:
    methods = base.methods
    for hook in hooks:
        method = methods.get(hook.name)
        yield from presence(hook, _place(base, method) if method else None, _place(base), "interface-hook")
        if method is not None and hook.pending is None:
            yield from _hook(hook, method, base, sources)
    for name in methods.keys() - {hook.name for hook in hooks}:
        if name.startswith("on_"):
            message = f"{name}: no hook of {hooks[0].place.path}; expected one of its own"
            yield Finding(base.module.path, methods[name].lineno, "interface-hook", "CB-HOOK-001", message)


def _hook(hook: Hook, method: ast.FunctionDef, base: Class, sources: Sources) -> Iterator[Finding]:
    types = [str(one.annotation) for one in sources.arguments(base.module, method).values()]
    if types != [hook.context]:
        message = f"{hook.name}: arguments ({', '.join(types)}); expected one, a {hook.context}"
        yield Finding(base.module.path, method.lineno, "interface-hook", hook.clause, message)
    body = method.body[1:] if ast.get_docstring(method) else method.body
    if any(not isinstance(node, ast.Pass) for node in body):
        message = f"{hook.name}: does something; expected a default that does nothing"
        yield Finding(base.module.path, method.lineno, "interface-hook", "CB-HOOK-003", message)


def _fits(expected: Type, found: Type | None) -> bool:
    """Whether an annotation is one for a type: text stands for a path, and any policy for a policy."""
    if found is None or expected.name == "policy":
        return found is not None
    if expected.name == "path":
        return found.name in {"path", "str"}
    if found.name == "oneof" and {one.name for one in found.arguments} == {expected.name, "map"}:
        return True  # a record may be given as a map too
    if expected.name == "oneof" and found.name != "oneof":
        return any(_fits(one, found) for one in expected.arguments)
    if expected.name in {"oneof", "enum"}:
        return found.name == expected.name and set(found.arguments) == set(expected.arguments)
    same = (expected.name, len(expected.arguments)) == (found.name, len(found.arguments))
    return same and all(map(_fits, expected.arguments, found.arguments))
