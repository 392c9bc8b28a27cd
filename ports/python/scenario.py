"""The interpreter: carries out a scenario with the trainer and the callbacks of the reference.

Spec: SCN-OP-002 to SCN-OP-004, SCN-DATA-001, SCN-EVENT-002.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TextIO

from scenario_callbacks import Stage, code_of, make_callback
from scenario_form import Scenario
from tagged import write_scalar

from tenuto.reference.errors import TenutoError, TrainingInterrupted
from tenuto.reference.trainer.loop import Trainer
from tenuto.reference.trainer.metrics import flatten
from tenuto.reference.workload import ReferenceWorkload, WorkloadSettings


class ScriptedWorkload(ReferenceWorkload):
    """The reference workload, but for what its validation measures.

    Spec: SCN-DATA-001.
    """

    def __init__(self, scenario: Scenario) -> None:
        super().__init__(WorkloadSettings.from_map(scenario.workload))
        self._script, self._epoch = scenario.metrics, 0

    def open_epoch(self, epoch: int, skip_batches: int) -> None:
        """See `Workload`."""
        self._epoch = epoch
        super().open_epoch(epoch, skip_batches)

    def validate(self, poll: Callable[[], None]) -> Mapping[str, Any]:
        """See `Workload`."""
        measured = flatten(super().validate(poll))
        script = {name: values[self._epoch] for name, values in self._script.items() if self._epoch < len(values)}
        return {name: value for name, value in {**measured, **script}.items() if value is not None}


def carry_out(scenario: Scenario, folder: str, events: TextIO, resume: str) -> dict[str, Any]:
    """Trains once as a scenario says.

    Args:
        scenario: What `read_scenario` returned.
        folder: Where its checkpoints go.
        events: The file of events.
        resume: The argument of `fit`.

    Returns:
        The members of the reply.

    Raises:
        TenutoError: The attempt was refused before `on_train_start`.

    Spec: SCN-OP-002, SCN-OP-003, SCN-OP-004.
    """
    stage = Stage(folder, events)
    parts = scenario.callbacks
    made = [make_callback(part, stage) for part in parts]
    stage.trainer = Trainer(ScriptedWorkload(scenario), callbacks=[stage, *made], **scenario.trainer)
    outcome, detail = _train(stage, scenario, resume)
    now = stage.trainer.progress
    progress = {name: write_scalar(getattr(now, name)) for name in ("epoch", "batch_in_epoch", "global_step")}
    return {"reply": "ok", "outcome": outcome, "detail": detail, "progress": progress}


def _train(stage: Stage, scenario: Scenario, resume: str) -> tuple[str, str]:
    """Trains and makes the manual saves after it; returns the outcome and its detail."""
    try:
        result = stage.trainer.fit(resume, **scenario.fit)
        for save in scenario.then:
            stage.save(save)
    except (KeyboardInterrupt, TrainingInterrupted) as error:
        return "interrupted", code_of(error)
    except TenutoError as error:
        if not stage.has_begun:
            raise
        return "raised", error.code
    return ("finished", "") if result.stop_reason is None else ("stopped", result.stop_reason)
