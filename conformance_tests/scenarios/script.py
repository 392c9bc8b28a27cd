"""A scenario case as data: attempts, what is done to the folder before each, and what is expected by hand.

Spec: section 2 of 95-scenarios.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from attrs import frozen

from tenuto.conformance_tests.cases import SuiteError
from tenuto.conformance_tests.entries import safe_load
from tenuto.conformance_tests.oracle.document import Json
from tenuto.conformance_tests.scenarios.schema import Schema

PROFILES = ("callbacks", "checkpoint", "resume")


@frozen
class Damage:
    """Something that happens to the folder between two attempts.

    Attributes:
        how: `flip` a bit of the last byte of the tensors, `truncate` to the first half, `remove`, `copy_as` or
            `link_as` the name `to`, `garbage` (a file of text), `folder`, `pipe`, `set` the item at `path` of the
            document to `value`, `drop` it, `age` (the time of the file and its time stamp lie years back), `moved`
            (the folder `name` beside this one takes its place), `gone` (the empty folder itself is removed).
        name: The name in the folder; `{run_id}` in it is that of the files that are there.
    """

    how: str
    name: str
    to: str = ""
    path: str = ""
    value: Json = ""


@frozen
class Hold:
    """A value that an item of a file has; `absent` where it is not there.

    Attributes:
        name: The name in the folder.
        path: Names and indices joined with `.`, from the top level of the document.
        value: As a tree in the tagged form.
    """

    name: str
    path: str
    value: Json


@frozen
class Like:
    """Other attempts that lead to the same: their last one has the reply, the events and these files.

    Attributes:
        attempts: As those of a case, foretold by the oracle.
        files: Names that have the same document, origin aside.
    """

    attempts: Sequence[Act]
    files: tuple[str, ...]


@frozen
class Expect:
    """What is expected of an attempt by hand, instead of what the oracle foretells; None is not compared.

    Attributes:
        reply: Members that the reply has.
        log: Lines of the form of section 1.1 of 10-callbacks.md.
        saved, deleted: Of the same form.
        files: All names in the folder, `a = b` where `a` has the bytes of `b`.
        newest: What `list` names.
        damaged: `name: code` for each damaged file of `list`.
        like: Attempts that lead to the same.
    """

    reply: Mapping[str, Json] | None = None
    log: tuple[str, ...] | None = None
    saved: tuple[str, ...] | None = None
    deleted: tuple[str, ...] | None = None
    files: tuple[str, ...] | None = None
    newest: str | None = None
    damaged: tuple[str, ...] | None = None
    like: Like | None = None


@frozen
class Act:
    """One attempt.

    Attributes:
        scenario: The JSON object that the port reads.
        resume: `never`, `auto`, or a path relative to the folder.
        folder: The name of the folder, `run` for most.
        damage: What happens to the folder before.
        expect: What is expected by hand; None if the oracle foretells it.
        holds: What is to be found in the files beside that.
        links: Names that are to be symbolic links.
    """

    scenario: Mapping[str, Json]
    resume: str = "never"
    folder: str = "run"
    damage: tuple[Damage, ...] = ()
    expect: Expect | None = None
    holds: tuple[Hold, ...] = ()
    links: tuple[str, ...] = ()


@frozen
class Script:
    """A case as data.

    Attributes:
        id, title, req, profile, needs, lacks: Those of the case.
        attempts: One after the other.
    """

    id: str
    title: str
    req: tuple[str, ...]
    profile: str
    attempts: tuple[Act, ...]
    needs: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()


def read_scripts(folder: Path) -> list[Script]:
    """Returns the committed cases, sorted by id.

    Raises:
        SuiteError: One is not of the form that `schema.json` asks for, or its file has another name than its id.
    """
    try:
        schema = Schema.read(folder / "schema.json")
    except (OSError, ValueError) as error:
        raise SuiteError(f"{folder / 'schema.json'}: {error}; expected a schema") from error
    return [_read(path, schema) for path in sorted(folder.glob("*/*.yaml"), key=lambda path: path.stem)]


def _read(path: Path, schema: Schema) -> Script:
    try:
        table: Any = safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SuiteError(f"{path.name}: {error}; expected a case") from error
    if breaches := schema.breaches(table, "case"):
        raise SuiteError(f"{path.name}: {breaches[0]}")
    if table["id"] != path.stem:
        raise SuiteError(f"{path.name}: id {table['id']}; expected the name of the file")
    attempts = tuple(_act(one) for one in table["attempts"])
    for act in attempts:
        if not _is_refused(act) and (breaches := schema.breaches(act.scenario)):
            raise SuiteError(f"{path.name}: {breaches[0]}")
    return Script(
        id=table["id"],
        title=table["title"],
        req=tuple(table["req"]),
        profile=table["profile"],
        attempts=attempts,
        needs=frozenset(table.get("needs", ())),
        lacks=frozenset(table.get("lacks", ())),
    )


def _is_refused(act: Act) -> bool:
    """Whether the port is to find fault with the form of the scenario."""
    return act.expect is not None and act.expect.reply is not None and act.expect.reply.get("reply") == "internal"


def _act(table: Mapping[str, Any]) -> Act:
    found = dict(table)
    found["damage"] = tuple(Damage(**one) for one in table.get("damage", ()))
    found["holds"] = tuple(Hold(**one) for one in table.get("holds", ()))
    found["links"] = tuple(table.get("links", ()))
    if "expect" in table:
        found["expect"] = _expect(table["expect"])
    return Act(**found)


def _expect(table: Mapping[str, Any]) -> Expect:
    found: dict[str, Any] = {name: tuple(value) for name, value in table.items() if isinstance(value, list)}
    found |= {name: table[name] for name in ("reply", "newest") if name in table}
    if "log" in table:
        found["log"] = tuple(table["log"].splitlines())
    if "like" in table:
        like = table["like"]
        found["like"] = Like(tuple(_act(one) for one in like["attempts"]), tuple(like.get("files", ())))
    return Expect(**found)
