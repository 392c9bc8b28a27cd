"""Writes the known answers of the workload: `python -m tenuto.conformance_tests.oracle.make_kat [--check]`.

With `--check` nothing is written; the exit code is 1, and the files are named, if any differs from the committed one.

Spec: RW-KAT-001.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from tenuto.conformance_tests.oracle.frame import file
from tenuto.conformance_tests.oracle.workload import tables
from tenuto.conformance_tests.oracle.workload.cases import SavePoint, save_points
from tenuto.conformance_tests.oracle.workload.state import document

FOLDER = Path(str(resources.files("tenuto"))) / "spec" / "v1" / "vectors" / "kat"
TABLES = {
    "numbers.json": tables.numbers,
    "generator.json": tables.generator,
    "data.json": tables.data,
    "model.json": tables.model,
    "training.json": tables.training,
}


def files() -> Iterator[tuple[str, bytes]]:
    """The names and bytes of the committed files, one made after the other."""
    yield from ((name, _text(make())) for name, make in TABLES.items())
    rows: list[tables.Plain] = []
    for point in save_points():
        training = point.reach()
        name, data = f"checkpoint-{point.name}.ckpt", file(document(training))
        rows.append(_row(point, training.global_step, name, data))
        yield name, data
    yield "checkpoint.json", _text({"checkpoints": rows})


def _row(point: SavePoint, global_step: int, name: str, data: bytes) -> tables.Plain:
    progress = {"epoch": point.epoch, "batch_in_epoch": point.batch_in_epoch, "global_step": global_step}
    return {
        "name": point.name,
        "shows": point.shows,
        "settings": point.settings.changed(),
        "max_epochs": point.max_epochs,
        "validate_every": point.validate_every,
        "progress": progress,
        "file": name,
        "length": len(data),
        "sha256": hashlib.sha256(data).digest(),
    }


def _text(table: tables.Plain) -> bytes:
    return json.dumps(tables.tagged(table), indent=1).encode("ascii") + b"\n"


def write(folder: Path) -> int:
    """Write all files into `folder`, remove those that no table names, and say how many there are."""
    made = dict(files())
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name not in made:
            path.unlink()
    for name, data in made.items():
        (folder / name).write_bytes(data)
    return len(made)


def differing(folder: Path) -> list[str]:
    """The names of files that are missing, not asked for, or of other bytes, sorted."""
    found = {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}
    made = dict(files())
    return sorted(name for name in found.keys() | made.keys() if found.get(name) != made.get(name))


def main(arguments: list[str] | None = None, folder: Path = FOLDER) -> int:
    """Write the files, or compare them with `--check`; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make_kat", description="the known answers of the reference workload")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if not parser.parse_args(arguments).check:
        sys.stderr.write(f"{write(folder)} files in {folder.name}/\n")
        return 0
    wrong = differing(folder)
    sys.stderr.writelines(f"{name}: differs; expected what the oracle makes\n" for name in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
