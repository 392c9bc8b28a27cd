"""The plan: which cases there are, made from the committed vectors and those made at run time.

Spec: sections 3, 6 and 7 of 90-conformance.md.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import yaml
from attrs import frozen

from tenuto.conformance_tests.entries import safe_load
from tenuto.conformance_tests.judge import Judgement
from tenuto.conformance_tests.oracle import document as tagged
from tenuto.conformance_tests.oracle.codes import READ_PHASES
from tenuto.conformance_tests.oracle.document import Json, MalformedError
from tenuto.conformance_tests.oracle.frame import file
from tenuto.conformance_tests.oracle.generated import Generated
from tenuto.conformance_tests.oracle.tree import Document, without_origin
from tenuto.conformance_tests.port import Port
from tenuto.conformance_tests.protocol import Reply, parse_json

READ, WRITE = "codec-read", "codec"


class SuiteError(Exception):
    """A fault of the suite or of its vectors, never of the port."""


@frozen
class Refusal:
    """The port is to refuse the file with this code and phase."""

    code: str
    phase: str


@frozen
class Decode:
    """Read the file and write its document.

    Attributes:
        place: makes the file at a path of the sandbox; returns another path if that one is to be asked for.
        canonical: what the port is to say about the form of the file.
        document: the document to be found.
    """

    place: Callable[[Path], Path | None]
    canonical: bool
    document: Callable[[], Json]


@frozen
class Refuse:
    """Read a file that is to be refused."""

    place: Callable[[Path], Path | None]
    refusal: Refusal


@frozen
class Recode:
    """Write the canonical form of a file, with the origin stripped or not."""

    place: Callable[[Path], Path | None]
    strip_origin: bool
    data: Callable[[], bytes]


@frozen
class Hello:
    """Start the adapter and greet it."""


@frozen
class Echo:
    """Send a value and get it back."""

    value: Json
    escape_slash: bool = False


@frozen
class BadLine:
    """Send a line that is no JSON."""


@frozen
class BadOut:
    """Name a file `out` that cannot be written."""

    place: Callable[[Path], Path | None]
    recode: bool


@frozen
class UnknownOperation:
    """Ask for an operation that nobody knows."""


@frozen
class End:
    """End the adapter by `bye`, or by the end of its input."""

    bye: bool


class Talk(Protocol):
    """A conversation with a port, for a case that asks several things."""

    def ask(self, operation: str, members: Mapping[str, Json]) -> Reply:
        """One request and its reply; an adapter that is gone or out of step ends the case."""
        ...

    def restart(self) -> None:
        """Go on with a new process of the adapter, which is greeted and has been asked nothing else."""
        ...

    def scratch(self) -> Path:
        """A new, empty folder of the sandbox, which goes when the case has been judged."""
        ...


@frozen
class Conversation:
    """Ask several things, one after the other, and judge what came of them."""

    carry_out: Callable[[Talk], Judgement]


Task = Decode | Refuse | Recode | BadOut | Hello | Echo | UnknownOperation | BadLine | End | Conversation


@frozen
class Case:
    """One question to a port.

    Attributes:
        id: never changes its meaning; for a vector it starts with the id of the vector.
        profile: the profile that the case is scored in.
        req: the requirements that it shows.
        title: what it is about, for a person.
        task: what is asked and what is expected.
        needs: capabilities without which the case is not scored.
        lacks: capabilities with which it is not: it shows what a port does that lacks them.
        weight: for how many cases of the usual size it counts where cases are shared out to processes.
    """

    id: str
    profile: str
    req: tuple[str, ...]
    title: str
    task: Task
    needs: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()
    weight: int = 1

    def is_claimed(self, port: Port) -> bool:
        """Whether the case is scored for a port.

        Spec: CONF-VERDICT-002, CONF-PROF-001.
        """
        held = set(port.capabilities)
        return self.profile in port.claimed() and self.needs <= held and not self.lacks & held


@frozen
class Source:
    """What a vector is, whether it is a file of the specification or made at run time."""

    id: str
    title: str
    req: tuple[str, ...]
    place: Callable[[Path], Path | None]
    refusal: Refusal | None
    canonical: bool
    document: Callable[[], Json]
    recoded: Callable[[], bytes]
    profile: str | None = None
    needs: frozenset[str] = frozenset()
    lacks: frozenset[str] = frozenset()


def vector_cases(source: Source) -> list[Case]:
    """The cases of one vector: a refusal, or reading and rewriting.

    Spec: CONF-OP-003, CONF-OP-004.
    """

    def case(suffix: str, profile: str, task: Task, *req: str) -> Case:
        cited = tuple(dict.fromkeys((*source.req, *req)))
        scored = source.profile or profile
        return Case(f"{source.id}/{suffix}", scored, cited, source.title, task, source.needs, source.lacks)

    if source.refusal is not None:
        return [case("refuse", READ, Refuse(source.place, source.refusal), "CONF-VERDICT-001")]
    strict = "CKPT-CANON-005" if source.canonical else "CKPT-CANON-004"
    found = [
        case("decode", READ, Decode(source.place, source.canonical, source.document), "CONF-OP-003"),
        case("recode", WRITE, Recode(source.place, False, source.recoded), "CONF-OP-004", strict),
    ]
    if "CKPT-CANON-006" in source.req:
        stripped = Recode(source.place, True, lambda: _stripped(source))
        found.append(case("strip", WRITE, stripped, "CONF-OP-004"))
    return found


def _stripped(source: Source) -> bytes:
    return file(without_origin(tagged.load(source.document())))


def read_source(sidecar: Path) -> Source:
    """A committed vector; raises `SuiteError` if its sidecar is not of the form of section 7."""
    try:
        table: dict[str, Any] = safe_load(sidecar.read_text("utf-8"))
        expect = table["expect"]
        refusal = Refusal(expect["error"], expect["phase"]) if "error" in expect else None
        return Source(
            id=table["id"],
            title=table["title"],
            req=tuple(table["req"]),
            place=_copier(sidecar.with_suffix(".ckpt")),
            refusal=refusal,
            canonical=refusal is None and expect["canonical"],
            document=lambda: _document(sidecar.parent / table["document"]),
            recoded=lambda: Path(sidecar.parent, table["recode"]).read_bytes(),
            profile=table.get("profile"),
            needs=frozenset(table.get("needs", ())),
            lacks=frozenset(table.get("lacks", ())),
        )
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise SuiteError(f"{sidecar.name}: {error!r}; expected a sidecar of a vector") from error


def _document(path: Path) -> Json:
    try:
        return parse_json(path.read_bytes())
    except (OSError, MalformedError) as error:
        raise SuiteError(f"{path.name}: {error}; expected a document") from error


def _copier(path: Path) -> Callable[[Path], Path | None]:
    return lambda to: _copy(path, to)


def _copy(path: Path, to: Path) -> None:
    shutil.copyfile(path, to)


def generated_source(vector: Generated) -> Source:
    """A vector that is made at run time."""

    def document() -> Document:
        return vector.document() if vector.document is not None else {}

    return Source(
        id=vector.id,
        title=vector.title,
        req=vector.req,
        place=vector.place,
        refusal=None if vector.code is None else Refusal(vector.code, READ_PHASES[vector.code]),
        canonical=vector.code is None,
        document=lambda: tagged.dump(document()),
        recoded=lambda: file(document()),
    )


def select(cases: Sequence[Case], only: Sequence[str]) -> list[Case]:
    """The cases with one of these ids, or of the vectors with one of these ids."""
    return [case for case in cases if case.id in only or case.id.split("/")[0] in only]
