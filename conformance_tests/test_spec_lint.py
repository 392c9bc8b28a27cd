"""The specification linter: each rule fails on a specification with that one fault, and our own has none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tenuto.conformance_tests import spec_lint
from tenuto.conformance_tests.registry import REGISTRY, first_sentence, load

ROOT = Path(__file__).resolve().parents[1]

PROSE = """# Callbacks

Area `CB`. Plain text that can say what it will.

**CB-HOOK-001** A trainer MUST call `will` hooks. [A reason that can say more. And more.]

**CB-HOOK-002** A context MUST NOT hold `A-Z . _` or [-2^63, 2^64).

| a | table |
| --- | --- |
| with | rows |

**CB-HOOK-003** A port MAY do
more over two lines. It then says so.

```text
MUST in a block of code requires nothing
```
"""
ENTRIES = """# a comment that stays
- id: CB-HOOK-001
  level: MUST
  since: "1.0"
  profile: callbacks
  text: A trainer MUST call `will` hooks.
  observe: It is seen.
  pending: trainer tests

- id: CB-HOOK-002
  level: MUST NOT
  since: "1.0"
  profile: callbacks
  text: A context MUST NOT hold `A-Z . _` or [-2^63, 2^64).
  observe: It is seen.

# another comment
- id: CB-HOOK-003
  level: MAY
  since: "1.0"
  profile: callbacks
  text: A port MAY do more over two lines.
  excluded: Nothing is required.
"""
TEST = '''
import pytest

@pytest.mark.req("CB-HOOK-002")
def test_it() -> None:
    """Spec: CB-HOOK-001 to CB-HOOK-003."""
'''
README = "| document | area |\n| --- | --- |\n| [v1/10-callbacks.md](v1/10-callbacks.md) | `CB`: hooks |\n"
SIDECAR = "id: CKPT-V-001\nreq: [CB-HOOK-002]\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "spec/README.md": README,
        "spec/v1/10-callbacks.md": PROSE,
        REGISTRY: ENTRIES,
        "tests/test_it.py": TEST,
        "spec/v1/vectors/ckpt/valid/CKPT-V-001.yaml": SIDECAR,
        "ports/mojo/codec.mojo": '"""Reads.\n\nSpec: CB-HOOK-001.\n"""\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def breaches(root: Path) -> list[tuple[str, str]]:
    return [(breach.rule, breach.id) for breach in spec_lint.lint(load(root))]


def test_a_good_specification_has_no_breach(root: Path) -> None:
    specification = load(root)
    assert breaches(root) == []
    assert [one.text for one in specification.requirements] == [
        "A trainer MUST call `will` hooks.",
        "A context MUST NOT hold `A-Z . _` or [-2^63, 2^64).",
        "A port MAY do more over two lines.",
    ]
    assert [one.place.line for one in specification.requirements] == [5, 7, 13]
    assert len(specification.tests_of("CB-HOOK-002")) == 2
    assert spec_lint.summary(specification) == {
        "requirements": 3,
        "areas": {"CB": {"MUST": 1, "MUST NOT": 1, "MAY": 1}},
        "tested": 1,
        "pending": {"trainer tests": 1},
        "excluded": 1,
    }


# rule, id of the breach, file, what is replaced, by what
FAULTS = [
    ("keyword-without-id", "", "spec/v1/10-callbacks.md", "Plain text", "Plain text MUST not. Text"),
    ("keyword-without-id", "", "spec/v1/10-callbacks.md", "with | rows", "with | one MAY"),
    ("keyword-without-id", "", "spec/v1/10-callbacks.md", "It then says so.", "It then SHOULD say so."),
    ("one-keyword", "CB-HOOK-001", "spec/v1/10-callbacks.md", "`will` hooks.", "`will` hooks and MAY not."),
    ("one-keyword", "CB-HOOK-003", "spec/v1/10-callbacks.md", "A port MAY do", "A port does"),
    ("weak-word", "CB-HOOK-001", "spec/v1/10-callbacks.md", "`will` hooks", "will hooks"),
    ("weak-word", "CB-HOOK-001", "spec/v1/10-callbacks.md", "`will` hooks", "what it can hooks"),
    ("weak-word", "CB-HOOK-001", "spec/v1/10-callbacks.md", "`will` hooks", "what it should hooks"),
    ("id-form", "CB-1", "spec/v1/10-callbacks.md", "CB-HOOK-001", "CB-1"),
    ("id-form", "CKPT-HOOK-001", "spec/v1/10-callbacks.md", "CB-HOOK-001", "CKPT-HOOK-001"),
    ("id-form", "CB-HOOK-0001", "spec/v1/10-callbacks.md", "CB-HOOK-001", "CB-HOOK-0001"),
    ("id-twice", "CB-HOOK-002", "spec/v1/10-callbacks.md", "CB-HOOK-001", "CB-HOOK-002"),
    ("id-twice", "CB-HOOK-002", REGISTRY, "id: CB-HOOK-001", "id: CB-HOOK-002"),
    ("registry-missing", "CB-HOOK-009", "spec/v1/10-callbacks.md", "CB-HOOK-001", "CB-HOOK-009"),
    ("registry-extra", "CB-HOOK-009", REGISTRY, "id: CB-HOOK-001", "id: CB-HOOK-009"),
    ("registry-text", "CB-HOOK-001", REGISTRY, "`will` hooks", "will hooks"),
    ("registry-text", "CB-HOOK-002", REGISTRY, "2^64)", "2^63)"),
    ("registry-level", "CB-HOOK-001", REGISTRY, "level: MUST\n", "level: SHOULD\n"),
    ("registry-field", "CB-HOOK-001", REGISTRY, "  pending:", "  pendign:"),
    ("registry-field", "CB-HOOK-001", REGISTRY, "  profile: callbacks\n  text: A tr", "  profile: best\n  text: A tr"),
    ("registry-field", "CB-HOOK-001", REGISTRY, 'level: MUST\n  since: "1.0"', "level: MUST\n  since: 1.0"),
    ("registry-field", "CB-HOOK-001", REGISTRY, "  observe: It is seen.\n  pend", "  pend"),
    ("registry-field", "CB-HOOK-003", REGISTRY, "  excluded:", "  observe: Both.\n  excluded:"),
    ("untested", "CB-HOOK-001", REGISTRY, "  pending: trainer tests\n", ""),
    ("stale", "CB-HOOK-001", "tests/test_it.py", '"CB-HOOK-002"', '"CB-HOOK-002", "CB-HOOK-001"'),
    ("stale", "CB-HOOK-003", "spec/v1/vectors/ckpt/valid/CKPT-V-001.yaml", "[CB", "[CB-HOOK-003, CB"),
    ("unknown-id", "CB-HOOK-004", "tests/test_it.py", '"CB-HOOK-002"', '"CB-HOOK-004", "CB-HOOK-002"'),
    ("unknown-id", "CB-HOOK-004", "tests/test_it.py", "to CB-HOOK-003", "to CB-HOOK-004"),
    ("unknown-id", "CB-LOOK-001", "ports/mojo/codec.mojo", "CB-HOOK", "CB-LOOK"),
    ("unknown-id", "CB-HOOK-007", "spec/v1/vectors/ckpt/valid/CKPT-V-001.yaml", "[CB", "[CB-HOOK-007, CB"),
]


def break_it(root: Path, file: str, old: str, new: str) -> None:
    text = (root / file).read_text()
    assert old in text
    (root / file).write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(("rule", "identity", "file", "old", "new"), FAULTS)
def test_each_fault_is_found(root: Path, rule: str, identity: str, file: str, old: str, new: str) -> None:
    break_it(root, file, old, new)
    assert (rule, identity) in breaches(root)


def test_every_rule_has_a_fault_here() -> None:
    assert {fault[0] for fault in FAULTS} == set(spec_lint.RULES)


def test_a_breach_names_file_and_line(root: Path) -> None:
    break_it(root, "spec/v1/10-callbacks.md", "`will` hooks", "can hooks")
    lines = [str(breach) for breach in spec_lint.lint(load(root))]
    assert "spec/v1/10-callbacks.md:5: weak-word: CB-HOOK-001: 'can' in a normative sentence" in lines


def test_the_message_for_a_stale_entry_says_what_to_remove(root: Path) -> None:
    break_it(root, "tests/test_it.py", '"CB-HOOK-002"', '"CB-HOOK-001", "CB-HOOK-002"')
    (told,) = map(str, spec_lint.lint(load(root)))
    assert "remove `pending: trainer tests`: tested at tests/test_it.py:4 (--fix-pending)" in told


def spec(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tenuto.cli", "spec", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_fix_pending_removes_these_lines_and_nothing_else(root: Path) -> None:
    break_it(root, "tests/test_it.py", '"CB-HOOK-002"', '"CB-HOOK-001", "CB-HOOK-002"')
    assert spec("lint", "--root", root).returncode == 1
    ended = spec("lint", "--root", root, "--fix-pending")
    assert ended.returncode == 0, ended.stdout
    assert "removed `pending` from 1: CB-HOOK-001" in ended.stdout
    assert (root / REGISTRY).read_text() == ENTRIES.replace("  pending: trainer tests\n", "")


def test_a_folded_pending_is_removed_whole() -> None:
    folded = "- id: CB-HOOK-001\n  pending: >-\n    trainer\n    tests\n\n- id: CB-HOOK-002\n  pending: other\n"
    assert spec_lint.without_pending(folded, {"CB-HOOK-001"}) == (
        "- id: CB-HOOK-001\n\n- id: CB-HOOK-002\n  pending: other\n"
    )


def test_show(root: Path) -> None:
    ended = spec("show", "cb-hook-002", "--root", root)
    assert ended.returncode == 0
    for told in ("A context MUST NOT hold", "spec/v1/10-callbacks.md:7", "tests/test_it.py:4 test_it", "It is seen."):
        assert told in ended.stdout
    unknown = spec("show", "CB-HOOK-099", "--root", root)
    assert unknown.returncode == 1
    assert "CB-HOOK-001" in unknown.stderr


def test_a_folder_without_a_specification_is_usage(tmp_path: Path) -> None:
    assert spec("lint", "--root", tmp_path).returncode == 2


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
