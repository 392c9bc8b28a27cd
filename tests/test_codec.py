"""The codec in memory: what goes in comes out, in one form, and what cannot go in is refused with its path."""

from __future__ import annotations

import enum
import math
import mmap
import os
import random
import struct
import threading

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenuto.reference.checkpoint import (
    BufferSource,
    StoredTensor,
    Tensor,
    encode,
    open_checkpoint,
    strip_origin,
    usual_head,
)
from tenuto.reference.checkpoint import canonical as canonical_module
from tenuto.reference.checkpoint.compare import digest, first_difference
from tenuto.reference.checkpoint.constants import DTYPES, SEGMENT_BYTES
from tenuto.reference.errors import CheckpointError


def to_bytes(document):
    return b"".join(encode(document))


def from_bytes(data):
    return open_checkpoint(BufferSource(memoryview(data))).document()


def refusal(document):
    with pytest.raises(CheckpointError) as caught:
        next(encode(document))
    assert caught.value.phase == "encode"
    return caught.value


@st.composite
def tensors(draw):
    dtype = draw(st.sampled_from(sorted(DTYPES)))
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    size = math.prod(shape) * DTYPES[dtype]
    return Tensor(dtype, shape, draw(st.binary(min_size=size, max_size=size)))


SHARED = Tensor("uint8", (3,), b"abc")
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(width=64)
    | st.text()
    | st.binary()
    | tensors()
    | st.just(SHARED)
)
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30)


def plain(tree):
    """A tree as values that compare by kind and bits; a tensor as its bytes."""
    if isinstance(tree, Tensor):
        return ("tensor", tree.dtype, tree.shape, bytes(tree.data))
    if isinstance(tree, dict):
        return {key: plain(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [plain(value) for value in tree]
    if isinstance(tree, float):
        return "nan" if math.isnan(tree) else struct.pack(">d", tree)
    return (type(tree), tree)


@settings(max_examples=100, deadline=None)
@given(model=TREES, optimizer=st.dictionaries(st.text(), TREES), extra=TREES)
@pytest.mark.req("CKPT-VAL-001", "CKPT-VAL-009", "CKPT-VAL-013", "CKPT-CANON-004", "CKPT-CANON-005", "CKPT-FILE-005")
def test_what_is_written_is_read_back(make_document, model, optimizer, extra):
    document = make_document(model_state=model, optimizer_state=optimizer, x_future=extra)
    data = to_bytes(document)
    back = from_bytes(data)
    assert plain(back.head) == plain(document.head)
    assert back.canonical
    assert to_bytes(back) == data
    assert first_difference(document, back) is None


@settings(max_examples=100, deadline=None)
@given(model=TREES)
@pytest.mark.req("CKPT-FILE-001", "CKPT-CANON-001")
def test_the_stock_library_reads_it_and_would_write_the_head_alike(make_document, model):
    data = to_bytes(make_document(model_state=model))
    stock = msgpack.unpackb(data, strict_map_key=True)
    assert list(stock)[-3:] == ["segments", "segment_table", "trailer"]
    head = {key: value for key, value in stock.items() if key not in {"segments", "segment_table", "trailer"}}
    length = int.from_bytes(stock["trailer"][:8], "little")
    assert b"\x8c" + msgpack.packb(head)[1:] + msgpack.packb("segments") == data[:length]


@given(model=st.dictionaries(st.text(), SCALARS), seed=st.integers(0, 1000))
@settings(deadline=None)
@pytest.mark.req("CKPT-CANON-002")
def test_the_order_of_keys_in_memory_does_not_matter(make_document, model, seed):
    keys = list(model)
    random.Random(seed).shuffle(keys)
    assert to_bytes(make_document(model_state=model)) == to_bytes(
        make_document(model_state={k: model[k] for k in keys})
    )


@pytest.mark.req("CKPT-CANON-002", "CKPT-FILE-003")
def test_keys_are_sorted_by_utf8_and_not_by_utf16(make_document):
    low, high = "\uffee", "\U0001f600"  # in UTF-16 the second one starts with d83d and would come first
    data = to_bytes(make_document(model_state={high: 1, low: 2}, **{high: 3, low: 4}))
    stock = msgpack.unpackb(data)
    assert list(stock["model_state"]) == [low, high]
    assert list(stock)[9:11] == [low, high]


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (127, "7f"),
        (128, "cc80"),
        (255, "ccff"),
        (256, "cd0100"),
        (2**16, "ce00010000"),
        (2**32, "cf0000000100000000"),
        (2**64 - 1, "cf" + "ff" * 8),
        (-32, "e0"),
        (-33, "d0df"),
        (-129, "d1ff7f"),
        (-(2**15) - 1, "d2ffff7fff"),
        (-(2**31) - 1, "d3ffffffff7fffffff"),
        (-(2**63), "d38000000000000000"),
        (True, "c3"),
        (np.bool_(False), "c2"),
        (None, "c0"),
        (1.0, "cb3ff0000000000000"),
        (-0.0, "cb8000000000000000"),
        (np.float32(0.1), "cb3fb99999a0000000"),
        (np.int16(-7), "f9"),
        (float("inf"), "cb7ff0000000000000"),
        ("a" * 31, "bf" + "61" * 31),
        ("a" * 32, "d920" + "61" * 32),
        (b"", "c400"),
        (b"a" * 256, "c50100" + "61" * 256),
        ((), "90"),
        ([1] * 16, "dc0010" + "01" * 16),
        ({}, "80"),
    ],
    ids=repr,
)
@pytest.mark.req("CKPT-CANON-001", "CKPT-VAL-013")
def test_each_value_has_one_form(make_document, value, form):
    head = next(iter(encode(make_document(trainer_state=value))))
    assert head.endswith(b"\xadtrainer_state" + bytes.fromhex(form) + b"\xa8segments")


@pytest.mark.parametrize("bits", ["7ff8000000000000", "fff8000000000000", "7ff8000000000001", "7ff0000000000001"])
@pytest.mark.req("CKPT-VAL-014")
def test_every_nan_becomes_the_one_nan(make_document, bits):
    nan = struct.unpack(">d", bytes.fromhex(bits))[0]
    assert bytes.fromhex("cb7ff8000000000000") in next(encode(make_document(trainer_state=nan)))


class Mode(str, enum.Enum):  # noqa: UP042 - unlike StrEnum it has a str() of its own
    LEAST = "b"
    MOST = "a"


@pytest.mark.req("CKPT-CANON-002", "CKPT-VAL-001")
def test_a_text_enum_is_written_as_its_text(make_document):
    document = make_document(model_state={Mode.LEAST: Mode.MOST, Mode.MOST: 1})
    assert msgpack.unpackb(to_bytes(document))["model_state"] == {"a": 1, "b": "a"}
    assert from_bytes(to_bytes(document)).canonical


@pytest.mark.req("CKPT-VAL-008", "CKPT-SEG-002")
def test_sharing_is_what_is_written_once(make_document, make_tensor):
    tied, equal = make_tensor(2, 3), make_tensor(2, 3)
    empties = make_tensor(0), make_tensor(3, 0)
    data = to_bytes(make_document(model_state={"b": tied, "a": [tied, equal], "e": list(empties)}))
    stock = msgpack.unpackb(data)
    numbers = [msgpack.unpackb(ext.data)[2] for ext in (*stock["model_state"]["a"], stock["model_state"]["b"])]
    assert numbers == [[0], [1], [0]], "numbered in the order of the file, a before b"
    assert [msgpack.unpackb(ext.data)[2] for ext in stock["model_state"]["e"]] == [[], []]
    back = from_bytes(data).head["model_state"]
    assert back["a"][0] is back["b"]
    assert back["a"][1] is not back["b"]
    assert back["e"][0] is not back["e"][1]


@pytest.mark.req("CKPT-SEG-003", "CKPT-FRAME-002", "CKPT-VAL-007")
def test_layout_of_a_written_file(make_document):
    sizes = [1, 63, 64, 65, 300]
    document = make_document(model_state=[Tensor("uint8", (size,), bytes([size % 251]) * size) for size in sizes])
    data = to_bytes(document)
    stock = msgpack.unpackb(data)
    for size, (offset, stored, raw, codec, _), piece in zip(
        sizes, stock["segment_table"], stock["segments"], strict=True
    ):
        assert (offset % 64, stored, raw, codec) == (0, size, size, 0)
        assert data[offset : offset + size] == piece[-size:] == bytes([size % 251]) * size
        assert piece[:-size] == bytes(len(piece) - size)
        assert len(piece) - size < 64
    head, table, length = struct.unpack("<QQQ", stock["trailer"][:24])
    assert data[:head].endswith(b"\xa8segments")
    assert data[:table].endswith(b"\xadsegment_table")
    assert length == len(data)


@pytest.mark.req("CKPT-SEG-003")
def test_padding_is_the_least_at_every_offset(make_document):
    seen = set()
    for length in range(32, 32 + 64):  # the str has the same form at all of these
        data = to_bytes(make_document(model_state=Tensor("uint8", (1,), b"!"), trainer_state="x" * length))
        stock = msgpack.unpackb(data)
        assert stock["segment_table"][0][0] % 64 == 0
        assert data[stock["segment_table"][0][0]] == ord("!")
        seen.add(len(stock["segments"][0]) - 1)
    assert seen == set(range(64))


@pytest.mark.req("CKPT-SEG-001")
def test_a_large_tensor_is_cut(make_document, monkeypatch):
    monkeypatch.setattr("tenuto.reference.checkpoint.writer.xxhash.xxh64_intdigest", len)  # 4 GiB take 20 s to hash
    size = SEGMENT_BYTES + 1
    zeros = mmap.mmap(-1, size)  # never read nor written, so it takes no memory
    document = make_document(model_state=Tensor("uint8", (size,), zeros))
    pieces = [memoryview(piece).nbytes if len(piece) > 2**20 else bytes(piece) for piece in encode(document)]
    at = pieces.index(SEGMENT_BYTES)
    assert pieces[at - 1][:5] == b"\xc6" + (SEGMENT_BYTES + len(pieces[at - 1]) - 5).to_bytes(4, "big")
    assert [len(piece) for piece in pieces[at + 1 : at + 3]] == [64, 1]
    assert pieces[at + 1][:5] == b"\xc6" + (59 + 1).to_bytes(4, "big")


@pytest.mark.req("CKPT-SEG-001", "CKPT-VAL-009", "CKPT-CANON-003")
def test_a_cut_tensor_comes_back_whole(make_document, monkeypatch):
    for module in ("canonical", "layout", "table", "reader"):
        monkeypatch.setattr(f"tenuto.reference.checkpoint.{module}.SEGMENT_BYTES", 100)
    document = make_document(model_state={"w": Tensor("uint8", (250,), bytes(range(250)))})
    data = to_bytes(document)
    assert [row[1] for row in msgpack.unpackb(data)["segment_table"]] == [100, 100, 50]
    back = from_bytes(data)
    assert back.canonical
    assert bytes(back.head["model_state"]["w"].data) == bytes(range(250))
    monkeypatch.undo()
    assert not from_bytes(data).canonical, "other cuts than those of the format"


@pytest.mark.parametrize(
    ("tree", "path"),
    [
        ({"a": [1, {2, 3}]}, "model_state.a[1]"),
        ({"a": {"b": object()}}, "model_state.a.b"),
        ([lambda: None], "model_state[0]"),
        ({"a": 2**64}, "model_state.a"),
        ({"a": -(2**63) - 1}, "model_state.a"),
        ({"a": np.zeros(3)}, "model_state.a"),
        ({"a": 1j}, "model_state.a"),
        ({"a": bytearray(b"x")}, "model_state.a"),
        ({"a": "\ud800"}, "model_state.a"),
        ({"a": np.longdouble(1) / 3}, "model_state.a"),
        ({"\ud800": 1}, "model_state"),
    ],
)
@pytest.mark.req("CKPT-VAL-002", "CKPT-VAL-001")
def test_other_values_are_refused_with_their_path(make_document, tree, path):
    error = refusal(make_document(model_state=tree))
    assert error.code == "unserializable_value"
    assert str(error).startswith((f"{path}:", f"{path}."))


def without(make_document, key):
    head = dict(make_document().head)
    del head[key]
    return type(make_document())(head)


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"version": "2.0"}, "unsupported_version"),
        ({"version": "0.9"}, "unsupported_version"),
        ({"version": "banana"}, "not_a_checkpoint"),
        ({"version": "01.0"}, "not_a_checkpoint"),
        ({"version": "1." + "9" * 31}, "not_a_checkpoint"),
        ({"version": 1}, "not_a_checkpoint"),
        ({"requires": ["zstd"]}, "unsupported_feature"),
        ({"requires": [["zstd"]]}, "wrong_type"),
        ({"requires": "zstd"}, "wrong_type"),
        ({"metadata": {}}, "missing_key"),
        ({"metadata": {"origin": 1}}, "wrong_type"),
        ({"optimizer_state": []}, "wrong_type"),
        ({"segments": []}, "misplaced_key"),
        ({"trailer": b""}, "misplaced_key"),
        ({"model_state": {1: 2}}, "key_not_string"),
    ],
    ids=str,
)
@pytest.mark.req("CKPT-LIM-002", "CKPT-FILE-008", "CKPT-FILE-009", "CKPT-VER-002")
def test_the_writer_refuses_what_a_reader_would_refuse(make_document, parts, code):
    assert refusal(make_document(**parts)).code == code


@pytest.mark.req("CKPT-LIM-002", "CKPT-FILE-006")
def test_the_writer_refuses_a_head_without_a_key_and_with_another_kind_of_key(make_document):
    for key in make_document().head:
        assert refusal(without(make_document, key)).code == "missing_key"
    assert refusal(type(make_document())({**make_document().head, 7: 1})).code == "key_not_string"


@pytest.mark.parametrize(
    ("dtype", "shape", "data", "code"),
    [
        ("float31", (1,), b"abcd", "unknown_dtype"),
        ("FLOAT32", (1,), b"abcd", "unknown_dtype"),
        ("float32", (1,), b"abc", "size_mismatch"),
        ("float32", (), b"", "size_mismatch"),
        ("uint8", (-1, -3), b"abc", "bad_tensor"),
        ("uint8", (0, 2**63), b"", "bad_tensor"),
        ("uint8", (2**32, 2**32), b"", "size_mismatch"),
    ],
)
@pytest.mark.req("CKPT-VAL-003", "CKPT-VAL-004", "CKPT-VAL-006", "CKPT-LIM-002")
def test_a_tensor_that_no_reader_takes_cannot_be_made(dtype, shape, data, code):
    with pytest.raises(CheckpointError) as caught:
        Tensor(dtype, shape, data)
    assert (caught.value.code, caught.value.phase) == (code, "encode")


@pytest.mark.req("CKPT-VAL-003")
def test_sizes_may_be_numpy_integers(make_document):
    tensor = Tensor("uint8", (np.int64(2), True), b"ab")
    assert bytes(from_bytes(to_bytes(make_document(model_state=tensor))).head["model_state"].data) == b"ab"


def test_a_tensor_of_an_opened_file_cannot_be_written(make_document):
    assert refusal(make_document(model_state=StoredTensor("uint8", (1,), (0,)))).code == "unserializable_value"


def nested(depth):
    tree = 1
    for _ in range(depth):
        tree = [tree]
    return tree


@pytest.mark.req("CKPT-LIM-001", "CKPT-LIM-002")
def test_depth_and_rank_at_their_limits(make_document):
    from_bytes(to_bytes(make_document(model_state=nested(31))))  # and the top-level map
    assert refusal(make_document(model_state=nested(32))).code == "depth_limit"
    endless: list = []
    endless.append(endless)
    assert refusal(make_document(model_state=endless)).code == "depth_limit"
    from_bytes(to_bytes(make_document(model_state=Tensor("uint8", (1,) * 32, b"a"))))
    assert refusal(make_document(model_state=Tensor("uint8", (1,) * 33, b"a"))).code == "rank_limit"


# With the true numbers each case would take minutes; `test_codec_constants` compares those.
@pytest.mark.parametrize(
    ("limit", "reader_module"),
    [("NODE_LIMIT", "scan"), ("TENSOR_LIMIT", "scan"), ("SEGMENT_LIMIT", "table"), ("HEAD_LIMIT", "reader")],
)
@pytest.mark.req("CKPT-LIM-001", "CKPT-LIM-002")
def test_counted_limits(make_document, make_tensor, monkeypatch, limit, reader_module):
    document = make_document(model_state=[make_tensor(1), make_tensor(1), make_tensor(2)])
    head = next(encode(document))
    nodes = 1 + 9 * 2 + 2 + 3  # the map, its pairs, origin, the tensors
    exact = {"NODE_LIMIT": nodes, "TENSOR_LIMIT": 3, "SEGMENT_LIMIT": 3, "HEAD_LIMIT": len(head)}[limit]
    data = to_bytes(document)
    monkeypatch.setattr(usual_head, "_BYTES_MAX", 0)  # as heads are that have so many
    for number, refused in ((exact, False), (exact - 1, True)):
        monkeypatch.setattr(canonical_module, limit, number)
        monkeypatch.setattr(f"tenuto.reference.checkpoint.{reader_module}.{limit}", number)
        if refused:
            assert refusal(document).code == limit.lower()
            with pytest.raises(CheckpointError) as caught:
                from_bytes(data)
            assert caught.value.code == limit.lower()
            assert caught.value.phase != "encode", "by the reader: to find out whether it is canonical, it is encoded"
        else:
            assert to_bytes(from_bytes(to_bytes(document))) == data


@pytest.mark.req("CKPT-FRAME-005")
def test_one_pass_into_a_pipe(make_document, make_tensor):
    document = make_document(model_state={"w": make_tensor(1000, 100), "v": make_tensor(3)})
    read_end, write_end = os.pipe()
    received = bytearray()

    def drain():
        while piece := os.read(read_end, 65536):
            received.extend(piece)

    reader = threading.Thread(target=drain)
    reader.start()
    with os.fdopen(write_end, "wb") as pipe:
        for piece in encode(document):
            pipe.write(piece)
    reader.join()
    os.close(read_end)
    assert first_difference(from_bytes(bytes(received)), document) is None


@pytest.mark.req("CKPT-FILE-010")
def test_nothing_in_a_file_is_looked_up(make_document):
    hostile = {"__reduce__": ["os.system", "true"], "__class__": "subprocess.Popen", "p": b"\x80\x04cos\nsystem\n."}
    back = from_bytes(to_bytes(make_document(model_state=hostile, callback_state={"os.system": hostile})))
    assert back.head["model_state"] == hostile


@pytest.mark.req("CKPT-CANON-006")
def test_origin_is_all_that_identity_leaves_out(make_document, make_tensor):
    weights = make_tensor(2)
    one = make_document(model_state=weights, metadata={"origin": {"host": "a"}, "kind": "full"})
    same = make_document(model_state=make_tensor(2), metadata={"kind": "full", "origin": {"clock": 7}})
    assert digest(one) == digest(same)
    assert first_difference(one, same) is None
    assert to_bytes(strip_origin(one)) == to_bytes(strip_origin(same))
    for other in (
        make_document(model_state=weights, metadata={"origin": {}, "kind": "weights"}),
        make_document(model_state=make_tensor(2, start=1), metadata={"origin": {}, "kind": "full"}),
        make_document(model_state=weights, metadata={"origin": {}, "kind": "full"}, later=None),
        make_document(model_state=weights, metadata={"origin": {}, "kind": "full"}, version="1.1"),
    ):
        assert digest(other) != digest(one)
        assert first_difference(one, other)


@pytest.mark.parametrize(
    ("a", "b", "path"),
    [
        ({"x": [1, 2]}, {"x": [1, 3]}, "model_state.x[1]: 2; 3"),
        ({"x": 1}, {"x": True}, "model_state.x: 1; True"),
        ({"x": 1}, {"x": 1.0}, "model_state.x: 1; 1.0"),
        ({"x": 0.0}, {"x": -0.0}, "model_state.x: 0.0; -0.0"),
        ({"x": [1]}, {"x": [1, 2]}, "model_state.x: array of 1; array of 2"),
        ({"x": "1"}, {"x": b"1"}, "model_state.x: '1'; b'1'"),
        ({"x": {}}, {"x": []}, "model_state.x: map of 0; array of 0"),
        ({"b": 1}, {"a": 1, "b": 2}, "model_state.a: not in the first"),
    ],
    ids=str,
)
def test_the_first_difference_is_named(make_document, a, b, path):
    found = first_difference(make_document(model_state=a), make_document(model_state=b))
    assert found is not None
    assert found.startswith(path)


def test_differences_of_tensors_are_named(make_document, make_tensor):
    a, b = make_tensor(2, 2), make_tensor(2, 2, start=0)
    changed = Tensor("float32", (2, 2), bytes(a.data[:-1]) + b"\x00")
    told = first_difference(make_document(model_state={"w": a}), make_document(model_state={"w": changed}))
    assert told == (
        "model_state.w: float32 tensor of shape [2, 2], 1 elements differ, first [1, 1]: bytes 00004040; 00004000"
    )
    tied = first_difference(make_document(model_state=[a, a]), make_document(model_state=[a, b]))
    assert tied == "model_state[1]: shares the storage of model_state[0]; has its own storage"
    shape = first_difference(make_document(model_state=a), make_document(model_state=make_tensor(4)))
    assert shape == "model_state: float32 tensor of shape [2, 2]; float32 tensor of shape [4]"


@settings(max_examples=100, deadline=None)
@given(a=TREES, b=TREES)
def test_a_difference_is_named_exactly_when_the_digests_differ(make_document, a, b):
    one, other = make_document(model_state=a), make_document(model_state=b)
    assert (first_difference(one, other) is None) == (digest(one) == digest(other))
