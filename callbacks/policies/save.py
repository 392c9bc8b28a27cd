"""Whether an event leads to a save, and what the callback remembers afterwards. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import evolve, field, frozen

from tenuto.callbacks.policies import naming
from tenuto.callbacks.policies.ranking import Admission, BestEntry, Mode, admit
from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.errors import RestoreError
from tenuto.reference.events.contexts import Metric, Progress
from tenuto.reference.trainer.reasons import REASONS

__all__ = ["Memory", "SaveEvent", "SavePlan", "SaveRules", "adapt_best", "plan_save", "read_memory"]

SaveEvent = Literal["batch", "epoch", "train_end", "manual"]


@frozen
class SaveRules:
    """When to save.

    Attributes:
        every_epochs: None for not by epochs.
        every_steps: None for not by steps.
        monitor: Name of the metric for the best; None for no best.
        mode: Which of its values are better.
        slots: Length of the best list.
        min_delta: See `admit`.
        at_train_end: Whether the last state is saved.
    """

    every_epochs: int | None
    every_steps: int | None
    monitor: str | None
    mode: Mode
    slots: int
    min_delta: float
    at_train_end: bool


@frozen
class Memory:
    """What the decisions of a run depend on; saved with each checkpoint.

    Attributes:
        last_epoch: `epoch` of the last save by epochs, 0 if there was none.
        last_step: `global_step` of the last save by steps, 0 if there was none.
        best: The best list.

    Spec: CPC-STATE-002.
    """

    last_epoch: int = 0
    last_step: int = 0
    best: tuple[BestEntry, ...] = field(default=())

    def to_tree(self, rules: SaveRules) -> dict[str, Tree]:
        """Returns it as a tree.

        Spec: CPC-STATE-001.
        """
        best: dict[str, Tree] = {}
        if rules.monitor is not None:
            best[rules.monitor] = {"mode": rules.mode, "entries": self.best_tree()}
        return {"last_epoch": self.last_epoch, "last_step": self.last_step, "best": best}

    def best_tree(self) -> list[Tree]:
        """Returns the best list as a tree, best first.

        Spec: TR-STATE-002.
        """
        return [{"value": e.value, "epoch": e.epoch, "step": e.step, "file": e.file} for e in self.best]


def read_memory(tree: Mapping[str, Any], rules: SaveRules) -> tuple[Memory, tuple[str, ...]]:
    """Reads what `Memory.to_tree` made.

    Returns:
        The memory, and which best lists are left out of it: those of another monitor or mode, each with its mode.

    Raises:
        RestoreError: `not_resumable` for a tree of another form.

    Spec: CPC-STATE-005, CPC-BEST-014.
    """
    try:
        lists = {(name, saved["mode"]): tuple(map(_entry, saved["entries"])) for name, saved in tree["best"].items()}
        best = lists.pop((rules.monitor, rules.mode), ())
        memory = Memory(_count(tree["last_epoch"]), _count(tree["last_step"]), best)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        message = f"callback_state.CheckpointCallback: {error!r}; expected what a checkpoint callback has saved"
        raise RestoreError("not_resumable", message) from error
    return memory, tuple(f"{monitor} ({mode})" for monitor, mode in lists)


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(value)
    return value


def _entry(saved: Mapping[str, Any]) -> BestEntry:
    """Reads one entry. Its file is linked and deleted, so it has to be a name in the folder."""
    entry = BestEntry(**saved)
    if not isinstance(entry.value, float) or not naming.is_bare(entry.file):
        raise ValueError(entry)
    return BestEntry(entry.value, _count(entry.epoch), _count(entry.step), entry.file)


@frozen
class SavePlan:
    """A save that is to be made.

    Attributes:
        reasons: Words of `metadata.origin.reasons`, in their order.
        names: Names of the file, the one to write first; `latest` is not among them.
        memory: What is remembered if the save succeeds.
        dropped: Names that left the best list and are to be deleted after it.
        trigger: What of the metric caused the save, or None.
    """

    reasons: tuple[str, ...]
    names: tuple[str, ...]
    memory: Memory
    dropped: tuple[str, ...] = ()
    trigger: dict[str, Tree] | None = None


def plan_save(
    rules: SaveRules,
    memory: Memory,
    event: SaveEvent,
    progress: Progress,
    metrics: Mapping[str, Metric],
    saved_at: Progress | None,
    *,
    in_window: bool = False,
) -> SavePlan | None:
    """Decides what an event leads to.

    Args:
        rules: The settings.
        memory: Of the last save.
        event: What has just happened.
        progress: Where training is.
        metrics: All metrics so far.
        saved_at: The last state that was saved by this attempt, emergency saves aside.
        in_window: Whether the progress lies inside an accumulation window.

    Returns:
        The save to make, or None.

    Spec: CPC-WHEN-001 to CPC-WHEN-007, CPC-BEST-006.
    """
    reasons: list[str] = ["manual"] if event == "manual" else []
    after = memory
    if event == "epoch" and _is_due(rules.every_epochs, progress.epoch - memory.last_epoch):
        reasons.append("periodic")
        after = evolve(after, last_epoch=progress.epoch)
    if event == "batch" and _is_due(rules.every_steps, progress.global_step - memory.last_step):
        reasons.append("periodic")
        after = evolve(after, last_step=progress.global_step)
    if event == "train_end" and rules.at_train_end and progress != saved_at:
        reasons.append("train_end")
    names = [naming.periodic_name(progress, in_window=in_window)] if reasons else []
    admission = _admission(rules, memory, progress, metrics) if event in {"epoch", "manual"} else None
    if admission is not None:
        reasons.append("best")
        names += _best_names(rules, admission, progress)
        after = evolve(after, best=admission.entries)
    if not reasons:
        return None
    dropped = _dropped(rules, admission) if admission is not None else ()
    trigger = _trigger(rules, memory, metrics) if admission else None
    return SavePlan(tuple(reason for reason in REASONS if reason in reasons), tuple(names), after, dropped, trigger)


def _is_due(every: int | None, since: int) -> bool:
    return every is not None and since >= every


def _admission(rules: SaveRules, memory: Memory, progress: Progress, metrics: Mapping[str, Metric]) -> Admission | None:
    metric = metrics.get(rules.monitor) if rules.monitor is not None else None
    if rules.monitor is None or metric is None or metric.step != progress.global_step:
        return None  # a value measured earlier belongs to other weights (CPC-BEST-006)
    several = rules.slots > 1
    file = naming.best_entry_name(rules.monitor, progress) if several else naming.best_name(rules.monitor)
    candidate = BestEntry(metric.value, progress.epoch, metric.step, file)
    return admit(memory.best, candidate, mode=rules.mode, slots=rules.slots, min_delta=rules.min_delta)


def _dropped(rules: SaveRules, admission: Admission) -> tuple[str, ...]:
    """Returns the names of what left the list; that of rank 1 is replaced, never dropped."""
    assert rules.monitor is not None  # noqa: S101 - there is an admission
    return tuple(entry.file for entry in admission.evicted if entry.file != naming.best_name(rules.monitor))


def adapt_best(rules: SaveRules, memory: Memory) -> Memory:
    """Returns the memory with the best list that the rules ask for, where an earlier attempt had other slots.

    Spec: CPC-NAME-003, CPC-BEST-008, CPC-BEST-014.
    """
    if rules.monitor is None:
        return memory
    single, monitor = naming.best_name(rules.monitor), rules.monitor
    if rules.slots == 1:
        return evolve(memory, best=tuple(evolve(entry, file=single) for entry in memory.best[:1]))
    named = [
        evolve(entry, file=naming.best_entry_name(monitor, Progress(entry.epoch, 0, entry.step)))
        if entry.file == single
        else entry
        for entry in memory.best
    ]
    return evolve(memory, best=tuple(named[: rules.slots]))


def _best_names(rules: SaveRules, admission: Admission, progress: Progress) -> list[str]:
    assert rules.monitor is not None  # noqa: S101 - there is an admission
    first = [naming.best_name(rules.monitor)] if admission.is_first else []
    return first if rules.slots == 1 else [naming.best_entry_name(rules.monitor, progress), *first]


def _trigger(rules: SaveRules, memory: Memory, metrics: Mapping[str, Metric]) -> dict[str, Tree]:
    assert rules.monitor is not None  # noqa: S101 - there is an admission
    previous = memory.best[0].value if memory.best else None
    value = metrics[rules.monitor].value
    return {"monitor": rules.monitor, "value": value, "mode": rules.mode, "strategy": "best", "previous_best": previous}
