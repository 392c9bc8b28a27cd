"""Trainings that are interrupted at every place where they can be saved, and continued in a new process.

Spec: TR-REST-005, TR-STATE-014, TR-RES-001, SCN-OP-003.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from attrs import frozen

from tenuto.conformance_tests.oracle.document import Json
from tenuto.conformance_tests.oracle.tree import Scalar
from tenuto.conformance_tests.scenarios.build import action, observer, saving, scenario
from tenuto.conformance_tests.scenarios.script import Act, Script

EPOCHS: Final = 2
BATCHES: Final = 3

_REQ: Final = (
    *("TR-REST-004", "TR-REST-005", "TR-STATE-001", "TR-STATE-014", "TR-LOOP-002", "TR-LOOP-004", "TR-RES-001"),
    *("CB-HOOK-006", "CB-METRIC-008", "CB-STATE-001", "CB-STATE-003", "CPC-BEST-008", "SCN-OP-003", "SCN-OP-005"),
    *("TR-STATE-002", "TR-STATE-003", "TR-STATE-013", "TR-REST-003", "RW-STATE-001", "RW-STATE-002", "RW-STATE-003"),
    *("TR-STATE-005", "TR-STATE-016", "GEN-NAME-001", "GEN-NAME-002", "STORE-DIR-005"),
    *("RW-STATE-004", "RW-STATE-006", "RW-STATE-007", "CKPT-CANON-006", "TR-STATE-008", "TR-STATE-009"),
)
_WINDOW: Final = ("TR-REST-013", "RW-STATE-005", "TR-STATE-010", "RW-ACC-002")


@frozen
class Training:
    """A training of two epochs of three batches.

    Attributes:
        name: A part of the ids of its cases.
        workload: Settings that differ from their defaults.
    """

    name: str
    workload: Mapping[str, Scalar]

    def settings(self) -> Mapping[str, Scalar]:
        """All that differs from the defaults: the last batch and the last window are short."""
        return {"samples": 10, "validation_samples": 5, **self.workload}


TRAININGS: Final = (
    Training("sgd", {}),
    Training("adam-warmup", {"optimizer": "adam", "lr": 0.01, "scheduler": "warmup_step", "warmup": 2, "step_size": 2}),
    Training("sgd-plateau", {"scheduler": "plateau", "patience": 0, "threshold": 10.0, "accumulate": 2}),
    Training("adam-window", {"optimizer": "adam", "accumulate": 3, "dropout": 0.5, "seed": 7}),
)


def scripts() -> Iterator[Script]:
    """Yields the cases of `auto`, those of a file that is named, and those that are interrupted twice."""
    for training in TRAININGS:
        yield from stopped(training)
    for training in TRAININGS[:2]:
        yield from (_named(training, name) for name in _saved_names())
    yield from (_twice(TRAININGS[1], first, second) for first, second in ((1, 1), (2, 2), (4, 1)))
    yield from (_signalled(TRAININGS[0], hook, call) for hook, call in _signal_places())


def whole(training: Training) -> Script:
    """Returns a training that nothing interrupts: where all others are to end."""
    return Script(
        id=f"SC-WHOLE-{training.name}",
        title=f"{training.name}: not interrupted",
        req=("TR-REST-005",),
        profile="resume",
        attempts=(Act(scenario(EPOCHS, _callbacks(), workload=training.settings())),),
    )


def stopped(training: Training) -> Iterator[Script]:
    """Yields a training that is stopped at each place where it can be saved."""
    return (_stopped(training, hook, call) for hook, call in _places())


def _places() -> Iterator[tuple[str, int]]:
    yield ("on_train_start", 1)
    yield from (("on_batch_end", call) for call in range(1, EPOCHS * BATCHES + 1))
    yield ("on_epoch_end", 1)


def _callbacks(*acts: Json) -> list[Json]:
    """Returns observers of which one has state, and a checkpoint callback that keeps two of the best."""
    return [saving(save_top_k=2), observer("A", *acts), observer("N", counts=True)]


def _stopped(training: Training, hook: str, call: int) -> Script:
    """Returns a training that a stop interrupts and `auto` continues."""
    stop = action(hook, call, "stop", reason="enough")
    first = scenario(EPOCHS, _callbacks(stop), workload=training.settings())
    second = scenario(EPOCHS, _callbacks(), workload=training.settings())
    return Script(
        id=f"SC-RESUME-{training.name}/{hook}.{call}",
        title=f"{training.name}: stopped in call {call} of {hook}, continued by auto",
        req=_REQ + (_WINDOW if "accumulate" in training.workload else ()),
        profile="resume",
        attempts=(Act(first), Act(second, "auto")),
    )


def _saved_names() -> list[str]:
    """Returns the names of a training that saves by steps and by epochs; no window has more than one batch."""
    steps = [(step - 1) // BATCHES for step in range(1, EPOCHS * BATCHES + 1)]
    found = [f"checkpoint_epoch_{epoch:04d}_step_{step:08d}.ckpt" for step, epoch in enumerate(steps, start=1)]
    return found + [f"checkpoint_epoch_{epoch:04d}.ckpt" for epoch in range(1, EPOCHS + 1)]


def _named(training: Training, name: str) -> Script:
    """Returns a training that has come to its end and is continued from one of its files."""
    callbacks = [saving(save_every_steps=1), observer("A"), observer("N", counts=True)]
    given = scenario(EPOCHS, callbacks, workload=training.settings())
    return Script(
        id=f"SC-NAMED-{training.name}/{name.removeprefix('checkpoint_').removesuffix('.ckpt')}",
        title=f"{training.name}: continued from {name}",
        req=(*_REQ, "TR-RES-007", "TR-RES-008", "CPC-NAME-006", "STORE-NAME-003"),
        profile="resume",
        attempts=(Act(given), Act(given, name)),
    )


def there_and_back(training: Training) -> Iterator[Script]:
    """Yields a training that is interrupted at the end of each batch but the last, and one batch later once more."""
    return (_twice(training, call, 1) for call in range(1, EPOCHS * BATCHES))


def _twice(training: Training, first: int, second: int) -> Script:
    """Returns a training that is interrupted after some batches, and again after some more."""
    stops = [action("on_batch_end", call, "stop", reason="enough") for call in (first, second)]
    acts = [scenario(EPOCHS, _callbacks(stop), workload=training.settings()) for stop in stops]
    return Script(
        id=f"SC-TWICE-{training.name}/{first}-{second}",
        title=f"{training.name}: interrupted after {first} and again after {second} batches",
        req=(*_REQ, "TR-RES-007"),
        profile="resume",
        attempts=(
            Act(acts[0]),
            Act(acts[1], "auto"),
            Act(scenario(EPOCHS, _callbacks(), workload=training.settings()), "auto"),
        ),
    )


def _signal_places() -> Iterator[tuple[str, int]]:
    yield from (("on_batch_start", 2), ("on_batch_end", 3), ("on_validation_start", 1), ("on_validation_end", 1))
    yield from (("on_epoch_end", 1), ("on_epoch_start", 2), ("on_batch_end", 5))


def _signalled(training: Training, hook: str, call: int) -> Script:
    """Returns a training that a signal interrupts and `auto` continues from the emergency file."""
    sent = action(hook, call, "signal", signal="SIGTERM")
    first = scenario(EPOCHS, _callbacks(sent), workload=training.settings())
    second = scenario(EPOCHS, _callbacks(), workload=training.settings())
    return Script(
        id=f"SC-RESUME-SIGTERM/{hook}.{call}",
        title=f"a signal in call {call} of {hook}, continued by auto",
        req=(*_REQ, "TR-FAIL-004", "TR-FAIL-007", "TR-FAIL-008", "TR-FAIL-015", "CPC-KEEP-005"),
        profile="resume",
        attempts=(Act(first), Act(second, "auto")),
        needs=frozenset({"signals"}),
    )
