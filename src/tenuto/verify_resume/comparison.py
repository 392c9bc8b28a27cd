"""Where two runs first differ. Pure."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from attrs import evolve, frozen

from tenuto.verify_resume.record import Moment, Record

__all__ = ["Difference", "first_difference_of_resumed", "first_difference_of_runs"]

_TENSOR: Final = re.compile(r"\w+ \[[\d, ]*\] [0-9a-f]{16}")
_RESTORED: Final = "on_train_start"
_BATCH: Final = "batch"  # the start of the paths of the data of a batch


@frozen
class Difference:
    """Where two runs first differ.

    Attributes:
        moment: The first boundary at which they do.
        path: The first value that differs there.
        one: Its text in the uninterrupted run.
        other: Its text in the other run.
        count: How many values differ there.
        tensor: The first tensor of the state that differs, there or later, or None.
        tensor_moment: The boundary at which it does, or None.
    """

    moment: Moment
    path: str
    one: str
    other: str
    count: int = 1
    tensor: str | None = None
    tensor_moment: Moment | None = None

    @property
    def is_of_data(self) -> bool:
        """Whether the batch itself is another one."""
        return self.path.startswith(_BATCH)

    @property
    def is_of_restore(self) -> bool:
        """Whether the state was another one before anything was trained on."""
        return self.moment.hook == _RESTORED


def first_difference_of_runs(one: Sequence[Record], other: Sequence[Record]) -> Difference | None:
    """Returns where two uninterrupted runs first differ, or None."""
    return _first(_of_pairs(one, other))


def first_difference_of_resumed(whole: Sequence[Record], resumed: Sequence[Record]) -> Difference | None:
    """Returns where a resumed run first differs from the uninterrupted one, or None.

    The state after the restore is compared with that of the boundary resumed from.

    Args:
        whole: Of the uninterrupted run.
        resumed: Of the resumed attempt; the first one is that after the restore.
    """
    start = resumed[0]
    at = max((index for index, record in enumerate(whole) if _place(record) == _place(start)), default=None)
    if at is None:
        return Difference(start.moment, "progress", "no such boundary", str(start.moment))
    restored = _differences(_without_data(whole[at]), start)
    return _first(itertools.chain(restored, _of_pairs(whole[at + 1 :], resumed[1:])))


def _first(differences: Iterable[Difference]) -> Difference | None:
    """Returns the first of them, with the first tensor of them all."""
    found = iter(differences)
    first = next(found, None)
    if first is None:
        return None
    tensor = next((one for one in itertools.chain([first], found) if one.tensor is not None), first)
    return evolve(first, tensor=tensor.tensor, tensor_moment=tensor.tensor_moment)


def _of_pairs(one: Sequence[Record], other: Sequence[Record]) -> Iterator[Difference]:
    for a, b in zip(one, other, strict=False):
        if a.moment != b.moment:
            yield Difference(min(a.moment, b.moment), "progress", str(a.moment), str(b.moment))
            return
        yield from _differences(a, b)
    if len(one) != len(other):
        last = max(one, other, key=len)[min(len(one), len(other))].moment
        yield Difference(last, "progress", f"{len(one)} boundaries", f"{len(other)} boundaries")


def _differences(a: Record, b: Record) -> Iterator[Difference]:
    """Yields the difference of two records of one boundary, if there is one."""
    differing = [path for path in {**a.leaves, **b.leaves} if a.leaves.get(path) != b.leaves.get(path)]
    if differing:
        one, other = (record.leaves.get(differing[0], "not there") for record in (a, b))
        tensor = next((path for path in differing if _is_tensor_of_state(path, a, b)), None)
        moment = b.moment if tensor is not None else None
        yield Difference(b.moment, differing[0], one, other, len(differing), tensor, moment)


def _is_tensor_of_state(path: str, *records: Record) -> bool:
    return not path.startswith(_BATCH) and any(_TENSOR.fullmatch(one.leaves.get(path, "")) for one in records)


def _place(record: Record) -> tuple[int, int, int]:
    return record.moment.epoch, record.moment.batch, record.moment.step


def _without_data(record: Record) -> Record:
    return evolve(record, leaves={path: text for path, text in record.leaves.items() if not path.startswith(_BATCH)})
