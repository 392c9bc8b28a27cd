"""The small, language-neutral vocabulary of types and ranges in which interface files speak.

`spec/v1/interfaces/base_callback.yaml` explains it at its top.
"""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

__all__ = ["PLAIN", "WORD", "Range", "Type", "parse_range", "parse_type"]

WORD: Final = r"[A-Za-z_][A-Za-z0-9_]*"
PLAIN: Final = ("int", "float64", "str", "bool", "bytes", "path", "tree", "document", "error", "policy", "none")
_ARGUMENTS: Final = {"optional": (1, 1), "list": (1, 1), "map": (2, 2), "oneof": (2, 9), "enum": (1, 99)}
_TOKEN = re.compile(rf"\s*({WORD}|[\[\],])")
_LEAST = re.compile(r"(at least|above) (\S+)")


@frozen
class Type:
    """A type: its name and what stands in its brackets, if anything.

    The words of `enum[min, max]` are types without arguments; so is a name that the interface files define.
    """

    name: str
    arguments: tuple[Type, ...] = ()

    def __str__(self) -> str:
        return self.name + (f"[{', '.join(map(str, self.arguments))}]" if self.arguments else "")

    @property
    def is_optional(self) -> bool:
        """Whether nothing is a value too."""
        return self.name == "optional"

    @property
    def inner(self) -> Type:
        """The type without `optional`."""
        return self.arguments[0] if self.is_optional else self

    @property
    def words(self) -> tuple[str, ...]:
        """The words of an `enum`."""
        return tuple(argument.name for argument in self.arguments) if self.name == "enum" else ()

    def names(self) -> set[str]:
        """Returns the names in it that the vocabulary does not have: records, contexts."""
        if self.name == "enum":
            return set()
        own = set() if self.name in PLAIN or self.name in _ARGUMENTS else {self.name}
        return own.union(*(argument.names() for argument in self.arguments))


@frozen
class Range:
    """Which values of its type a setting takes.

    Attributes:
        least: The smallest, or the bound below all if `is_open`; None for none.
        is_open: Whether `least` itself is outside.
        is_finite: Whether infinities and NaN are outside.
        is_filled: Whether an empty text or list is outside.
    """

    least: float | int | None = None
    is_open: bool = False
    is_finite: bool = False
    is_filled: bool = False


def parse_type(text: str) -> Type:
    """Returns the type that a text such as `optional[list[str]]` says.

    Raises:
        ValueError: It says none.
    """
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != text.replace(" ", ""):
        raise ValueError(f"type: {text!r}; expected a name, with types in brackets")
    found, rest = _type(tokens)
    if rest:
        raise ValueError(f"type: {text!r}; expected an end after {str(found)!r}")
    return found


def _type(tokens: list[str]) -> tuple[Type, list[str]]:
    if not tokens or not re.fullmatch(WORD, tokens[0]):
        raise ValueError(f"type: {' '.join(tokens)!r}; expected a name")
    name, rest = tokens[0], tokens[1:]
    arguments: list[Type] = []
    if rest and rest[0] == "[":
        separator = "["
        while separator != "]":
            argument, rest = _type(rest[1:])
            arguments.append(argument)
            separator = rest[0] if rest else ""
            if separator not in {",", "]"}:
                raise ValueError(f"type: {name}[...; expected ',' or ']' after {str(argument)!r}")
        rest = rest[1:]
    fewest, most = _ARGUMENTS.get(name, (0, 0))
    if not fewest <= len(arguments) <= most:
        raise ValueError(f"type: {name} with {len(arguments)} in brackets; expected {fewest} to {most}")
    return Type(name, tuple(arguments)), rest


def parse_range(text: str) -> Range:
    """Returns the range that a text such as `finite, at least 0.0` says.

    Raises:
        ValueError: It says none.
    """
    least: float | int | None = None
    is_open = is_finite = is_filled = False
    for part in text.split(", "):
        bound = _LEAST.fullmatch(part)
        if bound:
            least = float(bound[2]) if "." in bound[2] else int(bound[2])
            is_open = bound[1] == "above"
        elif part == "finite":
            is_finite = True
        elif part == "not empty":
            is_filled = True
        else:
            raise ValueError(f"range: {text!r}; expected 'at least N', 'above N', 'finite' or 'not empty'")
    return Range(least, is_open, is_finite, is_filled)
