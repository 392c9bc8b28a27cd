"""The trainings of the known answers, carried out by the port's own trainer.

Spec: RW-KAT-001, and section 9 of 50-reference-workload.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tenuto.conformance_tests.scenarios.build import action, observer, saving
from tenuto.conformance_tests.scenarios.script import Act, Script

_REQ: Final = (
    *("RW-NUM-001", "RW-NUM-002", "RW-GEN-001", "RW-GEN-002", "RW-GEN-003", "RW-GEN-004", "RW-DATA-001"),
    *("RW-DATA-002", "RW-DATA-003", "RW-DATA-004", "RW-MODEL-001", "RW-MODEL-002", "RW-MODEL-003", "RW-MODEL-004"),
    *(
        "RW-MODEL-005",
        "RW-MODEL-006",
        "RW-OPT-001",
        "RW-OPT-002",
        "CB-METRIC-001",
        "RW-KAT-001",
        "CB-METRIC-007",
        "CB-METRIC-008",
        "CB-METRIC-010",
    ),
)
_OPTIMIZERS: Final = {"sgd": ("RW-SGD-001",), "adam": ("RW-ADAM-001",)}
_SCHEDULERS: Final = {
    "none": ("RW-SCHED-001",),
    "warmup_step": ("RW-SCHED-002", "TR-LOOP-012"),
    "plateau": ("RW-SCHED-003", "TR-LOOP-013", "CB-ORDER-002"),
}


def scripts(vectors: Path) -> Iterator[Script]:
    """Yields a case for each training, and for each checkpoint of the tables."""
    for row in json.loads((vectors / "kat" / "training.json").read_text("utf-8"))["trainings"]:
        yield Script(
            id=f"SC-ANSWERS/{_plain(row['name'])}",
            title=f"known answers: {_plain(row['shows'])}",
            req=_cited(row["settings"]),
            profile="callbacks",
            attempts=(Act(_scenario(row, [observer("A")])),),
        )
    for row in json.loads((vectors / "kat" / "checkpoint.json").read_text("utf-8"))["checkpoints"]:
        yield Script(
            id=f"SC-ANSWERS-FILE/{_plain(row['name'])}",
            title=f"known answers, files: {_plain(row['shows'])}",
            req=(
                *_cited(row["settings"]),
                "RW-STATE-001",
                "RW-STATE-002",
                "RW-STATE-003",
                "RW-STATE-004",
            ),
            profile="resume",
            attempts=(Act(_scenario(row, [observer("A", _stop(row)), saving(save_frequency=None, save_best=False)])),),
        )


def _scenario(row: dict[str, Any], callbacks: list[Any]) -> dict[str, Any]:
    found = {name: row[name] for name in ("max_epochs", "validate_every")}
    return {"workload": row["settings"], **found, "callbacks": callbacks}


def _stop(row: dict[str, Any]) -> Any:  # noqa: ANN401  JSON of any kind
    """Returns a stop at the boundary of a checkpoint."""
    epoch, batch = (int(row["progress"][name].removeprefix("i:")) for name in ("epoch", "batch_in_epoch"))
    if batch == 0:
        return action(*(("on_epoch_end", epoch) if epoch else ("on_train_start", 1)), "stop", reason="enough")
    settings = row["settings"]
    samples, size = (int(settings.get(name, default)[2:]) for name, default in _BATCHES)
    return action("on_batch_end", epoch * -(-samples // size) + batch, "stop", reason="enough")


_BATCHES: Final = (("samples", "i:22"), ("batch_size", "i:4"))


def _cited(settings: dict[str, str]) -> tuple[str, ...]:
    optimizer, scheduler = settings.get("optimizer", "s:sgd"), settings.get("scheduler", "s:none")
    windows = ("RW-ACC-001", "RW-ACC-002", "TR-LOOP-011") if "accumulate" in settings else ()
    return _REQ + _OPTIMIZERS[_plain(optimizer)] + _SCHEDULERS[_plain(scheduler)] + windows


def _plain(tagged: str) -> str:
    return tagged.removeprefix("s:")
