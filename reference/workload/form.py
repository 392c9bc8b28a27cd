"""What a state has to look like, and every difference of a saved one. Pure."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from attrs import define, field, frozen

from tenuto.reference.checkpoint.tree import Tensor, Tree

__all__ = [
    "BEST",
    "COUNT",
    "FLOAT",
    "WORD",
    "Comparison",
    "Form",
    "IndexedForm",
    "ScalarForm",
    "TensorForm",
    "exactly",
    "is_same",
]


@frozen
class TensorForm:
    """A tensor of a dtype and a shape."""

    dtype: str
    shape: tuple[int, ...]


@frozen
class ScalarForm:
    """A value that fits a rule, in words and as a function."""

    rule: str
    fits: Callable[[Any], bool]


@frozen
class IndexedForm:
    """An array of `[index, tree]`, empty before the first update and with one tree of each form from then on."""

    parts: list[Form]


Form: TypeAlias = "dict[str, Form] | list[Form] | IndexedForm | TensorForm | ScalarForm"

_COUNT_MAX: Final = 2**62  # far above what any training reaches, and as far below what a file holds

FLOAT: Final = ScalarForm("a float64", lambda value: type(value) is float)
BEST: Final = ScalarForm("nil or a float64", lambda value: value is None or type(value) is float)
COUNT: Final = ScalarForm("an integer of 0 to 2^62", lambda value: type(value) is int and 0 <= value <= _COUNT_MAX)
WORD: Final = ScalarForm("an integer of 0 to 2^64 - 1", lambda value: type(value) is int and 0 <= value < 2**64)


def exactly(value: Tree) -> ScalarForm:
    """Returns the form of a value that is always the same."""
    return ScalarForm(repr(value), lambda saved: is_same(saved, value))


def is_same(a: Tree, b: Tree) -> bool:
    """Returns whether two scalars are written in the same way: 1, 1.0 and true differ, and so do 0.0 and -0.0."""
    return type(a) is type(b) and repr(a) == repr(b)


@define
class Comparison:
    """Compares saved trees with their forms and keeps every mismatch, each with its path.

    Spec: TR-REST-001.
    """

    mismatches: list[str] = field(factory=list)
    _met: dict[int, str] = field(factory=dict)

    def compare(self, path: str, saved: Tree, form: Form) -> None:
        """Notes in what a tree does not have the form."""
        if isinstance(form, dict):
            self._map(path, saved, form)
        elif isinstance(form, list):
            self._array(path, saved, form)
        elif isinstance(form, IndexedForm):
            self._indexed(path, saved, form.parts)
        elif isinstance(form, TensorForm):
            self._tensor(path, saved, form)
        elif not form.fits(saved):
            self._note(path, f"{reprlib.repr(saved)} in the file; expected {form.rule}")

    def names(self, path: str, saved: Iterable[Any], live: Iterable[str]) -> None:
        """Notes the names that only one side has."""
        in_file, expected = set(saved), set(live)
        for name in sorted(in_file - expected, key=str):
            self._note(f"{path}.{name}", "in the file, not in this workload")
        for name in sorted(expected - in_file):
            self._note(f"{path}.{name}", "in this workload, not in the file")

    def _note(self, path: str, what: str) -> None:
        self.mismatches.append(f"{path}: {what}")

    def _map(self, path: str, saved: Tree, form: dict[str, Form]) -> None:
        if not isinstance(saved, dict):
            self._note(path, "no map in the file")
            return
        self.names(path, saved, form)
        for key, part in form.items():
            if key in saved:
                self.compare(f"{path}.{key}", saved[key], part)

    def _array(self, path: str, saved: Tree, form: list[Form]) -> None:
        if not isinstance(saved, list) or len(saved) != len(form):
            got = f"array of {len(saved)}" if isinstance(saved, list) else "no array"
            self._note(path, f"{got} in the file, array of {len(form)} in this workload")
            return
        for index, (item, part) in enumerate(zip(saved, form, strict=True)):
            self.compare(f"{path}[{index}]", item, part)

    def _indexed(self, path: str, saved: Tree, parts: list[Form]) -> None:
        """The number in the path is the index of the pair (TR-REST-007)."""
        if saved == []:
            return
        if not isinstance(saved, list) or len(saved) != len(parts):
            self._array(path, saved, parts)
            return
        for index, (pair, part) in enumerate(zip(saved, parts, strict=True)):
            if isinstance(pair, list) and len(pair) == 2 and is_same(pair[0], index):
                self.compare(f"{path}[{index}]", pair[1], part)
            else:
                self._note(f"{path}[{index}]", "no pair of this index and a map in the file")

    def _tensor(self, path: str, saved: Tree, form: TensorForm) -> None:
        if not isinstance(saved, Tensor):
            self._note(path, "no tensor in the file")
            return
        if saved.dtype != form.dtype:
            self._note(path, f"dtype {saved.dtype} in the file, {form.dtype} in this workload")
        if saved.shape != form.shape:
            self._note(path, f"shape {saved.shape} in the file, {form.shape} in this workload")
        first = self._met.setdefault(id(saved), path)
        if first != path:
            self._note(path, f"shares the storage of {first} in the file, has its own in this workload")
