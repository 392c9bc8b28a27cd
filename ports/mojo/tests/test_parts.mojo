"""Unit tests of the parts: hash, integers, UTF-8, sizes, maps.

Run in `ports/mojo`: `mojo run -I . tests/test_parts.mojo`.
"""
from std.testing import TestSuite, assert_equal, assert_true
from tenuto import Kind, Value, Xxh64, xxh64
from tenuto.bytes import is_utf8
from tenuto.clock import TimeOfDay
from tenuto.document import dtype_of, raw_bytes
from tenuto.frame import segment_header
from tenuto.msgpack import Encoder, read_header


def sample_bytes(n: Int) -> List[UInt8]:
    """Bytes that the constants below were computed from."""
    var out = List[UInt8]()
    for i in range(n):
        out.append(UInt8((i * 7 + 3) & 255))
    return out^


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


def test_segment_alignment() raises:
    """Spec: CKPT-SEG-003."""
    for at in range(130):
        var n = len(segment_header(at, 1))
        assert_equal((at + n) % 64, 0)
        assert_true(n >= 5 and n < 5 + 64)


def test_times() raises:
    """Days to dates, leap years among them."""
    var day = 86400
    assert_equal(
        TimeOfDay(seconds=0, millisecond=5).rfc3339(),
        "1970-01-01T00:00:00.005Z",
    )
    assert_equal(
        TimeOfDay(seconds=951782400 + day - 1, millisecond=0).compact(),
        "20000229T235959Z",
    )
    assert_equal(
        TimeOfDay(seconds=1709251200, millisecond=0).compact(),
        "20240301T000000Z",
    )


def main() raises:
    TestSuite.discover_tests[__functions_in_module()]().run()
