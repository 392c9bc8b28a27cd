"""A case that a puppet answers, with one thing of the answer spoiled.

Spec: CONF-VERDICT-007.
"""

from __future__ import annotations

from pathlib import Path

from tenuto.conformance_tests.judge import Judgement
from tenuto.conformance_tests.meta.puppet import Puppet, Spoil
from tenuto.conformance_tests.scenarios.build import action, observer, saving, scenario
from tenuto.conformance_tests.scenarios.script import Act, Script
from tenuto.conformance_tests.scenarios.stage import carry_out

__all__ = ["WORKLOAD", "judged", "script"]

STOP = action("on_epoch_end", 1, "stop", reason="enough")
WORKLOAD = {"samples": 8, "validation_samples": 2}
VALUES = {"val_loss": [0.5, 0.4]}


def script(profile: str = "resume") -> Script:
    """Returns two attempts of a run that saves, of which the second ends it; but for `resume` the first alone."""
    acts = [
        scenario(2, [saving(), observer("A", *actions)], workload=WORKLOAD, metrics=VALUES) for actions in ([STOP], [])
    ]
    attempts = (Act(acts[0]), Act(acts[1], "auto")) if profile == "resume" else (Act(acts[0]),)
    return Script("SC-TEST/1", "a test", (), profile, attempts)


def judged(tmp_path: Path, spoil: Spoil, profile: str = "resume", attempt: int = 1) -> Judgement:
    """Returns the judgement of the case, whose answer of one attempt is spoiled."""
    return carry_out(script(profile), Puppet(tmp_path, spoil, attempt))
