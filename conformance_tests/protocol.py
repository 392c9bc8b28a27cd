"""Requests and replies: what a line may hold, and what a reply of each kind must hold.

Spec: CONF-LINE-001 to CONF-LINE-006, CONF-REPLY-001.
"""

import json
from collections.abc import Mapping

from attrs import frozen

from tenuto.conformance_tests.oracle.codes import PHASES, is_code
from tenuto.conformance_tests.oracle.document import Json, MalformedError

PREFIX = b"@tenuto "
LINE_LIMIT = 1 << 20
REPLY_MEMBERS = {"ok": (), "error": ("code", "phase"), "unsupported": ("capability",), "internal": ("message",)}


@frozen
class Reply:
    """A reply to the request that was asked.

    Attributes:
        kind: `ok`, `error`, `unsupported` or `internal`, once it is checked.
        members: all members of the JSON object.
    """

    kind: str
    members: Mapping[str, Json]

    def text(self, name: str) -> str:
        """A member that has to be a string; raises `MalformedError` if it is not."""
        value = self.members.get(name)
        if not isinstance(value, str):
            raise MalformedError(f"{self.kind} reply, member {name}: {value!r}; expected a string")
        return value


def request_line(members: Mapping[str, Json], *, escape_slash: bool = False) -> bytes:
    """A request as one line of ASCII; with `escape_slash` every `/` is written as an escape.

    Spec: CONF-LINE-001, CONF-LINE-006.
    """
    text = json.dumps(members, ensure_ascii=True, separators=(",", ":"))
    if escape_slash:
        text = text.replace("/", "\\/")
    line = text.encode("ascii") + b"\n"
    if len(line) > LINE_LIMIT:
        raise ValueError(f"request of {len(line)} bytes; expected at most {LINE_LIMIT}")
    return line


def parse_json(data: bytes) -> Json:
    """JSON of the restricted kind; raises `MalformedError` on anything else.

    Spec: CONF-LINE-004.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            parse_int=_no_number,
            parse_float=_no_number,
            parse_constant=_no_number,
            object_pairs_hook=_object,
        )
        if b"null" in data or b"\\u" in data:  # without either there is nothing that it could refuse
            _check(value)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"JSON: {error}; expected objects, arrays, strings, true and false") from error
    found: Json = value
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"number {text[:40]}")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError(f"object with the keys {keys[:20]}, one of them twice")
    return dict(pairs)


def _check(value: object) -> None:
    """Refuse null and lone surrogates; what is nested so deeply that it runs out of recursion is refused with them."""
    if value is None:
        raise ValueError("null")
    if isinstance(value, str):
        value.encode("utf-8")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check(key)
            _check(item)
    elif isinstance(value, list):
        for item in value:
            _check(item)


def parse_reply(line: bytes, request_id: str) -> Reply:
    """The reply in a line that starts with the prefix; raises `MalformedError` if the adapter is out of step.

    Spec: CONF-LINE-005, CONF-VERDICT-006.
    """
    value = parse_json(line[len(PREFIX) :])
    if not isinstance(value, dict):
        raise MalformedError(f"reply: {line[:80]!r}; expected a JSON object")
    if value.get("id") != request_id:
        raise MalformedError(f"reply with id {value.get('id')!r}; expected {request_id!r}")
    kind = value.get("reply")
    return Reply(kind if isinstance(kind, str) else ascii(kind), value)


def check_reply(reply: Reply) -> None:
    """Raises `MalformedError` if a reply is none of section 4, or says words that are not of the specification.

    Spec: CONF-REPLY-001.
    """
    if reply.kind not in REPLY_MEMBERS:
        raise MalformedError(f"reply is {reply.kind}; expected one of {', '.join(REPLY_MEMBERS)}")
    for name in REPLY_MEMBERS[reply.kind]:
        reply.text(name)
    if reply.kind == "error" and not (is_code(reply.text("code")) and reply.text("phase") in PHASES):
        words = f"{reply.text('code')!r} in phase {reply.text('phase')!r}"
        raise MalformedError(f"error {words}; expected words of the specification")
