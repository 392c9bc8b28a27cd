"""What a requirement asks for and which cases judge it, or what a case asks a port, in words for whoever writes one.

Spec: section 6 of 90-conformance.md.
"""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from tenuto.conformance_tests.cases import (
    BadLine,
    BadOut,
    Case,
    Conversation,
    Decode,
    Echo,
    End,
    Hello,
    Recode,
    Refuse,
    Task,
    UnknownOperation,
)
from tenuto.conformance_tests.clauses import clauses, explain, spec_folder
from tenuto.conformance_tests.coverage import registry
from tenuto.conformance_tests.entries import Entry
from tenuto.conformance_tests.results import repro

_SHOWN = 20
_WIDTH = 110


def explained(identity: str, every: Sequence[Case], port: Path) -> str | None:
    """The explanation of a requirement, a case or a vector; None if there is nothing of this id.

    Args:
        identity: the id; that of a requirement in any case of letters.
        every: all cases of the suite.
        port: a `port.toml`, for the commands.
    """
    for entry in registry():
        if entry.id == identity.upper():
            return "\n".join(_of_requirement(entry, every, port))
    found = [case for case in every if identity in {case.id, case.id.partition("/")[0]}]
    return "\n\n".join("\n".join(_of_case(case, port)) for case in found) or None


def _of_requirement(entry: Entry, every: Sequence[Case], port: Path) -> Iterator[str]:
    told = entry.fields
    yield f"{entry.id}: {told['level']}, profile {told['profile']}, since {told['since']}\n"
    yield _filled(clauses().get(entry.id, str(told["text"])))
    for name, label in (("observe", "seen by"), ("excluded", "has no case")):
        if name in told:
            yield _filled(f"{label}: {told[name]}")
    cases = [case for case in every if entry.id in case.req]
    yield f"\ncases: {len(cases) or 'none'}"
    yield from (f"  {case.id}  {case.title}{_condition(case)}" for case in cases[:_SHOWN])
    if len(cases) > _SHOWN:
        yield f"  and {len(cases) - _SHOWN} more"
    if cases:
        yield f"\nrun: {repro(port, entry.id)}"


def _of_case(case: Case, port: Path) -> Iterator[str]:
    yield f"{case.id}: {case.title}; profile {case.profile}{_condition(case)}\n"
    asked, expected = _told(case.task)
    yield f"asked:    {asked}\nexpected: {expected}"
    files = sorted((spec_folder() / "vectors").rglob(f"{case.id.partition('/')[0]}.*"))
    yield from (f"file:     {path}" for path in files)
    yield "\nshows:"
    yield from (textwrap.indent(_filled(line), "  ") for line in explain(case.req))
    yield f"\nrun: {repro(port, case.id)}"


def _condition(case: Case) -> str:
    needs = f"; needs {', '.join(sorted(case.needs))}" if case.needs else ""
    return needs + (f"; for ports without {', '.join(sorted(case.lacks))}" if case.lacks else "")


def _told(task: Task) -> tuple[str, str]:
    """What a task asks, and what it expects."""
    match task:
        case Decode(canonical=canonical):
            return "decode of the file", f"ok, canonical {str(canonical).lower()}, and the document in the file `out`"
        case Refuse(refusal=refusal):
            return "decode of the file", f"error {refusal.code} in phase {refusal.phase}"
        case Recode(strip_origin=strip):
            asked = f"recode of the file, strip_origin {str(strip).lower()}"
            return asked, "ok, and the canonical bytes in the file `out`"
        case BadOut(recode=recode):
            operation = "recode" if recode else "decode"
            return f"{operation} of a good file, with an `out` that cannot be written", "error io_error in phase io"
        case Conversation():
            return "several things, one after the other", "what the clauses below require of answers, events and files"
        case _:
            return _told_of_adapter(task)


def _told_of_adapter(task: Hello | Echo | UnknownOperation | BadLine | End) -> tuple[str, str]:
    """The same of a task that is about the adapter itself."""
    match task:
        case Hello():
            return "hello, of a new process", "the nonce, and what port.toml says"
        case Echo(value):
            return f"echo of {textwrap.shorten(ascii(value), _WIDTH)}", "an equal value"
        case UnknownOperation():
            return "an operation that nobody knows", "unsupported, with its name as the capability"
        case BadLine():
            return "a line that is no JSON", "internal, with an empty id, and the adapter goes on"
        case End(bye):
            return "bye" if bye else "nothing more: its input ends", "the process ends with exit code 0 in time"


def _filled(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
