"""Whether an event leads to a save, under which names, and what is remembered afterwards. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import evolve, field, frozen

from tenuto.callbacks.policies import naming
from tenuto.callbacks.policies.memory import Memory, Trigger
from tenuto.callbacks.policies.monitors import Entrance, MonitorSettings, enter_lists
from tenuto.callbacks.policies.schedule import SaveEvent, SaveMoment, SavePolicy
from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.events.contexts import Metric, Progress
from tenuto.reference.trainer.reasons import REASONS

__all__ = ["SaveFacts", "SavePlan", "SaveRules", "plan_save"]


@frozen(kw_only=True)
class SaveRules:
    """When to save, and under which names.

    Attributes:
        triggers: The policies of periodic saves, each with a count of its own.
        monitors: The metrics of which the best are kept.
        at_train_end: Whether the last state is saved.
        layout: Where checkpoints at an epoch boundary lie.
    """

    triggers: Mapping[Trigger, SavePolicy] = field(factory=dict)
    monitors: tuple[MonitorSettings, ...] = ()
    at_train_end: bool = False
    layout: naming.Layout = "flat"


@frozen
class SaveFacts:
    """What is known at an event.

    Attributes:
        event: What has just happened.
        progress: Where training is.
        metrics: All metrics so far.
        saved_at: The state that was saved last, emergency saves aside, if it was exact.
        in_window: Whether the progress lies inside an accumulation window.
        seconds: For each trigger, how long ago its last save was, or `on_train_start` of this attempt if that is later.
    """

    event: SaveEvent
    progress: Progress
    metrics: Mapping[str, Metric]
    saved_at: Progress | None = None
    in_window: bool = False
    seconds: Mapping[Trigger, float] = field(factory=dict)


@frozen
class SavePlan:
    """A save that is to be made.

    Attributes:
        reasons: Words of `metadata.origin.reasons`, in their order.
        names: Names of the file, the one to write first; `latest` is not among them.
        memory: What is remembered if the save succeeds.
        due: The triggers that asked for it.
        dropped: Names that left a best list and are to be deleted after it.
        stamped: Monitors that get, instead of their name among `names`, one that replaces no file.
        trigger: What of a metric caused the save, or None.
    """

    reasons: tuple[str, ...]
    names: tuple[str, ...]
    memory: Memory
    due: tuple[Trigger, ...] = ()
    dropped: tuple[str, ...] = ()
    stamped: tuple[str, ...] = ()
    trigger: dict[str, Tree] | None = None


def plan_save(rules: SaveRules, memory: Memory, facts: SaveFacts) -> SavePlan | None:
    """Decides what an event leads to.

    Args:
        rules: The settings.
        memory: Of the last save.
        facts: Of the event.

    Returns:
        The save to make, or None.

    Spec: CPC-WHEN-001 to CPC-WHEN-007, CPC-WHEN-011, CPC-WHEN-012, CPC-BEST-015.
    """
    event, progress = facts.event, facts.progress
    chooses = event in {"epoch", "manual"}
    entrances = tuple(enter_lists(rules.monitors if chooses else (), memory.lists, facts.metrics, progress))
    due = _due(rules, memory, facts, entrances) if event in {"epoch", "batch"} else ()
    reasons: list[str] = ["manual"] if event == "manual" else []
    if due:
        reasons.append("periodic")
    if event == "train_end" and rules.at_train_end and progress != facts.saved_at:
        reasons.append("train_end")
    names = [naming.periodic_name(progress, in_window=facts.in_window, layout=rules.layout)] if reasons else []
    if entrances:
        reasons.append("best")
    if not reasons:
        return None
    for entrance in entrances:
        names += _best_names(entrance)
    entered = {one.monitor.monitor: one.admission.entries for one in entrances}
    lists = {one.monitor: entered.get(one.monitor, memory.list_of(one.monitor)) for one in rules.monitors}
    return SavePlan(
        reasons=tuple(reason for reason in REASONS if reason in reasons),
        names=tuple(names),
        memory=evolve(memory, last={**memory.last, **dict.fromkeys(due, progress)}, lists=lists),
        due=due,
        dropped=tuple(name for entrance in entrances for name in _dropped(entrance)),
        stamped=tuple(one.monitor.monitor for one in entrances if not one.monitor.overwrite),
        trigger=_trigger(entrances[0]) if entrances else None,
    )


def _due(rules: SaveRules, memory: Memory, facts: SaveFacts, entrances: Sequence[Entrance]) -> tuple[Trigger, ...]:
    """Returns the triggers that ask for a save; each is asked, whatever the others say (CPC-WHEN-007)."""
    improved = frozenset(one.monitor.monitor for one in entrances)
    return tuple(
        name
        for name, policy in rules.triggers.items()
        if policy.should_save(
            SaveMoment(
                event=facts.event,
                progress=facts.progress,
                metrics=facts.metrics,
                last_save=memory.last.get(name),
                seconds=facts.seconds.get(name, 0.0),
                improved=improved,
            )
        )
    )


def _best_names(entrance: Entrance) -> list[str]:
    """Spec: CPC-NAME-003, CPC-NAME-013."""
    first = [naming.best_name(entrance.monitor.monitor)] if entrance.admission.is_first else []
    return first if entrance.monitor.slots == 1 else [entrance.entry.file, *first]


def _dropped(entrance: Entrance) -> tuple[str, ...]:
    """Returns the names of what left the list; that of rank 1 is replaced, never dropped."""
    rank_1 = naming.best_name(entrance.monitor.monitor)
    return tuple(entry.file for entry in entrance.admission.evicted if entry.file != rank_1)


def _trigger(entrance: Entrance) -> dict[str, Tree]:
    """Spec: TR-STATE-012."""
    previous = entrance.before[0].value if entrance.before else None
    monitor, value = entrance.monitor, entrance.entry.value
    return {
        "monitor": monitor.monitor,
        "value": value,
        "mode": monitor.mode,
        "strategy": "best",
        "previous_best": previous,
    }
