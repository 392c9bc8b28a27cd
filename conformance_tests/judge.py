"""Verdicts: an expectation, a reply and what the port wrote, and nothing else, decide.

Every function may raise `MalformedError`, which is the verdict `PROTOCOL`.

Spec: section 5 of 90-conformance.md, CONF-VERDICT-001, CONF-VERDICT-007.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

from attrs import frozen

from tenuto.conformance_tests.oracle import document as tagged
from tenuto.conformance_tests.oracle.document import Json, MalformedError
from tenuto.conformance_tests.port import Port
from tenuto.conformance_tests.process import Exit
from tenuto.conformance_tests.protocol import Reply, parse_json

if TYPE_CHECKING:
    from tenuto.conformance_tests.cases import Refusal


class Verdict(StrEnum):
    """The verdicts of section 5."""

    PASS = "PASS"  # noqa: S105  a verdict, not a password
    FAIL = "FAIL"
    CRASH = "CRASH"
    TIMEOUT = "TIMEOUT"
    PROTOCOL = "PROTOCOL"
    NOT_TESTABLE = "NOT_TESTABLE"
    NOT_CLAIMED = "NOT_CLAIMED"
    XFAIL = "XFAIL"
    XPASS = "XPASS"
    FLAKY = "FLAKY"
    UNCOVERED = "UNCOVERED"
    SUITE_ERROR = "SUITE_ERROR"


@frozen
class Judgement:
    """A verdict with its reason, as texts for a person."""

    verdict: Verdict
    detail: str = ""
    expected: str = ""
    actual: str = ""


PASSED = Judgement(Verdict.PASS)


def fail(detail: str, expected: object = "", actual: object = "") -> Judgement:
    """Another outcome than the requirement asks for."""
    return Judgement(Verdict.FAIL, detail, str(expected), str(actual))


def reply_text(reply: Reply) -> str:
    """A reply in a few words."""
    if reply.kind == "error":
        return f"error {reply.text('code')} in phase {reply.text('phase')}"
    detail = {"unsupported": "capability", "internal": "message"}.get(reply.kind)
    return f"{reply.kind} {reply.text(detail)[:400]}" if detail else reply.kind


def not_ok(reply: Reply) -> Judgement | None:
    """The judgement of a reply that is no `ok` where the port claims that it can; None if it is `ok`."""
    if reply.kind == "ok":
        return None
    if reply.kind == "unsupported":
        detail = "the port claims the profile of the case and says that it lacks a capability"
        return Judgement(Verdict.NOT_TESTABLE, detail, "ok", reply_text(reply))
    return fail("another reply than ok", "ok", reply_text(reply))


def judge_hello(port: Port, nonce: str, reply: Reply) -> Judgement:
    """The greeting.

    Spec: CONF-OP-001, CONF-VERDICT-006.
    """
    if (wrong := not_ok(reply)) is not None:
        return wrong
    if reply.members.get("nonce") != nonce:
        raise MalformedError(f"nonce {reply.members.get('nonce')!r}; expected {nonce!r}")
    identity = reply.members.get("port")
    if not isinstance(identity, dict) or not isinstance(identity.get("language"), str):
        raise MalformedError(f"port {identity!r}; expected an object with name, version and language")
    if not re.fullmatch(r"1\.(0|[1-9][0-9]*)", reply.text("spec"), re.ASCII):
        raise MalformedError(f"spec {reply.text('spec')!r}; expected a version 1.x")
    told = [reply.members.get("protocol"), identity.get("name"), identity.get("version")]
    told += [_sorted(reply.members.get(name)) for name in ("claims", "capabilities")]
    described: list[Json] = ["i:1", port.name, port.version, [*sorted(port.claims)], [*sorted(port.capabilities)]]
    if told != described:
        return fail("the port says something else about itself than its port.toml", described, told)
    return PASSED


def _sorted(value: Json | None) -> Json:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise MalformedError(f"claims or capabilities {value!r}; expected arrays of plain strings")
    return sorted(value, key=str)


def judge_echo(value: Json, reply: Reply) -> Judgement:
    """A value that came back.

    Spec: CONF-OP-002.
    """
    if (wrong := not_ok(reply)) is not None:
        return wrong
    back = reply.members.get("value", "")
    tagged.Reader().tree(back)
    return difference(value, back, "value") or PASSED


def judge_unknown(operation: str, reply: Reply) -> Judgement:
    """An operation that nobody knows.

    Spec: CONF-REPLY-002.
    """
    expected = Reply("unsupported", {"capability": operation})
    if (reply.kind, reply.members.get("capability")) == ("unsupported", operation):
        return PASSED
    return fail("another reply to an unknown operation", reply_text(expected), reply_text(reply))


def judge_bad_line(reply: Reply) -> Judgement:
    """A line that no adapter can parse, so there is no id to be repeated.

    Spec: CONF-REPLY-003.
    """
    if reply.kind == "internal":
        return PASSED
    return fail("another reply to a line that is no JSON", "internal with an empty id", reply_text(reply))


def judge_refusal(expected: Refusal, reply: Reply) -> Judgement:
    """A file that is to be refused: only the right code in the right phase passes.

    Spec: CONF-VERDICT-001.
    """
    words = f"error {expected.code} in phase {expected.phase}"
    if reply.kind == "unsupported":
        return Judgement(Verdict.NOT_TESTABLE, "the port claims that it reads files", words, reply_text(reply))
    if reply_text(reply) == words:
        return PASSED
    return fail("another outcome than this refusal", words, reply_text(reply))


def judge_decode(canonical: bool, document: Json, reply: Reply, written: bytes | None) -> Judgement:
    """A document that was read.

    Spec: CONF-OP-003, CONF-VERDICT-007.
    """
    if (wrong := not_ok(reply)) is not None:
        return wrong
    told = reply.members.get("canonical")
    if not isinstance(told, bool):
        raise MalformedError(f"canonical {told!r}; expected true or false")
    if written is None:
        return fail("the reply is ok, but there is no file", "a document in the file `out`", "no file")
    back = parse_json(written)
    tagged.load(back)
    if told is not canonical:
        return fail("the form of the file", f"canonical {canonical}", f"canonical {told}")
    return difference(document, back, "document") or PASSED


def judge_recode(data: bytes, reply: Reply, written: bytes | None) -> Judgement:
    """A file that was written again.

    Spec: CONF-OP-004, CONF-VERDICT-007.
    """
    if (wrong := not_ok(reply)) is not None:
        return wrong
    if written is None:
        return fail("the reply is ok, but there is no file", f"a file of {len(data)} bytes", "no file")
    if written == data:
        return PASSED
    pairs = enumerate(zip(data, written, strict=False))
    at = next((index for index, (one, other) in pairs if one != other), min(len(data), len(written)))
    return fail(f"the file differs from byte {at} on", _around(data, at), _around(written, at))


def _around(data: bytes, at: int) -> str:
    start = max(0, at - 8)
    return f"{len(data)} bytes, from {start}: {data[start : at + 24].hex(' ')}"


def judge_end(found: Exit | None) -> Judgement:
    """The end of an adapter.

    Spec: CONF-OP-005.
    """
    if found is None:
        return Judgement(Verdict.TIMEOUT, "the adapter did not end", "exit code 0 within two seconds", "still running")
    if found.code == 0:
        return PASSED
    verdict = Verdict.CRASH if found.code < 0 else Verdict.FAIL
    return Judgement(verdict, "the adapter did not end well", "exit code 0", str(found))


def difference(expected: Json, actual: Json, where: str) -> Judgement | None:
    """The first place where two values differ; None if they are equal."""
    if type(expected) is type(actual) and expected == actual:
        return None
    if isinstance(expected, list) and isinstance(actual, list):
        for index, (one, other) in enumerate(zip(expected, actual, strict=False)):
            if (found := difference(one, other, f"{where}[{index}]")) is not None:
                return found
        return fail(f"{where} has another length", len(expected), len(actual))
    return fail(f"{where} differs", _short(expected), _short(actual))


def _short(value: Json) -> str:
    text = ascii(value)
    return text if len(text) <= 200 else text[:197] + "..."
