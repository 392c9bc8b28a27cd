"""Writes the skeleton of a port in Mojo 1.2: a package of three modules, each item with its clause.

Mojo has no inheritance: a context repeats the fields of the one that it extends. It has no trait objects either, so
callbacks of several types go into a list as `AnyCallback`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from tenuto.interfaces.items import Call, Code, Constant, Field, Interfaces, Record
from tenuto.interfaces.stub_any import Method, any_callback
from tenuto.interfaces.stub_text import literal, told
from tenuto.interfaces.types import Type

__all__ = ["mojo_stub"]

_TYPES: Final = {
    "int": "Int",
    "float64": "Float64",
    "str": "String",
    "bool": "Bool",
    "bytes": "List[UInt8]",
    "path": "String",
    "tree": "Tree",
    "document": "Document",
    "error": "TenutoError",
    "policy": "String",
    "enum": "String",
    "BaseCallback": "AnyCallback",
}
_PLAIN: Final = {"Int", "Float64", "Bool"}  # copied like a number; the others are moved
_ERROR: Final = '''

struct TenutoError(Copyable, Writable):
    """A refusal or a failure. Spec: ERR-CODE-001."""

    var code: String
    var phase: String
    var message: String
    var fields: Dict[String, String]
    """See `fields_of`. Spec: ERR-CODE-003."""

    def __init__(out self, var code: String, var phase: String, var message: String):
        self.code = code^
        self.phase = phase^
        self.message = message^
        self.fields = {}

    @implicit
    def __init__(out self, e: Error):
        """Lets a function that raises this type call one that raises `Error`."""
        self = Self("x_internal", "train", String(e))

    def write_to(self, mut w: Some[Writer]):
        w.write(self.message, " [", self.code, "]")
'''
_TREES: Final = '''
struct Tree(Copyable):
    """Plain nested data and tensors. Spec: CKPT-VAL-001.

    It holds msgpack bytes; put a type of your own in its place.
    """

    var data: List[UInt8]

    def __init__(out self, var data: List[UInt8]):
        self.data = data^


comptime Document = Dict[String, Tree]
"""By the keys of a file. Spec: CKPT-FILE-002."""
'''
_NOT_WRITTEN: Final = 'raise TenutoError("x_not_written", "train", "{name}: not written; expected it of the port")'


def mojo_stub(interfaces: Interfaces) -> dict[str, str]:
    """Returns the text of every module by its name.

    The package compiles. What a port has to do raises `x_not_written`; hooks do nothing.
    """
    modules = {
        "__init__.mojo": [
            '"""A port of the specification tenuto 1.0. Start with `ckpt.mojo`: it needs nothing else."""'
        ],
        "errors.mojo": [*_errors(interfaces)],
        "ckpt.mojo": [*_format(interfaces)],
        "callbacks.mojo": [*_callbacks(interfaces)],
    }
    return {name: "\n".join(lines).rstrip() + "\n" for name, lines in modules.items()}


def _errors(interfaces: Interfaces) -> Iterator[str]:
    codes = interfaces.codes().values()
    yield '"""Error codes, with the phases in which each is reported."""\n\n'
    yield 'struct Code:\n    """Spec: ERR-CODE-001."""\n'
    for code in codes:
        yield f"    comptime {code.name.upper()}: StaticString = {literal(code.name)}\n    {told(code)}"
    phases = {code: code.phases for code in codes}
    yield from _names("phases_of", "The phases of a code, that of a reader first. Spec: ERR-CODE-001.", phases)
    fields = {code: tuple(one.name for one in code.fields) for code in codes if code.fields}
    yield from _names("fields_of", "What an error carries beside code, phase and message. Spec: ERR-CODE-003.", fields)
    yield _ERROR


def _names(name: str, docstring: str, values: Mapping[Code, tuple[str, ...]]) -> Iterator[str]:
    yield f'\n\ndef {name}(code: String) -> List[String]:\n    """{docstring}"""'
    for code, names in values.items():
        yield f"    if code == Code.{code.name.upper()}:\n        return [{', '.join(map(literal, names))}]"
    yield "    return []"


def _format(interfaces: Interfaces) -> Iterator[str]:
    yield '"""The fixed numbers and names of the file format."""\n'
    for name, constants in interfaces.ckpt.constants.items():
        if name in {"layout", "limits"}:
            for one in constants:
                yield f"comptime {one.name.upper()}{_constant_type(one)} = {literal(one.value)}\n{told(one)}"
        elif name == "dtypes":
            yield from _table("dtype_bytes", "Int", "Bytes per element of a dtype; 0 for another name.", "0", constants)
        else:
            yield from _table(
                f"{name}_value", "String", f"The value of one of {name}; empty for another.", '""', constants
            )
        yield ""
    yield _TREES


def _constant_type(one: Constant) -> str:
    return ": StaticString" if isinstance(one.value, str) else ": Int"


def _table(name: str, kind: str, told: str, otherwise: str, constants: tuple[Constant, ...]) -> Iterator[str]:
    yield f'\n\ndef {name}(name: String) -> {kind}:\n    """{told} Spec: {constants[0].clause}."""'
    for one in constants:
        yield f"    if name == {literal(one.name)}:\n        return {literal(one.value)}"
    yield f"    return {otherwise}\n"


def _callbacks(interfaces: Interfaces) -> Iterator[str]:
    yield '"""Callbacks, the checkpoint callback and the trainer."""'
    yield "from std.memory import OwnedPointer\nfrom std.utils import Variant\n"
    yield "from .ckpt import Document, Tree\nfrom .errors import TenutoError\n"
    for interface in interfaces:
        for words, items in interface.words.items():
            yield f'\nstruct {words.capitalize()}:\n    """Words of `{words}`, in order."""\n'
            for item in items:
                yield f"    comptime {item.name.upper()}: StaticString = {literal(item.name)}\n    {told(item)}"
            yield ""
    for record in interfaces.records().values():
        if record.name == "BaseCallback":
            yield from _trait(record, interfaces)
            yield from any_callback([*_methods(record, interfaces)])
        else:
            yield from _struct(record, interfaces)


def _struct(record: Record, interfaces: Interfaces) -> Iterator[str]:
    """A value or a context is copied; what a class is made with are its fields."""
    contexts = interfaces.base_callback.contexts
    is_class = bool(record.settings or record.calls) and record not in contexts
    above = interfaces.records()[record.base] if record.base and not is_class else None
    fields = record.settings if is_class else (*(above.fields if above else ()), *record.fields)
    calls = (*(above.calls if above else ()), *record.calls)
    kept = [call for call in calls if record in contexts and [one.type.name for one in call.arguments] == ["str"]]
    trait = (record.base or "Movable") if is_class else "Copyable"
    yield f"\nstruct {record.name}({trait}):\n    {told(record)}\n"
    yield from (f"    var {one.name}: {_type(one.type)}\n    {told(one)}" for one in fields)
    yield from (f"    var {_kept(call)}\n    {told(call)}" for call in kept)
    yield from _maker(fields, kept)
    if record.base == "BaseCallback":
        yield f"    def state_key(self) -> String:\n        return {literal(record.name)}\n"
    for one in record.fields if is_class else ():
        yield from _offered(one)
    for call in calls:
        body = f"self.{call.name}_calls.append({call.arguments[0].name}.copy())" if call in kept else ""
        yield from _method(call, body or _NOT_WRITTEN.format(name=call.name))


def _kept(call: Call) -> str:
    """A request is kept, for a context does not know the trainer: the trainer looks for it when the hook has ended."""
    return f"{call.name}_calls: List[{_type(call.arguments[0].type)}]"


def _maker(fields: tuple[Field, ...], kept: list[Call]) -> Iterator[str]:
    arguments = [f"{_owned(one)}{one.name}: {_type(one.type)}{_default(one)}" for one in fields]
    yield "\n    def __init__(\n        out self,\n        *,"
    yield from (f"        {argument}," for argument in arguments)
    yield "    ):"
    yield from (f"        self.{one.name} = {one.name}{'^' if _owned(one) else ''}" for one in fields)
    yield from (f"        self.{call.name}_calls = {{}}" for call in kept)
    yield ""


def _owned(one: Field) -> str:
    return "" if _type(one.type) in _PLAIN else "var "


def _default(one: Field) -> str:
    return "" if one.is_required else f" = {literal(one.default if one.default != [] else {})}"


def _offered(one: Field) -> Iterator[str]:
    effect, body = "", f"return {literal(one.default)}"
    if one.is_required:
        effect, body = " raises TenutoError", _NOT_WRITTEN.format(name=one.name)
    yield f"    def {one.name}(self){effect} -> {_type(one.type)}:\n        {told(one)}\n        {body}\n"


def _method(call: Call, body: str) -> Iterator[str]:
    arguments = [f"{one.name}: {_type(one.type)}{_default(one)}" for one in call.arguments]
    yield f"    def {call.name}({', '.join(('mut self', *arguments))}) raises TenutoError{_returns(call)}:"
    yield f"        {told(call)}\n        {body}\n"


def _returns(call: Call) -> str:
    return "" if call.returns.name == "none" else f" -> {_type(call.returns)}"


def _methods(record: Record, interfaces: Interfaces) -> Iterator[Method]:
    """Yields what every callback has: what it offers, then its hooks."""
    raises = " raises TenutoError"
    for one in record.fields:
        body = "..." if one.is_required else f"return {literal(one.default)}"
        yield Method(one.name, "self", (), "", f" -> {_type(one.type)}", told(one), body)
    for call in record.calls:
        arguments, returns = tuple(f"{one.name}: {_type(one.type)}" for one in call.arguments), _returns(call)
        body = "return {}" if returns else "pass"
        yield Method(call.name, "mut self", arguments, raises, returns, told(call), body)
    for hook in interfaces.base_callback.hooks:
        yield Method(hook.name, "mut self", (f"mut context: {hook.context}",), raises, "", told(hook), "pass")


def _trait(record: Record, interfaces: Interfaces) -> Iterator[str]:
    yield f"\ntrait {record.name}(Movable, Deinitable):\n    {told(record)}\n"
    for method in _methods(record, interfaces):
        yield f"    def {method.signature}:\n        {method.told}\n        {method.body}\n"


def _type(one: Type) -> str:
    inside = [_type(argument) for argument in one.arguments] if one.name != "enum" else []
    match one.name:
        case "optional":
            return f"Optional[{inside[0]}]"
        case "list":
            return f"List[{inside[0]}]"
        case "map":
            return f"Dict[{', '.join(inside)}]"
        case "oneof":
            distinct = [*dict.fromkeys(inside)]
            return distinct[0] if len(distinct) == 1 else f"Variant[{', '.join(distinct)}]"
        case _:
            return _TYPES.get(one.name, one.name)
