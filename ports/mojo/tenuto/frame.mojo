"""The frame: trailer, segment table, and the bytes that no hash covers.

Spec: CKPT-FRAME-001 to CKPT-FRAME-004, CKPT-SEG-003 to CKPT-SEG-008.
"""
from .errors import Phase, TenutoError
from .hash import Xxh64, xxh64
from .msgpack import Encoder, Kind, read_header
from .scan import HEAD_LIMIT

comptime FILE_MIN = 128
comptime TRAILER_BYTES = 40
comptime TAIL_BYTES = 50  # key `trailer`, bin8 header, payload
comptime ALIGNMENT = 64
comptime SEGMENT_BYTES = 4294963200
comptime SEGMENT_LIMIT = 1048576


def magic() -> Array[UInt8, 8]:
    """Spec: CKPT-FRAME-001."""
    return [0x89, 0x54, 0x45, 0x4E, 0x55, 0x54, 0x4F, 0x0A]


def read_u64(b: Span[UInt8, _], at: Int) -> UInt64:
    """A little-endian number."""
    var v = UInt64(0)
    for i in range(8):
        v |= UInt64(b[at + i]) << UInt64(8 * i)
    return v


struct Trailer(ImplicitlyCopyable):
    """The numbers of the trailer."""

    var head_length: Int
    var table_offset: Int
    var file_length: Int

    def __init__(
        out self, head_length: Int, table_offset: Int, file_length: Int
    ):
        self.head_length = head_length
        self.table_offset = table_offset
        self.file_length = file_length

    def __init__(out self, b: Span[UInt8, _]) raises TenutoError:
        """Steps 4 to 7, on a file of at least 128 bytes."""
        var n = len(b)
        comptime MAGIC = magic()
        if b[n - 8 : n] != Span(materialize[MAGIC]()):
            raise TenutoError("bad_magic", Phase.OPEN)
        var at = n - TRAILER_BYTES
        if read_u64(b, at + 16) != UInt64(n):
            raise TenutoError("wrong_length", Phase.OPEN)
        var head = read_u64(b, at)
        var table = read_u64(b, at + 8)
        # In this order no difference can wrap: n is at least 128.
        if (
            table > UInt64(n - 51)
            or table < 28
            or head > table - 15
            or head < 13
        ):
            raise TenutoError("bad_trailer", Phase.OPEN)
        if head > UInt64(HEAD_LIMIT):
            raise TenutoError("head_limit", Phase.OPEN)
        self = Self(Int(head), Int(table), n)

    def numbers(self) -> List[UInt8]:
        """The first 24 bytes of the payload."""
        var out = List[UInt8](capacity=TRAILER_BYTES)
        _append_u64(out, UInt64(self.head_length))
        _append_u64(out, UInt64(self.table_offset))
        _append_u64(out, UInt64(self.file_length))
        return out^

    def digest(self, head: Span[UInt8, _], table: Span[UInt8, _]) -> UInt64:
        """Spec: CKPT-FRAME-003."""
        var h = Xxh64()
        h.update(head)
        h.update(table)
        h.update(self.numbers())
        return h.digest()

    def encode(
        self, head: Span[UInt8, _], table: Span[UInt8, _]
    ) -> List[UInt8]:
        """The last 50 bytes of a file."""
        var out = trailer_key()
        out.extend(self.numbers())
        _append_u64(out, self.digest(head, table))
        comptime MAGIC = magic()
        out.extend(Span(materialize[MAGIC]()))
        return out^


def _append_u64(mut out: List[UInt8], v: UInt64):
    for i in range(8):
        out.append(UInt8(v >> UInt64(8 * i) & 0xFF))


def trailer_key() -> List[UInt8]:
    """The key `trailer` and the header of its bin8."""
    var e = Encoder()
    e.text("trailer".as_bytes())
    e.u8(0xC4)
    e.u8(UInt8(TRAILER_BYTES))
    return e^.finish()


def table_key() -> List[UInt8]:
    """The key `segment_table`."""
    var e = Encoder()
    e.text("segment_table".as_bytes())
    return e^.finish()


def array_header(n: Int) -> List[UInt8]:
    """The header of the array of segments."""
    var e = Encoder()
    e.array(n)
    return e^.finish()


def segment_header(at: Int, stored: Int) -> List[UInt8]:
    """The bin32 header at a file offset and the padding behind it.

    Spec: CKPT-SEG-003.
    """
    var padding = (ALIGNMENT - (at + 5) % ALIGNMENT) % ALIGNMENT
    var e = Encoder(5 + ALIGNMENT)
    e.u8(0xC6)
    e.be(UInt32(stored + padding))
    var out = e^.finish()
    out.resize(5 + padding, 0)
    return out^


@fieldwise_init
struct Row(ImplicitlyCopyable):
    """A row of the segment table. Spec: CKPT-SEG-004."""

    var offset: UInt64
    var stored: UInt64
    var raw: UInt64
    var codec: UInt64
    var xxh64: UInt64

    def is_sound(self) -> Bool:
        """Spec: CKPT-SEG-004, CKPT-SEG-005."""
        comptime MOST = UInt64(SEGMENT_BYTES)
        return (
            self.stored >= 1
            and self.stored <= MOST
            and self.raw >= 1
            and self.raw <= MOST
            and (self.codec != 0 or self.stored == self.raw)
        )


def encode_table(rows: List[Row]) -> List[UInt8]:
    """The canonical segment table."""
    var e = Encoder(5 + 40 * len(rows))
    e.array(len(rows))
    for r in rows:
        e.array(5)
        e.uint(r.offset)
        e.uint(r.stored)
        e.uint(r.raw)
        e.uint(r.codec)
        e.uint(r.xxh64)
    return e^.finish()


def read_table(b: Span[UInt8, _]) raises TenutoError -> List[Row]:
    """Step 14: number of rows, form, codecs. Spec: CKPT-SEG-006, 007."""
    var h = read_header(b, 0, len(b))
    if h.kind == Kind.ARRAY and h.size > SEGMENT_LIMIT:
        raise TenutoError("segment_limit", Phase.FRAMING)
    # A row has at least six bytes, so no absurd number of them is reserved.
    if h.kind != Kind.ARRAY or h.size > (len(b) - h.body) // 6:
        raise TenutoError("bad_segment_table", Phase.FRAMING, "header")
    var rows = List[Row](capacity=h.size)
    var pos = h.body
    for _ in range(h.size):
        rows.append(_read_row(b, pos))
    # Whatever form was read: only the canonical bytes of it are right.
    if Span(encode_table(rows)) != b:
        raise TenutoError("bad_segment_table", Phase.FRAMING, "form")
    for r in rows:
        if r.codec != 0:
            raise TenutoError("unsupported_codec", Phase.FRAMING)
    return rows^


def _read_row(b: Span[UInt8, _], mut pos: Int) raises TenutoError -> Row:
    """Read five integers and move `pos` behind them."""
    var h = read_header(b, pos, len(b))
    var v = Array[UInt64, 5](fill=0)
    var good = h.kind == Kind.ARRAY and h.size == 5
    var at = h.body
    for i in range(5):
        var n = read_header(b, at, len(b))
        good = good and n.is_natural()
        v[i] = n.bits
        at = n.body
    var row = Row(v[0], v[1], v[2], v[3], v[4])
    if not good or not row.is_sound():
        raise TenutoError("bad_segment_table", Phase.FRAMING, "row", pos)
    pos = at
    return row


def check_frame(
    b: Span[UInt8, _], t: Trailer, rows: List[Row]
) raises TenutoError:
    """Step 16: recompute what no hash covers. Spec: CKPT-FRAME-004."""
    var pos = t.head_length
    _expect(b, pos, array_header(len(rows)), t.table_offset)
    for r in rows:
        _expect(b, pos, segment_header(pos, Int(r.stored)), t.table_offset)
        if r.offset != UInt64(pos) or Int(r.stored) > t.table_offset - pos:
            raise TenutoError("bad_framing", Phase.FRAMING, "offset", pos)
        pos += Int(r.stored)
    _expect(b, pos, table_key(), t.table_offset)
    if pos != t.table_offset:
        raise TenutoError("bad_framing", Phase.FRAMING, "table_offset", pos)
    pos = t.file_length - TAIL_BYTES
    _expect(b, pos, trailer_key(), t.file_length)


def _expect(
    b: Span[UInt8, _], mut pos: Int, expected: Span[UInt8, _], end: Int
) raises TenutoError:
    """Move `pos` behind the expected bytes, all of which lie before `end`."""
    if len(expected) > end - pos or b[pos : pos + len(expected)] != expected:
        raise TenutoError("bad_framing", Phase.FRAMING, "", pos)
    pos += len(expected)


def check_digests(b: Span[UInt8, _], rows: List[Row]) raises TenutoError:
    """Step 17, on a frame that is sound. Spec: CKPT-SEG-008."""
    for r in rows:
        var at = Int(r.offset)
        if xxh64(b[at : at + Int(r.stored)]) != r.xxh64:
            raise TenutoError("segment_digest_mismatch", Phase.SEGMENT, "", at)
