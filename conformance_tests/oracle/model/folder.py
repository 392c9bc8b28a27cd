"""The folder of checkpoints: names, and the files that they lead to.

Spec: 60-run-directory.md, TR-RES-008, TR-RES-019.
"""

from collections.abc import Iterable, Mapping

from attrs import Factory, define

from tenuto.conformance_tests.oracle.frame import file
from tenuto.conformance_tests.oracle.model.errors import UnforeseenError
from tenuto.conformance_tests.oracle.model.naming import freed_name
from tenuto.conformance_tests.oracle.model.retention import Progress
from tenuto.conformance_tests.oracle.tree import Document


@define(eq=False)
class File:
    """A checkpoint, whatever names lead to it.

    Attributes:
        document: what it holds, with an empty origin.
        attempt, reasons: of its origin.
        lineage: attempt -> progress of the state that was resumed from it.
        progress, exact: of the state.
    """

    document: Document
    attempt: int
    reasons: tuple[str, ...]
    lineage: Mapping[int, Progress]
    progress: Progress
    exact: bool
    _data: bytes = b""

    def data(self) -> bytes:
        """Its canonical bytes with an empty origin.

        Spec: CKPT-CANON-006.
        """
        if not self._data:
            self._data = file(self.document)
        return self._data

    @property
    def is_emergency(self) -> bool:
        """Whether it was saved after a failure or a signal."""
        return not {"exception", "signal"}.isdisjoint(self.reasons)

    @property
    def state(self) -> tuple[int, int]:
        """What an entry of a best list knows of its state: completed epochs and `global_step`.

        Spec: CPC-STATE-001.
        """
        return self.progress[0], self.progress[2]

    def is_superseded(self, attempt: int, lineage: Mapping[int, Progress]) -> bool:
        """Whether an attempt of this lineage does not build on it.

        Spec: TR-RES-019.
        """
        if self.attempt == attempt:
            return False
        return self.attempt not in lineage or self.progress > lineage[self.attempt]


@define
class Folder:
    """Names of checkpoints.

    Attributes:
        names: name -> file.
        links: symbolic link -> the name that it leads to.
        is_away: whether an empty file is in the place of the folder.
        is_foreign: whether an attempt began while it was away, so that its files are of another run.
    """

    names: dict[str, File] = Factory(dict)
    links: dict[str, str] = Factory(dict)
    is_away: bool = False
    is_foreign: bool = False

    def put_away(self) -> None:
        """Put an empty file in the place of the folder."""
        if self.is_away:
            raise UnforeseenError("a folder that is away is broken again: what the interpreter does is not said")
        self.is_away = True

    def bring_back(self) -> None:
        """Put the folder back."""
        if not self.is_away or self.is_foreign:
            raise UnforeseenError("a folder is mended that is not broken, or holds files of another run: not covered")
        self.is_away = False

    def entries(self) -> dict[str, File]:
        """What is found in it, sorted by the UTF-8 bytes of the names.

        Spec: STORE-DIR-001, TR-RES-022.
        """
        if self.is_away:
            return {}
        found = self.names | {name: self.names[to] for name, to in self.links.items() if to in self.names}
        return dict(sorted(found.items(), key=lambda pair: pair[0].encode("utf-8")))

    def files(self) -> list[File]:
        """Each file once, by the first of its names."""
        return list(dict.fromkeys(self.names.values()))

    def put(self, name: str, file: File) -> None:
        """Make a name lead to a file, whatever it led to."""
        self.links.pop(name, None)
        self.names[name] = file

    def link(self, name: str, to: str) -> None:
        """Make a name a symbolic link."""
        self.names.pop(name, None)
        self.links[name] = to

    def free(self, name: str) -> None:
        """Give the file that has a name another one.

        Spec: TR-RES-008, TR-RES-018.
        """
        moved = self.names.pop(name)
        taken = self.names.keys() | self.links.keys()
        self.names[freed_name(name, moved.attempt, taken.__contains__)] = moved

    def clear(self) -> None:
        """Move everything aside.

        Spec: TR-RES-017.
        """
        self.names.clear()
        self.links.clear()

    def delete(self, names: Iterable[str]) -> None:
        """Delete names."""
        for name in names:
            del self.names[name]
