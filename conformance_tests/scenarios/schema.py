"""Checks a value against a JSON schema, as far as `vectors/scenarios/schema.json` makes use of one.

Spec: section 2 of 95-scenarios.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

Part = Mapping[str, Any]

_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}


@frozen
class Schema:
    """A schema with its definitions.

    Attributes:
        root: The schema as a whole; every `$ref` leads to one of its `$defs`.
    """

    root: Part

    @classmethod
    def read(cls, path: Path) -> Schema:
        """Reads a schema; raises OSError or ValueError if there is none."""
        return cls(json.loads(path.read_text("utf-8")))

    def breaches(self, value: object, name: str | None = None) -> list[str]:
        """Returns what is wrong with a value, each with its place; `name` is a definition, the root if not given."""
        part = self.root if name is None else self.root["$defs"][name]
        return list(self._breaches(value, part, "$"))

    def _breaches(self, value: object, part: Part, where: str) -> Iterator[str]:
        if (reference := part.get("$ref")) is not None:
            part = self.root["$defs"][reference.removeprefix("#/$defs/")]
        for word, check in _CHECKS.items():
            if word in part:
                yield from check(self, value, part, where)

    def _type(self, value: object, part: Part, where: str) -> Iterator[str]:
        if not isinstance(value, _TYPES[part["type"]]):
            yield f"{where}: {_short(value)}; expected {part['type']}"

    def _enum(self, value: object, part: Part, where: str) -> Iterator[str]:
        if not any(value == one and type(value) is type(one) for one in part["enum"]):
            yield f"{where}: {_short(value)}; expected one of {part['enum']}"

    def _pattern(self, value: object, part: Part, where: str) -> Iterator[str]:
        if isinstance(value, str) and not re.search(part["pattern"], value, re.ASCII):
            yield f"{where}: {_short(value)}; expected {part['pattern']}"

    def _required(self, value: object, part: Part, where: str) -> Iterator[str]:
        if isinstance(value, dict):
            yield from (f"{where}: no member {name}; expected it" for name in part["required"] if name not in value)

    def _properties(self, value: object, part: Part, where: str) -> Iterator[str]:
        if isinstance(value, dict):
            for name, inner in part["properties"].items():
                if name in value:
                    yield from self._breaches(value[name], inner, f"{where}.{name}")

    def _others(self, value: object, part: Part, where: str) -> Iterator[str]:
        if not isinstance(value, dict):
            return
        for name in sorted(value.keys() - part.get("properties", {}).keys()):
            if part["additionalProperties"] is False:
                yield f"{where}: member {name}; expected one of {sorted(part.get('properties', {}))}"
            else:
                yield from self._breaches(value[name], part["additionalProperties"], f"{where}.{name}")

    def _items(self, value: object, part: Part, where: str) -> Iterator[str]:
        if isinstance(value, list):
            for at, item in enumerate(value):
                yield from self._breaches(item, part["items"], f"{where}[{at}]")

    def _any_of(self, value: object, part: Part, where: str) -> Iterator[str]:
        tried = [list(self._breaches(value, inner, where)) for inner in part["anyOf"]]
        if all(tried):
            yield f"{where}: {_short(value)}; expected one of {len(tried)} forms, such as: {min(tried, key=len)[0]}"


_CHECKS: Mapping[str, Callable[[Schema, object, Part, str], Iterator[str]]] = {
    "type": Schema._type,
    "enum": Schema._enum,
    "pattern": Schema._pattern,
    "required": Schema._required,
    "properties": Schema._properties,
    "additionalProperties": Schema._others,
    "items": Schema._items,
    "anyOf": Schema._any_of,
}


def _short(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."
