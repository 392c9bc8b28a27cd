"""What a file of a checkpoint manager says about itself, and what a manager remembers. Works without torch."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

from tenuto.callbacks.own_loop_configs import has_known_suffix
from tenuto.reference.checkpoint.ledger import read_ledger
from tenuto.reference.checkpoint.tree import Tree
from tenuto.reference.errors import RestoreError, refuse_setting
from tenuto.reference.events.contexts import RunIdentity
from tenuto.reference.trainer.state import make_origin

__all__ = ["STATE_KEY", "Facts", "identity_in", "make_metadata", "own_state", "read_own_state"]

STATE_KEY: Final = "CheckpointManager"
_RUN_PREFIX: Final = "manager-"  # tells the runs of managers from those of trainers
_FULL: Final = "full"
_REPLACED: Final = ("progress", "metrics", "best", "config", "architecture")
_OWN: Final = ("kind", "exact", "origin")
_POSITION: Final = ("epoch", "global_step", "batch_in_epoch")


@frozen
class Facts:
    """What is known of a save.

    Attributes:
        kind: `full` or `weights`.
        epoch: Completed epochs, where the loop has said it.
        metrics: Values by flat name.
        reasons: Words of `metadata.origin.reasons`.
        best: For `metadata.best`.
        trigger: For `metadata.origin`.
        files: For `metadata.origin`: names that hold the time.
        given: Metadata of the caller's.

    Raises:
        ConfigError: `invalid_setting`.
    """

    kind: str
    epoch: int = 0
    metrics: Mapping[str, float] = field(factory=dict)
    reasons: tuple[str, ...] = ("manual",)
    best: dict[str, Tree] = field(factory=dict)
    trigger: dict[str, Tree] | None = None
    files: dict[str, Tree] = field(factory=dict)
    given: Mapping[str, Any] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        _check_count("epoch", self.epoch)
        if not isinstance(self.given, Mapping) or not all(isinstance(key, str) for key in self.given):
            raise refuse_setting("metadata", self.given, "a map with names as keys")

    @property
    def is_full(self) -> bool:
        """Whether the file is one to resume from."""
        return self.kind == _FULL


def make_metadata(facts: Facts, run: RunIdentity, elapsed_seconds: float, state: Mapping[str, Any]) -> dict[str, Tree]:
    """Returns the metadata of a file.

    Args:
        facts: Of the save.
        run: Of the manager.
        elapsed_seconds: Since the manager was made.
        state: What is saved; a full one may hold `metadata` of the caller's.

    Raises:
        ConfigError: `invalid_setting` with the path to what has another form.

    Spec: CPC-MAN-009, CPC-MAN-012, TR-STATE-002, TR-STATE-003.
    """
    given = {**(state.get("metadata", {}) if facts.is_full else {}), **facts.given}
    metrics: dict[str, Tree] = {name: {"value": value, "step": 0} for name, value in facts.metrics.items()}
    made: dict[str, Any] = {
        "progress": {"epoch": facts.epoch, "global_step": 0, "batch_in_epoch": 0},
        "metrics": metrics,
        "best": facts.best,
        "config": {},
        "architecture": {},
    }
    for name in _REPLACED:
        if not isinstance(given.get(name, {}), Mapping):
            raise refuse_setting(f"metadata.{name}", given[name], "a map")
        made[name] = dict(given.get(name, made[name]))
    made["progress"] = _progress(made["progress"], given)
    made["metrics"] = {name: _metric(name, value) for name, value in made["metrics"].items()}
    made["config"] |= {key: value for key, value in given.items() if key not in {*_REPLACED, *_OWN, "epoch"}}
    origin = make_origin(run, facts.reasons, elapsed_seconds, facts.trigger)
    is_exact = facts.is_full and bool(state.get("rng_state")) and bool(state.get("optimizer_state"))
    return {
        **made,
        "exact": is_exact,  # without them training goes on, but not as if it had never been interrupted
        "kind": facts.kind,
        "origin": {**origin, "files": facts.files} if facts.files else origin,
    }


def _progress(progress: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Tree]:
    if "epoch" in given:
        progress = {**progress, "epoch": given["epoch"]}
    if sorted(progress) != sorted(_POSITION):
        raise refuse_setting("metadata.progress", progress, f"a map of {', '.join(_POSITION)}")
    for name in _POSITION:
        _check_count(f"metadata.progress.{name}", progress[name])
    return progress


def _metric(name: str, value: Any) -> Tree:  # noqa: ANN401 - of the caller's
    if isinstance(value, int | float) and not isinstance(value, bool):
        return {"value": float(value), "step": 0}
    if not isinstance(value, Mapping) or value.keys() != {"value", "step"} or not isinstance(value["value"], float):
        raise refuse_setting(f"metadata.metrics.{name}", value, "a number, or a map of value and step")
    _check_count(f"metadata.metrics.{name}.step", value["step"])
    return dict(value)


def _check_count(name: str, value: object) -> None:
    if type(value) is not int or value < 0:
        raise refuse_setting(name, value, "a whole number of at least 0")


def identity_in(folder: str) -> RunIdentity:
    """Returns who a manager is: the next attempt of the run of managers in its folder, if there is one alone.

    Spec: CPC-MAN-014.
    """
    ledger = read_ledger(folder)
    runs = ledger.run_ids()
    if len(runs) == 1 and runs[0].startswith(_RUN_PREFIX):
        return RunIdentity(runs[0], ledger.last_attempt(runs[0]) + 1)
    return RunIdentity(f"{_RUN_PREFIX}{secrets.token_hex(8)}")


def own_state(best_values: Mapping[str, float], saved_files: Mapping[str, str]) -> dict[str, Tree]:
    """Returns what a manager remembers as a tree, with names in the place of paths: a folder may be moved.

    Spec: CPC-MAN-008.
    """
    names: dict[str, Tree] = {
        metric: path.replace("\\", "/").rpartition("/")[2] for metric, path in saved_files.items()
    }
    return {"best_values": dict(best_values), "saved_files": names}


def read_own_state(state: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, str]]:
    """Reads what `own_state` made: values, and names of files.

    Raises:
        RestoreError: `not_resumable` for a map of another form.

    Spec: CPC-MAN-008.
    """
    values, files = (state.get(name) for name in ("best_values", "saved_files")) if isinstance(state, Mapping) else "ab"
    if (
        not isinstance(values, Mapping)
        or not isinstance(files, Mapping)
        or not all(type(value) is float and not math.isnan(value) for value in values.values())  # NaN is never the best
        or not all(isinstance(name, str) and has_known_suffix(name) for name in files.values())
    ):
        message = f"state of {STATE_KEY}: {state!r}; expected what a checkpoint manager has returned"
        raise RestoreError("not_resumable", message)
    return dict(values), dict(files)
