"""Entries of the YAML files of the specification, with the line on which each begins."""

from __future__ import annotations

from typing import Any

import yaml
from attrs import frozen

from tenuto.conformance_tests.prose import Place

__all__ = ["Entry", "entries", "safe_load"]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML was built with libyaml


@frozen
class Entry:
    """One entry of a list, with all its fields as they were written."""

    fields: dict[str, Any]
    place: Place

    @property
    def id(self) -> str:
        """The id; empty if there is none."""
        return str(self.fields.get("id", ""))

    @property
    def retired(self) -> bool:
        """Whether it is kept only so that its id is never given again."""
        return "retired" in self.fields

    @property
    def binding(self) -> bool:
        """Whether it is a MUST or a MUST NOT that still holds."""
        return str(self.fields.get("level")).startswith("MUST") and not self.retired


def safe_load(text: str) -> Any:  # noqa: ANN401 - YAML holds anything
    """Returns what a YAML text holds, plain data alone.

    Raises:
        yaml.YAMLError: It is no YAML.
    """
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - one of the two safe loaders


def entries(text: str, path: str) -> list[Entry]:
    """Returns the entries of a list; what is no map becomes one with nothing but an `id`.

    Raises:
        yaml.YAMLError: It is no YAML.
        ValueError: It is no list.
    """
    root = yaml.compose(text, Loader=_LOADER)
    if root is None:
        return []
    if not isinstance(root, yaml.SequenceNode):
        raise ValueError(f"{path}: {root.tag}; expected a list")  # noqa: TRY004 - of a file, not of an argument
    nodes, values = root.value, safe_load(text)
    return [
        Entry(value if isinstance(value, dict) else {"id": str(value)}, Place(path, node.start_mark.line + 1))
        for node, value in zip(nodes, values, strict=True)
    ]
