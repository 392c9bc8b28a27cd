"""Whether the arithmetic is that of the specification.

A Mojo compiler contracts `a * b + c` unless it is told not to, so a wrong
build is possible, and must not train. Spec: RW-NUM-001, RW-NUM-002.
"""
from std.ffi import c_int, external_call
from ..errors import Phase, TenutoError


def _unknown(bits: UInt64) -> Float64:
    """The number with these bits, as far as the compiler knows any number."""
    var pid = external_call["getpid", c_int]()
    return Float64(from_bits=bits ^ (UInt64(1) if pid < 0 else UInt64(0)))


@no_inline
def _square_less(a: Float64, b: Float64) -> Float64:
    return a * a - b


@no_inline
def _sum(a: Float64, b: Float64) -> Float64:
    return a + b


@no_inline
def _quotient(a: Float64, b: Float64) -> Float64:
    return a / b


@no_inline
def _there_and_back(a: Float64, b: Float64) -> Float64:
    return (a + b) - a


def _check(line: Int, found: Float64, bits: UInt64) raises TenutoError:
    if found.to_bits[DType.uint64]() != bits:
        raise TenutoError(
            "inexact_arithmetic",
            Phase.CONFIG,
            String(
                "line ",
                line,
                " of RW-NUM-003: other bits; expected a build with",
                " --fp-mode contract=off",
            ),
        )


def check_arithmetic() raises TenutoError:
    """Compute the four lines. Spec: RW-NUM-003."""
    var one = _unknown(0x3FF0000000000000)
    _check(
        1,
        _square_less(
            _unknown(0x3FF0000002000000), _unknown(0x3FF0000004000000)
        ),
        0,
    )
    _check(2, _sum(one, _unknown(0x3CA0000008000000)), 0x3FF0000000000001)
    _check(
        3,
        _quotient(_unknown(0x0010000000000000), _unknown(0x4000000000000000)),
        0x0008000000000000,
    )
    _check(4, _there_and_back(_unknown(0x4340000000000000), one), 0)
