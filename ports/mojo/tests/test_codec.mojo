"""Unit tests of the codec as a whole; the vectors judge the rest.

Run in `ports/mojo`, after a build: `mojo run -I . tests/test_codec.mojo`.
"""
from std.testing import TestSuite, assert_equal, assert_true
from tenuto import (
    Blob,
    Document,
    Tensor,
    TenutoError,
    Value,
    read_blob,
    read_file,
    write_bytes,
    write_file,
)
from tenuto.frame import Trailer, read_u64


def sample_bytes(n: Int) -> List[UInt8]:
    """Some bytes."""
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


def main() raises:
    TestSuite.discover_tests[__functions_in_module()]().run()
