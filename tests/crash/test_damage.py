"""Lane H, damaged files: every one of them is refused with a code, whatever byte was changed."""

from collections import Counter

import pytest

from crash.decoding import code_of, seeds
from crash.mutations import all_but, changed_bytes, cut, extended, moved, spliced
from crash.record import Lane, conclude, sized
from tenuto.conformance_tests.oracle.frame import file
from tenuto.conformance_tests.oracle.tree import filled, make
from tenuto.reference.checkpoint.files import read_checkpoint, verify_checkpoint
from tenuto.reference.errors import CheckpointError

REQUIRED = pytest.mark.req("CKPT-READ-005", "CKPT-FRAME-003", "CKPT-FRAME-004", "CKPT-SEG-008")


@REQUIRED
def test_every_changed_byte_is_noticed(record_property):
    codes, total = Counter(), 0
    for data in seeds().values():
        values = sized(4, 255)
        codes.update(code_of(damaged) for damaged in changed_bytes(data, values))
        total += values * len(data)
    assert codes.total() == total
    expected = {"head_digest_mismatch", "segment_digest_mismatch", "bad_framing", "bad_magic", "wrong_length"}
    assert codes.keys() >= expected | {"bad_trailer", "not_a_checkpoint", "unsupported_version"}
    conclude(Lane("H changed bytes", total, total, 0, codes[None], sized(40_000, 3_000_000)), record_property)


def twin(data):
    """Returns another good file of the same form and length as `tensors`: a later checkpoint of the same model."""
    later = [filled("uint8", 1500, seed=3), filled("float32", 1), filled("complex64", 5, 7), filled("int16", 31)]
    found = file(make(model_state=later))
    assert (len(found), found != data) == (len(data), True)
    return found


@REQUIRED
@pytest.mark.req("CKPT-FILE-001", "CKPT-READ-001")
def test_what_is_cut_added_moved_or_mixed_is_noticed(record_property):
    good = seeds()
    files = [*good.values(), twin(good["tensors"])]
    codes = Counter()
    for data in files:
        damaged = [cut(data), extended(data, sized(64, 4096)), moved(data)]
        damaged += [spliced(data, other, sized(16, 1)) for other in files if other is not data]
        codes.update(code_of(one) for ways in damaged for one in all_but(files, ways))
    assert codes.keys() >= {"bad_magic", "wrong_length", "file_too_small"}
    conclude(
        Lane("H cut, added, moved, mixed", codes.total(), codes.total(), 0, codes[None], sized(10_000, 100_000)),
        record_property,
    )


@REQUIRED
@pytest.mark.parametrize("read", [read_checkpoint, verify_checkpoint])
def test_files_are_refused_as_buffers_are(read, tmp_path):
    """The same damage through the file system: mapped, and read in pieces."""
    data, path = seeds()["usual"], tmp_path / "a.ckpt"
    for damaged in [*cut(data), *(bytes(one) for one in changed_bytes(data, 3))]:
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError) as caught:
            read(path)
        assert caught.value.code == code_of(damaged)
