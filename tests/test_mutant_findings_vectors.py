"""The reader and the writer of the reference against every vector, in this process: each clause has a test of its own.

The runner judges the port by the same files, as a process. A fault of the reference is found here by its clause.
"""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from attrs import frozen

from tenuto.conformance_tests.entries import safe_load
from tenuto.reference.checkpoint import BufferSource, Tensor, encode, layout, open_checkpoint
from tenuto.reference.checkpoint.scan import scan_head
from tenuto.reference.checkpoint.tensors import parse_tensor
from tenuto.reference.errors import CheckpointError

CKPT = Path(__file__).parents[1] / "spec/v1/vectors/ckpt"
shows = pytest.mark.req  # the sidecars say which; the linter reads them there


@frozen
class Case:
    """A file and what its sidecar expects: a code and a phase, or whether it is canonical and how it is recoded."""

    path: Path
    req: list[str]
    expect: dict
    recode: str | None = None

    def param(self):
        return pytest.param(self, id=self.path.stem, marks=shows(*self.req))


def _cases():
    for sidecar in sorted(CKPT.glob("*/*.yaml")):
        fields = safe_load(sidecar.read_text())
        if "zstd" in fields.get("lacks", ()):
            continue  # what a port says that cannot read compressed files
        yield Case(sidecar.with_suffix(".ckpt"), fields["req"], fields["expect"], fields.get("recode"))


CASES = list(_cases())


def read(path):
    return open_checkpoint(BufferSource(memoryview(path.read_bytes())))


def verified(path):
    opened = read(path)
    opened.check_frame()
    opened.check_segments()
    return opened.document()


@pytest.mark.parametrize("case", [case.param() for case in CASES if "error" in case.expect])
def test_a_bad_file_is_refused_with_its_code(case):
    with pytest.raises(CheckpointError) as caught:
        verified(case.path)
    assert (caught.value.code, caught.value.phase) == (case.expect["error"], case.expect["phase"])


@pytest.mark.parametrize("case", [case.param() for case in CASES if "error" not in case.expect])
def test_a_good_file_is_read_and_written_again_in_its_canonical_form(case):
    document = verified(case.path)
    assert document.canonical is case.expect["canonical"]
    assert b"".join(encode(document)) == (case.path.parent / case.recode).read_bytes()


@pytest.mark.req("CKPT-READ-003")
@pytest.mark.parametrize("count", [1, 2])
def test_too_few_pairs_are_refused_before_anything_else_of_the_scan(count):
    """In the vectors of this clause nothing else is wrong; here a reserved byte follows."""
    with pytest.raises(CheckpointError) as caught:
        scan_head(memoryview(bytes([0x80 | count, 0xC1]) + bytes(20)))
    assert caught.value.code == "missing_key"


@pytest.mark.req("CKPT-READ-002", "CKPT-LIM-003")
@pytest.mark.parametrize(
    ("head", "rest"),
    [
        (b"\x88", 10),  # the top level: eight pairs take at least 11 bytes
        (b"\x84\xa1a\x86", 11),  # a map of six
        (b"\x84\xa1a\x9c", 11),  # an array of twelve
        (b"\x84\xa1a\xc7\x0b", 11),  # an ext value of eleven, with a byte for its type
    ],
    ids=["top level", "map", "array", "ext"],
)
def test_a_count_that_does_not_fit_is_refused_at_its_header_and_nothing_behind_it_is_looked_at(head, rest):
    with pytest.raises(CheckpointError) as caught:
        scan_head(memoryview(head + b"\xc1" * rest))
    assert caught.value.code == "length_overrun"


@pytest.mark.req("CKPT-LIM-003")
@pytest.mark.parametrize("case", [case.param() for case in CASES if "CKPT-LIM-003" in case.req])
def test_nothing_is_allocated_for_a_length_that_does_not_fit(case):
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError):
            verified(case.path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 2**20


@pytest.mark.req("CKPT-VAL-003")
@pytest.mark.parametrize("extent", ["d0ff", "d1ffff", "d2ffffffff", "d3ffffffffffffffff", "e0"])
def test_an_extent_below_zero_is_refused_in_each_form(extent):
    with pytest.raises(CheckpointError) as caught:
        parse_tensor(b"\x93\xa5uint8\x91" + bytes.fromhex(extent) + b"\x90")
    assert caught.value.code == "bad_tensor"


@pytest.mark.req("CKPT-VAL-003")
@pytest.mark.parametrize("shape_and_segments", ["92059007", "9105059000", "90059000", "91900590", "9291059100"])
def test_a_shape_of_other_length_than_its_header_says_is_refused(shape_and_segments):
    """Among them some in which the segments would be taken for an extent, and their number for the segments."""
    with pytest.raises(CheckpointError) as caught:
        parse_tensor(b"\x93\xa5uint8" + bytes.fromhex(shape_and_segments))
    assert caught.value.code == "bad_tensor"


@pytest.mark.req("CKPT-CANON-003")
def test_a_tensor_in_as_many_segments_as_it_needs_and_cut_elsewhere_is_not_canonical(make_document, monkeypatch):
    for module in ("canonical", "table", "reader"):
        monkeypatch.setattr(f"tenuto.reference.checkpoint.{module}.SEGMENT_BYTES", 100)
    for sizes in ((100, 100, 50), (50, 100, 100)):
        starts = [sum(sizes[:at]) for at in range(3)]
        cut = [slice(start, start + size) for start, size in zip(starts, sizes, strict=True)]
        monkeypatch.setattr(layout, "_cut", lambda data, cut=cut: [data[part] for part in cut])
        data = b"".join(encode(make_document(model_state=Tensor("uint8", (250,), bytes(250)))))
        document = open_checkpoint(BufferSource(memoryview(data))).document()
        assert document.canonical == (sizes[0] == 100)
