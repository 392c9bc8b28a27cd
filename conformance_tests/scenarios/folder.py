"""The folder of a run after an attempt: its names, and the document of each file.

Spec: CPC-NAME-001 to CPC-NAME-013, CKPT-CANON-006, CONF-VERDICT-007, STORE-DIR-003.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from tenuto.conformance_tests.judge import Judgement, fail
from tenuto.conformance_tests.oracle.document import scalar
from tenuto.conformance_tests.oracle.frame import file
from tenuto.conformance_tests.oracle.tree import Document, Tensor, Tree, without_origin
from tenuto.conformance_tests.scenarios.events import Event
from tenuto.conformance_tests.scenarios.origin import judge_origin
from tenuto.conformance_tests.scenarios.witness import NoCheckpointError, is_foretold, read, read_unproven

FILE_LIMIT = 1 << 26

# What the profile `checkpoint` says about a file; all else of it is a matter of `resume`.
_OF_METADATA = ("best", "progress")


@frozen
class Contents:
    """What lies in a folder.

    Attributes:
        data: Name, relative to the folder, of each file or link to one -> its bytes.
        links: Name of each symbolic link -> what it holds.
        others: Names of what is neither; an empty folder is one, a folder with something in it is not.
    """

    data: Mapping[str, bytes]
    links: Mapping[str, str]
    others: tuple[str, ...]

    @classmethod
    def of(cls, folder: Path) -> Contents:
        """Reads a folder; one that is not there holds nothing."""
        data, links, others = {}, {}, []
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            name = path.relative_to(folder).as_posix()
            if path.is_symlink():
                links[name] = str(path.readlink())
            if path.is_file() and path.stat().st_size <= FILE_LIMIT:
                data[name] = path.read_bytes()
            elif not path.is_dir() or path.is_symlink() or not any(path.iterdir()):
                others.append(name)
        return cls(data, links, tuple(others))

    def names(self) -> list[str]:
        """Returns all names, sorted."""
        return sorted({*self.data, *self.links, *self.others})


def judge_names(
    expected: Sequence[str], found: Contents, links: Sequence[str], placed: Iterable[str] = ()
) -> Judgement | None:
    """Returns a difference between the names that are to be there and those that are.

    Args:
        expected: All names.
        found: What lies in the folder.
        links: Names that are to be symbolic links, to a name in the same folder.
        placed: Symbolic links that the suite itself has put there.

    Spec: CPC-NAME-005, CPC-NAME-016, STORE-NAME-005, STORE-SAVE-008.
    """
    if sorted(expected) != found.names():
        missing, further = sorted(set(expected) - set(found.names())), sorted(set(found.names()) - set(expected))
        detail = f"the names in the folder: missing {missing}, not expected {further}"
        return fail(detail, ", ".join(sorted(expected)), ", ".join(found.names()))
    made = found.links.keys() - set(placed)
    if set(links) != made:
        return fail("the symbolic links in the folder (CPC-NAME-005, CPC-NAME-016)", sorted(links), sorted(made))
    for name in sorted(made):
        if found.links[name] not in found.data:
            return fail(f"{name} leads elsewhere (STORE-NAME-005)", "a name in the same folder", found.links[name])
    return None


def judge_files(expected: Mapping[str, bytes], found: Contents, *, whole: bool) -> Judgement | None:
    """Returns the first difference between files and what was foretold of them.

    Args:
        expected: Name -> canonical bytes of its document with an empty origin; names that are not in it are not judged.
        found: What lies in the folder, all these names among it.
        whole: Whether all of a document counts, or the decisions of the checkpoint callback alone.

    Spec: CKPT-CANON-001, CKPT-CANON-006, TR-STATE-014.
    """
    known: dict[tuple[bytes, bytes], Judgement | None] = {}
    for name, data in sorted(expected.items()):
        pair = (data, found.data[name])
        if pair not in known:
            known[pair] = _judge_file(name, *pair, whole=whole)
        if (wrong := known[pair]) is not None:
            return wrong
    return None


def _judge_file(name: str, expected: bytes, actual: bytes, *, whole: bool) -> Judgement | None:
    if is_foretold(expected, actual):
        return judge_origin(name, read_unproven(actual)) if whole else None
    try:
        document = read(actual)
    except NoCheckpointError as error:
        return fail(f"{name}: {error}", "a checkpoint in canonical form (CKPT-CANON-001)", f"{len(actual)} bytes")
    if whole and (wrong := judge_origin(name, document)) is not None:
        return wrong
    stripped = without_origin(document)
    if file(stripped) == expected:
        return None
    foretold = read(expected)
    if not whole:
        foretold, stripped = _decisions(foretold), _decisions(stripped)
    found = difference(foretold, stripped)
    if found is None and whole:
        found = Difference("sharing of tensors (CKPT-VAL-008)", f"{len(expected)} bytes", f"{len(actual)} bytes")
    return None if found is None else fail(f"{name}: {found.path} differs", found.expected, found.actual)


def _decisions(document: Document) -> Document:
    metadata = document.get("metadata")
    inner = metadata if isinstance(metadata, dict) else {}
    found: Document = {f"metadata.{key}": inner.get(key, "absent") for key in _OF_METADATA}
    return found | {"callback_state": document.get("callback_state", "absent")}


@frozen
class Difference:
    """A place at which two trees differ, and what stands there in each, for a person."""

    path: str
    expected: str
    actual: str


def difference(expected: Tree, actual: Tree, path: str = "") -> Difference | None:
    """Returns the first place at which two trees differ, bit by bit; None if there is none."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted({*expected, *actual}):
            inner = f"{path}.{key}" if path else key
            if key not in expected or key not in actual:
                return Difference(inner, *("there" if key in one else "absent" for one in (expected, actual)))
            if (found := difference(expected[key], actual[key], inner)) is not None:
                return found
        return None
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return next((found for at, (one, other) in pairs if (found := difference(one, other, f"{path}.{at}"))), None)
    texts = _text(expected), _text(actual)
    return None if texts[0] == texts[1] else Difference(path, *texts)


def _text(value: Tree) -> str:
    if isinstance(value, Tensor):
        numbers = list(_float64s(value))
        return f"{value.dtype} {list(value.shape)} {numbers or value.data.hex()}"
    if isinstance(value, dict | list):
        return f"{type(value).__name__} of {len(value)}"
    if isinstance(value, float):
        return f"{scalar(value)} = {value!r}"
    return str(scalar(value)) if value is None or isinstance(value, bool | int | str | bytes) else repr(value)


def _float64s(tensor: Tensor) -> Iterator[str]:
    """Yields the elements of a tensor in a form that shows every bit."""
    if tensor.dtype == "float64":
        yield from (value.hex() for (value,) in struct.iter_unpack("<d", tensor.data))


def judge_one_write(events: Sequence[Event], found: Contents) -> Judgement | None:
    """Returns two names of one save that do not have the same bytes.

    Args:
        events: Of an attempt without manual saves, whose news may come late.
        found: What lies in the folder.

    Spec: CPC-WHEN-005.
    """
    saves = [event for event in events if event.get("hook") == "on_checkpoint_saved"]
    latest: dict[str, int] = {}
    for at, event in enumerate(event for event in saves if event.get("name") == saves[0].get("name")):
        names = event.get("names")
        latest |= {str(name): at for name in names} if isinstance(names, list) else {}
    first: dict[int, str] = {}
    for name, at in sorted(latest.items()):
        if name in found.data:
            other = first.setdefault(at, name)
            if found.data[other] != found.data[name]:
                return fail(f"{other} and {name} are of one save (CPC-WHEN-005)", "equal bytes", "other bytes")
    return None
