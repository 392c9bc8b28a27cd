"""Many runs as one case, where a case for each would be too many.

Spec: CPC-BEST-004.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from typing import TypeAlias

from tenuto.conformance_tests.cases import Talk
from tenuto.conformance_tests.judge import PASSED, Judgement
from tenuto.conformance_tests.oracle.document import Json
from tenuto.conformance_tests.scenarios.script import Act, Script
from tenuto.conformance_tests.scenarios.stage import carry_out_in

Runs: TypeAlias = Iterable[tuple[str, dict[str, Json]]]


def carry_out_all(name: str, scenarios: Runs, talk: Talk) -> Judgement:
    """Carries out one run after the other, each in a folder of its own.

    Args:
        name: The id of the case.
        scenarios: The runs, each with a text that says which it is.
        talk: The conversation with the port.

    Returns:
        The judgement of the first that differs.
    """
    root = talk.scratch()
    for number, (text, scenario) in enumerate(scenarios):
        folder = root / str(number)
        folder.mkdir()
        script = Script(name, text, (), "checkpoint", (Act(scenario),))
        judgement = carry_out_in(folder, script, talk)
        if judgement != PASSED:
            return Judgement(judgement.verdict, f"{text}: {judgement.detail}", judgement.expected, judgement.actual)
        shutil.rmtree(folder)
    return PASSED
