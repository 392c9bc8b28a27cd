"""One fault: which function of the oracle it stands in for, and which clause it breaks.

Spec: RW-KAT-001.
"""

from collections.abc import Callable
from fractions import Fraction
from math import inf, isfinite

from attrs import frozen


@frozen
class Fault:
    """A function with a fault.

    Attributes:
        id: what it does wrong.
        req: the clause that it breaks.
        owner, attribute: the module or class, and the name in it that the fault takes.
        wrong: the function.
    """

    id: str
    req: str
    owner: object
    attribute: str
    wrong: Callable[..., object]


def fused(a: float, b: float, c: float) -> float:
    """`a * b + c` rounded once, as processors with a fused multiply-add compute it.

    Spec: RW-NUM-002.
    """
    if not isfinite(a * b + c):
        return a * b + c
    try:
        return float(Fraction(a) * Fraction(b) + Fraction(c))
    except OverflowError:
        return inf
