"""Laws of arithmetic: what the oracle computes is exact arithmetic, each operation rounded once."""

import math
from fractions import Fraction
from math import isqrt

import pytest

from tenuto.conformance_tests.oracle.workload.generator import Generator
from tenuto.conformance_tests.oracle.workload.numbers import LINES, bits, of_bits
from tenuto.conformance_tests.oracle.workload.settings import Settings
from tenuto.conformance_tests.oracle.workload.training import start


def nearest(exact: Fraction) -> float:
    """Rounded once, to nearest, ties to even, by the integer arithmetic of the interpreter."""
    return exact.numerator / exact.denominator


def toward_zero(exact: Fraction) -> float:
    found = nearest(exact)
    return math.nextafter(found, 0.0) if abs(Fraction(found)) > abs(exact) else found


def by_way_of_64_bits(exact: Fraction) -> float:
    """Rounded twice, as processors with wider registers do."""
    scale = Fraction(2) ** (64 - math.frexp(nearest(exact))[1])
    return nearest(round(exact * scale) / scale)


class Exact(float):
    """Computes with rational numbers; an exact zero keeps the sign that the machine gives it."""

    def __add__(self, other: float) -> "Exact":
        return self.of(Fraction(self) + Fraction(other), float(self) + float(other))

    def __sub__(self, other: float) -> "Exact":
        return self.of(Fraction(self) - Fraction(other), float(self) - float(other))

    def __rsub__(self, other: float) -> "Exact":
        return self.of(Fraction(other) - Fraction(self), float(other) - float(self))

    def __mul__(self, other: float) -> "Exact":
        return self.of(Fraction(self) * Fraction(other), float(self) * float(other))

    def __truediv__(self, other: float) -> "Exact":
        return self.of(Fraction(self) / Fraction(other), float(self) / float(other))

    def __rtruediv__(self, other: float) -> "Exact":
        return self.of(Fraction(other) / Fraction(self), float(other) / float(self))

    __radd__, __rmul__ = __add__, __mul__

    @staticmethod
    def rounded(exact: Fraction) -> float:
        return nearest(exact)

    @classmethod
    def of(cls, exact: Fraction, machine: float) -> "Exact":
        return cls(cls.rounded(exact) if exact else machine)


class Truncated(Exact):
    """The same, rounded otherwise: it shows that the comparison below notices it."""

    @staticmethod
    def rounded(exact: Fraction) -> float:
        return toward_zero(exact)


@pytest.mark.req("RW-NUM-001", "RW-NUM-002")
@pytest.mark.parametrize(("number", "equal"), [(Exact, True), (Truncated, False)])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_training_rounds_each_operation_once(optimizer: str, number: type[Exact], equal: bool) -> None:
    """All that follows from the weights is computed by `number` then, but the root and what is added to it."""
    settings = Settings(optimizer=optimizer, seed=6)
    plain, exact = start(settings, 3).finish(), start(settings, 3)
    exact.model.weights = {name: [number(one) for one in values] for name, values in exact.model.weights.items()}
    exact.finish()
    assert isinstance(exact.model.weights["layer2.bias"][0], number)
    assert (exact.model.weights == plain.model.weights, exact.metrics == plain.metrics) == (equal, equal)


@pytest.mark.req("RW-NUM-001")
def test_square_roots_are_rounded_once() -> None:
    drawn = Generator(2)
    for _ in range(500):
        x = drawn.unit() * 2.0 ** (2 * drawn.below(60) - 60)
        square = Fraction(x) * Fraction(4) ** 200
        root = isqrt(square.numerator // square.denominator)
        assert math.sqrt(x) == nearest(Fraction(2 * root + (root * root != square), 2 * 2**200))


def exact_line(computes: str, a: Fraction, b: Fraction) -> Fraction:
    return {"a * a - b": a * a - b, "a + b": a + b, "a / b": a / b, "(a + b) - a": b}[computes]


@pytest.mark.req("RW-NUM-003")
def test_each_line_tells_its_fault_from_the_right_result() -> None:
    for line in LINES:
        assert line.computed() == line.result != line.otherwise
    contracted, twice, flushed, wider = (
        exact_line(line.computes, *(Fraction(of_bits(one)) for one in (line.a, line.b))) for line in LINES
    )
    assert bits(nearest(contracted)) == LINES[0].otherwise
    assert bits(nearest(twice)) == LINES[1].result
    assert bits(by_way_of_64_bits(twice)) == LINES[1].otherwise
    assert bits(nearest(flushed)) == LINES[2].result
    assert 0 < flushed < Fraction(2) ** -1022
    assert bits(nearest(wider)) == LINES[3].otherwise
