"""Real files in a folder: which of them `auto` takes, and what a stock library reads."""

from __future__ import annotations

import re
import subprocess
import sys

from spec_examples.source import BadExampleError, Verdict
from tenuto.reference.checkpoint import Document, Tensor, write_checkpoint
from tenuto.reference.errors import TenutoError
from tenuto.reference.trainer.resume import choose_start

_FILE = re.compile(r"(\w+) (\d+)/(\d+)/(\d+)/(\d+)(?::(\w+))?")
_FLAGS = {None, "damaged", "inexact", "weights", "other"}


def _document(model_state, **metadata):
    states = ("optimizer_state", "scheduler_state", "rng_state", "callback_state", "trainer_state")
    empty = {key: {} for key in states}
    parts = {"metadata": {"metrics": {}, "config": {}, "architecture": {}, **metadata}, "model_state": model_state}
    return Document({"version": "1.0", "requires": [], **empty, **parts, "trainer_state": {"sums": {}}})


def newest(item, folder):
    """Lays out the files of a row and lets the trainer choose."""
    files, stated = item.cells
    for word in files.split(", "):
        _make(word, folder)
    try:
        start = choose_start("auto", str(folder))
    except TenutoError as error:
        return Verdict(stated, error.code)
    return Verdict(stated, start.state and start.state.head["model_state"]["name"])


def _make(word, folder):
    found = _FILE.fullmatch(word)
    if not found or found[6] not in _FLAGS:
        raise BadExampleError(f"{word!r}; expected a file of the form name attempt/epoch/batch/step:flag")
    name, flag = found[1], found[6]
    attempt, epoch, batch, step = map(int, found.groups()[1:5])
    origin = {
        "checkpoint_id": name,
        "run_id": "other" if flag == "other" else "run",
        "attempt": attempt,
        "parent": None,
        "lineage": [],
        "reasons": ["periodic"],
    }
    document = _document(
        {"name": name, "weight": Tensor("uint8", (4,), b"data")},
        progress={"epoch": epoch, "batch_in_epoch": batch, "global_step": step},
        exact=flag != "inexact",
        kind="weights" if flag == "weights" else "full",
        origin=origin,
    )
    path = folder / f"{name}.ckpt"
    write_checkpoint(path, document)
    if flag == "damaged":
        path.write_bytes(path.read_bytes().replace(b"data", b"rust"))


def program(item, folder):
    """Runs a block `python` beside a `latest.ckpt`; it leaves the file in `doc`, the first tensor in `data`."""
    progress = {"batch_in_epoch": 0, "epoch": 4, "global_step": 99}
    weight = Tensor("float32", (5, 3), bytes(range(60)))
    write_checkpoint(folder / "latest.ckpt", _document({"w": weight}, origin={}, progress=progress))
    more = "print(msgpack.unpackb(doc['model_state']['w'].data))\nprint(data.hex())\n"
    code = "\n".join([*item.example.body, more])
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    shown = f"1.0 {progress}\n['float32', [5, 3], [0]]\n{bytes(weight.data).hex()}\n"
    return Verdict((shown, ""), (done.stdout, done.stderr))
