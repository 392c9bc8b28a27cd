"""Whether this machine computes as the specification asks, and the two operations that Python makes errors of. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Final

from attrs import frozen

from tenuto.reference.errors import ConfigError

__all__ = ["LINES", "Line", "check_arithmetic", "divide", "square_root"]


@frozen
class Line:
    """One line of the self test.

    Attributes:
        formula: As the specification writes it.
        compute: The formula.
        a: The bits of the first operand.
        b: The bits of the second operand.
        result: The bits of the right result.
    """

    formula: str
    compute: Callable[[float, float], float]
    a: int
    b: int
    result: int

    def computed(self) -> int:
        """Returns the bits of what this machine computes.

        The operands come out of bytes at run time: constants would be folded by whatever compiled the interpreter's
        code, which need not compute as the machine that trains does.
        """
        found = self.compute(_from_bits(self.a), _from_bits(self.b))
        return int.from_bytes(struct.pack(">d", found), "big")


LINES: Final = (
    Line("a * a - b", lambda a, b: a * a - b, 0x3FF0000002000000, 0x3FF0000004000000, 0),
    Line("a + b", lambda a, b: a + b, 0x3FF0000000000000, 0x3CA0000008000000, 0x3FF0000000000001),
    Line("a / b", lambda a, b: a / b, 0x0010000000000000, 0x4000000000000000, 0x0008000000000000),
    Line("(a + b) - a", lambda a, b: (a + b) - a, 0x4340000000000000, 0x3FF0000000000000, 0),
)


def _from_bits(bits: int) -> float:
    value: float = struct.unpack(">d", bits.to_bytes(8, "big"))[0]
    return value


def check_arithmetic() -> None:
    """Computes the self test.

    Raises:
        ConfigError: `inexact_arithmetic`, naming the first line with another result.

    Spec: RW-NUM-001, RW-NUM-002, RW-NUM-003.
    """
    for line in LINES:
        found = line.computed()
        if found != line.result:
            message = f"{line.formula} of {line.a:016x} and {line.b:016x}: {found:016x}; expected {line.result:016x}"
            raise ConfigError("inexact_arithmetic", message)


def divide(a: float, b: float) -> float:
    """Returns `a / b`, also where Python raises: a restored state may hold any number.

    Spec: RW-NUM-001.
    """
    if b != 0.0:
        return a / b
    if a == 0.0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def square_root(x: float) -> float:
    """Returns the square root, NaN of a number below 0.0.

    Spec: RW-NUM-001.
    """
    return math.sqrt(x) if x >= 0.0 or math.isnan(x) else math.nan
