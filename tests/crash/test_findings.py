"""What the lanes have found, each with a test of its own."""

import os

import pytest

from crash import faults
from crash.faults import Fault, FaultyStorage
from crash.workloads import Course
from tenuto.reference.checkpoint.files import verify_checkpoint
from tenuto.reference.checkpoint.ledger import read_entry
from tenuto.reference.checkpoint.store import Store
from tenuto.reference.errors import CheckpointError


@pytest.fixture
def saved(tmp_path):
    """A course with one checkpoint, saved by a process that has ended."""
    course = Course(tmp_path, {})
    with course.going():
        course.run(["best"])
    return course


@pytest.mark.req("TR-RES-024", "TR-RES-022")
@pytest.mark.parametrize("kind", ["EIO", "EACCES", "EMFILE"])
def test_a_folder_that_cannot_be_listed_is_no_empty_one(saved, kind):
    storage = FaultyStorage()
    saved.storage.beneath = storage
    storage.arm(Fault(0, kind, "once"))
    with saved.going():
        with pytest.raises(CheckpointError) as caught:
            saved.act("resume")
        assert storage.met == ["names"]
        assert (caught.value.code, caught.value.phase) == ("io_error", "io")
        assert str(saved.folder) in caught.value.message
        saved.act("resume")
        assert saved.attempt.start.state is not None


@pytest.mark.req("STORE-NAME-006")
@pytest.mark.parametrize("kind", faults.LIES)
def test_a_copy_of_other_bytes_gets_no_name(saved, kind):
    storage = FaultyStorage()
    store = Store(saved.folder, "r", ops=storage)
    assert store.add_names("checkpoint_epoch_0001.ckpt", {"copy.ckpt": "copy"}) == {}
    before = (saved.folder / "copy.ckpt").read_bytes()
    os.unlink(saved.folder / "latest.ckpt")
    storage.arm(Fault(_met(saved).index("write"), kind, "for ever"))
    failed = store.add_names("checkpoint_epoch_0001.ckpt", {"latest.ckpt": "copy"})
    assert failed["latest.ckpt"].phase in {"open", "head", "framing", "segment"}
    left = os.listdir(saved.folder)
    assert "latest.ckpt" not in left
    assert [name for name in left if name.endswith(".tmp")] == []
    assert (saved.folder / "copy.ckpt").read_bytes() == before


@pytest.mark.req("STORE-NAME-006")
def test_a_copy_is_synced_and_read_back_before_it_gets_its_name(saved):
    met = _met(saved)
    order = [met.index(name) for name in ("write", "sync", "drop_cache", "read", "rename", "sync_folder")]
    assert order == sorted(order)
    assert "read" not in _met(saved, verify=False)


def _met(course, *, verify=True):
    """Returns the operations of a copy."""
    storage = FaultyStorage()
    store = Store(course.folder, "r", verify, ops=storage)
    assert store.add_names("checkpoint_epoch_0001.ckpt", {"other.ckpt": "copy"}) == {}
    os.unlink(course.folder / "other.ckpt")
    return storage.met


@pytest.mark.req("STORE-SAVE-008")
def test_a_probe_that_fails_leaves_no_file(tmp_path):
    storage = FaultyStorage()
    storage.arm(Fault(2, "EIO", "once"))
    with pytest.raises(CheckpointError) as caught:
        Store(tmp_path, "r", ops=storage).probe()
    assert (storage.met[2], caught.value.code) == ("close", "io_error")
    assert os.listdir(tmp_path) == []


@pytest.mark.req("CKPT-READ-006")
@pytest.mark.parametrize("last", ["close", "read"])
def test_a_file_that_fails_while_it_is_read_or_closed_is_refused_with_a_code(saved, last):
    storage, path = FaultyStorage(), str(saved.folder / "checkpoint_epoch_0001.ckpt")
    verify_checkpoint(path, storage)
    storage.arm(Fault(storage.met.index(last), "EIO", "for ever"))
    with pytest.raises(CheckpointError) as caught:
        verify_checkpoint(path, storage)
    assert caught.value.code == "io_error"


@pytest.mark.req("STORE-SAVE-010", "CKPT-READ-006")
@pytest.mark.parametrize(
    ("operation", "look"),
    [
        ("names", lambda folder, storage: Store(folder, "r", ops=storage).sweep()),
        ("identity", lambda folder, storage: read_entry(str(folder), "latest.ckpt", storage)),
    ],
)
def test_looking_at_a_folder_fails_with_a_code(saved, operation, look):
    storage = FaultyStorage()
    look(saved.folder, storage)
    at = storage.met.index(operation)
    storage.arm(Fault(at, "EIO", "once"))
    with pytest.raises(CheckpointError) as caught:
        look(saved.folder, storage)
    assert caught.value.code == "io_error"
