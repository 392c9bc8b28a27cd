"""Reading a scenario: from the JSON object to plain values.

Spec: section 2 of 95-scenarios.md.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from tenuto.conformance_tests.oracle.document import Json, MalformedError, Reader
from tenuto.conformance_tests.oracle.model.errors import UnforeseenError
from tenuto.conformance_tests.oracle.tree import Tree

OBSERVE, CHECKPOINT = "observe", "checkpoint"
HOOKS = frozenset(
    {
        "on_train_start",
        "on_epoch_start",
        "on_batch_start",
        "on_batch_end",
        "on_validation_start",
        "on_validation_end",
        "on_epoch_end",
        "on_checkpoint_saved",
        "on_checkpoint_deleted",
        "on_train_end",
        "on_exception",
        "on_teardown",
    }
)
_NEEDS = {
    "stop": {"reason"},
    "raise": {"code"},
    "signal": {"signal"},
    "save": {"metrics", "callback"},
    "break": set[str](),
    "mend": set[str](),
}
_FURTHER = {"max_steps", "max_seconds", "require_exact", "on_unusable_checkpoint"}


@frozen
class Action:
    """What a callback does in one call of a hook.

    Attributes:
        hook, call: in which call of which hook, counted from 1.
        do: `stop`, `raise`, `signal`, `save`, `break` or `mend`.
        word: the reason, the code, the signal, or the name of the checkpoint callback.
        metrics: of a manual save.
    """

    hook: str
    call: int
    do: str
    word: str = ""
    metrics: Mapping[str, float] = {}


@frozen
class Given:
    """A callback as it is given to the trainer.

    Attributes:
        name: its name.
        phase: `observe` or `checkpoint`.
        counts: whether it has the number of its batches as a state.
        actions: what it does.
        checkpoint, early_stopping: the settings of one that the port brings, else None.
    """

    name: str
    phase: str
    counts: bool = False
    actions: tuple[Action, ...] = ()
    checkpoint: Mapping[str, Tree] | None = None
    early_stopping: Mapping[str, Tree] | None = None


@frozen
class Scenario:
    """A scripted training; settings are not checked yet.

    Attributes:
        workload, trainer: settings that are given.
        metrics: name -> what takes the place of what validation measured, by epoch; None for nothing.
        callbacks: in the order in which they are given.
        then: manual saves after the training.
    """

    workload: Mapping[str, Tree]
    trainer: Mapping[str, Tree]
    metrics: Mapping[str, tuple[float | None, ...]]
    callbacks: tuple[Given, ...]
    then: tuple[Action, ...]


def read_scenario(table: Mapping[str, Any]) -> Scenario:
    """The scenario that a JSON object stands for.

    Raises:
        UnforeseenError: it is not of the form of the text.

    Spec: SCN-DATA-001.
    """
    try:
        _only(table, {"workload", "max_epochs", "validate_every", "trainer", "metrics", "callbacks", "then"})
        _only(table.get("trainer", {}), _FURTHER)
        trainer = {"max_epochs": table["max_epochs"], "validate_every": table.get("validate_every", "i:1")}
        return Scenario(
            workload=_values(table["workload"]),
            trainer=_values(trainer | table.get("trainer", {})),
            metrics={name: tuple(map(_measured, values)) for name, values in table.get("metrics", {}).items()},
            callbacks=tuple(map(_callback, table["callbacks"])),
            then=tuple(_manual(one) for one in table.get("then", [])),
        )
    except (MalformedError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnforeseenError(f"scenario: {error!r}; expected one of the form of 95-scenarios.md") from error


def _callback(table: Mapping[str, Any]) -> Given:
    _only(table, {"name", "phase", "counts", "actions", "checkpoint", "early_stopping"})
    own = table.keys() & {"checkpoint", "early_stopping"}
    if len(own) > 1 or (own and table.keys() & {"counts", "actions"}):
        raise UnforeseenError(f"callback {table['name']}: the text does not say what one with {sorted(table)} does")
    phase = table.get("phase", CHECKPOINT if "checkpoint" in table else OBSERVE)
    if own and phase != (CHECKPOINT if "checkpoint" in table else OBSERVE):
        raise UnforeseenError(f"callback {table['name']}: phase {phase}; the text gives it one of its own")
    return Given(
        name=str(table["name"]),
        phase=phase,
        counts=table.get("counts", False) is True,
        actions=tuple(map(_action, table.get("actions", []))),
        checkpoint=_values(table["checkpoint"]) if "checkpoint" in table else None,
        early_stopping=_values(table["early_stopping"]) if "early_stopping" in table else None,
    )


def _action(table: Mapping[str, Any]) -> Action:
    do = table["do"]
    _only(table, {"hook", "call", "do", *_NEEDS[do]})
    call = Reader().tree(table["call"])
    if table["hook"] not in HOOKS or not isinstance(call, int):
        raise ValueError(f"action: {table['hook']}, call {call!r}; expected a hook and an integer")
    if do == "save":
        if table["hook"].startswith("on_checkpoint_"):
            raise ValueError(f"a manual save in {table['hook']}; expected another hook")
        return Action(table["hook"], call, do, table["callback"], _metrics(table["metrics"]))
    return Action(table["hook"], call, do, *(table[one] for one in _NEEDS[do]))


def _manual(table: Mapping[str, Any]) -> Action:
    _only(table, {"save", "metrics"})
    return Action("", 0, "save", table["save"], _metrics(table["metrics"]))


def _metrics(table: Mapping[str, Json]) -> dict[str, float]:
    metrics = {name: _float(value) for name, value in table.items()}
    if not all(metrics):
        raise UnforeseenError("a metric without a name: the text does not say what becomes of the save")
    return metrics


def _measured(value: Json) -> float | None:
    return None if value == "missing" else _float(value)


def _float(value: Json) -> float:
    number = Reader().tree(value)
    if not isinstance(number, float):
        raise TypeError(f"{value}; expected a float64")
    return number


def _values(table: Mapping[str, Json]) -> dict[str, Tree]:
    return {name: Reader().tree(value) for name, value in table.items()}


def _only(table: Mapping[str, Any], names: Iterable[str]) -> None:
    if others := table.keys() - set(names):
        raise ValueError(f"members {sorted(others)}; expected none but {sorted(names)}")
