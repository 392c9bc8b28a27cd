"""What the settings of a scenario mean.

Spec: section 1 of 20-checkpoint-callback.md, section 6 of 10-callbacks.md.
"""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from tenuto.conformance_tests.oracle.model.errors import UnforeseenError
from tenuto.conformance_tests.oracle.model.ranges import MONITOR
from tenuto.conformance_tests.oracle.model.scenario import Given, Scenario
from tenuto.conformance_tests.oracle.tree import Tree
from tenuto.conformance_tests.oracle.workload.settings import Settings

SAVING_KEY = "CheckpointCallback"


@frozen
class Monitor:
    """One monitored metric.

    Spec: CPC-BEST-001, CPC-BEST-005, CPC-BEST-011.
    """

    monitor: str = "val_loss"
    mode: str = "min"
    min_delta: float = 0.0
    slots: int = 1


@frozen
class Saving:
    """The settings of the checkpoint callback that a model needs, with the defaults of the text.

    Spec: section 1 of 20-checkpoint-callback.md.
    """

    monitors: tuple[Monitor, ...]
    save_frequency: int | None = 1
    save_every_steps: int | None = None
    keep_last_n: int | None = None
    keep_best_latest: bool = False
    latest: str = "auto"
    max_save_failures: int = 3
    save_on_exception: bool = True
    save_on_train_end: bool = True
    strict_monitor: bool = False
    async_save: bool = False


@frozen
class EarlyStop:
    """The settings of early stopping, with the defaults of the text.

    Spec: section 6 of 10-callbacks.md.
    """

    monitor: str = "val_loss"
    mode: str = "min"
    patience: int = 3
    min_delta: float = 0.0
    state_key: str = "EarlyStopping"


@frozen
class Asked:
    """The settings of the trainer, with the defaults of the text.

    Spec: section 1 of 30-trainer.md.
    """

    max_epochs: int
    validate_every: int = 1
    max_steps: int | None = None
    max_seconds: float | None = None
    require_exact: bool = False
    on_unusable_checkpoint: str = "error"


def read_training(scenario: Scenario) -> Asked:
    """The settings of the trainer."""
    values: dict[str, Any] = dict(scenario.trainer)
    return Asked(**values)


def state_key(given: Given) -> str:
    """Under which key a callback saves its state; empty if it has none.

    Spec: CPC-STATE-001, CB-EARLY-006.
    """
    if given.checkpoint is not None:
        return SAVING_KEY
    if given.early_stopping is not None:
        return read_early(given.early_stopping).state_key
    return given.name if given.counts else ""


def read_workload(scenario: Scenario) -> Settings:
    """The settings of the workload, with their defaults."""
    values: dict[str, Any] = dict(scenario.workload)
    return Settings(**values)


def read_saving(settings: Mapping[str, Tree]) -> Saving:
    """The settings of the checkpoint callback; raises UnforeseenError for those that are not covered."""
    found: dict[str, Any] = dict(settings)
    several = found.pop("monitors", None)
    short = {name: found.pop(name) for name in MONITOR if name in found}
    monitors = [short] if several is None else several
    if found.pop("save_best", True) is False:
        monitors = []
    for name, default in (("save_every_seconds", None), ("save_final_weights", False), ("layout", "flat")):
        if found.pop(name, default) != default:
            raise UnforeseenError(f"setting {name}: not covered")
    found.pop("verify", None)
    return Saving(monitors=tuple(map(_monitor, monitors)), **found)


def _monitor(settings: Mapping[str, Any]) -> Monitor:
    found = dict(settings)
    if found.pop("overwrite", True) is False:
        raise UnforeseenError("setting overwrite: the name of a file depends on the time of day")
    slots = found.pop("save_top_k", None)
    if "min_delta" in found:
        found["min_delta"] = float(found["min_delta"])
    return Monitor(slots=1 if slots is None else slots, **found)


def read_early(settings: Mapping[str, Tree]) -> EarlyStop:
    """The settings of early stopping."""
    found: dict[str, Any] = dict(settings)
    if "min_delta" in found:
        found["min_delta"] = float(found["min_delta"])
    return EarlyStop(**found)
