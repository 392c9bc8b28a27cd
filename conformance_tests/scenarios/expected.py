"""What an attempt is to lead to: foretold by the oracle, or stated by hand where that is more than it knows.

Spec: 95-scenarios.md, TR-RES-012.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from attrs import frozen

from tenuto.conformance_tests.cases import SuiteError
from tenuto.conformance_tests.judge import Judgement, fail
from tenuto.conformance_tests.oracle.document import Json
from tenuto.conformance_tests.oracle.model import Attempt, Foretold, UnforeseenError, foretell
from tenuto.conformance_tests.oracle.tree import utf8
from tenuto.conformance_tests.protocol import Reply
from tenuto.conformance_tests.scenarios.compressed import without_setting
from tenuto.conformance_tests.scenarios.events import Event, judge_events, log_lines, told
from tenuto.conformance_tests.scenarios.folder import Contents, judge_files
from tenuto.conformance_tests.scenarios.script import Act, Expect, Script


@frozen
class Expected:
    """What one attempt is to lead to.

    Attributes:
        foretold: By the oracle, None if it is not asked.
        by_hand: What the case states, None if it states nothing.
        like: What the oracle foretells of the last of the attempts that lead to the same.
    """

    foretold: Foretold | None = None
    by_hand: Expect | None = None
    like: Foretold | None = None

    @property
    def reply(self) -> Mapping[str, Json]:
        """The members that the reply has."""
        if self.by_hand is not None and self.by_hand.reply is not None:
            return self.by_hand.reply
        found = self.foretold or self.like
        return {} if found is None else found.reply


def expectations(script: Script) -> list[Expected]:
    """Returns what each attempt of a case is to lead to.

    Raises:
        SuiteError: The oracle does not foresee a case that states nothing by hand, or one that is foretold follows on
            one that is not.
    """
    count = next((at for at, act in enumerate(script.attempts) if act.expect is not None), len(script.attempts))
    later = script.attempts[count:]
    if any(act.expect is None for act in later):
        raise SuiteError(f"{script.id}: an attempt without `expect` after one that has it; expected one by hand too")
    found = [Expected(foretold=one) for one in _foretell(script.id, script.attempts[:count])]
    return found + [_by_hand(script.id, act.expect) for act in later if act.expect is not None]


def _by_hand(case: str, expect: Expect) -> Expected:
    like = None if expect.like is None else _foretell(case, expect.like.attempts)[-1]
    return Expected(by_hand=expect, like=like)


def _foretell(case: str, acts: Sequence[Act]) -> list[Foretold]:
    if any(act.damage or act.folder != "run" for act in acts):
        raise SuiteError(f"{case}: damage, or another folder, in an attempt that is foretold; expected `expect`")
    try:
        return foretell([Attempt(without_setting(act.scenario), act.resume) for act in acts]) if acts else []
    except UnforeseenError as error:
        raise SuiteError(f"{case}: the oracle does not foresee it: {error}; expected `expect`") from error


def judge_reply(expected: Mapping[str, Json], reply: Reply) -> Judgement | None:
    """Returns a difference in the reply to `run` or `restore`.

    Spec: SCN-OP-004, ERR-CODE-001.
    """
    actual = {name: reply.members.get(name, "absent") for name in expected}
    wanted = dict(expected)
    if "mismatches" in wanted and _lists_all(wanted["mismatches"], actual["mismatches"]):
        del wanted["mismatches"], actual["mismatches"]
    if actual == wanted:
        return None
    words = ("outcome", "detail", "code", "phase", "message")
    further = {name: reply.members[name] for name in words if name in reply.members}
    return fail("the reply (SCN-OP-004)", wanted, {"reply": reply.kind, **further, **actual})


def _lists_all(expected: Json, actual: Json) -> bool:
    """Whether a sorted list has all these paths; derived values may stand beside them.

    Spec: TR-REST-007, TR-REST-015.
    """
    if not isinstance(expected, list) or not isinstance(actual, list):
        return False
    paths = [path for path in actual if isinstance(path, str)]
    return actual == sorted(paths, key=utf8) and {str(path) for path in expected} <= set(paths)


def judge_by_hand(expected: Expected, events: Sequence[Event], found: Contents) -> Judgement | None:
    """Returns a difference to what a case states.

    Spec: section 1.1 of 10-callbacks.md.
    """
    expect = expected.by_hand
    if expect is None:
        return None
    saved, deleted = (told(events, f"on_checkpoint_{what}") for what in ("saved", "deleted"))
    stated = [
        ("log", expect.log, log_lines(events)),
        ("saved", expect.saved, saved),
        ("deleted", expect.deleted, deleted),
    ]
    for what, lines, actual in stated:
        if lines is not None and (wrong := _judge_lines(what, lines, actual)) is not None:
            return wrong
    return _judge_same(expect.files or (), found) or _judge_like(expected, events, found)


def _judge_like(expected: Expected, events: Sequence[Event], found: Contents) -> Judgement | None:
    """Compares with what other attempts lead to; the names that are meant have to be there."""
    if expected.like is None or expected.by_hand is None or expected.by_hand.like is None:
        return None
    files = expected.by_hand.like.files
    if missing := [name for name in files if name not in found.data]:
        return fail("the names in the folder", missing, found.names())
    wrong = judge_events(expected.like.events, events)
    return wrong or judge_files({name: expected.like.files[name] for name in files}, found, whole=True)


def _judge_lines(what: str, expected: Sequence[str], actual: Sequence[str]) -> Judgement | None:
    if list(expected) == list(actual):
        return None
    at = next((at for at, pair in enumerate(zip(expected, actual, strict=False)) if pair[0] != pair[1]), -1)
    at = min(len(expected), len(actual)) if at < 0 else at
    one, other = (lines[at] if at < len(lines) else "no further line" for lines in (expected, actual))
    return fail(f"{what}, line {at + 1} differs", one, other)


def _judge_same(files: Sequence[str], found: Contents) -> Judgement | None:
    """Compares the stated equalities of names; the names themselves have been compared."""
    for line in files:
        name, _, other = line.partition(" = ")
        if other and found.data.get(name) != found.data.get(other):
            return fail(f"{name} and {other}", "equal bytes", "other bytes")
    return None


def names_of(expected: Expected, found: Contents) -> list[str]:
    """Returns all names that are to be in the folder, those that are there where nothing is said of them.

    A stated name with `*` in it stands for one name that is there: a time of day cannot be foretold.
    """
    if expected.foretold is not None:
        return sorted(expected.foretold.files)
    if expected.by_hand is None or expected.by_hand.files is None:
        return found.names()
    names = [line.partition(" = ")[0] for line in expected.by_hand.files]
    return [next((one for one in found.names() if fnmatchcase(one, name)), name) for name in names]
