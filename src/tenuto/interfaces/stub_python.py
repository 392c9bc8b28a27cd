"""Writes the skeleton of a port in Python: three modules and an `__init__`, each item with its clause."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tenuto.interfaces.items import Call, Code, Constant, Field, Interfaces, Record
from tenuto.interfaces.stub_text import clauses, literal, told
from tenuto.interfaces.types import Type

__all__ = ["python_stub"]

_TYPES: Final = {
    "float64": "float",
    "path": "str",
    "tree": "Tree",
    "document": "Document",
    "error": "BaseException",
    "policy": "Policy",
    "none": "None",
}
_TREES: Final = '''@dataclass(frozen=True)
class Tensor:
    """A tensor as bytes, little-endian, in C order. Spec: CKPT-VAL-003, CKPT-VAL-005."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


Tree: TypeAlias = "bool | int | float | str | bytes | list[Tree] | dict[str, Tree] | Tensor | None"
"""Spec: CKPT-VAL-001."""
Document: TypeAlias = dict[str, Tree]
"""By the keys of HEAD_KEYS. Spec: CKPT-FILE-002."""
'''
_ERROR: Final = '''

class TenutoError(Exception):
    """A refusal or a failure; `fields` are those of FIELDS_OF. Spec: ERR-CODE-001, ERR-CODE-003."""

    def __init__(self, code: str, phase: str, message: str, fields: dict[str, object] | None = None) -> None:
        super().__init__(f"{message} [{code}]")
        self.code = code
        self.phase = phase
        self.fields = fields or {}
'''


def python_stub(interfaces: Interfaces) -> dict[str, str]:
    """Returns the text of every module by its name.

    The modules pass `mypy --strict`. What a port has to do raises NotImplementedError; hooks do nothing.
    """
    modules = {
        "__init__.py": ['"""A port of the specification tenuto 1.0. Start with `ckpt.py`: it needs nothing else."""'],
        "errors.py": [*_errors(interfaces)],
        "ckpt.py": [*_format(interfaces)],
        "callbacks.py": [*_callbacks(interfaces)],
    }
    return {name: "\n".join(lines).rstrip() + "\n" for name, lines in modules.items()}


def _head(docstring: str, imports: str) -> Iterator[str]:
    yield f'"""{docstring}"""\n\nfrom __future__ import annotations\n\n{imports}'


def _errors(interfaces: Interfaces) -> Iterator[str]:
    yield from _head("Error codes, with the phases in which each is reported.", "from typing import Final\n")
    codes = interfaces.codes().values()
    yield "PHASES_OF: Final = {"
    yield from (f"    {literal(code.name)}: {literal(code.phases)},  # {code.clause}: {code.text}" for code in codes)
    yield "}\n\n# What an error carries beside code, phase and message.\nFIELDS_OF: Final = {"
    yield from (_fields_of(code) for code in codes if code.fields)
    yield "}"
    yield _ERROR


def _fields_of(code: Code) -> str:
    fields = {one.name: str(one.type) for one in code.fields}
    return f"    {literal(code.name)}: {literal(fields)},  # {clauses(code)}"


def _format(interfaces: Interfaces) -> Iterator[str]:
    imports = "from dataclasses import dataclass\nfrom typing import Final, TypeAlias\n"
    yield from _head("The fixed numbers and names of the file format.", imports)
    for name, constants in interfaces.ckpt.constants.items():
        if name in {"layout", "limits"}:
            yield from (_constant(one) for one in constants)
        else:
            values = {one.name: one.value for one in constants}
            yield f"\n# Spec: {constants[0].clause}.\n{name.upper()}: Final = {{"
            yield from (f"    {literal(key)}: {literal(value)}," for key, value in values.items())
            yield "}"
        yield ""
    yield f"\n{_TREES}"


def _constant(one: Constant) -> str:
    return f"{one.name.upper()}: Final = {literal(one.value)}\n{told(one)}"


def _callbacks(interfaces: Interfaces) -> Iterator[str]:
    imports = (
        "from abc import ABC, abstractmethod\nfrom collections.abc import Callable\n"
        "from dataclasses import dataclass, field\nfrom typing import Final, Literal, TypeAlias\n\n"
        "from .ckpt import Document, Tree\n\n"
        "# A save policy says whether, a retention policy which names to keep. Spec: CPC-WHEN-011, CPC-KEEP-006.\n"
        "Policy: TypeAlias = Callable[..., bool] | Callable[[list[dict[str, Tree]]], list[str]]\n"
    )
    yield from _head("Callbacks, the checkpoint callback and the trainer.", imports)
    for interface in interfaces:
        for words, items in interface.words.items():
            yield f"{words.upper()}: Final = ("
            yield from (f"    {literal(item.name)},  # {item.text} ({item.clause})" for item in items)
            yield ")\n"
    for record in interfaces.records().values():
        yield from _base(interfaces, record) if record.name == "BaseCallback" else _record(record, interfaces)


def _record(record: Record, interfaces: Interfaces) -> Iterator[str]:
    """A value or a context is a frozen dataclass; what a class is made with are the fields of a dataclass."""
    contexts = interfaces.base_callback.contexts
    is_class = bool(record.settings or record.calls) and record not in contexts
    bases = record.base or ("ABC" if record in contexts else "")
    made_with = record.settings if is_class else record.fields
    yield f"\n@dataclass({'kw_only=True' if is_class else 'frozen=True, kw_only=True'})"
    yield f"class {record.name}{f'({bases})' if bases else ''}:\n    {told(record)}\n"
    for one in made_with:
        yield f"    {one.name}: {_type(one.type)}{_default(one)}\n    {told(one)}"
    for one in record.fields if is_class else ():
        yield from _offered(one)
    for call in record.calls:
        yield from _call(call, is_abstract=record in contexts)
    yield ""


def _base(interfaces: Interfaces, record: Record) -> Iterator[str]:
    """The base callback: hooks that do nothing, and no state."""
    answers = {"state_key": "type(self).__name__", "state_dict": "{}"}
    yield f"\nclass {record.name}:\n    {told(record)}\n"
    for one in record.fields:
        if one.is_required:
            yield from _offered(one, f"return {answers[one.name]}")
        else:
            yield from _offered(one)
    for call in record.calls:
        yield f"\n    def {call.name}{_signature(call)}:\n        {told(call)}"
        if call.name in answers:
            yield f"        return {answers[call.name]}"
    for hook in interfaces.base_callback.hooks:
        yield f"\n    def {hook.name}(self, context: {hook.context}) -> None:\n        {told(hook)}"
    yield ""


def _offered(one: Field, body: str = "raise NotImplementedError") -> Iterator[str]:
    if one.is_required:
        yield f"\n    @property\n    def {one.name}(self) -> {_type(one.type)}:\n        {told(one)}\n        {body}"
    else:
        yield f"\n    @property\n    def {one.name}(self) -> {_type(one.type)}:\n        {told(one)}"
        yield f"        return {literal(one.default)}"


def _call(call: Call, *, is_abstract: bool) -> Iterator[str]:
    mark = "\n    @abstractmethod" if is_abstract else ""
    yield f"{mark}\n    def {call.name}{_signature(call)}:\n        {told(call)}"
    if not is_abstract:
        yield "        raise NotImplementedError"


def _signature(call: Call) -> str:
    arguments = [f"{one.name}: {_type(one.type)}" + _argument_default(one) for one in call.arguments]
    return f"({', '.join(('self', *arguments))}) -> {_type(call.returns)}"


def _argument_default(one: Field) -> str:
    return "" if one.is_required else f" = {literal(one.default)}"


def _default(one: Field) -> str:
    if one.is_required:
        return ""
    default: Any = one.default
    return " = field(default_factory=list)" if default == [] else f" = {literal(default)}"


def _type(one: Type) -> str:
    inside = [_type(argument) for argument in one.arguments] if one.name != "enum" else []
    match one.name:
        case "optional":
            return f"{inside[0]} | None"
        case "list":
            return f"list[{inside[0]}]"
        case "map":
            return f"dict[{', '.join(inside)}]"
        case "oneof":
            return " | ".join(inside)
        case "enum":
            return f"Literal[{', '.join(map(literal, one.words))}]"
        case _:
            return _TYPES.get(one.name, one.name)
