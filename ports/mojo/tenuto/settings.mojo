"""Settings out of a map: each is read with its range, or refused by name.

Spec: RW-SET-001, TR-SET-001, CPC-SET-001, CB-EARLY-007.
"""
from .errors import Phase, TenutoError
from .msgpack import Kind
from .tree import Value


def invalid(name: StringSpan, rule: StringSpan) -> TenutoError:
    """The refusal of a setting. Spec: ERR-CODE-006."""
    return TenutoError(
        "invalid_setting", Phase.CONFIG, String(name, ": expected ", rule)
    )


def read_integer(
    name: StringSpan, v: Value, least: Int, greatest: Int = Int.MAX
) raises TenutoError -> Int:
    """An integer in `least` to `greatest`; a bool is none."""
    var n = Int(Int64(v.bits))
    if v.kind != Kind.INT or n < least or n > greatest:
        raise invalid(name, String("an integer of at least ", least))
    return n


def read_integer_or_nil(
    name: StringSpan, v: Value
) raises TenutoError -> Optional[Int]:
    """An integer of at least 1, or nil."""
    if v.kind == Kind.NIL:
        return None
    return read_integer(name, v, 1)


def is_finite(x: Float64) -> Bool:
    """Whether a number is neither NaN nor infinite."""
    return x - x == 0.0


def is_nan(x: Float64) -> Bool:
    """Whether a number is NaN."""
    return x != x


def read_real(
    name: StringSpan, v: Value, whole: Bool = False
) raises TenutoError -> Float64:
    """A finite float64; with `whole` an integer is taken for one."""
    if whole and v.kind == Kind.INT:
        return Float64(Int64(v.bits))
    if whole and v.kind == Kind.UINT:
        return Float64(v.bits)
    var x = Float64(from_bits=v.bits)
    if v.kind != Kind.F64 or not is_finite(x):
        raise invalid(name, "a finite float64")
    return x


def read_positive(
    name: StringSpan, v: Value, whole: Bool = False
) raises TenutoError -> Float64:
    """A finite float64 above 0."""
    var x = read_real(name, v, whole)
    if not x > 0.0:
        raise invalid(name, "a number above 0")
    return x


def read_amount(
    name: StringSpan, v: Value, whole: Bool = False
) raises TenutoError -> Float64:
    """A finite float64 of at least 0."""
    var x = read_real(name, v, whole)
    if not x >= 0.0:
        raise invalid(name, "a number of at least 0")
    return x


def read_share(name: StringSpan, v: Value) raises TenutoError -> Float64:
    """A float64 from 0 to below 1."""
    var x = read_real(name, v)
    if not (x >= 0.0 and x < 1.0):
        raise invalid(name, "a number from 0 to below 1")
    return x


def read_switch(name: StringSpan, v: Value) raises TenutoError -> Bool:
    """True or false."""
    if v.kind != Kind.BOOL:
        raise invalid(name, "true or false")
    return v.bits != 0


def read_text(name: StringSpan, v: Value) raises TenutoError -> String:
    """A text that is not empty."""
    if v.kind != Kind.STR or len(v.data) == 0:
        raise invalid(name, "a text that is not empty")
    return v.as_text()


def read_word(
    name: StringSpan, v: Value, words: StringSpan
) raises TenutoError -> String:
    """One of several words, which are given with blanks between them."""
    var text = read_text(name, v)
    for word in String(words).split(" "):
        if word == text:
            return text^
    raise invalid(name, String("one of ", words))
