"""Reading and writing checkpoint files: the front door of the port."""
from std.memory import ArcPointer
from .document import Document
from .encode import Plan, cut_size, cuts, encode_head, write_document
from .errors import Phase, TenutoError
from .frame import (
    FILE_MIN,
    Row,
    TAIL_BYTES,
    Trailer,
    check_digests,
    check_frame,
    read_table,
    read_u64,
)
from .fs import Blob, Memory, map_file
from .head import check_keys, check_version, read_tensors
from .link import Links, build_document
from .scan import Scan
from .storage import NewFile
from .tree import Value


struct Checkpoint(Movable):
    """A document that was read, and whether its file was canonical."""

    var document: Document
    var canonical: Bool

    def __init__(out self, var document: Document, canonical: Bool):
        self.document = document^
        self.canonical = canonical

    def take(deinit self) -> Document:
        """The document alone."""
        return self.document^


def _open(b: Span[UInt8, _]) raises TenutoError -> Trailer:
    """Steps 1 to 8: the ends of a file and the digest of its head."""
    if len(b) < FILE_MIN:
        raise TenutoError("file_too_small", Phase.OPEN)
    check_version(b)
    var trailer = Trailer(b)
    var head = b[0 : trailer.head_length].as_imm()
    var table = b[
        trailer.table_offset : trailer.file_length - TAIL_BYTES
    ].as_imm()
    var at = trailer.file_length - 16
    if read_u64(b, at) != trailer.digest(head, table):
        raise TenutoError("head_digest_mismatch", Phase.OPEN)
    return trailer


def read_blob(var blob: Blob) raises TenutoError -> Checkpoint:
    """Read with every check, in the order of CKPT-READ-001."""
    var shared = ArcPointer(blob^)
    var b = shared[].span()
    var trailer = _open(b)
    var head = b[0 : trailer.head_length]
    var table = b[trailer.table_offset : trailer.file_length - TAIL_BYTES]
    var scan = Scan(head.as_imm())
    check_keys(scan)
    var refs = read_tensors(scan)
    var rows = read_table(table)
    var links = Links(refs, rows)
    check_frame(b, trailer, rows)
    check_digests(b, rows)
    var doc = build_document(scan, refs, rows, links, shared)
    var canonical = _is_canonical(doc, head, rows)
    # The views above borrow from it: it must not die before this line.
    _ = shared^
    return Checkpoint(doc^, canonical)


def _is_canonical(
    doc: Document, head: Span[UInt8, _], rows: List[Row]
) raises TenutoError -> Bool:
    """Whether writing the document would give the bytes that were read.

    It is enough to compare the head and the cuts: equal heads number the same
    tensors in the same way, and the frame, which was recomputed from the table,
    depends on nothing else. Spec: CKPT-CANON-003, CKPT-CANON-005.
    """
    var plan = Plan(doc)
    if plan.segments != len(rows) or Span(encode_head(doc, plan)) != head:
        return False
    for place in range(len(plan.met)):
        var total = doc.tensors[plan.met[place]].nbytes()
        for k in range(cuts(total)):
            if Int(rows[plan.first[place] + k].raw) != cut_size(total, k):
                return False
    return True


def read_head(path: StringSpan) raises TenutoError -> Value:
    """The tree of a file whose tensors are not looked at: its ends, its head
    and its table are checked, and the bytes of the segments left out.

    Spec: CKPT-READ-004.
    """
    var shared = ArcPointer(map_file(path))
    var b = shared[].span()
    var parts = _open(b)
    var rows = read_table(
        b[parts.table_offset : parts.file_length - TAIL_BYTES]
    )
    var scan = Scan(b[0 : parts.head_length].as_imm())
    check_keys(scan)
    var refs = read_tensors(scan)
    var links = Links(refs, rows)
    var doc = build_document(scan, refs, rows, links, shared)
    _ = shared^
    return doc^.take_root()


def read_file(path: StringSpan) raises TenutoError -> Checkpoint:
    """Read the file at `path`. Spec: CKPT-READ-001, CKPT-READ-006."""
    return read_blob(map_file(path))


def write_file(
    doc: Document, path: StringSpan, durable: Bool = True
) raises TenutoError:
    """Write a document to `path`, whole or not at all."""
    var file = NewFile(path)
    _ = write_document(doc, file)
    file.finish(durable)


def write_bytes(doc: Document) raises TenutoError -> List[UInt8]:
    """The file of a document, in memory."""
    var size = 1 << 16
    for i in range(len(doc.tensors)):
        size += doc.tensors[i].nbytes()
    var sink = Memory(size)
    _ = write_document(doc, sink)
    return sink^.take()
