"""Which settings are refused.

Spec: RW-SET-001, RW-SET-002, TR-SET-001, CPC-SET-001 to CPC-SET-004, CB-ORDER-004, CB-STATE-002,
CB-EARLY-007, CPC-NAME-017.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from tenuto.conformance_tests.oracle.model.errors import Refusal, UnforeseenError
from tenuto.conformance_tests.oracle.model.naming import escaped
from tenuto.conformance_tests.oracle.model.ranges import EARLY, MONITOR, NOT_COVERED, SAVING, TRAINER, WORKLOAD, Check
from tenuto.conformance_tests.oracle.model.scenario import Scenario
from tenuto.conformance_tests.oracle.model.settings import Monitor, read_saving, state_key
from tenuto.conformance_tests.oracle.tree import Tree


def check(scenario: Scenario) -> None:
    """Refuses what no trainer is made of.

    Raises:
        Refusal: with the one code that the text gives.
        UnforeseenError: several codes are right, or a setting is not covered.

    Spec: ERR-CODE-004, CB-HOOK-008.
    """
    codes = set(_codes(scenario))
    if len(codes) > 1:
        raise UnforeseenError(f"settings: any of {sorted(codes)} is right (ERR-CODE-004)")
    if codes:
        raise Refusal(codes.pop(), "config")


def _codes(scenario: Scenario) -> Iterable[str]:
    workload, saving = scenario.workload, [one.checkpoint for one in scenario.callbacks if one.checkpoint is not None]
    plateau_alone = (workload.get("scheduler"), workload.get("validation_samples")) == ("plateau", 0)
    if _bad(workload, WORKLOAD) or _bad(scenario.trainer, TRAINER) or plateau_alone:
        yield "invalid_setting"
    if len(saving) > 1:
        yield "several_checkpoint_callbacks"
    for settings in saving:
        yield from _saving_codes(settings)
    if any(_bad(one.early_stopping, EARLY) for one in scenario.callbacks if one.early_stopping is not None):
        yield "invalid_setting"
        return
    keys = [key for one in scenario.callbacks if (key := state_key(one))]
    if len(set(keys)) < len(keys) and len(saving) < 2:
        yield "duplicate_state_key"


def _saving_codes(settings: Mapping[str, Tree]) -> Iterable[str]:
    if settings.keys() & NOT_COVERED:
        raise UnforeseenError(f"settings {sorted(settings.keys() & NOT_COVERED)}: not covered")
    if _bad(settings, SAVING):
        yield "invalid_setting"
        return
    changed = {name for name, value in settings.items() if value != _DEFAULTS.get(name)}
    if _contradict(settings, changed):
        yield "invalid_setting"
        return
    several = settings.get("monitors")
    if isinstance(several, list) and any(_bad_monitor(one) for one in several):
        yield "invalid_setting"
        return
    monitors = read_saving(settings).monitors
    if any(_is_long(one) for one in monitors):
        yield "invalid_setting"
    if _collide(monitors):
        yield "duplicate_file_name"


_DEFAULTS: Mapping[str, Tree] = {
    "monitor": "val_loss",
    "mode": "min",
    "min_delta": 0.0,
    "overwrite": True,
    "keep_best_latest": False,
}


def _contradict(settings: Mapping[str, Tree], changed: set[str]) -> bool:
    """Whether two settings say one thing, both with a value other than their default.

    Spec: CPC-SET-003.
    """
    slots = settings.get("save_top_k")
    return (
        changed >= {"keep_best_latest", "keep_last_n"}
        or ("monitors" in changed and not changed.isdisjoint(MONITOR))
        or (settings.get("overwrite") is False and isinstance(slots, int) and slots > 1)
    )


def _bad(settings: Mapping[str, Tree], checks: Mapping[str, Check]) -> bool:
    return any(name not in checks or not checks[name](value) for name, value in settings.items())


def _bad_monitor(settings: Tree) -> bool:
    if not isinstance(settings, dict) or "monitor" not in settings or _bad(settings, MONITOR):
        return True
    return _contradict(settings, set())


def _collide(monitors: Sequence[Monitor]) -> bool:
    """Whether two monitors could ever have a file name in common.

    Spec: CPC-SET-004.
    """
    stems = [escaped(one.monitor).lower() for one in monitors]
    if len(set(stems)) < len(stems):
        return True
    listed = {stem for stem, one in zip(stems, monitors, strict=True) if one.slots > 1}
    return any(_ENTRY.sub("", stem) in listed for stem in stems if _ENTRY.search(stem))


# What follows the name of a metric in the names of its entries, at the end of a name.
_ENTRY = re.compile(r"_epoch_\d{4,}(_step_\d{8,})?\Z", re.ASCII)


def _is_long(monitor: Monitor) -> bool:
    """Whether the names of its files could be too long.

    Spec: CPC-NAME-017.
    """
    return len(escaped(monitor.monitor)) > 180
