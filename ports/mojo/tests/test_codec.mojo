"""Unit tests of the codec; the vectors judge the rest.

Run in `ports/mojo`: `mojo run -I . tests/test_codec.mojo`.
"""
from std.testing import TestSuite, assert_equal, assert_true
from tenuto import (
    Blob,
    Document,
    Kind,
    Tensor,
    TenutoError,
    Value,
    Xxh64,
    read_blob,
    read_file,
    write_bytes,
    write_file,
    xxh64,
)
from tenuto.bytes import is_utf8
from tenuto.document import dtype_of, raw_bytes
from tenuto.frame import Trailer, read_u64, segment_header
from tenuto.head import check_version
from tenuto.msgpack import Encoder, read_header
from tenuto.scan import Scan


def sample_bytes(n: Int) -> List[UInt8]:
    """Bytes that the constants below were computed from."""
    var out = List[UInt8]()
    for i in range(n):
        out.append(UInt8((i * 7 + 3) & 255))
    return out^


def sample() raises TenutoError -> Document:
    """A document with tied tensors and an unknown key."""
    var doc = Document()
    var shape: List[UInt64] = [2, 3]
    var tied = doc.add(Tensor("float32", shape^, sample_bytes(24)))
    var model = Value.map()
    model.put("head", tied.copy())
    model.put("embedding", tied.copy())
    var none: List[UInt64] = [0, 7]
    model.put("empty", doc.add(Tensor("int8", none^, List[UInt8]())))
    doc.root.put("model_state", model^)
    doc.root.put("zz_unknown", Value.float(-0.0))
    return doc^


def refusal(var file: List[UInt8]) -> String:
    """Code and phase with which a file is refused."""
    try:
        _ = read_blob(Blob(file^))
    except e:
        return String(e.code, " ", e.phase)
    return "accepted"


def io_refusal(path: String) -> String:
    """Code and phase with which a path is refused."""
    try:
        _ = read_file(path)
    except e:
        return String(e.code, " ", e.phase)
    return "accepted"


def sealed(var head: List[UInt8]) -> List[UInt8]:
    """A file without segments around a head, with a right digest."""
    var tail: List[UInt8] = [0x90, 0xAD]
    tail.extend("segment_table".as_bytes())
    var n = len(head)
    var table: List[UInt8] = [0x90]
    var trailer = Trailer(n, n + 15, n + 66).encode(head, table)
    var out = head^
    out.extend(Span(tail))
    out.extend(Span(table))
    out.extend(Span(trailer))
    return out^


def head_with(model_state: List[UInt8]) raises TenutoError -> List[UInt8]:
    """The head of an empty document with a `model_state` of any bytes."""
    var file = write_bytes(Document())
    var n = Int(read_u64(file, len(file) - 40))
    var at = 0
    var key = "model_state".as_bytes()
    while Span(file)[at : at + len(key)] != key:
        at += 1
    at += len(key)
    var out = List[UInt8]()
    out.extend(Span(file)[0:at])
    out.extend(Span(model_state))
    out.extend(Span(file)[at + 1 : n])
    return out^


def refused_value(var model_state: List[UInt8]) raises TenutoError -> String:
    """How a file with such a `model_state` is refused."""
    return refusal(sealed(head_with(model_state)))


def test_xxh64_known_answers() raises:
    """The constants come from the xxhash package of Python."""
    assert_equal(xxh64(sample_bytes(0)), 0xEF46DB3751D8E999)
    assert_equal(xxh64(sample_bytes(1)), 0x1F25C8D0BC1F4BB6)
    assert_equal(xxh64(sample_bytes(3)), 0x31D2363F52E564C9)
    assert_equal(xxh64(sample_bytes(4)), 0x9BB64B7D66EE9FDA)
    assert_equal(xxh64(sample_bytes(8)), 0xDAB99D95C6F90092)
    assert_equal(xxh64(sample_bytes(15)), 0x1B47CB8243CC8E32)
    assert_equal(xxh64(sample_bytes(31)), 0xA2AA5F33CC4A6119)
    assert_equal(xxh64(sample_bytes(32)), 0x23C3C17EF790FD97)
    assert_equal(xxh64(sample_bytes(33)), 0x50A7CFC7BA588784)
    assert_equal(xxh64(sample_bytes(100)), 0xA61F8D4C170FE531)
    var all = UInt64(0)
    for n in range(101):
        all = all * 31 + xxh64(sample_bytes(n))
    assert_equal(all, 0x3529F345F6B5EE3D)


def test_xxh64_in_pieces() raises:
    """Every way to cut some bytes in three gives the hash of the whole."""
    var b = sample_bytes(80)
    for i in range(81):
        for j in range(i, 81):
            var h = Xxh64()
            h.update(Span(b)[0:i])
            h.update(Span(b)[i:j])
            h.update(Span(b)[j:80])
            assert_equal(h.digest(), xxh64(b))


def check_int(v: Value, size: Int) raises:
    """An integer takes so many bytes and comes back."""
    var e = Encoder()
    if v.kind == Kind.UINT:
        e.uint(v.bits)
    else:
        e.int(Int64(v.bits))
    assert_equal(len(e.buf), size)
    var h = read_header(e.buf, 0, len(e.buf))
    assert_equal(h.kind, v.kind)
    assert_equal(h.bits, v.bits)
    assert_equal(h.after(), size)
    # Cut short anywhere, the header is not there.
    for n in range(size):
        assert_equal(read_header(e.buf, 0, n).kind, Kind.TRUNCATED)


def test_integer_boundaries() raises:
    """Spec: CKPT-CANON-001."""
    check_int(Value.int(0), 1)
    check_int(Value.int(127), 1)
    check_int(Value.int(128), 2)
    check_int(Value.int(255), 2)
    check_int(Value.int(256), 3)
    check_int(Value.int(65535), 3)
    check_int(Value.int(65536), 5)
    check_int(Value.int(4294967295), 5)
    check_int(Value.int(4294967296), 9)
    check_int(Value.uint(UInt64(1) << 63), 9)
    check_int(Value.uint(UInt64.MAX), 9)
    check_int(Value.int(-1), 1)
    check_int(Value.int(-32), 1)
    check_int(Value.int(-33), 2)
    check_int(Value.int(-128), 2)
    check_int(Value.int(-129), 3)
    check_int(Value.int(-32768), 3)
    check_int(Value.int(-32769), 5)
    check_int(Value.int(-2147483648), 5)
    check_int(Value.int(-2147483649), 9)
    check_int(Value.int(Int64.MIN), 9)


def test_utf8() raises:
    """Spec: CKPT-READ-002."""
    assert_true(is_utf8("aé€😀".as_bytes()))
    var surrogate: List[UInt8] = [0xED, 0xA0, 0x80]
    var overlong: List[UInt8] = [0xC0, 0x80]
    var beyond: List[UInt8] = [0xF4, 0x90, 0x80, 0x80]
    var short: List[UInt8] = [0xE2, 0x82]
    assert_true(not is_utf8(surrogate))
    assert_true(not is_utf8(overlong))
    assert_true(not is_utf8(beyond))
    assert_true(not is_utf8(short))


def test_sizes_do_not_wrap() raises:
    """Spec: CKPT-VAL-006."""
    var f64 = dtype_of("float64".as_bytes())
    var scalar = List[UInt64]()
    assert_equal(raw_bytes(f64, scalar), 8)
    var huge: List[UInt64] = [1 << 62, 4]
    assert_equal(raw_bytes(f64, huge), -1)
    var empty: List[UInt64] = [1 << 62, 4, 0]
    assert_equal(raw_bytes(f64, empty), 0)


def test_maps_stay_sorted() raises:
    """Spec: CKPT-CANON-002."""
    var m = Value.map()
    m.put("b", Value.int(1))
    m.put("", Value.int(2))
    m.put("é", Value.int(3))
    m.put("b", Value.int(4))
    assert_equal(m.pairs(), 3)
    assert_true(m.is_sorted())
    assert_equal(m.get("b").bits, 4)
    assert_equal(m.find("c"), -1)


def test_round_trip() raises:
    """Spec: CKPT-CANON-005, CKPT-VAL-009."""
    var file = write_bytes(sample())
    var found = read_blob(Blob(file.copy()))
    assert_true(found.canonical)
    ref model = found.document.root.get("model_state")
    assert_equal(model.get("head").bits, model.get("embedding").bits)
    assert_equal(len(found.document.tensors), 2)
    assert_true(write_bytes(found.document) == file)


def test_files() raises:
    """Spec: CKPT-READ-006."""
    write_file(sample(), "build/test.ckpt")
    assert_true(read_file("build/test.ckpt").canonical)
    assert_equal(io_refusal("build/none.ckpt"), "file_not_found io")
    assert_equal(io_refusal("build/test.ckpt/x"), "file_not_found io")
    assert_equal(io_refusal("build"), "not_a_file io")
    assert_equal(io_refusal("/dev/zero"), "not_a_file io")


def test_every_flipped_bit_is_refused() raises:
    """Spec: CKPT-FRAME-004."""
    var file = write_bytes(sample())
    for i in range(8 * len(file)):
        var bad = file.copy()
        bad[i // 8] ^= UInt8(1 << (i % 8))
        assert_true(refusal(bad^) != "accepted")


def test_every_shorter_file_is_refused() raises:
    """Spec: CKPT-READ-005."""
    var file = write_bytes(sample())
    for n in range(len(file)):
        var bad = file.copy()
        bad.shrink(n)
        assert_true(refusal(bad^) != "accepted")


def test_refusals_of_the_scan() raises:
    """Spec: CKPT-READ-002."""
    assert_equal(refused_value([0x93, 0x01, 0x02, 0x03]), "accepted")
    assert_equal(refused_value([0xC1]), "reserved_byte head")
    assert_equal(
        refused_value([0xDD, 0xFF, 0xFF, 0xFF, 0xFF]), "length_overrun head"
    )
    assert_equal(refused_value([0xA1, 0xFF]), "invalid_utf8 head")
    assert_equal(refused_value([0x81, 0x01, 0x01]), "key_not_string head")
    # The repeated key stands before the reserved byte.
    assert_equal(
        refused_value([0x82, 0xA1, 0x61, 0xC0, 0xA1, 0x61, 0xC1]),
        "duplicate_key head",
    )
    assert_equal(
        refused_value([0x82, 0xA1, 0x61, 0xC1, 0xA1, 0x61, 0xC0]),
        "reserved_byte head",
    )
    var deep = List[UInt8](length=32, fill=0x91)
    deep.append(0xC0)
    assert_equal(refused_value(deep^), "depth_limit head")
    var just = List[UInt8](length=31, fill=0x91)
    just.append(0xC0)
    assert_equal(refused_value(just^), "accepted")


def test_refusals_of_ext_values() raises:
    """Spec: CKPT-VAL-003, CKPT-VAL-012."""
    assert_equal(refused_value([0xD4, 0x02, 0xC0]), "unsupported_ext head")
    assert_equal(refused_value([0xD4, 0x01, 0xC0]), "bad_tensor head")
    assert_equal(
        refused_value([0xD6, 0x01, 0x93, 0xA0, 0x90, 0x90]),
        "unknown_dtype head",
    )


def test_non_canonical_is_reported() raises:
    """Spec: CKPT-CANON-003, CKPT-CANON-004."""
    var wide = head_with([0xD3, 0, 0, 0, 0, 0, 0, 0, 5])
    var found = read_blob(Blob(sealed(wide^)))
    assert_true(not found.canonical)
    assert_true(write_bytes(found.document) == sealed(head_with([5])))
    # A float32 is widened; its NaN becomes the one NaN.
    var single = read_blob(Blob(sealed(head_with([0xCA, 0xFF, 0xC0, 0, 1]))))
    var bits = single.document.root.get("model_state").bits
    assert_equal(bits, 0x7FF8000000000000)


def test_a_writer_refuses_what_a_reader_would() raises:
    """Spec: CKPT-LIM-002."""
    var doc = Document()
    var v = Value.int(1)
    for _ in range(40):
        var outer = Value.array()
        outer.push(v^)
        v = outer^
    doc.root.put("model_state", v^)
    try:
        _ = write_bytes(doc)
        assert_true(False)
    except e:
        assert_true("depth_limit [encode]" in String(e))


def test_segment_alignment() raises:
    """Spec: CKPT-SEG-003."""
    for at in range(130):
        var n = len(segment_header(at, 1))
        assert_equal((at + n) % 64, 0)
        assert_true(n >= 5 and n < 5 + 64)


def main() raises:
    TestSuite.discover_tests[__functions_in_module()]().run()
