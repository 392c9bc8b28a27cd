"""Reads the four interface files and refuses what is malformed, with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

from tenuto.interfaces.items import (
    REQUIRED,
    Call,
    Code,
    Constant,
    Field,
    Hook,
    Interface,
    Interfaces,
    Item,
    Place,
    Record,
    Word,
)
from tenuto.interfaces.types import Range, Type, parse_range, parse_type

__all__ = ["FOLDER", "PHASES", "InterfaceError", "is_there", "load"]

FOLDER: Final = "spec/v1/interfaces"
PHASES: Final = ("open", "head", "framing", "segment", "encode", "io", "config", "restore", "train")
_NAMES: Final = ("base_callback", "checkpoint_callback", "trainer", "ckpt")
_CLAUSE = re.compile(r"[A-Z]+-[A-Z0-9]+-[0-9]{3}")
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # many times quicker, where PyYAML was built with it
_SHARED: Final = ("clause", "text", "pending")

_Made = TypeVar("_Made")


class InterfaceError(Exception):
    """An interface file that cannot be used.

    Attributes:
        place: Where it is malformed.
        message: What is wrong there.
    """

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message


def is_there(root: Path) -> bool:
    """Returns whether a specification has interface files."""
    return (root / FOLDER / f"{_NAMES[0]}.yaml").is_file()


def load(root: Path) -> Interfaces:
    """Reads the interface files of a checkout.

    Raises:
        InterfaceError: A file is malformed, or names a record that none of them has.
        FileNotFoundError: A file is missing.
    """
    found = Interfaces(*(_File(root, name).read() for name in _NAMES))
    _refuse_twice([record for one in found for record in (*one.records, *one.contexts, *one.classes)])
    _refuse_twice([code for one in found for code in one.errors])
    known = set(found.records())
    for interface in found:
        for item in interface.items():
            for missing in sorted(_names_of(item) - known):
                raise InterfaceError(item.place, f"{item.name}: {missing!r}; expected a type, or the name of a record")
    return found


def _refuse_twice(items: Sequence[Item]) -> None:
    seen: set[str] = set()
    for item in items:
        if item.name in seen:
            raise InterfaceError(item.place, f"{item.name}: given twice; expected once in all interface files")
        seen.add(item.name)


def _names_of(item: Item) -> set[str]:
    match item:
        case Field():
            return item.type.names()
        case Call():
            return item.returns.names()
        case Hook():
            return {item.context}
        case Record() if item.base:
            return {item.base}
        case _:
            return set()


class _File:
    """One interface file, while it is read."""

    def __init__(self, root: Path, name: str) -> None:
        self._path = f"{FOLDER}/{name}.yaml"
        self._name = name
        self._text = (root / self._path).read_text(encoding="utf-8")

    def read(self) -> Interface:
        try:
            top = yaml.compose(self._text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise InterfaceError(Place(self._path, line), f"no YAML: {error.problem}") from error
        lists: dict[str, Callable[..., Item]] = {
            **dict.fromkeys(("records", "contexts", "classes"), self._record),
            "hooks": self._hook,
            "errors": self._code,
        }
        groups: dict[str, Callable[..., Item]] = {"words": self._word, "constants": self._constant}
        parts: dict[str, Any] = {}
        for section, node in self._pairs(top):
            if section in lists:
                parts[section] = self._all(node, lists[section])
            elif section in groups:
                parts[section] = {name: self._all(inner, groups[section]) for name, inner in self._pairs(node)}
            elif section in {"interface", "version"}:
                parts[section] = _plain(node)
            else:
                raise self._error(node, f"{section}: no such section; expected {', '.join((*lists, *groups))}")
        if parts.pop("interface", None) != self._name or not isinstance(parts.get("version"), str):
            raise InterfaceError(Place(self._path, 1), f"expected interface: {self._name} and a version in quotes")
        return Interface(name=self._name, path=self._path, **parts)

    def _error(self, node: yaml.Node, message: str) -> InterfaceError:
        return InterfaceError(self._place(node), message)

    def _place(self, node: yaml.Node) -> Place:
        return Place(self._path, node.start_mark.line + 1)

    def _pairs(self, node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            place = self._place(node) if node else Place(self._path, 1)
            raise InterfaceError(place, "expected a map of names")
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                raise self._error(key, f"{key.value}: given twice; expected once")
            seen.add(key.value)
            yield key.value, value

    def _all(self, node: yaml.Node, make: Callable[[str, yaml.Node], _Made]) -> tuple[_Made, ...]:
        return tuple(make(name, inner) for name, inner in self._pairs(node))

    def _shared(self, name: str, node: yaml.Node, *further: str) -> tuple[dict[str, Any], dict[str, yaml.Node]]:
        """Returns what every item has, and the nodes of the attributes of this kind."""
        nodes = dict(self._pairs(node))
        for key, inner in nodes.items():
            if key not in {*_SHARED, *further}:
                raise self._error(inner, f"{name}: {key!r}; expected {', '.join((*further, *_SHARED))}")
        shared: dict[str, Any] = {key: _plain(nodes.pop(key)) if key in nodes else None for key in _SHARED}
        if not _CLAUSE.fullmatch(str(shared["clause"])):
            raise self._error(node, f"{name}: clause {shared['clause']}; expected the id of a requirement")
        text = str(shared.pop("text") or "")
        return {"name": name, "place": self._place(node), "text": text, **shared}, nodes

    def _field(self, name: str, node: yaml.Node) -> Field:
        shared, nodes = self._shared(name, node, "type", "default", "range")
        words = _plain(nodes["range"]) if "range" in nodes else ""
        return Field(
            **shared,
            type=self._type(name, node, nodes.get("type")),
            default=_plain(nodes["default"]) if "default" in nodes else REQUIRED,
            range=self._parsed(parse_range, nodes["range"]) if words else Range(),
            range_text=words,
        )

    def _type(self, name: str, node: yaml.Node, given: yaml.Node | None) -> Type:
        if given is None:
            raise self._error(node, f"{name}: no type; expected one")
        return self._parsed(parse_type, given)

    def _parsed(self, parse: Callable[[str], _Made], node: yaml.Node) -> _Made:
        try:
            return parse(str(_plain(node)))
        except ValueError as error:
            raise self._error(node, str(error)) from error

    def _call(self, name: str, node: yaml.Node) -> Call:
        shared, nodes = self._shared(name, node, "arguments", "returns")
        arguments = self._all(nodes["arguments"], self._field) if "arguments" in nodes else ()
        return Call(**shared, arguments=arguments, returns=self._type(name, node, nodes.get("returns")))

    def _record(self, name: str, node: yaml.Node) -> Record:
        shared, nodes = self._shared(name, node, "base", "settings", "fields", "calls")
        return Record(
            **shared,
            base=_plain(nodes["base"]) if "base" in nodes else None,
            settings=self._all(nodes["settings"], self._field) if "settings" in nodes else (),
            fields=self._all(nodes["fields"], self._field) if "fields" in nodes else (),
            calls=self._all(nodes["calls"], self._call) if "calls" in nodes else (),
        )

    def _hook(self, name: str, node: yaml.Node) -> Hook:
        shared, nodes = self._shared(name, node, "context")
        if "context" not in nodes:
            raise self._error(node, f"{name}: no context; expected one")
        return Hook(**shared, context=str(_plain(nodes["context"])))

    def _word(self, name: str, node: yaml.Node) -> Word:
        return Word(**self._shared(name, node)[0])

    def _constant(self, name: str, node: yaml.Node) -> Constant:
        shared, nodes = self._shared(name, node, "value", "code")
        if "value" not in nodes:
            raise self._error(node, f"{name}: no value; expected one")
        return Constant(**shared, value=_plain(nodes["value"]), code=_plain(nodes["code"]) if "code" in nodes else None)

    def _code(self, name: str, node: yaml.Node) -> Code:
        shared, nodes = self._shared(name, node, "phase", "fields")
        phases = str(_plain(nodes["phase"])).split(", ") if "phase" in nodes else []
        if not phases or not set(phases) <= set(PHASES):
            raise self._error(node, f"{name}: phase {phases}; expected one or more of {', '.join(PHASES)}")
        fields = self._all(nodes["fields"], self._field) if "fields" in nodes else ()
        return Code(**shared, phases=tuple(phases), fields=fields)


def _plain(node: yaml.Node) -> Any:  # noqa: ANN401 - plain data of any kind
    return _LOADER("").construct_object(node, deep=True)
