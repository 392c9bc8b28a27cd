"""Compressed checkpoints: what is stored, what comes back, and what happens without the library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import MappingProxyType

import msgpack
import numpy as np
import pytest
import xxhash
from attrs import evolve

from tenuto.callbacks.checkpoint import CheckpointCallback
from tenuto.conformance_tests.oracle import zstd_frames as frames
from tenuto.conformance_tests.oracle.families.compressed import SHORT, ZEROS, vectors
from tenuto.conformance_tests.oracle.frame import Row, frame
from tenuto.conformance_tests.oracle.tree import make
from tenuto.conformance_tests.scenarios.compressed import zstd_library
from tenuto.reference.checkpoint import (
    Document,
    Store,
    Tensor,
    compression,
    packing,
    read_checkpoint,
    verify_checkpoint,
)
from tenuto.reference.checkpoint.compare import digest, first_difference
from tenuto.reference.checkpoint.files import open_file, read_tensors
from tenuto.reference.checkpoint.store import write_checkpoint
from tenuto.reference.errors import CheckpointError
from tenuto.reference.trainer.loop import Trainer
from tenuto.reference.workload import ReferenceWorkload, WorkloadSettings

MIB = 1 << 20
ZSTD = zstd_library()
CUT = 16 * MIB


def zeros(size):
    return Tensor("uint8", (size,), bytes(size))


def noise(size):
    return Tensor("uint8", (size,), np.random.default_rng(size).bytes(size))


@pytest.fixture
def both(tmp_path, make_document):
    """Writes tensors plain and compressed, and returns the two paths."""

    def write(**model):
        document = make_document(model_state=model)
        paths = tmp_path / "plain.ckpt", tmp_path / "small.ckpt"
        write_checkpoint(paths[0], document)
        write_checkpoint(paths[1], document, compression="zstd")
        return paths

    return write


def rows(path):
    return [(row.codec, row.raw_bytes) for row in verify_checkpoint(path).rows]


@pytest.mark.req("CKPT-ZSTD-007", "CKPT-ZSTD-001", "CKPT-VER-004")
def test_the_document_is_the_same_and_the_file_smaller(both):
    tied = zeros(5000)
    plain, small_one = both(a=tied, b=tied, c=noise(9000), d=zeros(0), e=Tensor("float32", (), bytes(4)))
    assert small_one.stat().st_size < plain.stat().st_size - 4000
    opened = verify_checkpoint(small_one)
    assert (opened.head["requires"], opened.is_canonical) == (["zstd"], False)
    document = read_checkpoint(small_one)
    assert first_difference(read_checkpoint(plain), document) is None
    assert digest(document) == digest(read_checkpoint(plain))
    assert (document.head["requires"], document.canonical) == ([], False)
    assert document.head["model_state"]["a"] is document.head["model_state"]["b"]
    document.head["model_state"]["a"].data[0] = 1  # as views of a mapped file can be written


@pytest.mark.req("CKPT-ZSTD-005")
def test_tensors_are_found_in_every_kind_of_tree_and_under_every_name(both):
    paths = both(
        **{"a.b": zeros(5000), "a": {"b": zeros(6000)}, "t": (zeros(7000),), "m": MappingProxyType({"x": zeros(8000)})}
    )
    assert rows(paths[1]) == [(1, 6000), (1, 5000), (1, 8000), (1, 7000)]
    assert digest(read_checkpoint(paths[1])) == digest(read_checkpoint(paths[0]))
    for verify in (True, False):
        with open_file(paths[1]) as opened:
            assert digest(opened.document(verify=verify)) == digest(read_checkpoint(paths[0]))


@pytest.mark.req("CKPT-LIM-002")
def test_what_is_refused_is_refused_before_anything_is_compressed(tmp_path, make_document, monkeypatch):
    monkeypatch.setattr(packing, "compressed", lambda _: pytest.fail("compressed"))
    tree = zeros(5000)
    for _ in range(5000):
        tree = [tree]
    with pytest.raises(CheckpointError, match="depth_limit"):
        write_checkpoint(tmp_path / "a.ckpt", make_document(model_state=[zeros(5000), tree]), compression="zstd")


@pytest.mark.req("CKPT-ZSTD-001", "CKPT-ZSTD-005")
def test_where_nothing_pays_the_file_is_the_uncompressed_one(both):
    plain, small_one = both(noise=noise(100_000), tiny=zeros(1000))
    assert small_one.read_bytes() == plain.read_bytes()


@pytest.mark.req("CKPT-ZSTD-005", "CKPT-ZSTD-003")
def test_a_tensor_is_cut_every_16_mib_where_a_part_of_it_pays(both):
    mixed = Tensor("uint8", (2 * CUT + 5000,), b"".join((bytes(CUT), noise(CUT).data, bytes(5000))))
    plain, small_one = both(a=noise(CUT + 1), b=zeros(CUT), c=zeros(CUT + 1), d=mixed)
    expected = [(0, CUT + 1), (1, CUT), (1, CUT), (0, 1), (1, CUT), (0, CUT), (1, 5000)]
    assert rows(small_one) == expected
    assert digest(read_checkpoint(small_one)) == digest(read_checkpoint(plain))


@pytest.mark.req("CKPT-ZSTD-003", "CKPT-ZSTD-004")
@pytest.mark.parametrize("size", [1024, 1100, 1200, 1300, 1301, 4096, 65_536, MIB + 1, CUT])
def test_no_segment_holds_more_than_a_hundred_times_what_it_stores(both, size):
    small_one = both(a=zeros(size))[1]
    (row,) = verify_checkpoint(small_one).rows  # which compares the padding, too
    assert row.codec == 1
    assert row.raw_bytes <= 100 * row.stored_bytes
    assert row.stored_bytes <= max(-(-size // 100), 28)


def test_a_large_tensor_is_tried_by_its_middle(both, monkeypatch):
    tried = []
    monkeypatch.setattr(packing, "compressed", lambda raw: tried.append(raw.nbytes))
    both(a=noise(10 * MIB))
    assert tried == [64 << 10]


@pytest.mark.req("CKPT-ZSTD-002")
def test_saving_in_parallel_gives_the_same_bytes(tmp_path, make_document):
    document = make_document(model_state=[zeros(3 * MIB), noise(MIB), zeros(CUT + 7)])
    for name, threshold in (("a", 0), ("b", 1 << 40)):
        Store(tmp_path, "r", parallel_bytes=threshold, is_compressing=True).save(name, document)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.req("CKPT-READ-004")
def test_some_tensors_are_read_without_the_others(both):
    small_one = both(a=zeros(5000), b=noise(5000), c=zeros(6000))[1]
    first = verify_checkpoint(small_one).rows[0]
    with small_one.open("r+b") as file:
        file.seek(first.offset)
        file.write(b"damage")
    found = read_tensors(small_one, ["model_state.c", "model_state.b"])
    assert {name: one.size_bytes for name, one in found.items()} == {"model_state.c": 6000, "model_state.b": 5000}
    assert bytes(found["model_state.c"].data) == bytes(6000)


def train(folder, epochs, **settings):
    """Trains a network whose hidden units are all dropped: much of its state is zeros."""
    workload = ReferenceWorkload(WorkloadSettings(features=64, hidden=64, optimizer="adam", dropout=0.999999))
    Trainer(workload, max_epochs=epochs, callbacks=[CheckpointCallback(folder, **settings)]).fit("auto")


@pytest.mark.req("CPC-SET-007", "TR-REST-005")
@pytest.mark.parametrize("in_background", [False, True])
def test_a_run_that_is_compressed_resumes_and_ends_as_one_that_is_not(tmp_path, in_background):
    for epochs in (1, 3):
        train(tmp_path / "plain", epochs)
        train(tmp_path / "small", epochs, compression="zstd", async_save=in_background)
    plain, small = (sorted((tmp_path / name).iterdir()) for name in ("plain", "small"))
    assert [path.name for path in plain] == [path.name for path in small]
    for one, other in zip(plain, small, strict=True):
        assert digest(read_checkpoint(one)) == digest(read_checkpoint(other))
        assert other.stat().st_size < one.stat().st_size * 0.6


def test_the_commands_tell_and_convert(both, tmp_path):
    plain, small_one = both(a=zeros(50_000))

    def tenuto(*arguments):
        command = [sys.executable, "-m", "tenuto.cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "compressed (zstd)" in tenuto("inspect", small_one)
    assert json.loads(tenuto("inspect", "--json", small_one))["requires"] == ["zstd"]
    assert "identical" in tenuto("diff", plain, small_one)
    tenuto("verify", small_one)
    tenuto("recode", small_one, tmp_path / "again.ckpt")
    assert (tmp_path / "again.ckpt").read_bytes() == plain.read_bytes()
    tenuto("recode", "--zstd", plain, tmp_path / "again.ckpt")
    assert (tmp_path / "again.ckpt").read_bytes() == small_one.read_bytes()


WITHOUT = """
import sys
sys.modules["backports.zstd"] = sys.modules["compression.zstd"] = None  # as if the extra were not installed
import tenuto
from tenuto.reference.errors import TenutoError
acts = {
    "setting": lambda: tenuto.CheckpointCallback(sys.argv[1], compression="zstd"),
    "reading": lambda: tenuto.read_checkpoint(sys.argv[1] + "/small.ckpt"),
    "writing": lambda: tenuto.write_checkpoint(
        sys.argv[1] + "/new.ckpt", tenuto.read_checkpoint(sys.argv[1] + "/plain.ckpt"), compression="zstd"),
}
for name, act in acts.items():
    try:
        act()
    except TenutoError as error:
        print(name, error.code, error.phase, "pip install 'tenuto[zstd]'" in str(error))
"""


@pytest.mark.req("CPC-SET-006", "CKPT-FILE-009")
def test_without_the_extra_it_is_refused_and_said_what_to_install(both, tmp_path):
    both(a=zeros(5000))
    ended = subprocess.run([sys.executable, "-c", WITHOUT, str(tmp_path)], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == [
        "setting unsupported_setting config True",
        "reading unsupported_feature head True",
        "writing unsupported_feature encode True",
    ]
    assert sorted(os.listdir(tmp_path)) == ["plain.ckpt", "small.ckpt"]


@pytest.mark.req("CKPT-ZSTD-006")
@pytest.mark.parametrize("size", [1000, 40_000, 200_000])  # the library hands out 32 KiB, then more
@pytest.mark.parametrize("end", ["whole", "an empty last block", "a checksum", "a wrong checksum", "a byte too many"])
def test_a_frame_is_decoded_to_its_very_end(size, end):
    last = {"an empty last block": (frames.raw(b""),), "a byte too many": (frames.raw(b"\x07"),)}.get(end, ())
    halves = frames.repeated(7, size // 2, last=False), frames.repeated(7, size // 2, last=not last)
    check = frames.checksum(bytes([7]) * size) if "checksum" in end else b""
    check = bytes([check[0] ^ 1]) + check[1:] if "wrong" in end else check
    stored = frames.zstd(size, *halves, *last, checksum=check)
    stored += compression._padding(len(stored), size)
    if "wrong" in end or "many" in end:
        with pytest.raises(CheckpointError, match="bad_compressed_segment"):
            compression.decompressed(0, memoryview(stored), size)
    else:
        assert compression.decompressed(0, memoryview(stored), size) == bytes([7]) * size


@pytest.mark.req("CKPT-ZSTD-006", "STORE-CLI-001")
def test_verifying_looks_into_what_is_compressed(tmp_path):
    vector = next(one for one in vectors() if one.title == "compressed: a wrong checksum")
    (tmp_path / "a.ckpt").write_bytes(vector.data)
    with pytest.raises(CheckpointError, match="bad_compressed_segment"):
        verify_checkpoint(tmp_path / "a.ckpt")


@pytest.mark.req("CKPT-FRAME-004", "CKPT-ZSTD-003")
def test_no_segment_is_counted_twice_where_some_tensors_are_read(tmp_path):
    """Rows that name the same bytes again would ask for any amount of memory."""
    one = frame({**make(model_state=[ZEROS, evolve(ZEROS)]), "requires": ["zstd"]})
    first = Row(len(one.head) + -(len(one.head) + 6) % 64 + 6, len(SHORT), 1000, 1, xxhash.xxh64_intdigest(SHORT))
    lying = evolve(one, segments=(SHORT, b""), rows={0: first, 1: first})
    (tmp_path / "a.ckpt").write_bytes(lying.build())
    with pytest.raises(CheckpointError, match="bad_framing"):
        read_tensors(tmp_path / "a.ckpt", ["model_state[0]"])


class NoMemory:
    """What the library says when the system has none, which no limit brings about in the same place twice."""

    ZstdError = type("ZstdError", (Exception,), {})

    def __getattr__(self, name):
        if name == "compress":
            raise self.ZstdError("Unable to compress Zstandard data: Allocation error : not enough memory")
        if name == "ZstdDecompressor":
            raise self.ZstdError("Unable to create ZSTD_DCtx instance.")
        return getattr(ZSTD, name)


def test_no_memory_is_not_taken_for_damage(monkeypatch):
    monkeypatch.setattr(compression, "_zstd", NoMemory)
    with pytest.raises(MemoryError):
        compression.compressed(memoryview(bytes(5000)))
    with pytest.raises(MemoryError):
        compression.decompressed(0, memoryview(SHORT), 1000)


def test_the_format_is_read_by_the_plain_libraries(both):
    """What the guide says: msgpack and any zstd read a compressed file."""
    path = both(a=zeros(5000))[1]
    top = msgpack.unpackb(path.read_bytes(), strict_map_key=False)
    stored = top["segment_table"][0][1]
    assert ZSTD.decompress(top["segments"][0][-stored:]) == bytes(5000)


def test_a_document_cannot_require_what_the_writer_decides(make_document, tmp_path):
    head = {**make_document().head, "requires": ["zstd"]}
    with pytest.raises(CheckpointError) as caught:
        write_checkpoint(tmp_path / "a.ckpt", Document(head))
    assert (caught.value.code, caught.value.phase) == ("unsupported_feature", "encode")
