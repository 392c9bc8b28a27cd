"""The hash xxh64 (seed 0), in one call or piece by piece.

Pointers are used here and nowhere above: this is the hottest loop of the port.
"""
from std.bit import rotate_bits_left

comptime P1: UInt64 = 0x9E3779B185EBCA87
comptime P2: UInt64 = 0xC2B2AE3D27D4EB4F
comptime P3: UInt64 = 0x165667B19E3779F9
comptime P4: UInt64 = 0x85EBCA77C2B2AE63
comptime P5: UInt64 = 0x27D4EB2F165667C5


@always_inline
def _load[dt: DType](p: Pointer[UInt8, _], at: Int) -> UInt64:
    """Little-endian load: the port is built for x86-64 only."""
    return UInt64(
        p.unsafe_offset(at)
        .unsafe_bitcast[Scalar[dt]]()
        .unsafe_load[alignment=1]()
    )


@always_inline
def _round(acc: UInt64, lane: UInt64) -> UInt64:
    return rotate_bits_left[31](acc + lane * P2) * P1


@always_inline
def _fold(h: UInt64, acc: UInt64) -> UInt64:
    return (h ^ _round(0, acc)) * P1 + P4


struct Xxh64(Movable):
    """Running xxh64 with seed 0 over any number of pieces."""

    var acc: SIMD[DType.uint64, 4]
    var total: Int
    var held: Int  # bytes of `tail` in use, always below 32
    var tail: Array[UInt8, 32]

    def __init__(out self):
        self.acc = SIMD[DType.uint64, 4](P1 + P2, P2, 0, UInt64(0) - P1)
        self.total = 0
        self.held = 0
        self.tail = Array[UInt8, 32](fill=0)

    def update(mut self, piece: Span[UInt8, _]):
        """Take the next bytes."""
        var n = len(piece)
        var p = piece.unsafe_ptr()
        var at = 0
        self.total += n
        if self.held > 0:
            at = min(32 - self.held, n)
            self._hold(p, 0, at)
            if self.held < 32:
                return
            self.held = 0
            var block = self.tail.copy()
            self._stripes(Pointer(to=block).unsafe_bitcast[UInt8](), 0, 1)
        var stripes = (n - at) // 32
        self._stripes(p, at, stripes)
        at += stripes * 32
        self._hold(p, at, n - at)

    def _hold(mut self, p: Pointer[UInt8, _], at: Int, n: Int):
        """Keep n bytes that do not fill a stripe yet."""
        if n == 0:
            return
        for i in range(n):
            self.tail[self.held + i] = p[unsafe_offset=at + i]
        self.held += n

    def _stripes(mut self, p: Pointer[UInt8, _], start: Int, count: Int):
        """Mix whole stripes of 32 bytes into the four lanes."""
        var a = self.acc[0]
        var b = self.acc[1]
        var c = self.acc[2]
        var d = self.acc[3]
        var at = start
        for _ in range(count):
            a = _round(a, _load[DType.uint64](p, at))
            b = _round(b, _load[DType.uint64](p, at + 8))
            c = _round(c, _load[DType.uint64](p, at + 16))
            d = _round(d, _load[DType.uint64](p, at + 24))
            at += 32
        self.acc = SIMD[DType.uint64, 4](a, b, c, d)

    def digest(self) -> UInt64:
        """The hash of everything taken so far."""
        var h = P5
        if self.total >= 32:
            h = (
                rotate_bits_left[1](self.acc[0])
                + rotate_bits_left[7](self.acc[1])
                + rotate_bits_left[12](self.acc[2])
                + rotate_bits_left[18](self.acc[3])
            )
            comptime for i in range(4):
                h = _fold(h, self.acc[i])
        h = self._tail(h + UInt64(self.total))
        h = (h ^ (h >> 33)) * P2
        h = (h ^ (h >> 29)) * P3
        return h ^ (h >> 32)

    def _tail(self, start: UInt64) -> UInt64:
        """Mix the last bytes: by 8, by 4, one by one."""
        var h = start
        var p = Pointer(to=self.tail).unsafe_bitcast[UInt8]()
        var i = 0
        while i + 8 <= self.held:
            h = h ^ _round(0, _load[DType.uint64](p, i))
            h = rotate_bits_left[27](h) * P1 + P4
            i += 8
        if i + 4 <= self.held:
            h = h ^ (_load[DType.uint32](p, i) * P1)
            h = rotate_bits_left[23](h) * P2 + P3
            i += 4
        while i < self.held:
            h = h ^ (UInt64(self.tail[i]) * P5)
            h = rotate_bits_left[11](h) * P1
            i += 1
        return h


def xxh64(b: Span[UInt8, _]) -> UInt64:
    """The xxh64 with seed 0 of some bytes. Spec: CKPT-SEG-004."""
    var h = Xxh64()
    h.update(b)
    return h.digest()
