"""No damage goes unnoticed: every byte of a checkpoint changed, and the file cut off at every length."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tenuto.reference.checkpoint import BufferSource, Tensor, encode, open_checkpoint, write_checkpoint
from tenuto.reference.checkpoint.constants import PHASE_OF
from tenuto.reference.errors import CheckpointError

SIZE = 10 * 1024


@pytest.fixture(scope="module")
def checkpoint(make_document, make_tensor):
    """A file of 10 KiB with something of everything: nested trees, tied, cut-free, empty and odd-sized tensors."""
    tied = make_tensor(16, 16)
    model = {"embed": tied, "head": tied, "bias": make_tensor(7), "none": make_tensor(0), "flags": [True, None, -1]}
    metadata = {"origin": {"run_id": "a", "elapsed_seconds": 1.5}, "progress": {"epoch": 3}, "kind": "full"}
    parts = {"model_state": model, "metadata": metadata, "optimizer_state": {"main": {"lr": 0.1, "note": "é"}}}
    room = SIZE - sum(len(memoryview(piece).cast("B")) for piece in encode(make_document(**parts)))
    rest = Tensor("uint8", (room - 200,), bytes(index % 251 for index in range(room - 200)))
    data = b"".join(encode(make_document(**parts, trainer_state={"rest": rest})))
    assert SIZE - 256 <= len(data) <= SIZE
    return data


def read_whole(data):
    opened = open_checkpoint(BufferSource(memoryview(data)))
    opened.check_frame()
    opened.check_segments()
    opened.document()


def code_of(data):
    """The code with which damaged bytes are refused; anything but a refusal fails the test."""
    try:
        read_whole(data)
    except CheckpointError as error:
        return error.code if PHASE_OF[error.code] == error.phase else f"{error.code} in phase {error.phase}"
    return None


def test_the_undamaged_file_is_good(checkpoint):
    assert code_of(checkpoint) is None


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
@pytest.mark.req("CKPT-FRAME-004", "CKPT-FRAME-003", "CKPT-SEG-008", "CKPT-READ-005")
def test_every_changed_byte_is_noticed(checkpoint, mask):
    damaged = bytearray(checkpoint)
    codes = []
    for at in range(len(damaged)):
        damaged[at] ^= mask
        codes.append(code_of(damaged))
        damaged[at] ^= mask
    assert [at for at, code in enumerate(codes) if code is None] == []
    assert set(codes) <= PHASE_OF.keys()
    assert {"head_digest_mismatch", "segment_digest_mismatch", "bad_framing", "bad_magic"} <= set(codes)


@pytest.mark.req("CKPT-READ-005", "CKPT-READ-001")
def test_every_truncation_is_noticed(checkpoint):
    codes = [code_of(checkpoint[:length]) for length in range(len(checkpoint))]
    assert [length for length, code in enumerate(codes) if code is None] == []
    assert set(codes[:128]) == {"file_too_small"}
    assert set(codes[128:]) <= {"bad_magic", "wrong_length"}


@pytest.mark.req("CKPT-FILE-001")
def test_what_is_added_is_noticed(checkpoint):
    assert code_of(checkpoint + b"\x00") == "bad_magic"
    assert code_of(checkpoint + checkpoint[-40:]) == "wrong_length"


@pytest.mark.req("STORE-CLI-001", "CKPT-READ-005")
def test_fifty_damaged_files_through_the_command(checkpoint, tmp_path):
    expected = {}
    step = len(checkpoint) // 25
    for number, at in enumerate(range(0, 25 * step, step)):
        flipped = bytearray(checkpoint)
        flipped[at] ^= 0xFF
        for name, data in (("flip", bytes(flipped)), ("cut", checkpoint[:at])):
            path = tmp_path / f"{name}_{number:02d}.ckpt"
            path.write_bytes(data)
            expected[str(path)] = code_of(data)
    assert len(expected) == 50
    command = [sys.executable, "-m", "tenuto.cli", "verify"]
    ended = subprocess.run([*command, tmp_path], capture_output=True, text=True, check=False)
    told = dict(line.partition(": ")[0].split("  ")[::-1] for line in ended.stdout.splitlines())
    assert told == expected
    assert (ended.returncode, ended.stderr) == (1, "")
    alone = subprocess.run([*command, next(iter(expected))], capture_output=True, text=True, check=False)
    assert alone.returncode == 1


@pytest.mark.req("STORE-CLI-001")
def test_the_command_on_good_files(checkpoint, make_document, tmp_path):
    for name in ("a.ckpt", "b.ckpt"):
        (tmp_path / name).write_bytes(checkpoint)
    (tmp_path / "notes.txt").write_text("no checkpoint")
    write_checkpoint(tmp_path / "c.ckpt", make_document())
    command = [sys.executable, "-m", "tenuto.cli", "verify", tmp_path]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [f"ok  {tmp_path / name}" for name in ("a.ckpt", "b.ckpt", "c.ckpt")]
