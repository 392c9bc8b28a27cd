"""Faults of what an attempt continues from, and of what it takes over.

Spec: sections 3 and 4 of 30-trainer.md.
"""

from collections.abc import Callable, Sequence
from typing import Any

from attrs import evolve

from tenuto.conformance_tests.oracle.model import folder, foretelling, resuming, training
from tenuto.conformance_tests.oracle.model.errors import Refusal
from tenuto.conformance_tests.oracle.model.folder import File, Folder
from tenuto.conformance_tests.oracle.model.observing import EarlyStopping, Observer
from tenuto.conformance_tests.oracle.model.resuming import Found
from tenuto.conformance_tests.oracle.model.saving import CheckpointCallback
from tenuto.conformance_tests.oracle.model.settings import Asked
from tenuto.conformance_tests.oracle.model.storing import Origin
from tenuto.conformance_tests.oracle.model.training import Measured, Stepwise
from tenuto.conformance_tests.oracle.tree import Document, Tree
from tenuto.conformance_tests.oracle.workload.faults.fault import Fault
from tenuto.conformance_tests.oracle.workload.settings import Settings


def _inexact_usable(found: Sequence[Found]) -> list[int]:
    return _newest([evolve(one, is_exact=True) for one in found])


def _greatest_progress(found: Sequence[Found]) -> list[int]:
    return _newest([evolve(one, attempt=1) for one in found])


def _never_in_use(files: Folder, resume: str, saves: bool, take: Callable[[list[File]], File]) -> File | None:
    return None if resume == "never" else _choose(files, resume, saves, take)


def _missing_starts_fresh(files: Folder, resume: str, saves: bool, take: Callable[[list[File]], File]) -> File | None:
    try:
        return _choose(files, resume, saves, take)
    except Refusal as refusal:
        if refusal.code != "file_not_found":
            raise
        return None


def _attempts_alike(files: Folder, parent: File | None) -> Origin:
    """Gives every attempt the number 1."""
    return evolve(_begin(files, parent), attempt=1)


def _number_of_parent(files: Folder, parent: File | None) -> Origin:
    """Counts on from the attempt resumed from, not from the greatest."""
    return evolve(_begin(files, parent), attempt=parent.attempt + 1 if parent else 1)


def _short_lineage(files: Folder, parent: File | None) -> Origin:
    """Knows the last attempt alone."""
    origin = _begin(files, parent)
    return evolve(origin, lineage={parent.attempt: parent.progress} if parent else {})


def _anything_fits(parent: File, settings: Settings, asked: Asked) -> None:
    """Restores a state of other settings."""


def _length_compared(parent: File, settings: Settings, asked: Asked) -> None:
    metadata: Any = parent.document["metadata"]
    _check_fits(parent, settings, asked)
    if metadata["config"]["max_epochs"] != asked.max_epochs:
        raise Refusal("state_mismatch", "restore")


def _not_loaded(current: object, state: Tree) -> None:
    """Leaves the state as it is."""


def _lists_not_loaded(current: CheckpointCallback, state: Tree) -> None:
    lists = current.lists
    _load(current, state)
    current.lists = lists


def _without_gradients(document: Document, max_epochs: int, replaced: Measured) -> Stepwise:
    found = _resumed(document, max_epochs, replaced)
    found.gradients = None
    return found


def _length_of_the_file(document: Document, max_epochs: int, replaced: Measured) -> Stepwise:  # noqa: ARG001 - the fault
    metadata: Any = document["metadata"]
    return _resumed(document, metadata["config"]["max_epochs"], replaced)


def _in_place(name: str, attempt: int, is_taken: Callable[[str], bool]) -> str:  # noqa: ARG001 - the fault
    """Renames every earlier file to one name."""
    return f"{name.removesuffix('.ckpt')}_attempt1.ckpt"


_newest, _choose, _begin, _check_fits = resuming.newest, resuming.choose, resuming.begin, resuming.check_fits
_load, _resumed = CheckpointCallback.load_state_dict, training.resumed

FAULTS = [
    Fault("inexact states are usable", "TR-RES-001", resuming, "newest", _inexact_usable),
    Fault("greatest progress of any attempt", "TR-RES-001", resuming, "newest", _greatest_progress),
    Fault("used folder taken for a new one", "TR-RES-005", foretelling, "choose", _never_in_use),
    Fault("missing path starts fresh", "TR-RES-004", foretelling, "choose", _missing_starts_fresh),
    Fault("attempts without numbers", "TR-RES-007", foretelling, "begin", _attempts_alike),
    Fault("number from the parent", "TR-RES-007", foretelling, "begin", _number_of_parent),
    Fault("lineage of one attempt", "TR-RES-019", foretelling, "begin", _short_lineage),
    Fault("other settings fit", "RW-STATE-008", foretelling, "check_fits", _anything_fits),
    Fault("length has to fit", "TR-REST-008", foretelling, "check_fits", _length_compared),
    Fault("counts not restored", "CB-STATE-003", Observer, "load_state_dict", _not_loaded),
    Fault("patience not restored", "CB-EARLY-004", EarlyStopping, "load_state_dict", _not_loaded),
    Fault("saves not restored", "CPC-STATE-002", CheckpointCallback, "load_state_dict", _not_loaded),
    Fault("lists not restored", "CPC-BEST-008", CheckpointCallback, "load_state_dict", _lists_not_loaded),
    Fault("gradients not restored", "TR-REST-013", foretelling, "resumed", _without_gradients),
    Fault("length of the file", "TR-REST-008", foretelling, "resumed", _length_of_the_file),
    Fault("one name for all that is freed", "TR-RES-008", folder, "freed_name", _in_place),
]
