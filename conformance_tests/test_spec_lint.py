"""The specification linter: each rule fails on a specification with that one fault, and our own has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenuto.conformance_tests import spec_lint
from tenuto.conformance_tests.citations import TRACE_PAGE
from tenuto.conformance_tests.meta.sample import (
    CALLBACKS,
    CONVENTIONS,
    MUTANT,
    POLICY,
    VECTOR,
    VERDICTS,
    change,
    write_sample,
)
from tenuto.conformance_tests.prose import first_sentence, ids_in
from tenuto.conformance_tests.registry import PARTS, REGISTRY, load

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_sample(tmp_path)


def breaches(root: Path) -> list[tuple[str, str]]:
    return [(breach.rule, breach.id) for breach in spec_lint.lint(load(root))]


def test_a_good_specification_has_no_breach(root: Path) -> None:
    specification = load(root)
    assert breaches(root) == []
    assert [one.text for one in specification.requirements][2:] == [
        "A trainer MUST call `will` hooks.",
        "A context MUST NOT hold `A-Z . _` or [-2^63, 2^64).",
        "A port MAY do more over two lines.",
    ]
    assert [one.explanation for one in specification.requirements][2:] == [
        "[A reason that can say more. And more.]",
        "",
        "It then says so.",
    ]
    assert [one.place.line for one in specification.requirements][2:] == [5, 7, 13]
    assert len(specification.tests_of("CB-HOOK-002")) == 2
    assert [(one.form, one.kind, one.id, one.words) for one in specification.examples] == [
        ("block", "trace", "EX-CB-001", ("given={a: 1}", "req=CB-HOOK-001")),
        ("table", "best", "EX-CB-002", ("kind=best", "mode=min")),
    ]


# rule, id of the breach, file, what is replaced, by what
FAULTS = [
    ("keyword-without-id", "", CALLBACKS, "Plain text", "Plain text MUST not. Text"),
    ("keyword-without-id", "", CALLBACKS, "# Callbacks", "# What MUST be"),
    ("keyword-without-id", "", CALLBACKS, "with | rows", "with | one MAY"),
    ("keyword-without-id", "", CALLBACKS, "It then says so.", "It then SHOULD say so."),
    ("one-keyword", "CB-HOOK-001", CALLBACKS, "`will` hooks.", "`will` hooks and MAY not."),
    ("one-keyword", "CB-HOOK-003", CALLBACKS, "A port MAY do", "A port does"),
    ("weak-word", "CB-HOOK-001", CALLBACKS, "`will` hooks", "will hooks"),
    ("weak-word", "CB-HOOK-001", CALLBACKS, "`will` hooks", "what it can hooks"),
    ("weak-word", "CB-HOOK-001", CALLBACKS, "`will` hooks", "what it should hooks"),
    ("id-form", "CB-1", CALLBACKS, "CB-HOOK-001", "CB-1"),
    ("id-form", "CKPT-HOOK-001", CALLBACKS, "CB-HOOK-001", "CKPT-HOOK-001"),
    ("id-form", "CB-HOOK-0001", CALLBACKS, "CB-HOOK-001", "CB-HOOK-0001"),
    ("id-twice", "CB-HOOK-002", CALLBACKS, "CB-HOOK-001", "CB-HOOK-002"),
    ("id-twice", "CB-HOOK-002", REGISTRY, "id: CB-HOOK-001", "id: CB-HOOK-002"),
    ("registry-missing", "CB-HOOK-009", CALLBACKS, "CB-HOOK-001", "CB-HOOK-009"),
    ("registry-extra", "CB-HOOK-009", REGISTRY, "id: CB-HOOK-001", "id: CB-HOOK-009"),
    ("registry-text", "CB-HOOK-001", REGISTRY, "`will` hooks", "will hooks"),
    ("registry-text", "CB-HOOK-002", REGISTRY, "2^64)", "2^63)"),
    ("registry-level", "CB-HOOK-001", REGISTRY, "level: MUST\n", "level: SHOULD\n"),
    ("registry-field", "CB-HOOK-001", REGISTRY, "  pending:", "  pendign:"),
    ("registry-field", "CB-HOOK-001", REGISTRY, "  profile: callbacks\n  text: A tr", "  profile: best\n  text: A tr"),
    ("registry-field", "CB-HOOK-001", REGISTRY, 'level: MUST\n  since: "1.0"', "level: MUST\n  since: 1.0"),
    ("registry-field", "CB-HOOK-001", REGISTRY, "  observe: A trace shows it.\n  pend", "  pend"),
    ("registry-field", "CB-HOOK-003", REGISTRY, "  excluded: Nothing is required.\n", ""),
    ("registry-field", "CB-HOOK-001", REGISTRY, "observe: A trace shows it.", "observe: TODO"),
    ("registry-field", "CB-HOOK-001", REGISTRY, "pending: trainer", "pending: TODO"),
    ("untested", "CB-HOOK-001", REGISTRY, "  pending: trainer\n", ""),
    ("stale", "CB-HOOK-001", VERDICTS, '"profile": "resume"', '"profile": "callbacks"'),
    ("stale", "CB-HOOK-003", VECTOR, "[CB", "[CB-HOOK-003, CB"),
    ("stale", "CB-HOOK-002", REGISTRY, "shows it.\n\n# another", "shows it.\n  excluded: None.\n\n# another"),
    ("caseless", "CB-HOOK-002", VERDICTS, '"CB-HOOK-002"', '"CB-HOOK-003"'),
    ("caseless", "CB-HOOK-002", VERDICTS, '"profile": "codec"', '"profile": "checkpoint"'),
    ("unknown-id", "CB-HOOK-005", "tests/test_it.py", '"CB-HOOK-002"', '"CB-HOOK-005", "CB-HOOK-002"'),
    ("unknown-id", "CB-HOOK-005", "tests/test_it.py", "to CB-HOOK-003", "to CB-HOOK-005"),
    ("unknown-id", "CB-HOOK-009", "callbacks/base.py", "CB-HOOK-001", "CB-HOOK-009"),
    ("unknown-id", "CB-HOOK-009", "callbacks/base.py", "CB-HOOK-003", "CB-HOOK-009"),
    ("unknown-id", "CB-LOOK-001", "ports/mojo/codec.mojo", "CB-HOOK", "CB-LOOK"),
    ("unknown-id", "CB-HOOK-007", VECTOR, "[CB", "[CB-HOOK-007, CB"),
    ("registry-field", "CB-HOOK-004", REGISTRY, "  reason: It asked too much.\n", ""),
    ("registry-field", "CB-HOOK-004", REGISTRY, "  retired:", "  profile: codec\n  retired:"),
    ("registry-field", "CB-HOOK-001", REGISTRY, "  pending: trainer", "  reason: none"),
    ("since", "CB-HOOK-001", REGISTRY, '"1.0"', '"1.1"'),
    ("since", "CB-HOOK-001", REGISTRY, '"1.0"', '"0.8"'),
    ("since", "CB-HOOK-001", REGISTRY, '"1.0"', '"1"'),
    ("since", "CB-HOOK-004", REGISTRY, 'retired: "1.0"', 'retired: "2.0"'),
    ("since", "CB-HOOK-004", "spec/VERSION", "1.0", "0.8"),
    ("since", "CB-HOOK-001", "spec/VERSION", "1.0", "0.9"),
    ("observe-text", "CB-HOOK-001", REGISTRY, "observe: A trace shows it.", "observe: It is seen."),
    ("observe-text", "CB-HOOK-001", REGISTRY, "observe: A trace shows it.", "observe: a trainer must call will hooks"),
    ("observe-text", "CB-HOOK-002", REGISTRY, "observe: A trace shows it.\n\n#", "observe: Not hold A-Z _\n\n#"),
    ("implementation-defined", "", CALLBACKS, "## 2. Implementation-defined", "## 2. Freedoms"),
    ("implementation-defined", "", CONVENTIONS, "## Implementation-defined", "```\n## Implementation-defined\n```"),
    ("retired", "CB-HOOK-004", CALLBACKS, "**CB-HOOK-003**", "**CB-HOOK-004** It MUST be.\n\n**CB-HOOK-003**"),
    ("retired", "CB-HOOK-004", "tests/test_it.py", '"CB-HOOK-002"', '"CB-HOOK-002", "CB-HOOK-004"'),
    ("retired", "CB-HOOK-004", "ports/mojo/codec.mojo", "CB-HOOK-001", "CB-HOOK-004"),
    ("retired", "CB-HOOK-004", VECTOR, "[CB", "[CB-HOOK-004, CB"),
    ("id-twice", "CB-HOOK-004", REGISTRY, "- id: GEN-VER-001", "- id: CB-HOOK-004\n- id: GEN-VER-001"),
    ("registry-extra", "CB-HOOK-004", REGISTRY, '  retired: "1.0"\n', ""),
    ("keyword-without-id", "", CONVENTIONS, "| scored |", "| what MUST be |"),
    ("keyword-without-id", "", CONVENTIONS, "| MUST, MUST NOT |", "| MUST be |"),
    ("keyword-without-id", "", CALLBACKS, "| with | rows |", "| MUST | rows |"),
    ("unknown-part", "CB-HOOK-001", REGISTRY, "pending: trainer", "pending: trainers"),
    ("unknown-part", "", PARTS, "trainer: the trainer", "trainer:"),
    ("idle-part", "", PARTS, "trainer:", "suite: more cases\ntrainer:"),
    ("idle-part", "", REGISTRY, "  pending: trainer\n", ""),
    ("unmutated", "CB-HOOK-002", MUTANT, "[CB-HOOK-002]", "[CB-HOOK-001]"),
    ("mutant", "CB-M-001", MUTANT, "[CB-HOOK-002]", "[CB-HOOK-002, CB-HOOK-009]"),
    ("mutant", "CB-M-001", MUTANT, "[CB-HOOK-002]", "[CB-HOOK-002, CB-HOOK-004]"),
    ("mutant", "CB-M-001", MUTANT, "[CB-HOOK-002]", "CB-HOOK-002"),
    ("mutant", "CB-M-001", MUTANT, "  killed_by: tests/test_it.py::test_it\n", ""),
    ("mutant", "CB-M-001", MUTANT, "  new:", "  reason: none\n  new:"),
    ("mutant", "CB-M-001", MUTANT, "file: callbacks/base.py", "file: callbacks/basis.py"),
    ("mutant", "CB-M-001", "callbacks/base.py", "a < b", "a > b"),
    ("mutant", "CB-M-001", "callbacks/base.py", "pass", "a < b"),
    ("mutant", "CB-M-001", MUTANT, "- id: CB-M-001\n", "- id: CB-M-001\n- id: CB-M-001\n"),
    ("mutant", "CB-HOOK-009", POLICY, "CB-HOOK-003", "CB-HOOK-009"),
    ("mutant", "CB-HOOK-002", POLICY, "CB-HOOK-003", "CB-HOOK-002"),
    ("unknown-reference", "CB-HOOK-009", "docs/porting.md", "CB-HOOK-001", "CB-HOOK-009"),
    ("unknown-reference", "CB-HOOK-004", "docs/porting.md", "CB-HOOK-001", "CB-HOOK-004"),
    ("unknown-reference", "CB-HOOK-004", CALLBACKS, "to CB-HOOK-003", "to CB-HOOK-005"),
    ("unknown-reference", "CB-HOOK-009", "spec/CHANGELOG.md", "CB-HOOK-004", "CB-HOOK-009"),
    ("unknown-reference", "CB-HOOK-009", "README.md", "CB-HOOK-001", "CB-HOOK-009"),
    ("unknown-reference", "CB-HOOK-009", "ports/mojo/README.md", "CB-HOOK-001", "CB-HOOK-009"),
    ("unknown-reference", "CB-HOOK-009", "spec/README.md", "hooks |", "hooks CB-HOOK-009 |"),
    ("unknown-reference", "CB-HOOK-009", "spec/v1/interfaces/ckpt.yaml", "CB-HOOK-001", "CB-HOOK-009"),
    ("unknown-reference", "EX-CB-003", "docs/porting.md", "EX-CB-001", "EX-CB-003"),
    ("unknown-reference", "CKPT-V-002", CALLBACKS, "CKPT-V-001", "CKPT-V-002"),
    ("example", "EX-CPC-001", CALLBACKS, "trace EX-CB-001", "trace EX-CPC-001"),
    ("example", "EX-CB-1", CALLBACKS, "trace EX-CB-001", "trace EX-CB-1"),
    ("example", "", CALLBACKS, 'trace EX-CB-001 given="{a: 1}" req=CB-HOOK-001', "trace"),
    ("example", "EX-CB-001", CALLBACKS, "trace EX-CB-001", "track EX-CB-001"),
    ("example", "EX-CB-001", CALLBACKS, 'given="{a: 1}"', "given"),
    ("example", "EX-CB-001", CALLBACKS, 'given="{a: 1}"', 'given="{a: 1}'),
    ("example", "EX-CB-001", CALLBACKS, "\non_train_start\n", "\n"),
    ("example", "EX-CB-001", CALLBACKS, "example EX-CB-002", "example EX-CB-001"),
    ("example", "EX-CB-001", CONVENTIONS, "Nothing.", "```python EX-CB-001\n1\n```"),
    ("example", "EX-CB-001", CALLBACKS, "## 2.", "```ckpt-hex EX-CB-001\n00\n```\n\n## 2."),
    ("example", "EX-CB-002", CALLBACKS, "kind=best ", "kind=worst "),
    ("example", "EX-CB-002", CALLBACKS, "kind=best ", ""),
    ("example", "EX-CB-002", CALLBACKS, "-->", "-->\n\nNot the table."),
    ("traceability", "", TRACE_PAGE, "CB-HOOK-003", "CB-HOOK-002"),
    ("traceability", "", "tests/test_it.py", "test_it", "test_this"),
    ("traceability", "", "ports/mojo/verdicts.json", "PASS", "FAIL"),
]


@pytest.mark.parametrize(("rule", "identity", "file", "old", "new"), FAULTS)
def test_each_fault_is_found(root: Path, rule: str, identity: str, file: str, old: str, new: str) -> None:
    change(root, file, old, new)
    assert (rule, identity) in breaches(root)


def test_every_rule_has_a_fault_here() -> None:
    assert {fault[0] for fault in FAULTS} == set(spec_lint.RULES)


def test_nothing_asks_for_mutants_before_the_catalog_says_so(root: Path) -> None:
    change(root, MUTANT, "[CB-HOOK-002]", "[CB-HOOK-001]")
    change(root, POLICY, "enforced: true", "enforced: false")
    assert ("unmutated", "CB-HOOK-002") not in breaches(root)


def test_a_reason_of_the_catalog_excuses_from_a_mutant(root: Path) -> None:
    change(root, MUTANT, "[CB-HOOK-002]", "[CB-HOOK-001]")
    change(root, POLICY, "CB-HOOK-003: It is a freedom.", "CB-HOOK-002: Every mutant is caught by the compiler.")
    assert ("unmutated", "CB-HOOK-002") not in breaches(root)


def test_a_retired_requirement_in_the_prose_is_told_once(root: Path) -> None:
    change(root, CALLBACKS, "**CB-HOOK-003**", "**CB-HOOK-004** Another MUST be.\n\n**CB-HOOK-003**")
    assert [rule for rule, _ in breaches(root)] == ["traceability", "retired"]


def test_unpacked_ids_of_a_mark_are_read(root: Path) -> None:
    change(root, "tests/test_it.py", '"CB-HOOK-002"', '*("CB-HOOK-002", "CB-HOOK-005"), CB, *MORE')
    assert breaches(root) == [("unknown-id", "*MORE"), ("unknown-id", "CB"), ("unknown-id", "CB-HOOK-005")]


def test_the_bytes_and_the_document_of_one_example_share_an_id(root: Path) -> None:
    two = "```ckpt-hex EX-CB-003\n00\n```\n\n```document EX-CB-003\n[]\n```\n\n"
    change(root, CALLBACKS, "## 2.", two + "## 2.")
    assert breaches(root) == []
    change(root, CALLBACKS, "## 2.", two + "## 2.")
    assert ("example", "EX-CB-003") in breaches(root)


@pytest.mark.parametrize("block", ["```text\na\n```", "~~~toml\n```trace EX-CB-001\n~~~", "    ````yaml\n```\n````"])
def test_a_block_that_only_names_its_language_is_no_example(root: Path, block: str) -> None:
    change(root, CALLBACKS, "## 2.", f"{block}\n\n## 2.")
    assert breaches(root) == []


def test_a_breach_names_file_and_line(root: Path) -> None:
    change(root, CALLBACKS, "`will` hooks", "can hooks")
    lines = [str(breach) for breach in spec_lint.lint(load(root))]
    assert "spec/v1/10-callbacks.md:5: weak-word: CB-HOOK-001: 'can' in a normative sentence" in lines


def test_a_breach_of_an_entry_names_the_line_on_which_it_begins(root: Path) -> None:
    change(root, REGISTRY, "  profile: callbacks", "  profile: none")
    (breach,) = [breach for breach in spec_lint.lint(load(root)) if breach.rule == "registry-field"]
    assert (root / REGISTRY).read_text().splitlines()[breach.line - 1] == "- id: CB-HOOK-001"


def test_the_message_for_a_stale_entry_says_what_to_remove(root: Path) -> None:
    change(root, VERDICTS, '"profile": "resume"', '"profile": "callbacks"')
    change(root, "tests/test_it.py", '"CB-HOOK-002"', '"CB-HOOK-001", "CB-HOOK-002"')
    told = "\n".join(map(str, spec_lint.lint(load(root))))
    assert "remove `pending: trainer`: tested at tests/test_it.py:4 (--fix-pending)" in told


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("CB-HOOK-001 to CB-HOOK-004, CB-HOOK-001", ["CB-HOOK-001", "CB-HOOK-004", "CB-HOOK-002", "CB-HOOK-003"]),
        ("CB-HOOK-001 to CB-STOP-003", ["CB-HOOK-001", "CB-STOP-003"]),
        ("`CB-HOOK-1` of SHA-256, ISO-8859-1 and EX-AREA-NNN", ["CB-HOOK-1"]),
    ],
)
def test_the_ids_that_a_text_names(text: str, ids: list[str]) -> None:
    assert ids_in(text) == ids


def test_the_first_sentence() -> None:
    assert first_sentence("One. Two.") == "One."
    assert first_sentence("Of 1.0 and `a. b` so. [Why. So.]") == "Of 1.0 and `a. b` so."
    assert first_sentence("No end") == "No end"


@pytest.mark.skipif(not (ROOT / "tests").is_dir(), reason="an installed package comes without its tests")
def test_our_own_specification_is_clean() -> None:
    specification = load(ROOT)
    assert [str(breach) for breach in spec_lint.lint(specification)] == []
    assert len(specification.requirements) > 150
    assert {one.place.path for one in specification.requirements} == {
        f"spec/v1/{name}" for name in specification.areas
    }, "a document without requirements is a parser that failed"
