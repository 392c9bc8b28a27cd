"""Byte strings: order, UTF-8 and a sort that no input makes quadratic."""
from std.ffi import external_call, c_int, c_size_t


def compare(a: Span[UInt8, _], b: Span[UInt8, _]) -> Int:
    """Negative, zero or positive: the order of the bytes, shorter first."""
    var n = min(len(a), len(b))
    if n > 0:
        var r = external_call["memcmp", c_int](
            a.unsafe_ptr(), b.unsafe_ptr(), c_size_t(n)
        )
        if r != 0:
            return Int(r)
    return len(a) - len(b)


@always_inline
def _continues(b: Span[UInt8, _], at: Int, n: Int) -> Bool:
    """Whether n continuation bytes follow at `at`."""
    if n > len(b) - at:
        return False
    for i in range(at, at + n):
        if b[i] & 0xC0 != 0x80:
            return False
    return True


def _sequence(b: Span[UInt8, _], i: Int) -> Int:
    """Length of the well-formed sequence of 2 to 4 bytes at `i`, or 0.

    The second byte decides about overlong forms, surrogates (U+D800 to U+DFFF)
    and values above U+10FFFF.
    """
    var t = b[i]
    if t >= 0xC2 and t < 0xE0:
        return 2 if _continues(b, i + 1, 1) else 0
    if t >= 0xE0 and t < 0xF0 and _continues(b, i + 1, 2):
        var s = b[i + 1]
        if (t == 0xE0 and s < 0xA0) or (t == 0xED and s >= 0xA0):
            return 0
        return 3
    if t >= 0xF0 and t < 0xF5 and _continues(b, i + 1, 3):
        var s = b[i + 1]
        if (t == 0xF0 and s < 0x90) or (t == 0xF4 and s >= 0x90):
            return 0
        return 4
    return 0


def is_utf8(b: Span[UInt8, _]) -> Bool:
    """Whether the bytes are UTF-8 without surrogates. Spec: CKPT-READ-002."""
    var i = 0
    while i < len(b):
        if b[i] < 0x80:
            i += 1
            continue
        var n = _sequence(b, i)
        if n == 0:
            return False
        i += n
    return True


def first_word(b: Span[UInt8, _]) -> UInt64:
    """The first eight bytes as a number that sorts as they do."""
    var v = UInt64(0)
    for i in range(8):
        v = v << 8 | (UInt64(b[i]) if i < len(b) else UInt64(0))
    return v


trait Ordering:
    """Things known by number that can be compared."""

    def word(self, i: Int) -> UInt64:
        """Decides first; kept beside the number, so most comparisons need no
        look at the thing itself.
        """
        ...

    def before(self, a: Int, b: Int) -> Bool:
        """Whether `a` sorts strictly before `b`, their words being equal."""
        ...


@fieldwise_init
struct _Item(ImplicitlyCopyable):
    """A thing that is being sorted."""

    var word: UInt64
    var number: Int


def sorted_order[T: Ordering](things: T, n: Int) -> List[Int]:
    """The numbers 0 to n - 1 in order: a stable bottom-up merge sort."""
    var items = List[_Item](capacity=n)
    for i in range(n):
        items.append(_Item(things.word(i), i))
    var other = items.copy()
    var width = 1
    while width < n:
        for lo in range(0, n, 2 * width):
            var mid = min(lo + width, n)
            _merge(things, items, other, lo, mid, min(mid + width, n))
        swap(items, other)
        width *= 2
    var order = List[Int](capacity=n)
    for item in items:
        order.append(item.number)
    return order^


def _merge[
    T: Ordering
](
    things: T,
    src: List[_Item],
    mut dst: List[_Item],
    lo: Int,
    mid: Int,
    hi: Int,
):
    """Merge the runs [lo, mid) and [mid, hi) of `src` into `dst`."""
    var i = lo
    var j = mid
    for k in range(lo, hi):
        if i < mid and (j >= hi or not _before(things, src[j], src[i])):
            dst[k] = src[i]
            i += 1
        else:
            dst[k] = src[j]
            j += 1


@always_inline
def _before[T: Ordering](things: T, a: _Item, b: _Item) -> Bool:
    if a.word != b.word:
        return a.word < b.word
    return things.before(a.number, b.number)
