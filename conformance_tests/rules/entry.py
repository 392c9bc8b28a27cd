"""Rules about the entries of the registry: that they agree with the prose, and what their fields hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from tenuto.conformance_tests.entries import Entry
from tenuto.conformance_tests.port import PROFILE_INCLUDES
from tenuto.conformance_tests.prose import Requirement, keywords_of
from tenuto.conformance_tests.registry import REGISTRY, TODO, Specification
from tenuto.conformance_tests.rules.breach import Breach, at

__all__ = ["FIELDS", "PROFILES", "RETIRED_FIELDS", "agreement", "fields", "observations", "retirement", "versions"]

FIELDS: Final = ("id", "level", "since", "profile", "text", "observe", "excluded", "pending")
RETIRED_FIELDS: Final = ("id", "level", "since", "text", "retired", "reason")
_REQUIRED = ("id", "level", "since", "profile", "text")
PROFILES: Final = (
    *PROFILE_INCLUDES,
    *("ext:zstd", "ext:sharded", "ext:pool"),
    "tool",  # binds the command line of tenuto, no port
    "suite",  # binds the runner, no port
)
_OBSERVE_WORDS_MIN = 4
_VERSION = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")


def agreement(specification: Specification) -> Iterator[Breach]:
    """Prose and registry have the same requirements, with the same texts and levels."""
    prose = {one.id: one for one in specification.requirements}
    entries = {entry.id: entry for entry in specification.entries}
    for identity, one in prose.items():
        if identity not in entries:
            yield at(one.place, "registry-missing", identity, f"no entry in {REGISTRY} (--add-missing)")
        elif not entries[identity].retired:
            yield from _differences(one, entries[identity])
    for identity, entry in entries.items():
        if identity not in prose and not entry.retired:
            yield at(
                entry.place, "registry-extra", identity, "no such requirement in the prose; expected it or `retired`"
            )


def _differences(one: Requirement, entry: Entry) -> Iterator[Breach]:
    if entry.fields.get("text") != one.text:
        yield at(entry.place, "registry-text", one.id, f"text differs from {one.place}; expected {one.text!r} (--sync)")
    words = keywords_of(one.text)
    if len(words) == 1 and entry.fields.get("level") != words[0]:
        yield at(entry.place, "registry-level", one.id, f"{entry.fields.get('level')}; expected {words[0]} (--sync)")


def fields(specification: Specification) -> Iterator[Breach]:
    """An entry has the fields of its kind, each with text, and a known profile."""
    for entry in specification.entries:
        known, required = (RETIRED_FIELDS, RETIRED_FIELDS) if entry.retired else (FIELDS, _REQUIRED)
        for name, value in entry.fields.items():
            if name not in known:
                yield at(entry.place, "registry-field", entry.id, f"field {name!r}; expected {', '.join(known)}")
            elif not isinstance(value, str) or value.strip() in {"", TODO}:
                yield at(entry.place, "registry-field", entry.id, f"{name}: {value!r}; expected text")
        for name in required:
            if name not in entry.fields:
                yield at(entry.place, "registry-field", entry.id, f"no field {name!r}; expected it")
        profile = entry.fields.get("profile", PROFILES[0])
        if profile not in (*PROFILES, TODO):
            yield at(entry.place, "registry-field", entry.id, f"profile {profile!r}; expected {', '.join(PROFILES)}")
        if not entry.retired and not {"observe", "excluded"} & entry.fields.keys():
            yield at(entry.place, "registry-field", entry.id, "expected observe, or excluded, or both")


def observations(specification: Specification) -> Iterator[Breach]:
    """`observe` says how a requirement is seen, in other words than its own."""
    for entry in specification.entries:
        observe, text = (str(entry.fields.get(name, "")) for name in ("observe", "text"))
        if observe in {"", TODO}:
            continue
        if len(observe.split()) < _OBSERVE_WORDS_MIN:
            message = f"observe: {observe!r}; expected at least {_OBSERVE_WORDS_MIN} words"
            yield at(entry.place, "observe-text", entry.id, message)
        elif _bare(observe) in _bare(text):
            yield at(
                entry.place, "observe-text", entry.id, "observe repeats the text; expected how it is seen from outside"
            )


def _bare(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def versions(specification: Specification) -> Iterator[Breach]:
    """`since` and `retired` name the current version or one that was released before it."""
    current = _VERSION.fullmatch(specification.version)
    for entry in specification.entries:
        for name in ("since", "retired"):
            value = str(entry.fields.get(name, specification.version))
            found = _VERSION.fullmatch(value)
            known = value in (*specification.releases, specification.version)
            if not (current and found and known and _pair(found) <= _pair(current)):
                wish = f"expected {specification.version} of spec/VERSION or an earlier one of spec/CHANGELOG.md"
                yield at(entry.place, "since", entry.id, f"{name}: {value!r}; {wish}")


def _pair(version: re.Match[str]) -> tuple[int, int]:
    return int(version[1]), int(version[2])


def retirement(specification: Specification) -> Iterator[Breach]:
    """A retired requirement is in the registry alone: its id never comes back."""
    retired = {entry.id: str(entry.fields["retired"]) for entry in specification.entries if entry.retired}
    for one in specification.requirements:
        if one.id in retired:
            yield at(one.place, "retired", one.id, f"retired in {retired[one.id]}; expected a new id")
    for citation in specification.citations:
        if citation.id in retired:
            yield at(
                citation.place, "retired", citation.id, f"retired in {retired[citation.id]}; expected no one to name it"
            )
