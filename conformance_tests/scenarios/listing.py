"""What a port says lies in a folder, compared with what was foretold.

Spec: SCN-OP-005, TR-RES-001, TR-RES-012.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tenuto.conformance_tests.judge import Judgement, fail, not_ok
from tenuto.conformance_tests.oracle.document import Json, MalformedError
from tenuto.conformance_tests.oracle.model import Foretold
from tenuto.conformance_tests.protocol import Reply
from tenuto.conformance_tests.scenarios.script import Expect

_STATE = ("attempt", "epoch", "batch_in_epoch", "global_step")
_FIELDS = ("name", *_STATE, "exact", "kind", "reasons")


def judge_list(foretold: Foretold, reply: Reply) -> Judgement | None:
    """Returns the first difference of a listing.

    Spec: SCN-OP-005.
    """
    if (wrong := not_ok(reply)) is not None:
        return wrong
    rows = _rows(reply, "checkpoints")
    for row in rows:
        reply_run = row.get("run_id")
        if not isinstance(reply_run, str) or reply_run != rows[0].get("run_id"):
            return fail("list: run_id of the checkpoints of one run", rows[0].get("run_id"), reply_run)
    found = _judge_rows("checkpoints", foretold.listing, rows, _FIELDS)
    found = found or _judge_rows("damaged", foretold.damaged, _rows(reply, "damaged"), ("name", "code"))
    return found or _judge_newest(foretold, reply)


def _judge_rows(
    what: str, expected: Sequence[Mapping[str, Json]], actual: Sequence[Mapping[str, Json]], fields: Sequence[str]
) -> Judgement | None:
    names = [[row.get("name") for row in rows] for rows in (expected, actual)]
    if names[0] != names[1]:
        return fail(f"list: the names of {what}", *names)
    for one, other in zip(expected, actual, strict=True):
        for name in fields:
            if one.get(name) != other.get(name, "absent"):
                return fail(f"list: {name} of {one.get('name')}", one.get(name), other.get(name, "absent"))
    return None


def _judge_newest(foretold: Foretold, reply: Reply) -> Judgement | None:
    """Compares the newest; which of several names or files of equal rank is named is free.

    Spec: TR-RES-001, TR-RES-012.
    """
    told = reply.text("newest")
    ranks = {str(row["name"]): _rank(row) for row in foretold.listing if row["exact"] is True and row["kind"] == "full"}
    if told == foretold.newest or (told in ranks and ranks[told] == ranks.get(foretold.newest)):
        return None
    return fail("list: newest", repr(foretold.newest), repr(told))


def _rank(row: Mapping[str, Json]) -> list[Json]:
    """Returns what `auto` goes by: attempt, progress, and whether the save was no emergency."""
    return [*(row[name] for name in _STATE), row["reasons"] in (["exception"], ["signal"])]


def judge_stated_list(expect: Expect, reply: Reply) -> Judgement | None:
    """Returns a difference to what a case states of the listing.

    Spec: SCN-OP-005.
    """
    if (wrong := not_ok(reply)) is not None:
        return wrong
    if expect.newest is not None and reply.text("newest") != expect.newest:
        return fail("list: newest", repr(expect.newest), repr(reply.text("newest")))
    if expect.damaged is not None:
        told = tuple(f"{row.get('name')}: {row.get('code')}" for row in _rows(reply, "damaged"))
        if told != expect.damaged:
            return fail("list: damaged", expect.damaged, told)
    return None


def _rows(reply: Reply, name: str) -> list[Mapping[str, Json]]:
    value = reply.members.get(name)
    if not isinstance(value, list):
        raise MalformedError(f"list, member {name}: {value!r}; expected an array of objects")
    rows = [row for row in value if isinstance(row, dict)]
    if len(rows) != len(value):
        raise MalformedError(f"list, member {name}: {value!r}; expected an array of objects")
    return list(rows)
