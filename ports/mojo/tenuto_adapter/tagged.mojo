"""Tagged values and trees of the adapter protocol, read and written."""
from tenuto.document import Document, Tensor, dtype_name
from tenuto.encode import Plan
from tenuto.errors import Phase, TenutoError, internal
from tenuto.fs import BUFFER, Sink
from tenuto.msgpack import Kind
from tenuto.tree import Value
from tenuto_adapter.json import Json, JsonKind, hex_digit, quote

comptime MOST_IDENTITIES = 1 << 20


def _starts(b: Span[UInt8, _], prefix: StringSpan) -> Bool:
    var n = prefix.byte_length()
    return len(b) >= n and b[0:n] == prefix.as_bytes()


def parse_scalar(b: Span[UInt8, _]) raises TenutoError -> Value:
    """A string with a tag."""
    var n = len(b)
    if b == "nil".as_bytes():
        return Value()
    if _starts(b, "s:"):
        return Value.blob(Kind.STR, b[2:n])
    if _starts(b, "i:"):
        return _parse_int(b[2:n])
    if _starts(b, "b:"):
        var v = Value(Kind.BIN)
        v.data = _parse_hex(b[2:n])
        return v^
    if _starts(b, "f64:") and n == 20:
        var bits = UInt64(0)
        for byte in _parse_hex(b[4:n]):
            bits = bits << 8 | UInt64(byte)
        return Value(Kind.F64, bits)
    raise internal("an unknown tag")


def parse_decimal(b: Span[UInt8, _]) raises TenutoError -> UInt64:
    """Decimal digits without leading zeros, below 2^64."""
    if len(b) == 0 or len(b) > 20 or (b[0] == 0x30 and len(b) > 1):
        raise internal("a bad number")
    var v = UInt64(0)
    for c in b:
        if c < 0x30 or c > 0x39:
            raise internal("a bad number")
        var d = UInt64(c) - 0x30
        if v > (UInt64.MAX - d) // 10:
            raise internal("a number out of range")
        v = v * 10 + d
    return v


def _parse_int(b: Span[UInt8, _]) raises TenutoError -> Value:
    """An integer in [-2^63, 2^64)."""
    if not _starts(b, "-"):
        return Value.uint(parse_decimal(b))
    var v = parse_decimal(b[1 : len(b)])
    if v == 0 or v > UInt64(1) << 63:
        raise internal("a number out of range")
    return Value(Kind.INT, UInt64(0) - v)


def _parse_hex(b: Span[UInt8, _]) raises TenutoError -> List[UInt8]:
    """Pairs of lower-case hex digits."""
    if len(b) % 2 != 0:
        raise internal("an odd number of hex digits")
    var out = List[UInt8](capacity=len(b) // 2)
    for i in range(0, len(b), 2):
        var hi = hex_digit(b[i])
        var lo = hex_digit(b[i + 1])
        if hi < 0 or lo < 0:
            raise internal("a bad hex digit")
        out.append(UInt8(hi << 4 | lo))
    return out^


struct TreeReader(Movable):
    """Reads trees and collects their tensors by identity."""

    var tensors: List[Tensor]
    var _by_identity: List[Int]

    def __init__(out self):
        self.tensors = []
        self._by_identity = []

    def take(deinit self) -> List[Tensor]:
        """The tensors, by the numbers that the trees have for them."""
        return self.tensors^

    def tree(mut self, j: Json) raises TenutoError -> Value:
        """A tagged scalar, or an array that starts with its kind."""
        if j.kind == JsonKind.STRING:
            return parse_scalar(j.text)
        if j.kind <= JsonKind.TRUE:
            return Value.bool(j.kind == JsonKind.TRUE)
        if (
            j.kind != JsonKind.ARRAY
            or len(j.items) == 0
            or j.items[0].kind != JsonKind.STRING
        ):
            raise internal("not a tree")
        var kind = Span(j.items[0].text)
        if kind == "array".as_bytes():
            var v = Value.array()
            for i in range(1, len(j.items)):
                v.push(self.tree(j.items[i]))
            return v^
        if kind == "map".as_bytes():
            return self._map(j)
        if kind == "tensor".as_bytes():
            return self._tensor(j)
        raise internal("an unknown kind of tree")

    def _map(mut self, j: Json) raises TenutoError -> Value:
        """The form `["map", [key, tree], ...]`."""
        var v = Value.map()
        for i in range(1, len(j.items)):
            ref pair = j.items[i]
            if (
                pair.kind != JsonKind.ARRAY
                or len(pair.items) != 2
                or pair.items[0].kind != JsonKind.STRING
            ):
                raise internal("not a pair")
            v.items.append(Value.blob(Kind.STR, pair.items[0].text))
            v.items.append(self.tree(pair.items[1]))
        v.sort()
        if not v.is_sorted():
            raise internal("a key twice in one map")
        return v^

    def _tensor(mut self, j: Json) raises TenutoError -> Value:
        """The form `["tensor", identity, dtype, shape, bytes]`."""
        if len(j.items) != 5:
            raise internal("not a tensor")
        for i in range(1, 5):
            if j.items[i].kind != JsonKind.STRING:
                raise internal("not a tensor")
        ref name = j.items[1].text
        if not _starts(name, "t:") or not _starts(j.items[4].text, "b:"):
            raise internal("not a tensor")
        var id = parse_decimal(Span(name)[2 : len(name)])
        if id >= MOST_IDENTITIES:
            raise internal("an identity out of range")
        while len(self._by_identity) <= Int(id):
            self._by_identity.append(-1)
        ref data = j.items[4].text
        var tensor = Tensor(
            String(from_utf8=j.items[2].text),
            _parse_shape(j.items[3].text),
            _parse_hex(Span(data)[2 : len(data)]),
        )
        # A tied tensor is written out each time, and has to be the same.
        var known = self._by_identity[Int(id)]
        if known >= 0 and not _is_same(self.tensors[known], tensor):
            raise TenutoError("bad_tensor", Phase.ENCODE)
        if known < 0:
            known = len(self.tensors)
            self._by_identity[Int(id)] = known
            self.tensors.append(tensor^)
        return Value.tensor(known)


def _is_same(a: Tensor, b: Tensor) -> Bool:
    """Whether two tensors with bytes of their own are equal."""
    if a.dtype != b.dtype or a.shape != b.shape or a.nbytes() != b.nbytes():
        return False
    return a.blob[].span() == b.blob[].span()


def _parse_shape(b: Span[UInt8, _]) raises TenutoError -> List[UInt64]:
    """Numbers with commas between them; nothing is rank 0."""
    var shape = List[UInt64]()
    var start = 0
    for i in range(len(b) + 1):
        if i == len(b) or b[i] == 0x2C:
            if len(b) > 0:
                shape.append(parse_decimal(b[start:i]))
            start = i + 1
    return shape^


struct TreeWriter(Movable):
    """Writes trees as JSON; whoever uses it empties the buffer into a sink."""

    var out: List[UInt8]

    def __init__(out self):
        self.out = List[UInt8](capacity=BUFFER)

    def take(deinit self) -> List[UInt8]:
        """What is in the buffer."""
        return self.out^

    def _put(mut self, text: StringSpan):
        self.out.extend(text.as_bytes())

    def _flush[S: Sink](mut self, mut sink: S, least: Int) raises TenutoError:
        """Empty the buffer if it holds at least so many bytes."""
        if len(self.out) >= least:
            sink.write(self.out)
            self.out.clear()

    def document[
        S: Sink
    ](mut self, doc: Document, mut sink: S) raises TenutoError:
        """A document, its tensors numbered in canonical order."""
        self.tree(doc.root, doc.tensors, Plan(doc), sink)
        self._flush(sink, 0)

    def tree[
        S: Sink
    ](
        mut self, v: Value, tensors: List[Tensor], plan: Plan, mut sink: S
    ) raises TenutoError:
        """One tree."""
        self._flush(sink, BUFFER)
        if v.kind == Kind.TENSOR:
            var t = Int(v.bits)
            self._tensor(tensors[t], plan.place[t], sink)
        elif v.kind == Kind.ARRAY:
            self._put('["array"')
            for i in range(len(v.items)):
                self._put(",")
                self.tree(v.items[i], tensors, plan, sink)
            self._put("]")
        elif v.kind == Kind.MAP:
            self._put('["map"')
            for i in range(0, len(v.items), 2):
                self._put(",[")
                quote(self.out, "", v.items[i].data)
                self._put(",")
                self.tree(v.items[i + 1], tensors, plan, sink)
                self._put("]")
            self._put("]")
        else:
            append_scalar(self.out, v)

    def _tensor[
        S: Sink
    ](mut self, t: Tensor, place: Int, mut sink: S) raises TenutoError:
        """A tensor, flushed piece by piece: it may be large."""
        self._put(String('["tensor","t:', place, '","', dtype_name(t.dtype)))
        self._put('","')
        for i in range(len(t.shape)):
            if i > 0:
                self._put(",")
            self._put(String(t.shape[i]))
        self._put('","b:')
        var total = t.nbytes()
        comptime STEP = BUFFER // 2
        for start in range(0, total, STEP):
            for p in t.cut(start, min(STEP, total - start)):
                append_hex(self.out, t.bytes(p))
            self._flush(sink, BUFFER)
        self._put('"]')


def append_hex(mut out: List[UInt8], b: Span[UInt8, _]):
    """Two lower-case hex digits for each byte."""
    var at = len(out)
    out.resize(unsafe_uninit_length=at + 2 * len(b))
    for i in range(len(b)):
        out[at + 2 * i] = _hex_character(b[i] >> 4)
        out[at + 2 * i + 1] = _hex_character(b[i] & 15)


@always_inline
def _hex_character(d: UInt8) -> UInt8:
    return d + (UInt8(0x30) if d < 10 else UInt8(0x57))


def append_scalar(mut out: List[UInt8], v: Value):
    """A tagged scalar."""
    if v.kind == Kind.STR:
        quote(out, "s:", v.data)
    elif v.kind == Kind.BOOL:
        out.extend(("true" if v.bits != 0 else "false").as_bytes())
    elif v.kind == Kind.BIN:
        out.extend('"b:'.as_bytes())
        append_hex(out, v.data)
        out.append(0x22)
    elif v.kind == Kind.INT:
        out.extend(String('"i:', Int64(v.bits), '"').as_bytes())
    elif v.kind == Kind.UINT:
        out.extend(String('"i:', v.bits, '"').as_bytes())
    elif v.kind == Kind.F64:
        out.extend('"f64:'.as_bytes())
        for i in range(8):
            var byte: List[UInt8] = [UInt8(v.bits >> UInt64(56 - 8 * i) & 0xFF)]
            append_hex(out, byte)
        out.append(0x22)
    else:
        out.extend('"nil"'.as_bytes())
