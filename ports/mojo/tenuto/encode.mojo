"""Writing: the one canonical form of a document, front to back.

Spec: CKPT-CANON-001 to CKPT-CANON-005, CKPT-SEG-001, CKPT-SEG-002,
CKPT-FRAME-005, CKPT-LIM-002.
"""
from .document import Document, Tensor, dtype_name, raw_bytes
from .errors import Phase, TenutoError
from .frame import (
    Row,
    SEGMENT_BYTES,
    SEGMENT_LIMIT,
    TAIL_BYTES,
    Trailer,
    array_header,
    encode_table,
    segment_header,
    table_key,
)
from .fs import Sink
from .hash import Xxh64
from .head import KEYS, KEY_COUNT, check_keys, check_version, read_tensors
from .msgpack import Encoder, Kind
from .scan import HEAD_LIMIT, Scan, TENSOR_EXT
from .tree import Value


def canonical_top(root: Value) raises TenutoError -> List[Int]:
    """Indices of the top-level values in the order of CKPT-FILE-003.

    Spec: CKPT-LIM-002.
    """
    for name in ["segments", "segment_table", "trailer"]:
        if root.find(name) >= 0:
            raise TenutoError("misplaced_key", Phase.ENCODE, String(name))
    var order = List[Int](capacity=root.pairs())
    var known = List[Bool](length=root.pairs(), fill=False)
    comptime for k in range(KEY_COUNT):
        comptime name = KEYS[k]
        var i = root.find(name)
        if i < 0:
            raise TenutoError("missing_key", Phase.ENCODE, String(name))
        known[i // 2] = True
        order.append(i)
    for pair in range(root.pairs()):
        if not known[pair]:
            order.append(2 * pair + 1)
    return order^


struct Plan(Movable):
    """Numbers of tensors and segments: first met, first numbered.

    Spec: CKPT-SEG-001, CKPT-SEG-002.
    """

    var top: List[Int]
    var met: List[Int]  # tensors in the order in which they are met
    var place: List[Int]  # by tensor: its place in `met`, or -1
    var first: List[Int]  # by place: the number of its first segment
    var segments: Int

    def __init__(out self, doc: Document) raises TenutoError:
        self.top = canonical_top(doc.root)
        self.met = []
        self.place = List[Int](length=len(doc.tensors), fill=-1)
        self.first = []
        self.segments = 0
        for i in self.top:
            self._meet(doc.root.items[i], doc.tensors)

    def __init__(out self, tree: Value, tensors: List[Tensor]):
        """The plan of a single tree."""
        self.top = []
        self.met = []
        self.place = List[Int](length=len(tensors), fill=-1)
        self.first = []
        self.segments = 0
        self._meet(tree, tensors)

    def _meet(mut self, v: Value, tensors: List[Tensor]):
        """Number the tensors of a tree, depth first."""
        if v.kind == Kind.TENSOR:
            var t = Int(v.bits)
            if self.place[t] < 0:
                self.place[t] = len(self.met)
                self.met.append(t)
                self.first.append(self.segments)
                self.segments += cuts(tensors[t].nbytes())
            return
        for i in range(len(v.items)):
            self._meet(v.items[i], tensors)


def cuts(nbytes: Int) -> Int:
    """The number of segments of a tensor. Spec: CKPT-SEG-001, CKPT-VAL-007."""
    return (nbytes + SEGMENT_BYTES - 1) // SEGMENT_BYTES


def cut_size(nbytes: Int, k: Int) -> Int:
    """Bytes of segment `k` of a tensor."""
    return min(SEGMENT_BYTES, nbytes - k * SEGMENT_BYTES)


def encode_head(doc: Document, plan: Plan) -> List[UInt8]:
    """Every byte before the value of `segments`. Spec: CKPT-FILE-003."""
    var e = Encoder(4096)
    e.map(len(plan.top) + 3)
    for i in plan.top:
        e.text(doc.root.items[i - 1].data)
        _encode_value(e, doc.root.items[i], doc.tensors, plan)
    e.text("segments".as_bytes())
    return e^.finish()


def _encode_value(mut e: Encoder, v: Value, tensors: List[Tensor], plan: Plan):
    """Write one value. Spec: CKPT-CANON-001."""
    if v.kind == Kind.INT:
        e.int(Int64(v.bits))
    elif v.kind == Kind.UINT:
        e.uint(v.bits)
    elif v.kind == Kind.STR:
        e.text(v.data)
    elif v.kind == Kind.BIN:
        e.bin(v.data)
    elif v.kind == Kind.F64:
        e.float_bits(v.bits)
    elif v.kind == Kind.NIL:
        e.u8(0xC0)
    elif v.kind == Kind.BOOL:
        e.u8(0xC2 + UInt8(v.bits))
    elif v.kind == Kind.TENSOR:
        var t = Int(v.bits)
        e.ext(TENSOR_EXT, _payload(tensors[t], plan.first[plan.place[t]]))
    else:
        if v.kind == Kind.MAP:
            e.map(v.pairs())
        else:
            e.array(len(v.items))
        for i in range(len(v.items)):
            _encode_value(e, v.items[i], tensors, plan)


def _payload(t: Tensor, first: Int) -> List[UInt8]:
    """The payload of ext type 1. Spec: CKPT-VAL-003."""
    var e = Encoder(64)
    e.array(3)
    e.text(dtype_name(t.dtype).as_bytes())
    e.array(len(t.shape))
    for n in t.shape:
        e.uint(n)
    var count = cuts(t.nbytes())
    e.array(count)
    for s in range(count):
        e.uint(UInt64(first + s))
    return e^.finish()


def check_writable(
    doc: Document, plan: Plan, head: Span[UInt8, _]
) raises TenutoError:
    """Refuse what a reader would refuse, by asking the reader's own checks.

    Spec: CKPT-LIM-002.
    """
    try:
        if len(head) > HEAD_LIMIT:
            raise TenutoError("head_limit", Phase.OPEN)
        check_version(head)
        var scan = Scan(head.as_imm())
        check_keys(scan)
        _ = read_tensors(scan)
        if plan.segments > SEGMENT_LIMIT:
            raise TenutoError("segment_limit", Phase.FRAMING)
        for t in plan.met:
            ref tensor = doc.tensors[t]
            if raw_bytes(tensor.dtype, tensor.shape) != tensor.nbytes():
                raise TenutoError("size_mismatch", Phase.FRAMING)
    except e:
        raise e.in_phase(Phase.ENCODE)


def write_document[
    S: Sink
](doc: Document, mut sink: S) raises TenutoError -> Int:
    """Write the canonical form in one pass; the length of the file.

    Spec: CKPT-FRAME-005, CKPT-CANON-004.
    """
    var plan = Plan(doc)
    var head = encode_head(doc, plan)
    check_writable(doc, plan, head)
    sink.write(head)
    var header = array_header(plan.segments)
    sink.write(header)
    var at = len(head) + len(header)
    var rows = List[Row](capacity=plan.segments)
    for t in plan.met:
        ref tensor = doc.tensors[t]
        var total = tensor.nbytes()
        for k in range(cuts(total)):
            var size = cut_size(total, k)
            var row = _write_segment(sink, tensor, at, k * SEGMENT_BYTES, size)
            at = Int(row.offset) + size
            rows.append(row)
    var key = table_key()
    sink.write(key)
    at += len(key)
    var table = encode_table(rows)
    sink.write(table)
    var trailer = Trailer(len(head), at, at + len(table) + TAIL_BYTES)
    sink.write(trailer.encode(head, table))
    return trailer.file_length


def _write_segment[
    S: Sink
](
    mut sink: S, tensor: Tensor, at: Int, start: Int, size: Int
) raises TenutoError -> Row:
    """Write one segment at file offset `at`. Spec: CKPT-SEG-003, 004."""
    var header = segment_header(at, size)
    sink.write(header)
    var h = Xxh64()
    for p in tensor.cut(start, size):
        # In steps that stay in the cache between the hash and the write.
        var done = 0
        while done < p.length:
            var n = min(1 << 18, p.length - done)
            var part = tensor.bytes(p)[done : done + n]
            h.update(part)
            sink.write(part)
            done += n
    var n = UInt64(size)
    return Row(UInt64(at + len(header)), n, n, 0, h.digest())
