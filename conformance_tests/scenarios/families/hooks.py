"""An action at each hook: a stop, a failure, a signal, at its first and at a later call.

Spec: CB-STOP-001 to CB-STOP-006, CB-FAIL-001 to CB-FAIL-006, TR-FAIL-001 to TR-FAIL-018.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tenuto.conformance_tests.oracle.document import Json
from tenuto.conformance_tests.scenarios.build import HOOKS, action, observer, saving, scenario
from tenuto.conformance_tests.scenarios.script import Act, Script

_WORKLOAD: Final = {"samples": 12, "validation_samples": 6}  # three batches of training, two of validation

# The hooks of an attempt that nothing disturbs, and which of their calls is neither the first nor the last.
_LATER: Final = {
    "on_epoch_start": 2,
    "on_batch_start": 5,
    "on_batch_end": 5,
    "on_validation_start": 2,
    "on_validation_end": 2,
    "on_epoch_end": 2,
}
_LAST: Final = {"on_batch_end": 9, "on_validation_start": 3, "on_validation_end": 3, "on_epoch_end": 3}

_STOP: Final = ("CB-STOP-001", "CB-STOP-002", "CB-HOOK-005", "CB-HOOK-007", "CB-HOOK-013", "TR-LOOP-015")
_RAISE: Final = (
    *("CB-FAIL-001", "CB-FAIL-004", "CB-HOOK-005", "CB-HOOK-007", "TR-FAIL-001", "TR-FAIL-002", "TR-FAIL-013"),
    *("TR-FAIL-014", "SCN-OP-004", "SCN-EVENT-002"),
)
_SIGNAL: Final = ("TR-FAIL-003", "TR-FAIL-004", "TR-FAIL-015", "CB-HOOK-007", "SCN-OP-004")
_SAVED: Final = ("CB-HOOK-009", "CB-HOOK-010", "CB-STATE-001", "CPC-KEEP-001", "STORE-SAVE-008")
_EMERGENCY: Final = ("CPC-ERR-003", "CPC-NAME-002", "TR-FAIL-007", "TR-FAIL-011", "TR-STATE-004", "STORE-SAVE-001")
_OF_SAVES: Final = {
    "SAVED-STOP": ("CPC-WHEN-004", "CB-STOP-006", "STORE-DIR-003", "STORE-DIR-005"),
    "SAVED-RAISE": ("CB-FAIL-005", "CPC-ERR-003", "CPC-NAME-002"),
    "EMERGENCY-RAISE": (*_EMERGENCY, "TR-STATE-021"),
    "EMERGENCY-SIGTERM": _EMERGENCY,
}
_FURTHER: Final = {
    ("stop", "on_batch_end"): ("CB-STOP-004",),
    ("stop", "on_train_end"): ("CB-STOP-005",),
    ("stop", "on_teardown"): ("CB-STOP-005",),
    ("raise", "on_train_end"): ("CB-FAIL-006",),
    ("raise", "on_checkpoint_saved"): ("CB-HOOK-004", "CB-HOOK-016"),
    ("raise", "on_teardown"): ("CB-FAIL-003",),
    ("raise", "on_epoch_end"): ("TR-LOOP-017",),
    ("raise", "on_batch_end"): ("TR-LOOP-017",),
    ("signal", "on_train_start"): ("TR-FAIL-018",),
    ("signal", "on_epoch_start"): ("TR-FAIL-018",),
    ("signal", "on_batch_start"): ("TR-FAIL-018",),
    ("signal", "on_validation_start"): ("TR-FAIL-025", "RW-MODEL-007"),
    ("signal", "on_epoch_end"): ("CB-HOOK-015", "TR-FAIL-016"),
}


def scripts() -> Iterator[Script]:
    """Yields the cases with observers alone, then those with a checkpoint callback."""
    for hook, call in _places():
        yield _case("STOP", hook, call, action(hook, call, "stop", reason="enough"), _STOP)
        yield _case("RAISE", hook, call, action(hook, call, "raise", code="x_user"), _RAISE)
        for name in ("SIGINT", "SIGTERM"):
            yield _case(name, hook, call, action(hook, call, "signal", signal=name), _SIGNAL)
    for hook, call in _saving_places():
        stop = action(hook, call, "stop", reason="enough")
        fail = action(hook, call, "raise", code="x_user")
        sent = action(hook, call, "signal", signal="SIGTERM")
        yield _saved("SAVED-STOP", "checkpoint", hook, call, stop)
        yield _saved("SAVED-RAISE", "checkpoint", hook, call, fail)
        yield _saved("EMERGENCY-RAISE", "resume", hook, call, fail)
        yield _saved("EMERGENCY-SIGTERM", "resume", hook, call, sent)


def _places() -> Iterator[tuple[str, int]]:
    for hook in HOOKS:
        if hook in {"on_checkpoint_saved", "on_checkpoint_deleted", "on_exception"}:
            continue
        yield from ((hook, call) for call in (1, _LATER.get(hook), _LAST.get(hook)) if call is not None)


def _case(kind: str, hook: str, call: int, act: Json, req: tuple[str, ...]) -> Script:
    """Returns a case in which the second of three observers acts."""
    callbacks = [observer("A"), observer("B", act), observer("C"), observer("T", phase="checkpoint")]
    do = "signal" if kind.startswith("SIG") else kind.lower()
    return Script(
        id=f"SC-{kind}/{hook}.{call}",
        title=f"{do} in call {call} of {hook}",
        req=(*req, *_FURTHER.get((do, hook), ())),
        profile="callbacks",
        attempts=(Act(scenario(3, callbacks, workload=_WORKLOAD)),),
        needs=frozenset({"signals"}) if do == "signal" else frozenset(),
    )


def _saving_places() -> Iterator[tuple[str, int]]:
    yield from _places()
    yield from (("on_checkpoint_saved", 1), ("on_checkpoint_saved", 3), ("on_checkpoint_deleted", 1))


def _saved(kind: str, profile: str, hook: str, call: int, act: Json) -> Script:
    """Returns a case in which the same happens in a run that saves, by epochs and by steps, and deletes."""
    callbacks = [
        saving(save_every_steps=2, keep_last_n=2),
        observer("A"),
        observer("B", act),
        observer("N", counts=True),
    ]
    do = kind.partition("-")[2].lower().replace("sigterm", "signal")
    return Script(
        id=f"SC-{kind}/{hook}.{call}",
        title=f"{do} in call {call} of {hook} of a run that saves",
        req=(*_SAVED, *_OF_SAVES[kind], *_FURTHER.get((do, hook), ())),
        profile=profile,
        attempts=(Act(scenario(3, callbacks, workload=_WORKLOAD)),),
        needs=frozenset({"signals"}) if do == "signal" else frozenset(),
    )
