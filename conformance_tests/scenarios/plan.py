"""All scenario cases: those of the committed files, and the families that are made at run time.

Spec: 95-scenarios.md, section 6 of 90-conformance.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tenuto.conformance_tests.cases import Case, Conversation
from tenuto.conformance_tests.scenarios.families import answers, hooks, resumes, selection, settings
from tenuto.conformance_tests.scenarios.families.selection import Selection, shared_scenarios, single_scenarios
from tenuto.conformance_tests.scenarios.packed import Runs, carry_out_all
from tenuto.conformance_tests.scenarios.script import Script, read_scripts
from tenuto.conformance_tests.scenarios.stage import carry_out

PACKED_WEIGHT = 32  # hundreds of runs: two such cases fill the share of a process


def scripts(vectors: Path) -> Iterator[Script]:
    """Yields every case that is one scenario, or several attempts of one.

    Args:
        vectors: The folder of the vectors of the specification.

    Raises:
        SuiteError: A committed case is malformed.
    """
    yield from read_scripts(vectors / "scenarios")
    yield from hooks.scripts()
    yield from settings.scripts()
    yield from answers.scripts(vectors)
    yield from resumes.scripts()


def scenario_cases(vectors: Path) -> Iterator[Case]:
    """Yields every scenario case in the order in which they are run."""
    for script in scripts(vectors):
        yield Case(
            id=script.id,
            profile=script.profile,
            req=script.req,
            title=script.title,
            task=Conversation(partial(carry_out, script)),
            needs=script.needs,
            lacks=script.lacks,
        )
    for one in selection.selections():
        yield _packed(f"SC-SELECTION/{one.name}", f"every sequence of {one.length} values", one, single_scenarios)
        title = f"every sequence of {selection.LENGTH} values, of many monitors"
        yield _packed(f"SC-MONITORS/{one.name}", title, one, shared_scenarios)


def _packed(name: str, title: str, one: Selection, make: Callable[[Selection], Runs]) -> Case:
    """Returns a case of many runs, which are made when it is carried out."""
    task = Conversation(lambda talk: carry_out_all(name, make(one), talk))
    return Case(name, "checkpoint", selection.REQ, f"{title}, {one.name}", task, weight=PACKED_WEIGHT)
