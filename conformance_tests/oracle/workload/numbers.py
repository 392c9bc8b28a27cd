"""Numbers by their bits, and the four lines that show whether arithmetic is the one of the text.

Spec: RW-NUM-001, RW-NUM-002, RW-NUM-003.
"""

import struct
from collections.abc import Callable

from attrs import frozen


def of_bits(digits: str) -> float:
    """The float64 with these 16 hex digits."""
    number: float = struct.unpack(">d", bytes.fromhex(digits))[0]
    return number


def bits(number: float) -> str:
    """The 16 hex digits of a float64."""
    return struct.pack(">d", number).hex()


@frozen
class Line:
    """One line of the table: operands and results by their bits.

    Spec: RW-NUM-003.
    """

    computes: str
    run: Callable[[float, float], float]
    a: str
    b: str
    result: str
    fault: str
    otherwise: str

    def computed(self) -> str:
        """The bits that this machine computes."""
        return bits(self.run(of_bits(self.a), of_bits(self.b)))


ONE = "3ff0000000000000"
ZERO = "0000000000000000"
LINES = (
    Line(
        *("a * a - b", lambda a, b: a * a - b, "3ff0000002000000", "3ff0000004000000"),
        *(ZERO, "contracted", "3c90000000000000"),
    ),
    Line(
        *("a + b", lambda a, b: a + b, ONE, "3ca0000008000000"),
        *("3ff0000000000001", "rounded twice", ONE),
    ),
    Line(
        *("a / b", lambda a, b: a / b, "0010000000000000", "4000000000000000"),
        *("0008000000000000", "flushed", ZERO),
    ),
    Line(
        *("(a + b) - a", lambda a, b: (a + b) - a, "4340000000000000", ONE),
        *(ZERO, "reordered or wider", ONE),
    ),
)
