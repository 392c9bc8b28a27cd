"""What a run leaves behind for the comparison: at each boundary a short text for every value of its state."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TextIO

import xxhash
from attrs import frozen

from tenuto.reference.checkpoint.tree import Document, Tensor

__all__ = ["Moment", "Record", "RecordWriter", "leaves_of", "read_records", "state_leaves"]

_STATE_KEYS: Final = (
    "model_state",
    "optimizer_state",
    "scheduler_state",
    "rng_state",
    "trainer_state",
    "callback_state",
)


@frozen(order=True)
class Moment:
    """A boundary of a training.

    Attributes:
        epoch: Completed epochs.
        batch: Completed batches of the epoch in progress.
        step: Completed updates.
        hook: In which it was looked at.
    """

    epoch: int
    batch: int
    step: int
    hook: str

    def __str__(self) -> str:
        """Says where it is."""
        place = f"batch {self.batch} of epoch {self.epoch + 1}" if self.batch else f"the end of epoch {self.epoch}"
        return f"step {self.step}, {place if self.step else 'before the first batch'}"


@frozen
class Record:
    """The state at a boundary.

    Attributes:
        leaves: Path of each value -> its text; for a tensor dtype, shape and digest.
    """

    moment: Moment
    leaves: Mapping[str, str]


class RecordWriter:
    """Writes records as JSON lines, each flushed: the process may be killed at any time.

    Args:
        file: Opened for writing text.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._paths: list[str] = []

    def write(self, record: Record) -> None:
        """Appends a record; the paths are written only where they are not those of the record before."""
        paths, moment = list(record.leaves), record.moment
        if paths != self._paths:
            self._line(paths)
            self._paths = paths
        self._line([[moment.epoch, moment.batch, moment.step, moment.hook], *record.leaves.values()])

    def _line(self, value: list[Any]) -> None:
        self._file.write(json.dumps(value) + "\n")
        self._file.flush()


def read_records(path: Path) -> list[Record]:
    """Returns the records of a run, without one that was cut short."""
    records: list[Record] = []
    paths: list[str] = []
    for line in path.read_text().splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        value = json.loads(line)
        if isinstance(value[0], list):
            epoch, batch, step, hook = value[0]
            records.append(Record(Moment(epoch, batch, step, hook), dict(zip(paths, value[1:], strict=True))))
        else:
            paths = value
    return records


def state_leaves(state: Document, *, without: frozenset[str]) -> dict[str, str]:
    """Returns the text of every value of a state that training depends on.

    Args:
        state: Its tensors are read once and not copied.
        without: Keys of callback states that are left out.
    """
    head: Any = state.head
    callbacks = {key: value for key, value in head["callback_state"].items() if key not in without}
    found = dict(leaves_of(head["metadata"]["metrics"], "metadata.metrics"))
    for key in _STATE_KEYS:
        found.update(leaves_of(callbacks if key == "callback_state" else head[key], key))
    return found


def leaves_of(tree: Any, path: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any tree
    """Yields path and text of every value of a tree, in its order.

    Spec: TR-REST-007.
    """
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from leaves_of(value, f"{path}.{key}")
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _item(value, path, index)
    elif isinstance(tree, Tensor):
        yield path, f"{tree.dtype} {list(tree.shape)} {xxhash.xxh64_hexdigest(tree.data)}"
    elif isinstance(tree, bytes):
        yield path, f"{len(tree)} bytes {xxhash.xxh64_hexdigest(tree)}"
    else:
        yield path, repr(tree)


def _item(value: Any, path: str, index: int) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any tree
    """Per-parameter state of an optimizer is named by the index of the parameter."""
    is_of_parameter = isinstance(value, list) and len(value) == 2 and type(value[0]) is int
    if is_of_parameter and isinstance(value[1], Mapping):
        yield from leaves_of(value[1], f"{path}[{value[0]}]")
    else:
        yield from leaves_of(value, f"{path}[{index}]")
