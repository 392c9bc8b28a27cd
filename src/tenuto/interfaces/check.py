"""Checks the whole: interface files against the prose, and the reference against the interface files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Final

import yaml
from attrs import frozen

from tenuto.interfaces.check_classes import check_classes
from tenuto.interfaces.check_codes import check_codes
from tenuto.interfaces.check_keys import check_keys
from tenuto.interfaces.check_ranges import check_ranges
from tenuto.interfaces.check_text import check_text
from tenuto.interfaces.findings import Finding
from tenuto.interfaces.generate import check_constants
from tenuto.interfaces.items import Interfaces
from tenuto.interfaces.load import InterfaceError, load
from tenuto.interfaces.prose import load_prose
from tenuto.interfaces.source import Sources

__all__ = ["Result", "check"]

_PARTS: Final = "spec/v1/parts.yaml"


@frozen
class Result:
    """What a check found.

    Attributes:
        findings: In the order of files and lines.
        items: How many items the interface files have.
        pending: Part -> how many items wait for it, and are not checked.
    """

    findings: list[Finding]
    items: int
    pending: dict[str, int]


def check(root: Path) -> Result:
    """Checks a checkout. Its sources are read; only the ranges of settings need them to run.

    Raises:
        FileNotFoundError: An interface file is missing.
    """
    try:
        interfaces = load(root)
    except InterfaceError as error:
        finding = Finding(error.place.path, error.place.line, "interface-form", "", error.message)
        return Result([finding], 0, {})
    sources = Sources(root)
    findings = {
        *_parts(root, interfaces),
        *check_text(interfaces, load_prose(root)),
        *check_constants(root, interfaces),
        *check_classes(interfaces, sources),
        *check_codes(interfaces, sources),
        *check_keys(interfaces, sources),
        *check_ranges(interfaces, root.absolute()),
    }
    items = [item for interface in interfaces for item in interface.items()]
    pending = Counter(item.pending for item in items if item.pending is not None)
    return Result(sorted(findings), len(items), dict(pending))


def _parts(root: Path, interfaces: Interfaces) -> list[Finding]:
    parts = yaml.safe_load((root / _PARTS).read_text(encoding="utf-8"))
    return [
        Finding(item.place.path, item.place.line, "interface-pending", item.clause, f"{item.pending}: not in {_PARTS}")
        for interface in interfaces
        for item in interface.items()
        if item.pending is not None and item.pending not in parts
    ]
