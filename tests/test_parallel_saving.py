"""Large files: written in parallel, at offsets, with the same bytes and the same promises as small ones."""

from __future__ import annotations

import errno
import itertools
import os
import threading
import tracemalloc

import numpy as np
import pytest
from test_background_decisions import without_threads

from tenuto.reference.checkpoint import PosixStorage, Store, Tensor, encode, read_tensors, verify_checkpoint
from tenuto.reference.checkpoint.layout import PART_BYTES, lay_out, parts
from tenuto.reference.checkpoint.workers import PARALLEL_BYTES, run_tasks
from tenuto.reference.errors import CheckpointError

SIZES = (0, 1, 63, 64, 65, 1000, 2 * PART_BYTES + 5, 3, PART_BYTES - 1, PART_BYTES, 200_000, 7)


@pytest.fixture
def document(make_document):
    """Small tensors, tensors of about a part and one of several, in an order that mixes them."""
    chance = np.random.default_rng(0)
    tensors = {f"{at:02d}": Tensor("uint8", (size,), chance.bytes(size)) for at, size in enumerate(SIZES)}
    many = {f"{at:04d}": Tensor("uint8", (3,), bytes((at % 251, at // 251, 7))) for at in range(2000)}
    return make_document(model_state=tensors, trainer_state=many)


def same(folder, name, document):
    return (folder / name).read_bytes() == b"".join(encode(document))


@pytest.mark.req("CKPT-CANON-001", "CKPT-SEG-002", "CKPT-SEG-003", "CKPT-SEG-004")
def test_the_bytes_are_those_of_one_pass(tmp_path, document):
    threads = set()

    class Noting(PosixStorage):
        def write_at(self, file, offset, pieces):
            threads.add(threading.get_ident())
            return super().write_at(file, offset, pieces)

    store = Store(tmp_path, "r", ops=Noting())
    store.save("a.ckpt", document)
    assert lay_out(document).end >= PARALLEL_BYTES, "or this test would show nothing"
    assert threading.get_ident() in threads
    assert same(tmp_path, "a.ckpt", document)
    Store(tmp_path, "r", parallel_bytes=2**60).save("b.ckpt", document)
    assert same(tmp_path, "b.ckpt", document)


def test_the_parts_cover_every_byte_and_every_segment_once(document):
    layout, end, hashed = lay_out(document), 0, []
    for part in parts(layout):
        assert part.offset == end
        end += sum(len(piece) for piece in part.pieces)
        hashed += part.hashed
        assert sum(len(piece) for piece in part.pieces) <= PART_BYTES + 64
    assert end == layout.end
    assert hashed == list(range(len(layout.segments)))


@pytest.mark.parametrize("most", [1000, 99_999])
@pytest.mark.req("STORE-SAVE-003")
def test_short_writes_at_offsets_are_continued(tmp_path, make_document, most):
    class Short(PosixStorage):
        def write_at(self, file, offset, pieces):
            return super().write_at(file, offset, [b"".join(pieces)[:most]])

    data = np.random.default_rng(1).bytes(600_000)
    document = make_document(model_state=[Tensor("uint8", (size,), data[:size]) for size in (600_000, 5, 5000)])
    Store(tmp_path, "r", ops=Short(), parallel_bytes=0).save("a.ckpt", document)
    assert same(tmp_path, "a.ckpt", document)


@pytest.mark.parametrize("operation", ["allocate", "write_at", "sync", "read_into"])
@pytest.mark.req("STORE-SAVE-008", "STORE-SAVE-010")
def test_each_operation_that_fails_leaves_the_old_file_and_no_thread(tmp_path, document, make_document, operation):
    Store(tmp_path, "r").save("a.ckpt", make_document())
    before = (tmp_path / "a.ckpt").read_bytes()
    real, calls = getattr(PosixStorage, operation), []

    def failing(self, *arguments):
        calls.append(arguments)
        if len(calls) == (1 if operation in {"allocate", "sync"} else 4):
            raise OSError(errno.ENOSPC, "no room")
        return real(self, *arguments)

    ops = type("Failing", (PosixStorage,), {operation: failing})()
    with pytest.raises(CheckpointError) as caught:
        Store(tmp_path, "r", ops=ops).save("a.ckpt", document)
    assert caught.value.code == ("io_error" if operation == "read_into" else "disk_full")
    assert os.listdir(tmp_path) == ["a.ckpt"]
    assert (tmp_path / "a.ckpt").read_bytes() == before
    assert [thread.name for thread in threading.enumerate() if thread.name == "tenuto-worker"] == []


@pytest.mark.req("STORE-SAVE-006", "STORE-SAVE-014")
def test_a_device_that_stores_another_byte_is_caught_in_any_part(tmp_path, document):
    for wanted in (0, 3, 6):

        class Lying(PosixStorage):
            numbers = itertools.count()  # what two threads take from it differs

            def write_at(self, file, offset, pieces, wanted=wanted):
                data = bytearray(b"".join(pieces))
                data[len(data) // 2] ^= next(self.numbers) == wanted
                return super().write_at(file, offset, [bytes(data)])

        with pytest.raises(CheckpointError) as caught:
            Store(tmp_path, "r", ops=Lying()).save("a.ckpt", document)
        assert caught.value.phase in {"open", "head", "framing", "segment"}
        assert os.listdir(tmp_path) == []


def test_a_file_system_that_cannot_reserve_room_takes_the_file_all_the_same(tmp_path, document, monkeypatch):
    def refusing(*_):
        raise OSError(errno.EOPNOTSUPP, "not here")

    monkeypatch.setattr(os, "posix_fallocate", refusing)
    Store(tmp_path, "r").save("a.ckpt", document)
    assert same(tmp_path, "a.ckpt", document)


def test_saving_takes_little_memory_beside_the_data(tmp_path, make_document):
    document = make_document(model_state=[Tensor("uint8", (96 << 20,), bytes(96 << 20)), Tensor("uint8", (3,), b"abc")])
    tracemalloc.start()
    Store(tmp_path, "r").save("a.ckpt", document)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 64 << 20


# -- the threads ------------------------------------------------------------------------------------------------------


def test_the_failure_of_the_first_task_in_order_is_raised_and_no_later_task_begins():
    second_failed, begun = threading.Event(), []

    def first():
        second_failed.wait(10)
        raise ValueError("first")

    def second():
        second_failed.set()
        raise ValueError("second")

    with pytest.raises(ValueError, match="first"):
        run_tasks([first, second, *([lambda: begun.append(1)] * 5)], 2)
    assert begun == []


def test_an_interrupt_is_raised_when_every_thread_has_ended():
    inside, done = threading.Event(), []

    def slow():
        inside.set()
        threading.Event().wait(0.2)
        done.append(1)

    def interrupted():
        inside.wait(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tasks([slow, interrupted], 2)
    assert done == [1]


def test_one_thread_runs_the_tasks_in_their_order_on_the_thread_of_the_caller():
    seen = []
    run_tasks([lambda number=number: seen.append((number, threading.get_ident())) for number in range(5)], 1)
    assert seen == [(number, threading.get_ident()) for number in range(5)]


def test_without_a_thread_to_be_had_the_caller_does_it_all(tmp_path, document):
    seen = []
    with without_threads():
        run_tasks([lambda number=number: seen.append((number, threading.get_ident())) for number in range(5)], 2)
        Store(tmp_path, "r").save("a.ckpt", document)
    assert seen == [(number, threading.get_ident()) for number in range(5)]
    assert same(tmp_path, "a.ckpt", document)


def test_verify_reads_a_large_file_in_parallel_and_names_the_first_bad_segment(tmp_path, document):
    path = tmp_path / "a.ckpt"
    Store(tmp_path, "r").save("a.ckpt", document)
    opened = verify_checkpoint(path)
    data = bytearray(path.read_bytes())
    for row in opened.rows[-1], opened.rows[9], opened.rows[5]:
        data[row.offset] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="segment 5:") as caught:
        verify_checkpoint(path)
    assert caught.value.code == "segment_digest_mismatch"


@pytest.mark.req("CKPT-READ-004", "CKPT-SEG-008")
def test_some_tensors_are_read_and_checked_without_the_others(tmp_path, document):
    path = tmp_path / "a.ckpt"
    Store(tmp_path, "r").save("a.ckpt", document)
    names = ["trainer_state.0007", "model_state.10", "model_state.00"]
    found = read_tensors(path, names)
    assert list(found) == names
    for name in names:
        part, key = name.split(".")
        assert bytes(found[name].data) == bytes(document.head[part][key].data)
    data = bytearray(path.read_bytes())
    data[verify_checkpoint(path).rows[5].offset] ^= 1  # of model_state.06
    path.write_bytes(data)
    assert read_tensors(path, names).keys() == set(names)
    with pytest.raises(CheckpointError, match="segment 5:"):
        read_tensors(path, ["model_state.06"])
    assert read_tensors(path, ["model_state.06"], verify=False)["model_state.06"].size_bytes == SIZES[6]
    with pytest.raises(KeyError, match=r"model_state\.99"):
        read_tensors(path, ["model_state.99"])
