"""Tensors and their segments (step 15), and the tree built at the end."""
from std.memory import ArcPointer
from .document import Document, Piece, Tensor, raw_bytes
from .errors import Phase, TenutoError
from .frame import Row
from .fs import Blob
from .head import TensorRef
from .msgpack import Kind, read_header
from .scan import Scan
from .tree import Value


struct Links(Movable):
    """Which tensor each ext value is; tied ones are one. Spec: CKPT-VAL-009."""

    var tensor_of: List[Int]  # by ext value, in byte order
    var first: List[Int]  # by tensor: its first ext value
    var _owner: List[Int]  # by segment: the ext value that named it first

    def __init__(
        out self, refs: List[TensorRef], rows: List[Row]
    ) raises TenutoError:
        """Step 15. Spec: CKPT-VAL-006, CKPT-VAL-010, CKPT-VAL-011."""
        self.tensor_of = List[Int](capacity=len(refs))
        self.first = []
        self._owner = List[Int](length=len(rows), fill=-1)
        for i in range(len(refs)):
            var tied = self._claim(refs, i)
            _check_size(refs[i], rows)
            if tied >= 0:
                self.tensor_of.append(self.tensor_of[tied])
            else:
                self.tensor_of.append(len(self.first))
                self.first.append(i)
        for s in range(len(rows)):
            if self._owner[s] < 0:
                raise TenutoError("unreferenced_segment", Phase.FRAMING)

    def _claim(
        mut self, refs: List[TensorRef], i: Int
    ) raises TenutoError -> Int:
        """The ext value that ext value `i` is tied to, or -1."""
        ref t = refs[i]
        var tied = -1
        for k in range(len(t.segments)):
            if t.segments[k] >= UInt64(len(self._owner)):
                raise _bad_ref("out of range")
            var owner = self._owner[Int(t.segments[k])]
            if owner == i:
                raise _bad_ref("twice in one tensor")
            if k == 0 and owner >= 0:
                tied = owner
                if not _same(refs[tied], t):
                    raise _bad_ref("shared by tensors that differ")
            elif k > 0 and owner != tied:
                raise _bad_ref("shared in part")
            if tied < 0:
                self._owner[Int(t.segments[k])] = i
        return tied


def _bad_ref(var msg: String) -> TenutoError:
    return TenutoError("bad_segment_ref", Phase.FRAMING, msg^)


def _same(a: TensorRef, b: TensorRef) -> Bool:
    return (
        a.dtype == b.dtype and a.shape == b.shape and a.segments == b.segments
    )


def _check_size(t: TensorRef, rows: List[Row]) raises TenutoError:
    """Spec: CKPT-VAL-006, CKPT-VAL-007."""
    var sum = 0
    for s in t.segments:
        sum += Int(rows[Int(s)].raw)
    if raw_bytes(t.dtype, t.shape) != sum:
        raise TenutoError("size_mismatch", Phase.FRAMING)


def build_document(
    scan: Scan,
    refs: List[TensorRef],
    rows: List[Row],
    links: Links,
    blob: ArcPointer[Blob],
) -> Document:
    """The document of a file that has passed steps 1 to 16."""
    var tensors = List[Tensor](capacity=len(links.first))
    for i in links.first:
        var pieces = List[Piece](capacity=len(refs[i].segments))
        for s in refs[i].segments:
            ref row = rows[Int(s)]
            pieces.append(Piece(Int(row.offset), Int(row.stored)))
        tensors.append(
            Tensor(refs[i].dtype, refs[i].shape.copy(), blob, pieces^)
        )
    var builder = _Builder(scan.head, links.tensor_of)
    var root = Value.map()
    root.items.reserve(2 * len(scan.top))
    for e in scan.top:
        var key = scan.head[e.key.start : e.key.start + e.key.size]
        root.items.append(Value.blob(Kind.STR, key))
        builder.pos = e.value
        root.items.append(builder.value())
    root.sort()
    return Document(root^, tensors^)


struct _Builder[origin: ImmOrigin, refs: ImmOrigin]:
    """A cursor over a scanned head: nothing it meets can be malformed."""

    var head: Span[UInt8, Self.origin]
    var tensor_of: Span[Int, Self.refs]
    var pos: Int
    var exts: Int  # ext values met so far

    def __init__(
        out self,
        head: Span[UInt8, Self.origin],
        tensor_of: Span[Int, Self.refs],
    ):
        self.head = head
        self.tensor_of = tensor_of
        self.pos = 0
        self.exts = 0

    def value(mut self) -> Value:
        """The value at the cursor. Depth is bounded by the scan."""
        var h = read_header(self.head, self.pos, len(self.head))
        self.pos = h.after()
        if h.kind == Kind.STR or h.kind == Kind.BIN:
            return Value.blob(h.kind, self.head[h.body : self.pos])
        if h.kind == Kind.EXT:
            self.exts += 1
            return Value.tensor(self.tensor_of[self.exts - 1])
        var v = Value(h.kind, h.bits)
        if h.kind == Kind.ARRAY or h.kind == Kind.MAP:
            v.items.reserve(h.least())
            for _ in range(h.least()):
                v.items.append(self.value())
        if h.kind == Kind.MAP:
            v.sort()
        return v^
