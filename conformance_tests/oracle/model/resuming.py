"""What an attempt continues from.

Spec: sections 3 and 4 of 30-trainer.md.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from attrs import define, frozen

from tenuto.conformance_tests.oracle.model.errors import Refusal
from tenuto.conformance_tests.oracle.model.folder import File, Folder
from tenuto.conformance_tests.oracle.model.retention import Progress
from tenuto.conformance_tests.oracle.model.settings import Asked
from tenuto.conformance_tests.oracle.model.storing import Origin
from tenuto.conformance_tests.oracle.workload.settings import Settings

T = TypeVar("T")


@frozen
class Found:
    """A checkpoint as `auto` sees it.

    Attributes:
        run, attempt, progress: of its head; a damaged file has none.
        is_damaged, is_exact, is_full: what decides whether it is usable.
        is_emergency: whether it comes after others of its age.

    Spec: TR-RES-012, TR-RES-020.
    """

    attempt: int
    progress: Progress
    run: str = "run"
    is_damaged: bool = False
    is_exact: bool = True
    is_full: bool = True
    is_emergency: bool = False


def newest(found: Sequence[Found]) -> list[int]:
    """Which checkpoints of a folder `auto` may take, by their places; none where it starts fresh.

    Raises:
        Refusal: there are several runs, or none is usable.

    Spec: TR-RES-001, TR-RES-003, TR-RES-006, TR-RES-011, TR-RES-012, TR-RES-021.
    """
    if len({one.run for one in found if not one.is_damaged}) > 1:
        raise Refusal("ambiguous_run", "config")
    usable = [at for at, one in enumerate(found) if one.is_full and one.is_exact and not one.is_damaged]
    if found and not usable:
        raise Refusal("no_usable_checkpoint", "restore")
    ages = [(found[at].attempt, found[at].progress, not found[at].is_emergency) for at in usable]
    return [at for at, age in zip(usable, ages, strict=True) if age == max(ages)]


def _heads(folder: Folder) -> list[Found]:
    return [
        Found(one.attempt, one.progress, is_exact=one.exact, is_emergency=one.is_emergency)
        for one in folder.entries().values()
    ]


def usable_names(folder: Folder) -> list[str]:
    """The names of the newest checkpoint of a folder; none where `auto` takes none.

    Spec: TR-RES-001, SCN-OP-005.
    """
    entries = folder.entries()
    try:
        places = newest(_heads(folder))
    except Refusal:
        return []
    return [list(entries)[at] for at in places]


@define
class Choices:
    """What the text leaves free, tried one way after the other.

    Attributes:
        script: what is taken of the first choices; the first way of later ones is taken.
        open: for each choice made, how many ways there were.
    """

    script: list[int]
    open: list[int]

    def take(self, ways: Sequence[T]) -> T:
        """One of several ways."""
        at = self.script[len(self.open)] if len(self.open) < len(self.script) else 0
        self.open.append(len(ways))
        return ways[at]

    def following(self) -> "Choices | None":
        """The next way; None after the last."""
        taken = self.script + [0] * (len(self.open) - len(self.script))
        while taken:
            if taken[-1] + 1 < self.open[len(taken) - 1]:
                return Choices([*taken[:-1], taken[-1] + 1], [])
            taken.pop()
        return None


def choose(folder: Folder, resume: str, saves: bool, take: Callable[[list[File]], File]) -> File | None:
    """The checkpoint that an attempt continues from, None for a fresh start.

    Args:
        folder: where checkpoints lie.
        resume: `never`, `auto` or a name in the folder.
        saves: whether there is a checkpoint callback.
        take: which of several that are equally new.

    Raises:
        Refusal: there is none, or it may not be used.

    Spec: TR-RES-001 to TR-RES-005, TR-RES-016.
    """
    entries = folder.entries()
    if resume == "never":
        if saves and entries:
            raise Refusal("directory_in_use", "config")
        return None
    if resume == "auto":
        if not saves:
            raise Refusal("no_checkpoint_dir", "config")
        newest(_heads(folder))
        files = list(dict.fromkeys(entries[name] for name in usable_names(folder)))
        return take(files) if files else None
    if resume not in entries:
        raise Refusal("file_not_found", "io")
    return entries[resume]


def begin(folder: Folder, parent: File | None) -> Origin:
    """The number and the lineage of an attempt.

    Spec: TR-RES-007, TR-STATE-003.
    """
    number = max((one.attempt for one in folder.entries().values()), default=0) + 1
    if parent is None:
        return Origin(number)
    return Origin(number, {**parent.lineage, parent.attempt: parent.progress}, parent)


def check_fits(parent: File, settings: Settings, asked: Asked) -> None:
    """Refuses a state of other settings, and one that is not exact where that is required.

    Spec: RW-STATE-008, TR-REST-007, TR-REST-008, TR-REST-012, TR-RES-020.
    """
    metadata: Any = parent.document["metadata"]
    live = settings.values() | {"validate_every": asked.validate_every}
    differ = [f"metadata.config.{name}" for name, value in live.items() if metadata["config"][name] != value]
    if asked.require_exact and not parent.exact:
        differ.append("metadata.exact")
    if differ:
        raise Refusal("state_mismatch", "restore", tuple(sorted(differ)))
