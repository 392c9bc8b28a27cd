"""Faults that implementers make: each is killed by a test of the requirement that it breaks."""

from __future__ import annotations

import pytest
from attrs import frozen
from mutation import ROOT, Copy, Fault

from tenuto.conformance_tests.entries import entries

CATALOG = ROOT / "conformance_tests/mutants"
# What shows that a copy is no program, or that the test was left out, and not that the test has seen the fault.
NO_KILL = {"ImportError", "IndentationError", "ModuleNotFoundError", "NameError", "Skipped", "SyntaxError", "XFailed"}


@frozen
class Mutant:
    """An entry of the catalog.

    Attributes:
        killed_by: The node of the test that fails.
    """

    id: str
    breaks: list[str]
    fault: Fault
    killed_by: str


def _load():
    for path in sorted(CATALOG.glob("*.yaml")):
        if path.name == "policy.yaml":
            continue
        for entry in entries(path.read_text(), path.name):
            fields = dict(entry.fields)
            fault = Fault(*(fields.pop(name) for name in ("file", "old", "new")))
            yield Mutant(**fields, fault=fault)


MUTANTS = list(_load())
TESTS = sorted({mutant.killed_by.partition("::")[0] for mutant in MUTANTS})


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return Copy(tmp_path_factory.mktemp("mutant"))


def test_the_catalog_is_there():
    assert len({mutant.id for mutant in MUTANTS}) == len(MUTANTS) >= 100


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_the_text_that_a_mutant_changes_is_there_once(mutant):
    assert mutant.fault.changed() != (ROOT / mutant.fault.file).read_text()


@pytest.mark.parametrize("module", TESTS)
def test_without_a_mutant_its_test_passes_and_is_marked_with_what_it_breaks(module, copy):
    mutants = [mutant for mutant in MUTANTS if mutant.killed_by.startswith(f"{module}::")]
    copy.make()
    found = copy.run(sorted({mutant.killed_by for mutant in mutants}))
    assert {node: one.raised for node, one in found.items() if one.raised} == {}
    unmarked = [(one.id, req) for one in mutants for req in one.breaks if req not in found[one.killed_by].req]
    assert unmarked == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.id)
def test_a_mutant_is_killed(mutant, copy):
    copy.make(mutant.fault)
    raised = copy.run([mutant.killed_by])[mutant.killed_by].raised
    where = f"{mutant.id}, which breaks {', '.join(mutant.breaks)}: {mutant.killed_by}"
    assert "call" in raised, f"{where}: {raised or 'passed'}; expected the test to fail"
    assert raised["call"] not in NO_KILL, f"{where}: {raised['call']}; expected it to fail because of what it checks"
