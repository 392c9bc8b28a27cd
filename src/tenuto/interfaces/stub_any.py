"""Writes `AnyCallback` of the Mojo stub: a callback of any type, by a table of functions made by hand.

Mojo has no trait objects. For each method there is a function that knows the type of the callback, and a field that
holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import frozen

__all__ = ["Method", "any_callback"]

_HEAD: Final = """
comptime _Pointer = Pointer[NoneType, MutUntrackedOrigin]


def _drop[T: BaseCallback](p: _Pointer):
    _ = OwnedPointer[T](unsafe_from_raw_pointer=p.unsafe_bitcast[T]())
"""
_STRUCT: Final = """
struct AnyCallback(BaseCallback):
    \"\"\"A callback of any type, so that a list holds them in their order. Spec: CB-ORDER-001.\"\"\"

    var _callback: _Pointer
    var _drop: def(_Pointer) thin -> None"""
_MAKER: Final = """
    def __init__[T: BaseCallback](out self, var callback: T):
        self._callback = OwnedPointer(callback^).unsafe_take_allocation().unsafe_leak().unsafe_bitcast[NoneType]()
        self._drop = _drop[T]"""
_END: Final = """
    def __deinit__(deinit self):
        self._drop(self._callback)
"""


@frozen
class Method:
    """A method of a trait, in the words of Mojo.

    Attributes:
        arguments: With their types, `self` left out.
        effects: Such as ` raises TenutoError`.
        returns: Such as ` -> String`; empty for nothing.
        told: Its docstring.
        body: Its default, `...` for none.
    """

    name: str
    self_argument: str
    arguments: tuple[str, ...]
    effects: str
    returns: str
    told: str
    body: str

    @property
    def signature(self) -> str:
        """What stands between `def` and the colon."""
        arguments = ", ".join((self.self_argument, *self.arguments))
        return f"{self.name}({arguments}){self.effects}{self.returns}"

    @property
    def names(self) -> str:
        """The names of the arguments, to be handed on."""
        return ", ".join(argument.partition(":")[0].removeprefix("mut ") for argument in self.arguments)

    @property
    def kinds(self) -> str:
        """The types of the arguments, with `mut` where they are changed."""
        parts = [argument.partition(": ") for argument in self.arguments]
        return "".join(f", {'mut ' if name.startswith('mut ') else ''}{kind}" for name, _, kind in parts)


def any_callback(methods: Sequence[Method]) -> Iterator[str]:
    """Yields the lines of the struct and of the functions behind it."""
    yield _HEAD
    for method in methods:
        arguments = ", ".join(("p: _Pointer", *method.arguments))
        yield f"\ndef _{method.name}[T: BaseCallback]({arguments}){method.effects}{method.returns}:"
        yield f"    {'return ' if method.returns else ''}p.unsafe_bitcast[T]()[].{method.name}({method.names})\n"
    yield _STRUCT
    for method in methods:
        returns = method.returns or " -> None"
        yield f"    var _{method.name}: def(_Pointer{method.kinds}) thin{method.effects}{returns}"
    yield _MAKER
    yield from (f"        self._{method.name} = _{method.name}[T]" for method in methods)
    yield _END
    for method in methods:
        given = ", ".join(("self._callback", method.names)) if method.names else "self._callback"
        yield f"    def {method.signature}:"
        yield f"        {'return ' if method.returns else ''}self._{method.name}({given})\n"
