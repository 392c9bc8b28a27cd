"""`tenuto inspect` reads no tensor data: measured on a file of 1 GiB, from outside the process."""

from __future__ import annotations

import json
import mmap
import os
import re
import shutil
import subprocess
import sys

import pytest

from tenuto.reference.checkpoint import Tensor, encode

GIB = 1 << 30
READ_MAX = 1 << 20
READS = re.compile(
    r"(p?read(?:64|v|v2)?|mmap2?|splice|sendfile(?:64)?|copy_file_range)\(.*<(/[^>]*)>.*\)\s+= (\d+|0x[0-9a-f]+)"
)

# Inspects a small file first, which imports everything, then the file; prints how many bytes the process then read.
MEASURE = """
import contextlib, io, sys
from tenuto.cli import app
from tenuto.reference.checkpoint import PosixStorage

def no_map(*_):
    raise AssertionError("mapped: what is read through a map is not counted")

def read_bytes():
    with open("/proc/self/io") as counters:
        return int(counters.readline().split()[1])

PosixStorage.map = no_map
small, large = sys.argv[1:]
for path in (small, large):
    before = read_bytes()
    with contextlib.redirect_stdout(io.StringIO()) as out:
        app(["inspect", "--json", path], standalone_mode=False)
    assert path in out.getvalue()
print(read_bytes() - before)
"""


@pytest.fixture(scope="module")
def files(make_document, make_tensor, tmp_path_factory):
    """A small checkpoint and one of 1 GiB, sparse: what the real writer yields, with a hole for each zero tensor."""
    folder = tmp_path_factory.mktemp("inspect")
    zeros = mmap.mmap(-1, GIB // 8)
    layers = {f"layer{n}": Tensor("float32", (GIB // 32,), zeros) for n in range(8)}
    metadata = {
        "origin": {"run_id": "abc", "attempt": 2},
        "progress": {"epoch": 3, "global_step": 1200, "batch_in_epoch": 0},
        "metrics": {"val_loss": {"value": float("nan"), "step": 1200}},
        "kind": "full",
        "exact": True,
    }
    model = {"model": {**layers, "bias": make_tensor(7), "tied": layers["layer0"]}}
    for name, document in (
        ("large.ckpt", make_document(model_state=model, metadata=metadata)),
        ("small.ckpt", make_document()),
    ):
        with open(folder / name, "wb") as file:
            for piece in encode(document):
                file.seek(len(piece), 1) if len(piece) == GIB // 8 else file.write(piece)
    assert os.path.getsize(folder / "large.ckpt") > GIB
    yield folder / "small.ckpt", folder / "large.ckpt"
    shutil.rmtree(folder)


def inspect(*arguments):
    command = [sys.executable, "-m", "tenuto.cli", "inspect", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not os.path.exists("/proc/self/io"), reason="counts with /proc/self/io, which only Linux has")
@pytest.mark.req("STORE-CLI-002", "CKPT-READ-004")
def test_bytes_that_the_process_reads(files):
    ended = subprocess.run([sys.executable, "-c", MEASURE, *files], capture_output=True, text=True, check=False)
    assert ended.stderr == ""
    assert int(ended.stdout) < READ_MAX


@pytest.mark.skipif(shutil.which("strace") is None, reason="the test before this one measures without strace")
@pytest.mark.req("STORE-CLI-002")
def test_system_calls_on_the_file(files, tmp_path):
    log = tmp_path / "strace.log"
    command = [sys.executable, "-m", "tenuto.cli", "inspect", files[1]]
    strace = ["strace", "-f", "-y", "-e", "trace=read,pread64,readv,preadv,preadv2,mmap,sendfile", "-o", log]
    ended = subprocess.run([*strace, *command], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    calls = [found.groups() for found in READS.finditer(log.read_text()) if found[2] == str(files[1])]
    assert calls, "no read of the file was seen"
    assert [call for call, _, _ in calls if call.startswith("mmap")] == []
    assert 0 < sum(int(count) for _, _, count in calls) < READ_MAX


@pytest.mark.req("STORE-CLI-002")
def test_what_is_told_for_programs(files):
    ended = inspect("--json", files[1])
    assert (ended.returncode, ended.stderr) == (0, "")
    facts = json.loads(ended.stdout)
    assert (facts["version"], facts["canonical"], facts["kind"], facts["exact"]) == ("1.0", True, "full", True)
    assert facts["progress"] == {"epoch": 3, "global_step": 1200, "batch_in_epoch": 0}
    assert facts["metrics"] == {"val_loss": {"value": "nan", "step": 1200}}
    assert facts["origin"] == {"run_id": "abc", "attempt": 2}
    tied = next(tensor for tensor in facts["tensors"] if tensor["path"] == "model_state.model.tied")
    assert tied["shared_with"] == "model_state.model.layer0"
    assert (tied["dtype"], tied["shape"], tied["bytes"]) == ("float32", [GIB // 32], GIB // 8)
    own = {"tensors": 10, "shared": 1, "elements": GIB // 4 + 7, "tensor_bytes": GIB + 28, "segments": 9}
    assert facts["totals"] == own


def test_what_is_told_for_people(files):
    ended = inspect(files[1])
    assert (ended.returncode, ended.stderr) == (0, "")
    for told in ("1.0, canonical", "val_loss", "global_step", "layer7", "float32 [33554432] 134.2 MB", "10 tensors"):
        assert told in ended.stdout


def test_a_hostile_name_steers_no_terminal_and_no_markup(make_document, make_tensor, tmp_path):
    path = tmp_path / "a.ckpt"
    names = {"\x1b]0;owned\x07": make_tensor(1), "[red]x": make_tensor(1), "a." * 5000: make_tensor(1)}
    path.write_bytes(b"".join(encode(make_document(model_state=names))))
    ended = inspect(path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "\x1b]" not in ended.stdout
    assert "[red]x" in ended.stdout
