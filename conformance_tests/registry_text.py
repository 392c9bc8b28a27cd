"""Changes to the text of the registry: every line that is not concerned stays byte for byte, comments among them.

Nothing here reads or writes a file; `tenuto spec lint` does, with `--fix-pending`, `--sync` and `--add-missing`.
"""

from __future__ import annotations

import json
import re
import textwrap

from attrs import define

from tenuto.conformance_tests.prose import Requirement, keywords_of
from tenuto.conformance_tests.registry import TODO, Specification

__all__ = ["stale_pending", "with_missing", "with_prose", "without_pending"]

_WIDTH = 120
_START = re.compile(r"- id:\s*(\S+)")


@define
class _Block:
    """An entry as it is written, with the empty lines and comments above it; the header of the file has no id."""

    id: str
    lines: list[str]

    def put(self, name: str, lines: list[str]) -> None:
        """Puts other lines in the place of a field; a field that is not there is put at the end."""
        start = next((at for at, line in enumerate(self.lines) if line.startswith(f"  {name}:")), len(self.lines))
        end = start + 1
        while end < len(self.lines) and self.lines[end].startswith("    "):  # a folded text goes on further indented
            end += 1
        self.lines[start:end] = lines


def stale_pending(specification: Specification) -> set[str]:
    """Returns the ids that say `pending` although they have all that they need."""
    return {one.id for one in specification.entries if "pending" in one.fields and not specification.lacks(one)}


def without_pending(registry: str, ids: set[str]) -> str:
    """Returns the registry without the `pending` of some entries."""
    blocks = _blocks(registry)
    for block in blocks:
        if block.id in ids:
            block.put("pending", [])
    return _text(blocks)


def with_prose(registry: str, specification: Specification) -> tuple[str, list[str]]:
    """Returns the registry with the texts and levels of the prose, and the ids of the entries that it changed."""
    prose = {one.id: one for one in specification.requirements}
    entries = {entry.id: entry for entry in specification.entries}
    blocks = _blocks(registry)
    changed = []
    for block in blocks:
        one, entry = prose.get(block.id), entries.get(block.id)
        if one is None or entry is None or entry.retired:
            continue
        wanted = {"level": _level(one), "text": one.text}
        differing = {name: value for name, value in wanted.items() if entry.fields.get(name) != value}
        for name, value in differing.items():
            block.put(name, _field(name, value))
        changed += [block.id] * bool(differing)
    return _text(blocks), changed


def with_missing(registry: str, specification: Specification) -> tuple[str, list[str]]:
    """Returns the registry with a skeleton for each requirement that has no entry, and the ids of these.

    A skeleton stands behind the entry of the requirement before it in the prose. What its author has to say is `TODO`;
    its profile is that of the nearest requirement of its topic, or else of its area.
    """
    blocks = _blocks(registry)
    known = {block.id for block in blocks}
    added: list[str] = []
    before = ""  # the header
    for one in specification.requirements:
        if one.id not in known:
            at = next(index for index, block in enumerate(blocks) if block.id == before)
            blocks.insert(at + 1, _Block(one.id, _skeleton(one, specification)))
            known.add(one.id)
            added.append(one.id)
        before = one.id
    return _text(blocks), added


def _blocks(registry: str) -> list[_Block]:
    blocks = [_Block("", [])]
    for line in registry.splitlines(keepends=True):
        start = _START.match(line)
        if start:
            blocks.append(_Block(start[1], _above(blocks[-1])))
        blocks[-1].lines.append(line)
    return blocks


def _above(block: _Block) -> list[str]:
    """Takes from a block the empty lines and comments that belong to the next one; the header ends at an empty line."""
    if block.id:
        start = len(block.lines)
        while start and (not block.lines[start - 1].strip() or block.lines[start - 1].startswith("#")):
            start -= 1
    else:
        start = next((at for at, line in enumerate(block.lines) if not line.strip()), len(block.lines))
    taken = block.lines[start:]
    del block.lines[start:]
    return taken


def _text(blocks: list[_Block]) -> str:
    return "".join(line for block in blocks for line in block.lines)


def _level(one: Requirement) -> str:
    words = keywords_of(one.text)
    return words[0] if len(words) == 1 else TODO


def _field(name: str, value: str) -> list[str]:
    folded = textwrap.wrap(value, _WIDTH - 4, break_on_hyphens=False)
    if " ".join(folded) != value:  # folding would change it
        return [f"  {name}: {json.dumps(value, ensure_ascii=False)}\n"]
    if name == "text":
        return [f"  {name}: >-\n", *(f"    {line}\n" for line in folded)]
    return [f"  {name}: {value}\n"]


def _skeleton(one: Requirement, specification: Specification) -> list[str]:
    fields = {
        "level": _level(one),
        "since": f'"{specification.version}"',
        "profile": _neighbor_profile(one, specification),
        "text": one.text,
        "observe": TODO,
    }
    if fields["level"].startswith("MUST") and not specification.tests_of(one.id):
        fields["pending"] = TODO
    lines = [line for name, value in fields.items() for line in _field(name, value)]
    return ["\n", f"- id: {one.id}\n", *lines]


def _neighbor_profile(one: Requirement, specification: Specification) -> str:
    """Returns the profile of the nearest requirement of the topic, or else of the area, that has one."""
    profiles = {entry.id: str(entry.fields["profile"]) for entry in specification.entries if "profile" in entry.fields}
    order = [other.id for other in specification.requirements]
    here = order.index(one.id)
    near = sorted((other for other in profiles if other in order), key=lambda other: abs(order.index(other) - here))
    for beginning in (one.id.rpartition("-")[0] + "-", one.id.partition("-")[0] + "-"):
        for other in near:
            if other.startswith(beginning):
                return profiles[other]
    return TODO
