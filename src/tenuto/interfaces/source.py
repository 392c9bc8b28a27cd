"""Reads Python sources without importing them: classes, their fields, arguments of calls, what annotations say."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from tenuto.interfaces.items import Place
from tenuto.interfaces.types import Type

__all__ = ["MISSING", "Argument", "Class", "Module", "Sources"]

MISSING: Final = object()  # the default of an argument that has none, or one that is no literal
_PLAIN: Final = {
    "int": "int",
    "float": "float64",
    "str": "str",
    "bool": "bool",
    "bytes": "bytes",
    "None": "none",
    "Tree": "tree",
    "LiveTree": "tree",  # with tensors of a framework in it
    "Document": "document",
    "BaseException": "error",
    "Listener": "BaseCallback",  # what the trainer asks of a callback
}
_LISTS: Final = {"list", "tuple", "Sequence"}
_MAPS: Final = {"dict", "Mapping"}


@frozen
class Argument:
    """A field of a class or an argument of a call.

    Attributes:
        annotation: What it says; None if it says nothing that the vocabulary has.
        default: Plain data, or `MISSING`.
    """

    name: str
    place: Place
    annotation: Type | None
    default: Any


@frozen
class Module:
    """A module of the checkout: its path below the root, and its syntax."""

    path: str
    tree: ast.Module

    def classes(self) -> Iterator[ast.ClassDef]:
        """Yields its classes."""
        yield from (node for node in self.tree.body if isinstance(node, ast.ClassDef))


@frozen
class Class:
    """A class and the module that it stands in."""

    module: Module
    node: ast.ClassDef

    @property
    def methods(self) -> dict[str, ast.FunctionDef]:
        """Its own methods."""
        return {node.name: node for node in self.node.body if isinstance(node, ast.FunctionDef)}


class Sources:
    """The sources of the product below a root folder: `reference`, `callbacks` and `src`.

    Args:
        root: Of the checkout.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.module = cache(self._parse)

    def modules(self, *folders: str) -> Iterator[Module]:
        """Yields every module under some folders, tests left out."""
        for folder in folders:
            for path in sorted((self._root / folder).rglob("*.py")):
                if not path.is_symlink() and "__pycache__" not in path.parts:
                    yield self.module(path.relative_to(self._root).as_posix())

    def find(self, name: str, *folders: str) -> list[Class]:
        """Returns the classes of a name under some folders."""
        return [
            Class(module, node) for module in self.modules(*folders) for node in module.classes() if node.name == name
        ]

    def fields(self, found: Class, *, is_given: bool = True) -> dict[str, Argument]:
        """Returns the annotated fields of a class, those of its bases first.

        Args:
            found: The class.
            is_given: Whether only fields are wanted that its maker takes.
        """
        named: dict[str, Argument] = {}
        for base in found.node.bases:
            above = self._resolve(found.module, ast.unparse(base))
            if above is not None and isinstance(above[1], ast.ClassDef):
                named.update(self.fields(Class(above[0], above[1]), is_given=is_given))
        for node in found.node.body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                annotation = self.type_of(found.module, node.annotation)
                place = Place(found.module.path, node.lineno)
                named[node.target.id] = Argument(node.target.id, place, annotation, _default(node.value))
                if is_given and not _is_given(node):
                    del named[node.target.id]
        return {name: argument for name, argument in named.items() if not name.startswith("_")}

    def method(self, found: Class, name: str) -> tuple[Class, ast.FunctionDef] | None:
        """Returns the method of a name, and the class that has it: this one or the nearest of its bases."""
        if name in found.methods:
            return found, found.methods[name]
        for base in found.node.bases:
            above = self._resolve(found.module, ast.unparse(base))
            if above is not None and isinstance(above[1], ast.ClassDef):
                inherited = self.method(Class(above[0], above[1]), name)
                if inherited is not None:
                    return inherited
        return None

    def arguments(self, module: Module, function: ast.FunctionDef) -> dict[str, Argument]:
        """Returns the arguments of a function but `self`."""
        given = function.args
        positional = [*given.posonlyargs, *given.args]
        defaults: list[ast.expr | None] = [None] * (len(positional) - len(given.defaults)) + [*given.defaults]
        pairs = [*zip(positional, defaults, strict=True), *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
        return {
            argument.arg: Argument(
                argument.arg,
                Place(module.path, argument.lineno),
                self.type_of(module, argument.annotation),
                _default(default),
            )
            for argument, default in pairs
            if argument.arg != "self"
        }

    def type_of(self, module: Module, annotation: ast.expr | None) -> Type | None:
        """Returns what an annotation says in the vocabulary of the interface files, or None."""
        match annotation:
            case ast.Constant(value=None):
                return Type("none")
            case ast.BinOp(op=ast.BitOr()):
                return self._union(module, annotation)
            case ast.Subscript(value=ast.Name(id=name)) | ast.Subscript(value=ast.Attribute(attr=name)):
                return self._generic(module, name, annotation.slice)
            case ast.Name(id=name):
                return self._named(module, name)
            case ast.Attribute(attr=name):
                return Type(name)
            case _:
                return None

    def _named(self, module: Module, name: str) -> Type | None:
        """A name stands for a type of the vocabulary, for an annotation of that name, or for a class."""
        if name in _PLAIN:
            return Type(_PLAIN[name])
        above = self._resolve(module, name)
        if above is not None and isinstance(above[1], ast.Subscript):
            return self.type_of(above[0], above[1])
        return Type(name)

    def _union(self, module: Module, annotation: ast.BinOp) -> Type | None:
        members: list[ast.expr] = []
        rest: ast.expr = annotation
        while isinstance(rest, ast.BinOp):
            members.insert(0, rest.right)
            rest = rest.left
        types = [self.type_of(module, member) for member in (rest, *members)]
        known = [one for one in types if one is not None and one.name != "none"]
        if {one.name for one in known} <= {"str", "PathLike"} and len(known) > 1:
            known = [Type("path")]
        if not known or None in types:
            return None
        inner = known[0] if len(known) == 1 else Type("oneof", tuple(known))
        return Type("optional", (inner,)) if Type("none") in types else inner

    def _generic(self, module: Module, name: str, inside: ast.expr) -> Type | None:
        parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
        if name == "Literal":
            return Type("enum", tuple(Type(str(part.value)) for part in parts if isinstance(part, ast.Constant)))
        if name == "PathLike":
            return Type("PathLike")
        types = [one for one in (self.type_of(module, part) for part in parts) if one is not None]
        if name in _LISTS and types:
            return Type("list", (types[0],))
        return Type("map", tuple(types)) if name in _MAPS and len(types) == 2 else None

    def _resolve(self, module: Module, name: str) -> tuple[Module, ast.ClassDef | ast.expr] | None:
        """Returns where a name leads: the module, and the class or the value that stands behind it."""
        first, _, rest = name.partition(".")
        for node in module.tree.body:
            match node:
                case ast.ClassDef() if node.name == name:
                    return module, node
                case ast.Assign(targets=[ast.Name(id=target)]) if target == name:
                    return module, node.value
                case ast.ImportFrom(module=str(source)) if node.names and source.startswith("tenuto."):
                    for alias in node.names:
                        if (alias.asname or alias.name) == first:
                            return self._imported(source, alias.name, rest)
                case _:
                    pass
        return None

    def _imported(self, source: str, name: str, rest: str) -> tuple[Module, ast.ClassDef | ast.expr] | None:
        """Follows `from SOURCE import NAME`, where NAME may be a module of which REST is used."""
        path = source.removeprefix("tenuto.").replace(".", "/")
        if rest:
            path, name = f"{path}/{name}", rest
        for candidate in (f"{path}.py", f"{path}/__init__.py"):
            if (self._root / candidate).is_file():
                return self._resolve(self.module(candidate), name)
        return None

    def _parse(self, path: str) -> Module:
        return Module(path, ast.parse((self._root / path).read_text(encoding="utf-8")))


def _is_given(node: ast.AnnAssign) -> bool:
    """Whether a field of a class is one that its maker takes: not a constant, nor one that attrs fills in by itself."""
    match node.value:
        case ast.Call(keywords=keywords):
            return not any(word.arg == "init" and ast.unparse(word.value) == "False" for word in keywords)
        case _:
            return True


def _default(node: ast.expr | None) -> Any:  # noqa: ANN401 - plain data of any kind
    """Returns the default that an expression says; `field(default=x)` says x, an empty tuple is an empty list."""
    match node:
        case ast.Call(func=ast.Name(id="field"), keywords=keywords):
            return next((_default(word.value) for word in keywords if word.arg == "default"), MISSING)
        case None:
            return MISSING
        case ast.Tuple(elts=[]):
            return []
        case _:
            try:
                return ast.literal_eval(node)
            except ValueError:
                return MISSING
