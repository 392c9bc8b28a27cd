"""What happens to a folder between two attempts: bits flip, files go, strange ones come.

Spec: STORE-DIR-001, TR-RES-001 to TR-RES-021.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from tenuto.conformance_tests.cases import SuiteError
from tenuto.conformance_tests.oracle.document import Reader
from tenuto.conformance_tests.oracle.frame import file
from tenuto.conformance_tests.oracle.opcodes import fixstr
from tenuto.conformance_tests.oracle.tree import Document, Tree
from tenuto.conformance_tests.scenarios.script import Damage
from tenuto.conformance_tests.scenarios.witness import NoCheckpointError, read

SEGMENT_TABLE_KEY = fixstr(b"segment_table")
GARBAGE = "no checkpoint at all\n" * 20
LONG_AGO = 946684800  # 2000-01-01
LONG_AGO_TEXT = "2000-01-01T00:00:00Z"
_INDEX = re.compile(r"[0-9]+", re.ASCII)


def do_damage(folder: Path, damage: Damage) -> None:
    """Does it.

    Raises:
        FileNotFoundError: The port has not made the file that is meant.
        NoCheckpointError: The port has made one that cannot be read.
    """
    path = folder / with_run(folder, damage.name)
    match damage.how:
        case "moved":
            folder.rmdir()
            (folder.parent / damage.name).rename(folder)
        case "flip" | "truncate" | "set" | "drop":
            _replace(path, _changed(path.read_bytes(), damage))
        case "age":
            stamp = Damage("set", damage.name, path="metadata.origin.timestamp", value=f"s:{LONG_AGO_TEXT}")
            _replace(path, _changed(path.read_bytes(), stamp))
            os.utime(path, (LONG_AGO, LONG_AGO))
        case "copy_as":
            target = folder / damage.to
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        case "link_as":
            (folder / damage.to).symlink_to(damage.name)
        case _:
            _do_to_path(path, damage.how)


def _do_to_path(path: Path, how: str) -> None:
    """Does what needs nothing but a path."""
    match how:
        case "remove":
            path.unlink()
        case "garbage":
            path.write_text(GARBAGE)
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "gone":
            path.rmdir()
        case other:
            raise SuiteError(f"damage {other}; expected one of schema.json")


def with_run(folder: Path, name: str) -> str:
    """Returns a name with `{run_id}` replaced by the run of the first file of the folder.

    Spec: STORE-SAVE-012.
    """
    if "{run_id}" not in name:
        return name
    document = read(next(iter(sorted(folder.glob("[!.]*.ckpt")))).read_bytes())
    return name.replace("{run_id}", str(find(document, "metadata.origin.run_id")).replace(".", "%2E"))


def _replace(path: Path, data: bytes) -> None:
    """Gives a name new bytes and leaves other names of the old ones as they are."""
    path.unlink()
    path.write_bytes(data)


def _changed(data: bytes, damage: Damage) -> bytes:
    if damage.how == "flip":
        at = _last_of_tensors(data)
        return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
    if damage.how == "truncate":
        return data[: len(data) // 2]
    document = read(data)
    outer, _, last = damage.path.rpartition(".")
    item = find(document, outer) if outer else document
    if damage.how == "drop" and isinstance(item, dict):
        del item[last]
    elif isinstance(item, list):
        item[int(last)] = Reader().tree(damage.value)
    elif isinstance(item, dict):
        item[last] = Reader().tree(damage.value)
    return file(document)


def _last_of_tensors(data: bytes) -> int:
    """Returns the offset of the last byte of the last segment: a bit that flips there is seen by its digest alone.

    Spec: CKPT-FRAME-001, CKPT-FRAME-002.
    """
    table_offset = int.from_bytes(data[-32:-24], "little")
    return table_offset - len(SEGMENT_TABLE_KEY) - 1


def find(document: Document, path: str) -> Tree:
    """Returns an item of a document.

    Args:
        document: Where to look.
        path: Names and indices joined with `.`; keys with a dot in them cannot be reached.

    Raises:
        NoCheckpointError: There is none of that name or index.
    """
    item: Tree = document
    for part in path.split("."):
        if isinstance(item, dict) and part in item:
            item = item[part]
        elif isinstance(item, list) and _INDEX.fullmatch(part) and int(part) < len(item):
            item = item[int(part)]
        else:
            raise NoCheckpointError(f"no item {part} of {path}; expected it in the document")
    return item
