"""Msgpack objects: one bounded header reader and the canonical encoder."""
from std.bit import byte_swap
from std.memory import unsafe_memcpy
from std.sys import size_of


struct Kind:
    """What an object is. Floats are kept as the bits of a float64."""

    comptime NIL: UInt8 = 0
    comptime BOOL: UInt8 = 1
    comptime INT: UInt8 = 2  # below 2^63: the bits are an Int64
    comptime UINT: UInt8 = 3  # 2^63 and above: the bits are a UInt64
    comptime F64: UInt8 = 4
    comptime STR: UInt8 = 5
    comptime BIN: UInt8 = 6
    comptime ARRAY: UInt8 = 7
    comptime MAP: UInt8 = 8
    comptime EXT: UInt8 = 9
    comptime TENSOR: UInt8 = 10  # of a tree, never of a header
    comptime RESERVED: UInt8 = 11  # the byte c1
    comptime TRUNCATED: UInt8 = 12  # the header itself does not fit


@fieldwise_init
struct Header(ImplicitlyCopyable):
    """The first bytes of an object: its kind and what it declares."""

    var kind: UInt8
    var ext_type: Int8
    var bits: UInt64  # the value of a scalar
    var size: Int  # bytes of a str, bin or ext; elements; pairs
    var body: Int  # offset behind the header

    def least(self) -> Int:
        """The least number of bytes that must follow the header."""
        if self.kind == Kind.MAP:
            return 2 * self.size
        return self.size

    def after(self) -> Int:
        """Offset behind a scalar, or of the first element of an array or map.
        """
        if self.kind == Kind.ARRAY or self.kind == Kind.MAP:
            return self.body
        return self.body + self.size

    def is_natural(self) -> Bool:
        """Whether it is an integer in [0, 2^64)."""
        return self.kind == Kind.UINT or (
            self.kind == Kind.INT and Int64(self.bits) >= 0
        )


def _widths() -> Array[UInt8, 32]:
    """Bytes of the number behind each of the first bytes c0 to df."""
    return [
        0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8,
        1, 2, 4, 8, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4,
    ]  # fmt: skip


comptime NAN_BITS: UInt64 = 0x7FF8000000000000


def canonical_float(bits: UInt64) -> UInt64:
    """The bits, or those of the one NaN. Spec: CKPT-VAL-014."""
    if bits & 0x7FFFFFFFFFFFFFFF > 0x7FF0000000000000:
        return NAN_BITS
    return bits


def _widened(bits: UInt64) -> UInt64:
    """The float64 of a float32, exactly. Spec: CKPT-VAL-014."""
    var f = Float32(from_bits=UInt32(bits))
    return canonical_float(Float64(f).to_bits[DType.uint64]())


def read_header(b: Span[UInt8, _], pos: Int, end: Int) -> Header:
    """The object at `pos`, whose header must end at or before `end`.

    Only the header is known to fit: compare `least()` before going on.
    """
    if pos >= end:
        return Header(Kind.TRUNCATED, 0, 0, 0, pos)
    var t = b[pos]
    if t < 0xC0 or t >= 0xE0:
        return _fixed(t, pos + 1)
    comptime WIDTHS = _widths()
    var w = Int(materialize[WIDTHS]()[Int(t - 0xC0)])
    var is_ext = (t >= 0xC7 and t <= 0xC9) or (t >= 0xD4 and t <= 0xD8)
    var body = pos + 1 + w + (1 if is_ext else 0)
    if body > end:
        return Header(Kind.TRUNCATED, 0, 0, 0, pos)
    var v = UInt64(0)
    for i in range(pos + 1, pos + 1 + w):
        v = v << 8 | UInt64(b[i])
    if is_ext:
        var n = 1 << Int(t - 0xD4) if t >= 0xD4 else Int(v)
        return Header(Kind.EXT, Int8(b[body - 1]), 0, n, body)
    return _sized(t, v, body)


@always_inline
def _fixed(t: UInt8, body: Int) -> Header:
    """Objects whose first byte holds the value or the size."""
    if t < 0x80:
        return Header(Kind.INT, 0, UInt64(t), 0, body)
    if t >= 0xE0:
        return Header(Kind.INT, 0, UInt64(Int64(Int8(t))), 0, body)
    if t < 0x90:
        return Header(Kind.MAP, 0, 0, Int(t & 15), body)
    if t < 0xA0:
        return Header(Kind.ARRAY, 0, 0, Int(t & 15), body)
    return Header(Kind.STR, 0, 0, Int(t & 31), body)


def _sized(t: UInt8, v: UInt64, body: Int) -> Header:
    """Objects whose first byte c0 to df is followed by the number `v`."""
    if t == 0xC0:
        return Header(Kind.NIL, 0, 0, 0, body)
    if t == 0xC1:
        return Header(Kind.RESERVED, 0, 0, 0, body)
    if t <= 0xC3:
        return Header(Kind.BOOL, 0, UInt64(t & 1), 0, body)
    if t <= 0xC6:
        return Header(Kind.BIN, 0, 0, Int(v), body)
    if t == 0xCA:
        return Header(Kind.F64, 0, _widened(v), 0, body)
    if t == 0xCB:
        # Every NaN is the same value, so no reader tells one from another.
        return Header(Kind.F64, 0, canonical_float(v), 0, body)
    if t <= 0xCF:
        return Header(Kind.UINT if v >> 63 else Kind.INT, 0, v, 0, body)
    if t <= 0xD3:
        return Header(Kind.INT, 0, _signed(t, v), 0, body)
    if t <= 0xDB:
        return Header(Kind.STR, 0, 0, Int(v), body)
    if t <= 0xDD:
        return Header(Kind.ARRAY, 0, 0, Int(v), body)
    return Header(Kind.MAP, 0, 0, Int(v), body)


def _signed(t: UInt8, v: UInt64) -> UInt64:
    """Sign extension of the forms int 8 (d0) to int 64 (d3)."""
    if t == 0xD0:
        return UInt64(Int64(Int8(v & 0xFF)))
    if t == 0xD1:
        return UInt64(Int64(Int16(v & 0xFFFF)))
    if t == 0xD2:
        return UInt64(Int64(Int32(v & 0xFFFFFFFF)))
    return v


struct Encoder(Movable):
    """The shortest form of every object. Spec: CKPT-CANON-001."""

    var buf: List[UInt8]

    def __init__(out self, capacity: Int = 64):
        self.buf = List[UInt8](capacity=capacity)

    def finish(deinit self) -> List[UInt8]:
        """The bytes written."""
        return self.buf^

    @always_inline
    def u8(mut self, v: UInt8):
        self.buf.append(v)

    @always_inline
    def be[dt: DType](mut self, v: Scalar[dt]):
        """A number in big-endian order."""
        comptime n = size_of[Scalar[dt]]()
        var at = len(self.buf)
        self.buf.resize(unsafe_uninit_length=at + n)
        self.buf.unsafe_ptr().unsafe_offset(at).unsafe_bitcast[
            Scalar[dt]
        ]().unsafe_store[alignment=1](byte_swap(v))

    def raw(mut self, b: Span[UInt8, _]):
        """Bytes as they are."""
        if len(b) == 0:
            return
        var at = len(self.buf)
        self.buf.resize(unsafe_uninit_length=at + len(b))
        unsafe_memcpy(
            dest=self.buf.unsafe_ptr().unsafe_offset(at),
            src=b.unsafe_ptr(),
            count=len(b),
        )

    def uint(mut self, v: UInt64):
        """A non-negative integer, always in an unsigned form."""
        if v < 0x80:
            self.u8(UInt8(v))
        elif v <= 0xFF:
            self.u8(0xCC)
            self.u8(UInt8(v))
        elif v <= 0xFFFF:
            self.u8(0xCD)
            self.be(UInt16(v))
        elif v <= 0xFFFFFFFF:
            self.u8(0xCE)
            self.be(UInt32(v))
        else:
            self.u8(0xCF)
            self.be(v)

    def int(mut self, v: Int64):
        """An integer below 2^63."""
        if v >= 0:
            self.uint(UInt64(v))
        elif v >= -32:
            self.u8(UInt8(v & 0xFF))
        elif v >= -0x80:
            self.u8(0xD0)
            self.u8(UInt8(v & 0xFF))
        elif v >= -0x8000:
            self.u8(0xD1)
            self.be(Int16(v))
        elif v >= -0x80000000:
            self.u8(0xD2)
            self.be(Int32(v))
        else:
            self.u8(0xD3)
            self.be(v)

    def float_bits(mut self, bits: UInt64):
        """A float64. Spec: CKPT-VAL-013, CKPT-VAL-014."""
        self.u8(0xCB)
        self.be(canonical_float(bits))

    def _size(mut self, n: Int, t8: UInt8, t16: UInt8, t32: UInt8):
        """The shortest of three headers; t8 is 0 where no such form exists."""
        if n <= 0xFF and t8 != 0:
            self.u8(t8)
            self.u8(UInt8(n))
        elif n <= 0xFFFF:
            self.u8(t16)
            self.be(UInt16(n))
        else:
            self.u8(t32)
            self.be(UInt32(n))

    def text(mut self, b: Span[UInt8, _]):
        """A str."""
        if len(b) < 32:
            self.u8(0xA0 | UInt8(len(b)))
        else:
            self._size(len(b), 0xD9, 0xDA, 0xDB)
        self.raw(b)

    def bin(mut self, b: Span[UInt8, _]):
        """A bin."""
        self._size(len(b), 0xC4, 0xC5, 0xC6)
        self.raw(b)

    def array(mut self, n: Int):
        """The header of an array of n elements."""
        if n < 16:
            self.u8(0x90 | UInt8(n))
        else:
            self._size(n, 0, 0xDC, 0xDD)

    def map(mut self, n: Int):
        """The header of a map of n pairs."""
        if n < 16:
            self.u8(0x80 | UInt8(n))
        else:
            self._size(n, 0, 0xDE, 0xDF)

    def ext(mut self, ext_type: Int8, payload: Span[UInt8, _]):
        """An ext value, as fixext where its payload fits."""
        var n = len(payload)
        if n == 1 or n == 2 or n == 4 or n == 8 or n == 16:
            var t = UInt8(0xD4)
            while 1 << Int(t - 0xD4) < n:
                t += 1
            self.u8(t)
        else:
            self._size(n, 0xC7, 0xC8, 0xC9)
        self.u8(UInt8(ext_type))
        self.raw(payload)
