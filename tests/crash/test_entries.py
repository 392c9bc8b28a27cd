"""Lane H, entries of folders: links, pipes, devices, folders, huge and odd names, and files that change while read."""

import os
import shutil
import socket
import stat
from pathlib import Path

import pytest
from recorder import saving, small

from crash.decoding import seeds
from crash.record import Lane, conclude
from tenuto.reference.checkpoint.files import open_file, read_checkpoint, verify_checkpoint
from tenuto.reference.checkpoint.ledger import read_ledger
from tenuto.reference.checkpoint.newest import find_latest_checkpoint
from tenuto.reference.checkpoint.storage import PosixStorage
from tenuto.reference.checkpoint.store import Store
from tenuto.reference.errors import CheckpointError

TERABYTE = 1 << 40
ODD_NAMES = (
    "a\nb",
    "\u202egpj",
    "e\u0301",
    "é",
    "-rf",
    "a b",
    "%2e%2e",
    "\udcff",
    "..",
    "x" * 250,
    "epoch_0001",
    "~",
    "$(x)",
)


def bind(path):
    """Makes a socket; its path has to be short, so it is made from within its folder."""
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(before)


def elsewhere(path):
    """Returns a good checkpoint outside of the folder, that no link may lead to."""
    target = path.parent.parent / "outside" / "checkpoint.ckpt"
    target.parent.mkdir(exist_ok=True)
    shutil.copy(path.parent / "checkpoint_epoch_0002.ckpt", target)
    return target


def through_a_folder(path):
    path.with_name("epoch_9").symlink_to(elsewhere(path).parent)


def sparse(path):
    with path.open("wb") as file:
        file.write(seeds()["usual"][:200])
        file.truncate(TERABYTE)


# What is put into the folder -> the code that reading it gives; None where the name itself is not there.
ENTRIES = {
    "a folder": (Path.mkdir, "not_a_file"),
    "a pipe": (os.mkfifo, "not_a_file"),
    "a socket": (bind, "not_a_file"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "io_error"),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "file_not_found"),
    "a link to a device": (lambda path: path.symlink_to("/dev/zero"), "not_a_file"),
    "a link to a folder": (lambda path: path.symlink_to("."), "not_a_file"),
    "a link outside": (lambda path: path.symlink_to(elsewhere(path)), None),
    "a link up and down": (lambda path: path.symlink_to(f"../outside/{elsewhere(path).name}"), None),
    "a folder that is a link outside": (through_a_folder, "file_not_found"),
    "an empty file": (Path.touch, "file_too_small"),
    "a file of a terabyte of nothing": (sparse, "bad_magic"),
    "a device": (lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5)), "not_a_file"),
}


def train_on(folder):
    small(saving(folder, save_best=False), max_epochs=3).fit("auto")


@pytest.mark.req("CKPT-READ-006", "STORE-DIR-001", "STORE-DIR-003", "STORE-NAME-004")
def test_no_entry_of_a_folder_stops_a_resume_or_leads_out_of_it(tmp_path, record_property):
    executed, skipped, wrong = 0, 0, []
    for title, (make, code) in ENTRIES.items():
        folder = tmp_path / title / "run"
        small(saving(folder, save_best=False)).fit()
        path = folder / "zzz.ckpt"
        try:
            make(path)
        except PermissionError:
            skipped += 1
            continue
        outside = {one: one.read_bytes() for one in folder.parent.glob("outside/*")}
        for read in (read_checkpoint, verify_checkpoint):
            executed += 1
            wrong += [f"{title}: {found}" for found in [refusal(read, path)] if found != code]
        executed += 2
        names = {entry.name for entry in read_ledger(str(folder)).entries}
        if names != {"checkpoint_epoch_0001.ckpt", "checkpoint_epoch_0002.ckpt", "latest.ckpt"}:
            wrong.append(f"{title}: the ledger holds {sorted(names)}")
        train_on(folder)
        if not (folder / "checkpoint_epoch_0003.ckpt").exists() or outside != {
            one: one.read_bytes() for one in outside
        }:
            wrong.append(f"{title}: not resumed, or something outside was changed")
    assert wrong == []
    conclude(
        Lane("H entries", executed, executed, skipped, 0, 48, "no right to make devices" if skipped else ""),
        record_property,
    )


def refusal(read, path):
    try:
        read(path)
    except CheckpointError as error:
        return error.code
    return None


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.req("STORE-DIR-001")
def test_a_checkpoint_may_have_any_name(name, finished_run):
    (finished_run / "checkpoint_epoch_0002.ckpt").rename(finished_run / f"{name}.ckpt")
    (finished_run / "latest.ckpt").unlink()
    hidden = name.startswith(".")
    newest = "checkpoint_epoch_0001.ckpt" if hidden else f"{name}.ckpt"
    assert os.path.basename(find_latest_checkpoint(finished_run)) == newest
    train_on(finished_run)
    assert read_checkpoint(finished_run / "latest.ckpt").head["metadata"]["progress"]["epoch"] == 3


READS = 6  # that verifying the file below takes


class Meddling(PosixStorage):
    """Does something to the file at the n-th read, as another process may."""

    def __init__(self, act, at):
        self.act, self.left = act, at

    def read(self, file, offset, count):
        self.count()
        return super().read(file, offset, count)

    def read_into(self, file, offset, buffer):
        self.count()
        return super().read_into(file, offset, buffer)

    def count(self):
        self.left -= 1
        if self.left == 0:
            self.act()


@pytest.mark.req("CKPT-READ-005", "CKPT-READ-006")
@pytest.mark.parametrize("at", range(1, READS + 1))
def test_a_file_that_changes_while_it_is_read(at, tmp_path):
    path, data = tmp_path / "a.ckpt", seeds()["tensors"]
    changes = {
        "shrinks": lambda: os.truncate(path, len(data) // 3),
        "vanishes": lambda: os.truncate(path, 0),
        "grows": lambda: os.truncate(path, 2 * len(data)),
        "is replaced": lambda: os.replace(shutil.copy(tmp_path / "b.ckpt", tmp_path / "c.ckpt"), path),
        "is zeroed": lambda: path.write_bytes(bytes(len(data))),
    }
    for title, change in changes.items():
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        (tmp_path / "b.ckpt").write_bytes(seeds()["usual"])
        ops = Meddling(change, at)
        found = refusal(lambda name: verify_checkpoint(name, ops), path)  # noqa: B023 - called in this round
        assert ops.left <= 0, "fewer reads than were meddled with"
        if title in {"grows", "is replaced"}:
            assert found is None, "what was opened is what is read"
        else:
            assert found is not None, title


@pytest.mark.req("CKPT-READ-004")
def test_opening_a_terabyte_of_nothing_reads_a_few_bytes(tmp_path):
    class Counting(PosixStorage):
        taken = 0

        def read(self, file, offset, count):
            self.taken += count
            return super().read(file, offset, count)

    sparse(tmp_path / "a.ckpt")
    ops = Counting()
    with pytest.raises(CheckpointError), open_file(tmp_path / "a.ckpt", ops):
        pass
    assert ops.taken < 200


@pytest.mark.req("STORE-SAVE-007", "STORE-SAVE-008", "STORE-DIR-003")
@pytest.mark.parametrize("title", ["a folder", "a pipe", "a link outside", "a link to nothing", "a link to itself"])
def test_a_save_replaces_a_name_and_never_what_it_leads_to(title, finished_run, make_document):
    path = finished_run / "zzz.ckpt"
    ENTRIES[title][0](path)
    outside = {one: one.read_bytes() for one in finished_run.parent.glob("outside/*")}
    store = Store(finished_run, "r")
    if title == "a folder":
        with pytest.raises(CheckpointError, match="io_error"):
            store.save(path.name, make_document())
        assert path.is_dir()
    else:
        store.save(path.name, make_document())
        assert path.is_file()
        assert not path.is_symlink()
    assert {one: one.read_bytes() for one in outside} == outside
    assert not (finished_run / "nothing").exists()
    assert [name for name in os.listdir(finished_run) if name.endswith(".tmp")] == []
