"""The save protocol on a real folder, every operation recorded, and every operation made to fail."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from tenuto.reference.checkpoint import PosixStorage, Store, read_checkpoint, write_checkpoint
from tenuto.reference.checkpoint.compare import digest
from tenuto.reference.errors import CheckpointError

OPERATIONS = ("make_folder", "create", "write", "sync", "drop_cache", "open", "size", "read", "rename", "sync_folder")
BEFORE_RENAME = OPERATIONS[:-1]
ERRORS = {
    "ENOSPC": "disk_full",
    "EDQUOT": "disk_full",
    "EROFS": "not_writable",
    "EACCES": "not_writable",
    "EIO": "io_error",
}


class Recorder:
    """The real storage, with a record of (operation, name of the file) and faults that are planted by operation.

    Attributes:
        calls: What was called, failed calls too.
        faults: Operation -> (error number, how many more times it fails).
        most: How many bytes one write takes at most.
        lie: Changes what is written, as a broken device would.
    """

    def __init__(self, *, most=None, lie=None, **faults):
        self.real = PosixStorage()
        self.calls = []
        self.faults = faults
        self.most = most
        self.lie = lie or bytes
        self.paths = {}

    def __getattr__(self, name):
        operation = getattr(self.real, name)

        def call(target, *rest):
            self.calls.append((name, Path(self.paths.get(target, target)).name))
            number, left = self.faults.get(name, (0, 0))
            if left:
                self.faults[name] = (number, left - 1)
                raise OSError(number, os.strerror(number))
            result = operation(target, *(self._taken(*rest) if name == "write" else rest))
            if name in {"create", "open"}:
                self.paths[result] = target
            return result

        return call

    def _taken(self, pieces):
        return [[self.lie(b"".join(pieces))[: self.most]]]

    def of(self, *names):
        return [call for call in self.calls if call[0] in names]


@pytest.fixture
def documents(make_document, make_tensor):
    return [make_document(model_state={"w": make_tensor(100, start=start)}) for start in (0, 1)]


def ckpt_digest(path):
    return digest(read_checkpoint(path))


def temporaries(folder):
    return [name for name in os.listdir(folder) if name.endswith(".tmp")]


def merged(calls):
    """The names of operations, repeated ones once."""
    names = [call[0] for call in calls]
    return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]


@pytest.mark.req("STORE-SAVE-002", "STORE-SAVE-004", "STORE-SAVE-006", "STORE-SAVE-007")
def test_order_of_operations(tmp_path, documents):
    ops = Recorder()
    store = Store(tmp_path / "run", "r", ops=ops)
    assert store.save("a.ckpt", documents[0]) == str(tmp_path / "run/a.ckpt")
    order = merged(ops.calls)
    assert order[:5] == ["make_folder", "create", "write", "sync", "drop_cache"]
    assert order[5:8] == ["close", "open", "size"]
    assert set(order[8:-3]) == {"read", "read_into"}
    assert order[-3:] == ["close", "rename", "sync_folder"]
    assert len(ops.of("rename", "create")) == 2
    created = ops.of("create")[0][1]
    assert created.startswith(".r.")
    assert {name for _, name in ops.of("write", "sync", "open", "read", "rename")} == {created}
    assert os.listdir(tmp_path / "run") == ["a.ckpt"]


@pytest.mark.req("STORE-SAVE-006")
def test_the_readback_reads_every_byte_before_the_rename(tmp_path, documents):
    class Counting(PosixStorage):
        read_bytes = 0

        def read(self, file, offset, count):
            data = super().read(file, offset, count)
            Counting.read_bytes += len(data)
            return data

        def read_into(self, file, offset, buffer):
            taken = super().read_into(file, offset, buffer)
            Counting.read_bytes += taken
            return taken

        def rename(self, old, new):
            assert Counting.read_bytes >= os.path.getsize(old)
            super().rename(old, new)

    Store(tmp_path, "r", ops=Counting()).save("a.ckpt", documents[0])
    assert Counting.read_bytes


def test_without_readback_nothing_is_read(tmp_path, documents):
    ops = Recorder()
    Store(tmp_path, "r", verify=False, ops=ops).save("a.ckpt", documents[0])
    assert ops.of("read", "open", "drop_cache") == []
    assert ckpt_digest(tmp_path / "a.ckpt") == digest(documents[0])


@pytest.mark.parametrize("most", [1, 7, 500])
@pytest.mark.req("STORE-SAVE-003")
def test_short_writes_are_continued(tmp_path, documents, most):
    ops = Recorder(most=most)
    Store(tmp_path, "r", ops=ops).save("a.ckpt", documents[0])
    assert ckpt_digest(tmp_path / "a.ckpt") == digest(documents[0])
    assert len(ops.of("write")) >= os.path.getsize(tmp_path / "a.ckpt") // most


def test_a_write_that_takes_nothing_is_an_error_and_no_endless_loop(tmp_path, documents):
    with pytest.raises(CheckpointError) as caught:
        Store(tmp_path, "r", ops=Recorder(most=0)).save("a.ckpt", documents[0])
    assert caught.value.code == "io_error"
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("times", [1, 10**9], ids=["once", "for ever"])
@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("operation", BEFORE_RENAME)
@pytest.mark.req("STORE-SAVE-008", "STORE-SAVE-010")
def test_each_operation_that_fails_leaves_the_old_file(tmp_path, documents, operation, name, times):
    write_checkpoint(tmp_path / "a.ckpt", documents[0])
    before = (tmp_path / "a.ckpt").stat().st_ino, (tmp_path / "a.ckpt").read_bytes()
    ops = Recorder(**{operation: (getattr(errno, name), times)})
    store = Store(tmp_path, "r", ops=ops)
    with pytest.raises(CheckpointError) as caught:
        store.save("a.ckpt", documents[1])
    reading = operation in {"open", "size", "read"}
    assert (caught.value.code, caught.value.phase) == ("io_error" if reading else ERRORS[name], "io")
    assert os.listdir(tmp_path) == ["a.ckpt"], "no temporary file is left"
    assert ((tmp_path / "a.ckpt").stat().st_ino, (tmp_path / "a.ckpt").read_bytes()) == before
    if times == 1:
        store.save("a.ckpt", documents[1])
        assert ckpt_digest(tmp_path / "a.ckpt") == digest(documents[1])


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.req("STORE-SAVE-007", "STORE-SAVE-010")
def test_a_save_whose_folder_cannot_be_synced_is_not_acknowledged(tmp_path, documents, name):
    write_checkpoint(tmp_path / "a.ckpt", documents[0])
    ops = Recorder(sync_folder=(getattr(errno, name), 1))
    with pytest.raises(CheckpointError) as caught:
        Store(tmp_path, "r", ops=ops).save("a.ckpt", documents[1])
    assert caught.value.code == ERRORS[name]
    assert os.listdir(tmp_path) == ["a.ckpt"]
    assert ckpt_digest(tmp_path / "a.ckpt") in {digest(document) for document in documents}


@pytest.mark.req("STORE-SAVE-005")
def test_a_sync_that_failed_is_not_tried_again(tmp_path, documents):
    ops = Recorder(sync=(errno.EIO, 1))
    store = Store(tmp_path, "r", ops=ops)
    with pytest.raises(CheckpointError):
        store.save("a.ckpt", documents[0])
    assert len(ops.of("sync")) == 1
    assert os.listdir(tmp_path) == []
    store.save("a.ckpt", documents[0])
    first, second = (path for _, path in ops.of("create"))
    assert first != second


@pytest.mark.parametrize("at", [0, 200, -1])
@pytest.mark.req("STORE-SAVE-006", "STORE-SAVE-014")
def test_a_device_that_stores_other_bytes_is_caught_before_the_rename(tmp_path, documents, at):
    def lie(data):
        return data[:at] + bytes([data[at] ^ 1]) + (data[at + 1 :] if at != -1 else b"")

    write_checkpoint(tmp_path / "a.ckpt", documents[0])
    with pytest.raises(CheckpointError) as caught:
        Store(tmp_path, "r", ops=Recorder(lie=lie)).save("a.ckpt", documents[1])
    assert caught.value.phase in {"open", "framing", "segment"}
    assert os.listdir(tmp_path) == ["a.ckpt"]
    assert ckpt_digest(tmp_path / "a.ckpt") == digest(documents[0])


@pytest.mark.req("STORE-SAVE-008")
def test_an_interrupt_leaves_no_temporary_file(tmp_path, documents):
    class Interrupting(PosixStorage):
        def sync(self, _):
            raise KeyboardInterrupt

    store = Store(tmp_path, "r", ops=Interrupting())
    with pytest.raises(KeyboardInterrupt):
        store.save("a.ckpt", documents[0])
    write_checkpoint(tmp_path / "b.ckpt", documents[0])
    with pytest.raises(KeyboardInterrupt):
        store.add_names("b.ckpt", {"c.ckpt": "copy"})
    assert os.listdir(tmp_path) == ["b.ckpt"]


@pytest.mark.req("CKPT-LIM-002", "STORE-SAVE-008")
def test_what_cannot_be_encoded_touches_no_disk(tmp_path, make_document):
    ops = Recorder()
    with pytest.raises(CheckpointError) as caught:
        Store(tmp_path / "run", "r", ops=ops).save("a.ckpt", make_document(model_state={"f": print}))
    assert caught.value.code == "unserializable_value"
    assert ops.calls == []
    assert not (tmp_path / "run").exists()


@pytest.mark.req("STORE-SAVE-002")
@pytest.mark.parametrize("kind", ["symbolic", "hard", "dangling"])
def test_a_link_planted_at_the_temporary_name_is_refused(tmp_path, documents, monkeypatch, kind):
    monkeypatch.setattr("secrets.token_hex", lambda _: "0123abcd")
    victim = tmp_path / "victim"
    if kind != "dangling":
        victim.write_text("precious")
    run = tmp_path / "run"
    run.mkdir()
    planted = run / ".r.a.ckpt.0123abcd.tmp"
    planted.hardlink_to(victim) if kind == "hard" else planted.symlink_to(victim)
    with pytest.raises(CheckpointError) as caught:
        Store(run, "r").save("a.ckpt", documents[0])
    assert caught.value.code == "io_error"
    assert victim.exists() == (kind != "dangling")
    assert kind == "dangling" or victim.read_text() == "precious"
    assert not (run / "a.ckpt").exists()


@pytest.mark.req("STORE-SAVE-009")
def test_the_sweep_removes_only_its_own_leftovers(tmp_path, documents):
    class Killed(PosixStorage):
        """Dies before the rename and cannot clean up, as a killed process cannot."""

        def rename(self, old, new):
            raise OSError(errno.EIO, old + new)

        def unlink(self, path):
            raise OSError(errno.EIO, path)

    for owner in ("s", "s.r.1", "s%2Er", "t"):
        with pytest.raises(CheckpointError):
            Store(tmp_path, owner, ops=Killed()).save("a.ckpt", documents[0])
    write_checkpoint(tmp_path / "kept.ckpt", documents[0])
    for foreign in (".s.notes", "s.a.tmp", ".sx.tmp"):
        (tmp_path / foreign).write_text("")
    left = set(os.listdir(tmp_path))
    assert len(temporaries(tmp_path)) == 6
    swept = Store(tmp_path, "s").sweep()
    assert len(swept) == 1
    assert set(os.listdir(tmp_path)) == left - set(swept)
    assert len(Store(tmp_path, "s.r.1").sweep()) == 1
    assert Store(tmp_path / "missing", "s").sweep() == []


@pytest.mark.req("STORE-NAME-001")
def test_a_second_name_is_a_link_that_is_renamed_into_place(tmp_path, documents):
    ops = Recorder()
    store = Store(tmp_path, "r", ops=ops)
    store.save("a.ckpt", documents[0])
    store.save("latest.ckpt", documents[1])
    ops.calls.clear()
    assert store.add_names("a.ckpt", {"latest.ckpt": "link"}) == {}
    assert merged(ops.calls) == ["identity", "link", "rename", "sync_folder"]
    assert (tmp_path / "a.ckpt").stat().st_ino == (tmp_path / "latest.ckpt").stat().st_ino
    assert sorted(os.listdir(tmp_path)) == ["a.ckpt", "latest.ckpt"]


@pytest.mark.req("STORE-NAME-001", "CPC-ERR-007")
def test_all_second_names_of_a_save_take_one_sync_of_the_folder_and_fail_one_by_one(tmp_path, documents):
    ops = Recorder(link=(errno.ENOSPC, 1))
    store = Store(tmp_path, "r", ops=ops)
    store.save("a.ckpt", documents[0])
    ops.calls.clear()
    failed = store.add_names("a.ckpt", {"b.ckpt": "link", "c.ckpt": "link", "d.ckpt": "symlink", "e.ckpt": "copy"})
    assert {name: error.code for name, error in failed.items()} == {"b.ckpt": "disk_full"}
    assert [name for name, _ in ops.of("rename", "sync_folder")] == [*["rename"] * 3, "sync_folder"]
    assert sorted(os.listdir(tmp_path)) == ["a.ckpt", "c.ckpt", "d.ckpt", "e.ckpt"]
    ops.faults["sync_folder"] = errno.EIO, 1
    failed = store.add_names("a.ckpt", {"c.ckpt": "link", "f.ckpt": "link", "g.ckpt": "copy"})
    assert {name: error.code for name, error in failed.items()} == {"f.ckpt": "io_error", "g.ckpt": "io_error"}


@pytest.mark.req("STORE-NAME-002")
def test_a_second_name_that_is_there_already_is_left(tmp_path, documents):
    ops = Recorder()
    store = Store(tmp_path, "r", ops=ops)
    store.save("a.ckpt", documents[0])
    assert store.add_names("a.ckpt", {"latest.ckpt": "link"}) == {}
    ops.calls.clear()
    assert store.add_names("a.ckpt", {"latest.ckpt": "link"}) == {}
    assert merged(ops.calls) == ["identity"]
    assert sorted(os.listdir(tmp_path)) == ["a.ckpt", "latest.ckpt"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS])
@pytest.mark.req("STORE-NAME-001")
def test_where_links_fail_a_second_name_is_a_copy(tmp_path, documents, number):
    ops = Recorder(link=(number, 1))
    store = Store(tmp_path, "r", ops=ops)
    store.save("a.ckpt", documents[0])
    ops.calls.clear()
    assert store.add_names("a.ckpt", {"latest.ckpt": "link"}) == {}
    order = merged(ops.calls)
    assert order.index("create") < order.index("sync") < order.index("rename") < order.index("sync_folder")
    assert (tmp_path / "a.ckpt").read_bytes() == (tmp_path / "latest.ckpt").read_bytes()
    assert (tmp_path / "a.ckpt").stat().st_ino != (tmp_path / "latest.ckpt").stat().st_ino


@pytest.mark.req("STORE-NAME-001")
def test_the_other_kinds_of_second_name(tmp_path, documents):
    store = Store(tmp_path, "r")
    store.save("a.ckpt", documents[0])
    assert store.add_names("a.ckpt", {"s.ckpt": "symlink", "c.ckpt": "copy"}) == {}
    assert os.readlink(tmp_path / "s.ckpt") == "a.ckpt"
    assert (tmp_path / "c.ckpt").stat().st_nlink == 1
    assert ckpt_digest(tmp_path / "s.ckpt") == ckpt_digest(tmp_path / "c.ckpt") == digest(documents[0])


@pytest.mark.parametrize("kind", ["link", "symlink", "copy"])
def test_a_second_name_for_nothing_is_an_error(tmp_path, kind):
    failed = Store(tmp_path, "r").add_names("missing.ckpt", {"latest.ckpt": kind})
    assert {name: error.phase for name, error in failed.items()} == {"latest.ckpt": "io"}
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("operation", ["create", "write", "sync", "rename"])
@pytest.mark.req("STORE-SAVE-008", "STORE-SAVE-010")
def test_a_second_name_that_fails_leaves_the_old_one(tmp_path, documents, operation, name):
    write_checkpoint(tmp_path / "a.ckpt", documents[0])
    write_checkpoint(tmp_path / "latest.ckpt", documents[1])
    store = Store(tmp_path, "r", ops=Recorder(**{operation: (getattr(errno, name), 1)}))
    failed = store.add_names("a.ckpt", {"latest.ckpt": "copy"})
    assert {made: error.code for made, error in failed.items()} == {"latest.ckpt": ERRORS[name]}
    assert ckpt_digest(tmp_path / "latest.ckpt") == digest(documents[1])
    assert sorted(os.listdir(tmp_path)) == ["a.ckpt", "latest.ckpt"]


@pytest.mark.req("STORE-NAME-003")
def test_moving_a_file_out_of_the_way_is_durable_when_it_returns(tmp_path, documents):
    ops = Recorder()
    store = Store(tmp_path, "r", ops=ops)
    store.save("a.ckpt", documents[0])
    ops.calls.clear()
    store.rename("a.ckpt", "a_attempt1.ckpt")
    assert merged(ops.calls) == ["rename", "sync_folder"]
    assert os.listdir(tmp_path) == ["a_attempt1.ckpt"]


def test_deleting_is_durable_when_it_returns(tmp_path, documents):
    ops = Recorder()
    store = Store(tmp_path, "r", ops=ops)
    for name in ("a.ckpt", "b.ckpt", "c.ckpt"):
        store.save(name, documents[0])
    ops.calls.clear()
    store.delete(["a.ckpt", "c.ckpt"])
    assert [call[0] for call in ops.calls] == ["unlink", "unlink", "sync_folder"]
    ops.calls.clear()
    store.delete([])
    assert ops.calls == []
    assert os.listdir(tmp_path) == ["b.ckpt"]


@pytest.mark.req("CKPT-READ-006")
def test_paths_that_are_no_files_are_refused_without_waiting(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket has to be short
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
    expected = {
        "socket": "not_a_file",
        "missing": "file_not_found",
        ".": "not_a_file",
        "fifo": "not_a_file",
        "empty": "file_too_small",
    }
    for name, code in {**expected, "loop": "io_error"}.items():
        with pytest.raises(CheckpointError) as caught:
            read_checkpoint(tmp_path / name)
        assert caught.value.code == code
        assert caught.value.phase == ("open" if name == "empty" else "io")
