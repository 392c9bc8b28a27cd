"""A scenario taken apart: each member is read or refused, so that nothing that was asked for is left out in silence.

Spec: section 2 of 95-scenarios.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import fields, frozen
from tagged import Reader

from tenuto.callbacks.checkpoint import CheckpointCallback
from tenuto.callbacks.early_stopping import EarlyStopping
from tenuto.reference.events.hooks import Hook
from tenuto.reference.events.listener import Phase

SETTINGS: Final = {attribute.name for attribute in fields(CheckpointCallback) if attribute.init} - {"checkpoint_dir"}
STOPPING: Final = {name for attribute in fields(EarlyStopping) if attribute.init and (name := attribute.alias)}
_LIMITS: Final = ("max_steps", "max_seconds")
_FIT: Final = ("require_exact", "on_unusable_checkpoint")
_NEEDS = {"stop": "reason", "raise": "code", "signal": "signal", "save": "callback metrics", "break": "", "mend": ""}
_WORDS: Final = {"raise": "x_.+", "signal": "SIGINT|SIGTERM"}
_NEWS: Final = {Hook.CHECKPOINT_SAVED, Hook.CHECKPOINT_DELETED}


@frozen
class Action:
    """What a callback does at one call of one hook, or what is done after the training.

    Attributes:
        do: The word of the table.
        text: Reason, code, name of the signal, or name of the checkpoint callback that saves.
        metrics: Measured at a manual save.
        at: The hook, and which of its calls in this attempt, from 1.
    """

    do: str
    text: str
    metrics: dict[str, float] | None = None
    at: tuple[Hook, int] | None = None


@frozen(eq=False)
class Part:
    """One callback: the checkpoint callback or early stopping where there are settings for it, else an observer."""

    name: str
    phase: Phase | None
    counts: bool
    actions: tuple[Action, ...]
    checkpoint: dict[str, Any] | None
    early_stopping: dict[str, Any] | None


@frozen
class Scenario:
    """One attempt as it is scripted. Values have lost their tags; what they may be is for the library to say.

    Attributes:
        trainer: What the trainer is made with.
        fit: What `fit` is called with beside `resume`.
        metrics: Name of a metric as validation measures it -> value by epoch; None takes it away.
    """

    workload: dict[str, Any]
    trainer: dict[str, Any]
    fit: dict[str, Any]
    metrics: dict[str, list[float | None]]
    callbacks: tuple[Part, ...]
    then: tuple[Action, ...]


def read_scenario(given: Any) -> Scenario:  # noqa: ANN401 - JSON of any kind
    """Returns what a JSON object stands for.

    Raises:
        ValueError: It is none of section 2; a member that is unknown or missing is one reason.
    """
    _check("scenario", given, "workload max_epochs callbacks", "validate_every trainer metrics then")
    asked = given.get("trainer", {})
    _check("trainer", asked, "", " ".join((*_LIMITS, *_FIT)))
    lengths = {name: given[name] for name in ("max_epochs", "validate_every") if name in given}
    scenario = Scenario(
        workload=_values(given["workload"]),
        trainer=_values({**lengths, **{name: asked[name] for name in _LIMITS if name in asked}}),
        fit=_values({name: asked[name] for name in _FIT if name in asked}),
        metrics=dict(_measured(given.get("metrics", {}))),
        callbacks=tuple(_part(one) for one in given["callbacks"]),
        then=tuple(_save(one, "save") for one in given.get("then", [])),
    )
    saving = {part.name for part in scenario.callbacks if part.checkpoint is not None}
    for action in (*scenario.then, *(action for part in scenario.callbacks for action in part.actions)):
        if action.do == "save" and action.text not in saving:
            raise ValueError(f"callback of a save: {action.text!r}; expected a checkpoint callback of {saving}")
    return scenario


def _check(what: str, given: Any, required: str, optional: str) -> None:  # noqa: ANN401 - as above
    needed, known = set(required.split()), {*required.split(), *optional.split()}
    if not isinstance(given, dict) or given.keys() - known or needed - given.keys():
        raise ValueError(f"{what}: {str(given)[:200]}; expected an object with members of {', '.join(sorted(known))}")


def _values(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: Reader().tree(value) for name, value in given.items()}


def _number(value: Any) -> float:  # noqa: ANN401 - as above
    number = Reader().tree(value)
    if type(number) is not float:
        raise ValueError(f"metric: {value!r}; expected a tagged float64")
    return number


def _measured(given: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, list[float | None]]]:
    """Yields the metrics under the names that they have before the trainer records them (CB-METRIC-007)."""
    for name, values in given.items():
        if not name.startswith("val_"):
            raise ValueError(f"name of a metric of validation: {name!r}; expected it to start with val_")
        yield name.removeprefix("val_"), [None if value == "missing" else _number(value) for value in values]


def _part(given: Any) -> Part:  # noqa: ANN401 - as above
    _check("callback", given, "name", "phase counts actions checkpoint early_stopping")
    kinds = {name: _values(given[name]) for name in ("checkpoint", "early_stopping") if name in given}
    phase, counts = given.get("phase"), given.get("counts", False)
    if phase not in {None, "observe", "checkpoint"} or type(counts) is not bool or len(kinds) + counts > 1:
        raise ValueError(f"callback {given['name']}: {given}; expected a phase, and only observers that count")
    actions = tuple(_action(one) for one in given.get("actions", []))
    return Part(given["name"], phase, counts, actions, kinds.get("checkpoint"), kinds.get("early_stopping"))


def _action(given: Any) -> Action:  # noqa: ANN401 - as above
    do = given["do"]
    _check(f"action {do}", given, f"hook call do {_NEEDS[do]}", "")
    at = Hook(given["hook"]), Reader().tree(given["call"])
    if do == "save":
        return _save({name: given[name] for name in ("callback", "metrics")}, "callback", at)
    text = "".join(given[name] for name in _NEEDS[do].split())
    if do in _WORDS and not re.fullmatch(_WORDS[do], text):
        raise ValueError(f"action {do}: {text!r}; expected {_WORDS[do]}")
    return Action(do, text, at=at)


def _save(given: Any, name: str, at: tuple[Hook, int] | None = None) -> Action:  # noqa: ANN401 - as above
    _check("manual save", given, f"{name} metrics", "")
    if at and at[0] in _NEWS:
        raise ValueError(f"manual save in {at[0]}; expected another hook")
    return Action("save", given[name], {metric: _number(value) for metric, value in given["metrics"].items()}, at)
