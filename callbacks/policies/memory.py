"""What the checkpoint callback remembers from one save to the next, and how that stands in a file. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from tenuto.callbacks.policies import naming
from tenuto.callbacks.policies.monitors import BestLists, MonitorSettings
from tenuto.callbacks.policies.ranking import BestEntry
from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.errors import RestoreError
from tenuto.reference.events.contexts import Progress

__all__ = ["Memory", "Trigger", "read_memory"]

Trigger: TypeAlias = Literal["epochs", "steps", "seconds", "policy"]
"""What asks for periodic saves; each counts on its own since its own last save."""


@frozen
class Memory:
    """What the decisions of a run depend on.

    Attributes:
        last: The progress of the last save by each trigger; one that has made none is missing.
        lists: The best lists.
        stamped: The name in the folder of rank 1, for monitors with `overwrite` false; not saved, see CPC-NAME-014.

    Spec: CPC-STATE-002.
    """

    last: Mapping[Trigger, Progress] = field(factory=dict)
    lists: BestLists = field(factory=dict)
    stamped: Mapping[str, str] = field(factory=dict)

    def list_of(self, monitor: str) -> tuple[BestEntry, ...]:
        """Returns a best list, best first."""
        return self.lists.get(monitor, ())

    def to_tree(self, monitors: Iterable[MonitorSettings], *, has_policy: bool) -> dict[str, Tree]:
        """Returns it as a tree.

        Args:
            monitors: The present ones.
            has_policy: Whether there is a save policy of the user's.

        Spec: CPC-STATE-001, CPC-STATE-006.
        """
        modes = {one.monitor: one.mode for one in monitors}
        state: dict[str, Tree] = {
            "last_epoch": self.last.get("epochs", Progress()).epoch,
            "last_step": self.last.get("steps", Progress()).global_step,
            "best": {name: {"mode": mode, "entries": self.best_tree(name)} for name, mode in modes.items()},
        }
        return {**state, "last_policy": _progress_tree(self.last.get("policy"))} if has_policy else state

    def best_tree(self, monitor: str) -> list[Tree]:
        """Returns a best list as a tree, best first.

        Spec: TR-STATE-002, CPC-STATE-003.
        """
        return [{"value": e.value, "epoch": e.epoch, "step": e.step, "file": e.file} for e in self.list_of(monitor)]


def _progress_tree(progress: Progress | None) -> Tree:
    if progress is None:
        return None
    return {
        "epoch": progress.epoch,
        "global_step": progress.global_step,
        "batch_in_epoch": progress.batch_in_epoch,
    }


def read_memory(tree: Mapping[str, Any], monitors: Iterable[MonitorSettings]) -> tuple[Memory, tuple[str, ...]]:
    """Reads what `Memory.to_tree` made.

    Returns:
        The memory, and which best lists are left out of it: those of another monitor or mode, each with its mode.

    Raises:
        RestoreError: `not_resumable` for a tree of another form.

    Spec: CPC-STATE-005, CPC-BEST-014.
    """
    modes = {one.monitor: one.mode for one in monitors}
    try:
        lists = {(name, saved["mode"]): tuple(map(_entry, saved["entries"])) for name, saved in tree["best"].items()}
        last: dict[Trigger, Progress] = {
            "epochs": Progress(epoch=_count(tree["last_epoch"])),
            "steps": Progress(global_step=_count(tree["last_step"])),
        }
        if tree.get("last_policy") is not None:
            last["policy"] = Progress(**{name: _count(number) for name, number in tree["last_policy"].items()})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"callback_state.CheckpointCallback: {error!r}; expected what a checkpoint callback has saved"
        raise RestoreError("not_resumable", message) from error
    present = {name: lists.pop((name, mode), ()) for name, mode in modes.items()}
    return Memory(last, present), tuple(f"{monitor} ({mode})" for monitor, mode in lists)


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(value)
    return value


def _entry(saved: Mapping[str, Any]) -> BestEntry:
    """Reads one entry. Its file is linked and deleted, so it has to be a name in the folder."""
    entry = BestEntry(saved["value"], saved["epoch"], saved["step"], saved["file"])
    if not isinstance(entry.value, float) or not naming.is_bare(entry.file):
        raise ValueError(entry)
    return BestEntry(entry.value, _count(entry.epoch), _count(entry.step), entry.file)
