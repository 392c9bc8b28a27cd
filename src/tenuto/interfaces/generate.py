"""What is generated from the interface files: writes it, or finds out what is stale."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

from tenuto.interfaces.constants import constant_files
from tenuto.interfaces.findings import Finding
from tenuto.interfaces.items import Interfaces
from tenuto.interfaces.prose import Prose
from tenuto.interfaces.tables import table_files, with_error_table

__all__ = ["check_constants", "generated", "stale", "write"]

_ERRORS = "spec/v1/80-error-codes.md"


def generated(interfaces: Interfaces, prose: Prose) -> dict[str, str]:
    """Returns the text of every generated file by its path; of the prose only the error table is generated."""
    constants = {
        path: "\n".join(line.text for line in lines) + "\n" for path, lines in constant_files(interfaces).items()
    }
    errors = {_ERRORS: with_error_table(prose.documents[_ERRORS], interfaces, prose)}
    return {**constants, **table_files(interfaces, prose), **errors}


def stale(root: Path, files: dict[str, str]) -> list[str]:
    """Returns the paths of the files that are missing or differ."""
    return [path for path, text in files.items() if _read(root / path) != text]


def write(root: Path, files: dict[str, str]) -> list[str]:
    """Writes what is missing or differs and returns its paths."""
    changed = stale(root, files)
    for path in changed:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(files[path], encoding="utf-8")
    return changed


def check_constants(root: Path, interfaces: Interfaces) -> Iterator[Finding]:
    """Yields the first line of each generated module that is not what it is generated as, with its clause."""
    for path, lines in constant_files(interfaces).items():
        found = _read(root / path).splitlines()
        matcher = SequenceMatcher(None, [line.text for line in lines], found, autojunk=False)
        changes = [change for change in matcher.get_opcodes() if change[0] != "equal"]
        if changes:
            _, first, last, at, end = changes[0]
            clause = next((line.clause for line in lines[first:] if line.clause), "")
            got = found[at].strip() if at < end else "nothing"
            told = lines[first].text.strip() if first < last else "nothing"
            yield Finding(path, at + 1, "interface-generated", clause, f"{got!r}; expected {told!r} (make spec)")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
