"""The head: its keys, their kinds, and its ext values (steps 2, 3, 10 to 13)."""
from .bytes import is_utf8
from .document import UNKNOWN_DTYPE, dtype_of
from .errors import Phase, TenutoError
from .msgpack import Header, Kind, read_header
from .scan import Ext, Scan, Slice, TENSOR_EXT, behind

comptime KEY_COUNT = 9
comptime RANK_LIMIT = 32
comptime ANY: UInt8 = 255


def head_keys() -> Array[StaticString, KEY_COUNT]:
    """Keys 1 to 9 in canonical order. Spec: CKPT-FILE-002, CKPT-FILE-003."""
    return [
        "version",
        "requires",
        "metadata",
        "model_state",
        "optimizer_state",
        "scheduler_state",
        "rng_state",
        "callback_state",
        "trainer_state",
    ]


def _head_kinds() -> Array[UInt8, KEY_COUNT]:
    """The kind of each value; a tree may be anything."""
    return [
        Kind.STR,
        Kind.ARRAY,
        Kind.MAP,
        ANY,
        Kind.MAP,
        Kind.MAP,
        Kind.MAP,
        Kind.MAP,
        ANY,
    ]


comptime KEYS = head_keys()
comptime KINDS = _head_kinds()


def _number(b: Span[UInt8, _]) -> Bool:
    """Whether the bytes are a decimal number without leading zeros."""
    if len(b) == 0 or (len(b) > 1 and b[0] == 0x30):
        return False
    for i in range(len(b)):
        if b[i] < 0x30 or b[i] > 0x39:
            return False
    return True


def check_version(b: Span[UInt8, _]) raises TenutoError:
    """Steps 2 and 3: the first pair. Spec: CKPT-READ-001, CKPT-VER-002."""
    var top = read_header(b, 0, len(b))
    var key = read_header(b, top.body, len(b))
    if (
        top.kind != Kind.MAP
        or top.size < 1
        or key.kind != Kind.STR
        or key.size > len(b) - key.body
        or b[key.body : key.after()] != "version".as_bytes()
    ):
        raise TenutoError("not_a_checkpoint", Phase.OPEN, "no first pair")
    var v = read_header(b, key.after(), len(b))
    if v.kind != Kind.STR or v.size > 32 or v.size > len(b) - v.body:
        raise TenutoError("not_a_checkpoint", Phase.OPEN, "no version")
    var text = b[v.body : v.after()]
    var dot = 0
    while dot < len(text) and text[dot] != 0x2E:
        dot += 1
    if (
        dot == len(text)
        or not _number(text[0:dot])
        or not _number(text[dot + 1 : len(text)])
    ):
        raise TenutoError("not_a_checkpoint", Phase.OPEN, "no major.minor")
    if text[0:dot] != "1".as_bytes():
        raise TenutoError("unsupported_version", Phase.OPEN)


def check_keys(scan: Scan) raises TenutoError:
    """Steps 10 to 12. Spec: CKPT-FILE-006 to CKPT-FILE-009."""
    var at = _key_offsets(scan)
    comptime for i in range(KEY_COUNT):
        comptime name = KEYS[i]
        if at[i] < 0:
            raise TenutoError("missing_key", Phase.HEAD, String(name))
    _check_tail_keys(scan)
    _check_requires(scan.head, at[1])
    comptime for i in range(KEY_COUNT):
        comptime name = KEYS[i]
        comptime kind = KINDS[i]
        comptime if kind != ANY:
            if read_header(scan.head, at[i], len(scan.head)).kind != kind:
                raise TenutoError("wrong_type", Phase.HEAD, String(name), at[i])
    _check_origin(scan.head, at[2])


def _key_offsets(scan: Scan) -> Array[Int, KEY_COUNT]:
    """Where the values of keys 1 to 9 start; -1: nowhere."""
    var at = Array[Int, KEY_COUNT](fill=-1)
    for e in scan.top:
        comptime for i in range(KEY_COUNT):
            comptime name = KEYS[i]
            if _is(scan.head, e.key, name):
                at[i] = e.value
    return at^


def _is(head: Span[UInt8, _], s: Slice, text: StringSpan) -> Bool:
    return head[s.start : s.start + s.size] == text.as_bytes()


def _check_tail_keys(scan: Scan) raises TenutoError:
    """What the head shows of keys 10 to 12. Spec: CKPT-FILE-007."""
    var placed = _is(scan.head, scan.last_key, "segments")
    for e in scan.top:
        if _is(scan.head, e.key, "segment_table") or _is(
            scan.head, e.key, "trailer"
        ):
            placed = False
    if not placed or scan.end != len(scan.head):
        raise TenutoError("misplaced_key", Phase.HEAD, "", scan.end)


def _check_requires(head: Span[UInt8, _], at: Int) raises TenutoError:
    """Step 11: an array of str, all of them features that we know: none."""
    var h = read_header(head, at, len(head))
    if h.kind != Kind.ARRAY:
        raise TenutoError("wrong_type", Phase.HEAD, "requires", at)
    var pos = h.body
    for _ in range(h.size):
        var item = read_header(head, pos, len(head))
        if item.kind != Kind.STR:
            raise TenutoError("wrong_type", Phase.HEAD, "requires", pos)
        pos = item.after()
    if h.size > 0:
        raise TenutoError("unsupported_feature", Phase.HEAD, "", at)


def _check_origin(head: Span[UInt8, _], at: Int) raises TenutoError:
    """Step 12: `metadata.origin` is a map. Spec: CKPT-FILE-008."""
    var h = read_header(head, at, len(head))
    var pos = h.body
    for _ in range(h.size):
        var key = read_header(head, pos, len(head))
        var value = key.after()
        if _is(head, Slice(key.body, key.size), "origin"):
            if read_header(head, value, len(head)).kind != Kind.MAP:
                raise TenutoError("wrong_type", Phase.HEAD, "origin", value)
            return
        pos = behind(head, value)
    raise TenutoError("missing_key", Phase.HEAD, "metadata.origin", at)


struct TensorRef(Copyable):
    """A tensor as the head declares it."""

    var dtype: UInt8
    var shape: List[UInt64]
    var segments: List[UInt64]

    def __init__(out self):
        self.dtype = UNKNOWN_DTYPE
        self.shape = []
        self.segments = []


def read_tensors(scan: Scan) raises TenutoError -> List[TensorRef]:
    """Step 13: every ext value in byte order. Spec: CKPT-VAL-003, 004, 012."""
    var found = List[TensorRef](capacity=len(scan.exts))
    for e in scan.exts:
        var start = e.payload.start
        if e.ext_type != TENSOR_EXT:
            raise TenutoError("unsupported_ext", Phase.HEAD, "", start)
        var t = TensorRef()
        var payload = scan.head[start : start + e.payload.size]
        if not _parse_tensor(payload, t):
            raise TenutoError("bad_tensor", Phase.HEAD, "", start)
        if t.dtype == UNKNOWN_DTYPE:
            raise TenutoError("unknown_dtype", Phase.HEAD, "", start)
        if len(t.shape) > RANK_LIMIT:
            raise TenutoError("rank_limit", Phase.HEAD, "", start)
        found.append(t^)
    return found^


def _parse_tensor(b: Span[UInt8, _], mut t: TensorRef) -> Bool:
    """Read `[dtype, shape, segments]`; whether the bytes are just that."""
    var outer = read_header(b, 0, len(b))
    if outer.kind != Kind.ARRAY or outer.size != 3:
        return False
    var name = read_header(b, outer.body, len(b))
    if name.kind != Kind.STR or name.size > len(b) - name.body:
        return False
    var text = b[name.body : name.after()]
    if not is_utf8(text):  # the scan does not look inside ext values
        return False
    t.dtype = dtype_of(text)
    var pos = _numbers(b, name.after(), t.shape)
    if pos < 0:
        return False
    for n in t.shape:
        if n >> 63 != 0:
            return False
    # A number of 2^63 or more is a segment number, but out of range: step 15.
    return _numbers(b, pos, t.segments) == len(b)


def _numbers(b: Span[UInt8, _], at: Int, mut out: List[UInt64]) -> Int:
    """Read an array of integers in [0, 2^64); the offset behind it, or -1."""
    var h = read_header(b, at, len(b))
    if h.kind != Kind.ARRAY or h.size > len(b) - h.body:
        return -1
    out.reserve(h.size)
    var pos = h.body
    for _ in range(h.size):
        var n = read_header(b, pos, len(b))
        if not n.is_natural():
            return -1
        out.append(n.bits)
        pos = n.body
    return pos
