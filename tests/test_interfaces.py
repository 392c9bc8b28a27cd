"""The interface files against prose and reference: each rule fails where that one thing is changed, and ours hold."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve
from interface_changes import CHANGES, INTERFACES

from tenuto.interfaces import generate
from tenuto.interfaces.check import check
from tenuto.interfaces.check_classes import check_classes
from tenuto.interfaces.check_codes import check_codes
from tenuto.interfaces.check_keys import check_keys
from tenuto.interfaces.check_ranges import check_ranges, trials_of
from tenuto.interfaces.check_text import check_text
from tenuto.interfaces.findings import RULES
from tenuto.interfaces.load import InterfaceError, load
from tenuto.interfaces.prose import load_prose
from tenuto.interfaces.source import Sources
from tenuto.interfaces.types import parse_range, parse_type
from tenuto.reference.errors import CheckpointError, ConfigError, RestoreError, TenutoError

ROOT = Path(__file__).resolve().parents[1]
BASE, LOOP, FORMAT = (f"{INTERFACES}/{name}.yaml" for name in ("base_callback", "trainer", "ckpt"))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of what the checks read."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("spec", "reference", "callbacks", "conformance_tests", "src", "docs"):
        shutil.copytree(
            ROOT / name,
            root / name,
            symlinks=True,
            ignore=shutil.ignore_patterns("vectors", "__pycache__", "*.egg-info"),
        )
    return root


@pytest.fixture
def changed(checkout):
    """Returns a function that changes one text of one file of the copy; the file is put back afterwards."""
    before: dict[Path, str] = {}

    def change(path, old, new):
        file = checkout / path
        text = file.read_text()
        before.setdefault(file, text)
        assert text.count(old) == 1, f"{path}: {text.count(old)} times {old!r}"
        file.write_text(text.replace(old, new))
        return checkout

    yield change
    for file, text in before.items():
        file.write_text(text)


def findings(root, rule):
    """What one rule finds, without the others that take longer."""
    interfaces, sources = load(root), Sources(root)
    match rule:
        case "interface-text" | "interface-form":
            found = check_text(interfaces, load_prose(root))
        case "interface-generated":
            found = generate.check_constants(root, interfaces)
        case "interface-range":
            found = check_ranges(interfaces, root)
        case "interface-key":
            found = check_keys(interfaces, sources)
        case "interface-code":
            found = check_codes(interfaces, sources)
        case "interface-pending":
            found = check(root).findings
        case _:
            found = check_classes(interfaces, sources)
    return [finding for finding in found if finding.rule == rule]


@pytest.mark.parametrize(
    ("path", "rule", "clause", "change"),
    [(path, *one) for path, changes in CHANGES.items() for one in changes],
)
def test_a_change_is_found_with_its_clause(changed, path, rule, clause, change):
    root = changed(path, *change.split(" => "))
    found = findings(root, f"interface-{rule}")
    assert clause in {finding.clause for finding in found}, "\n".join(map(str, found))


def test_every_rule_has_a_change():
    assert {f"interface-{rule}" for changes in CHANGES.values() for rule, *_ in changes} == RULES.keys()


@pytest.mark.req("GEN-NAME-002", "CPC-SET-001", "TR-SET-001", "TR-STATE-002", "TR-STATE-003", "CB-HOOK-003")
@pytest.mark.req("CKPT-FILE-002", "CKPT-FILE-003", "CKPT-LIM-001", "CKPT-SEG-001", "CKPT-VAL-004", "CKPT-READ-005")
def test_our_own_tree_has_no_finding_and_no_stale_file():
    result = check(ROOT)
    assert [str(finding) for finding in result.findings] == []
    assert result.items > 300
    assert generate.stale(ROOT, generate.generated(load(ROOT), load_prose(ROOT))) == []


# -- the command line --------------------------------------------------------------------------------------------------


def spec(root, *arguments):
    """Runs the copy's own code on the copy; without stored bytecode, which tells changes by the second."""
    command = [sys.executable, "-B", "-m", "tenuto.cli", "spec", *arguments, "--root", root]
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def unchanged(checkout):
    """What the linter says of the copy as it is."""
    return spec(checkout, "lint").stdout


@pytest.mark.parametrize(
    ("path", "old", "new", "line"),
    [
        ("callbacks/settings.py", "field(default=3,", "field(default=4,", "interface-setting: CPC-ERR-002"),
        ("callbacks/base.py", "def on_batch_start(", "def on_batch_begin(", "interface-hook: CB-HOOK-001"),
        ("callbacks/missing_monitors.py", '"monitor_missing"', '"no_monitor"', "interface-code: ERR-CODE-001"),
    ],
    ids=["default", "hook", "code"],
)
def test_lint_fails_and_names_the_clause(unchanged, changed, path, old, new, line):
    assert line not in unchanged
    ended = spec(changed(path, old, new), "lint")
    assert ended.returncode == 1
    assert re.search(rf"^{path}:\d+: {line}: ", ended.stdout, re.MULTILINE), ended.stdout


def test_generate_names_each_stale_file_and_writes_it(checkout, changed):
    assert spec(checkout, "generate", "--check").returncode == 0
    paths = ["reference/events/hooks.py", "docs/reference/errors.md"]
    changed(paths[0], '"on_teardown"', '"on_end"')
    changed(paths[1], "| `bad_magic` |", "| `worse_magic` |")
    ended = spec(checkout, "generate", "--check")
    assert ended.returncode == 1
    assert [line.partition(":")[0] for line in ended.stderr.splitlines()] == paths
    assert sorted(spec(checkout, "generate").stdout.split()) == sorted(paths)
    assert spec(checkout, "generate", "--check").returncode == 0


def test_show_lists_the_items_of_a_clause():
    told = spec(ROOT, "show", "CPC-KEEP-001").stdout
    assert re.search(r"spec/v1/interfaces/checkpoint_callback.yaml:\d+ keep_last_n: how many periodic", told)


def test_a_malformed_interface_file_is_one_line(changed):
    root = changed(BASE, 'version: "1.0"', 'version: "1.0"\nmoods: {}')
    assert [finding.rule for finding in check(root).findings] == ["interface-form"]
    ended = spec(root, "generate")
    assert ended.returncode == 1
    assert re.fullmatch(rf"{BASE}:\d+: moods: no such section; .*\n", ended.stderr)


@pytest.mark.parametrize(
    ("path", "old", "new", "message"),
    [
        (BASE, "clause: CB-HOOK-006, text", "text", "on_epoch_start: clause None; expected the id"),
        (BASE, "on_epoch_start: {context: Context,", "on_epoch_start: {", "on_epoch_start: no context"),
        (BASE, "on_epoch_start: {context: Context", "on_epoch_start: {context: Mood", "'Mood'; expected a type"),
        (BASE, "  on_epoch_start:", "  on_train_start:", "on_train_start: given twice"),
        (BASE, "error: {type: error,", 'error: {type: "list[error",', "type: list[...; expected"),
        (BASE, "range: at least 1,", "range: more than 1,", "range: 'more than 1'; expected"),
        (BASE, "phase: train, clause: CB-METRIC-002", "phase: later, clause: CB-METRIC-002", "duplicate_metric: phase"),
        (BASE, "interface: base_callback", "interface: callback", "expected interface: base_callback"),
        (LOOP, "  already_trained:", "  duplicate_metric:", "duplicate_metric: given twice"),
        (FORMAT, "trailer_bytes: {value: 40,", "trailer_bytes: {size: 40,", "trailer_bytes: 'size'; expected"),
        (FORMAT, "interface: ckpt", "interface: [ckpt", "no YAML"),
    ],
)
def test_a_malformed_item_is_refused_with_its_place(changed, path, old, new, message):
    root = changed(path, old, new)
    with pytest.raises(InterfaceError, match=re.escape(message)) as refused:
        load(root)
    assert refused.value.place.path == path


def test_every_link_of_the_pages_leads_to_the_document_of_its_clause():
    pages = [ROOT / path for path in generate.generated(load(ROOT), load_prose(ROOT)) if path.endswith(".md")]
    found = [
        (page, *link) for page in pages for link in re.findall(r"\[([A-Z]+-[A-Z]+-\d+)\]\(([^)]+)\)", page.read_text())
    ]
    assert len(found) > 300
    for page, clause, link in found:
        assert f"**{clause}**" in (page.parent / link).read_text(), f"{page}: {clause}"


# -- types, ranges and errors ------------------------------------------------------------------------------------------


def test_types_are_read_back():
    for text in ("int", "optional[list[str]]", "map[str, list[BestEntry]]", "oneof[enum[never, auto], path]"):
        assert str(parse_type(text)) == text
    assert parse_type("map[str, optional[Metric]]").names() == {"Metric"}
    assert parse_type("enum[Metric]").names() == set()


@pytest.mark.parametrize("text", ["", "list", "list[int", "list[int]]", "map[int]", "int[str]", "a b", "enum[]"])
def test_what_is_no_type_is_refused(text):
    with pytest.raises(ValueError, match="type"):
        parse_type(text)


@pytest.mark.parametrize(
    ("kind", "extent", "inside", "outside"),
    [
        ("int", "at least 1", {1, 2}, {0, 1.5}),
        ("optional[int]", "above 0", {1, None}, {0}),
        ("float64", "finite, at least 0.0", {0.0, 5e-324}, {-5e-324, float("inf")}),
        ("float64", "finite, above 0.0", {5e-324}, {0.0}),
        ("str", "not empty", {"x"}, {"", 3, None}),
        ("enum[min, max]", "", {"min", "max"}, {"MIN", ""}),
    ],
)
def test_values_on_both_sides_of_a_range_are_tried(kind, extent, inside, outside):
    some = load(ROOT).base_callback.records[0].fields[0]
    trials = trials_of(evolve(some, type=parse_type(kind), range=parse_range(extent) if extent else some.range))
    assert inside <= {trial.value for trial in trials if trial.is_inside}
    assert outside <= {trial.value for trial in trials if not trial.is_inside}


@pytest.mark.req("ERR-CODE-001", "GEN-NAME-001")
def test_an_error_with_a_code_or_phase_that_the_specification_lacks_cannot_be_made():
    with pytest.raises(ValueError, match=r"error 'disk_is_full' in phase 'io'; expected a code"):
        CheckpointError("disk_is_full", "no", phase="io")
    with pytest.raises(ValueError, match="error 'disk_full' in phase 'open'; expected phase io"):
        CheckpointError("disk_full", "no", phase="open")
    with pytest.raises(ValueError, match="expected phase restore"):
        ConfigError("state_mismatch", "no")
    with pytest.raises(ValueError, match="expected phase config"):
        RestoreError("invalid_setting", "no")
    assert CheckpointError("bad_tensor", "no", phase="encode").phase == "encode"
    assert TenutoError("x_of_my_own", "no", phase="train").code == "x_of_my_own"
