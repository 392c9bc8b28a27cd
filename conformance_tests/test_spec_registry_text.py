"""Changes to the text of the registry: what is written, where, and that nothing else moves."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tenuto.conformance_tests.registry import REGISTRY, load
from tenuto.conformance_tests.registry_text import with_missing, with_prose, without_pending

PROSE = """# Callbacks

**CB-HOOK-001** A trainer MUST call hooks.

**CB-HOOK-002** A context MUST NOT hold `A: # _`. [Why.]

**CB-STOP-001** A port MAY stop.
"""
MORE = "# Format\n\n**CKPT-FILE-001** A file MUST be.\n"
ENTRIES = """# what this file is
#
# and its fields

# about hooks
- id: CB-HOOK-001
  level: MUST
  since: "1.0"
  profile: callbacks
  text: >-
    A trainer MUST call hooks.
  observe: It is seen in a trace.

# about contexts

# of hooks
- id: CB-HOOK-002
  level: MUST NOT  # quite
  since: "1.0"
  profile: checkpoint
  text: 'A context MUST NOT hold `A: # _`.'
  observe: It is seen in a trace.
  pending: later

- id: CB-STOP-001
  level: MAY
  since: "1.0"
  profile: resume
  text: A port MAY stop.
  excluded: Nothing is required.

# the last words
"""
README = """
| [v1/10-callbacks.md](v1/10-callbacks.md) | `CB`: hooks |
| [v1/40-ckpt-format.md](v1/40-ckpt-format.md) | `CKPT`: bytes |
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "spec/README.md": README,
        "spec/VERSION": "1.3\n",
        "spec/v1/10-callbacks.md": PROSE,
        REGISTRY: ENTRIES,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def insert(root: Path, before: str, clause: str) -> None:
    path = root / "spec/v1/10-callbacks.md"
    path.write_text(path.read_text().replace(f"**{before}**", f"{clause}\n\n**{before}**"))


def test_what_is_complete_stays_byte_for_byte(root: Path) -> None:
    assert with_missing(ENTRIES, load(root)) == (ENTRIES, [])
    assert with_prose(ENTRIES, load(root)) == (ENTRIES, [])
    assert without_pending(ENTRIES, {"CB-HOOK-001"}) == ENTRIES


def test_a_missing_entry_is_added_behind_the_requirement_before_it(root: Path) -> None:
    insert(root, "CB-HOOK-002", "**CB-HOOK-003** A trainer SHOULD be quick. [Or not.]")
    text, added = with_missing(ENTRIES, load(root))
    skeleton = """
- id: CB-HOOK-003
  level: SHOULD
  since: "1.3"
  profile: callbacks
  text: >-
    A trainer SHOULD be quick.
  observe: TODO
"""
    first = "  observe: It is seen in a trace.\n"
    assert added == ["CB-HOOK-003"]
    assert text == ENTRIES.replace(first, first + skeleton, 1)


def test_several_missing_entries_keep_the_order_of_the_prose(root: Path) -> None:
    insert(root, "CB-HOOK-001", "**CB-HOOK-007** A port MUST do a.")
    insert(root, "CB-STOP-001", "**CB-HOOK-008** A port MUST do b.\n\n**CB-HOOK-009** A port MUST do c.")
    (root / "spec/v1/40-ckpt-format.md").write_text(MORE)
    text, added = with_missing(ENTRIES, load(root))
    assert added == ["CB-HOOK-007", "CB-HOOK-008", "CB-HOOK-009", "CKPT-FILE-001"]
    entries = yaml.safe_load(text)
    assert [entry["id"] for entry in entries] == [
        *("CB-HOOK-007", "CB-HOOK-001", "CB-HOOK-002", "CB-HOOK-008", "CB-HOOK-009", "CB-STOP-001", "CKPT-FILE-001")
    ]
    profiles = {entry["id"]: entry["profile"] for entry in entries}
    assert profiles["CB-HOOK-007"] == "callbacks"
    assert profiles["CB-HOOK-008"] == "checkpoint", "the nearest of the topic, and CB-STOP-001 is as near"
    assert profiles["CKPT-FILE-001"] == "TODO", "no neighbor in its area"
    assert text.startswith("# what this file is\n#\n# and its fields\n\n- id: CB-HOOK-007\n")
    assert "  pending: TODO\n\n# about hooks\n- id: CB-HOOK-001\n" in text
    (root / REGISTRY).write_text(text)
    assert with_missing(text, load(root)) == (text, []), "again, nothing is missing"


def test_a_new_topic_takes_the_profile_of_its_nearest_in_the_area(root: Path) -> None:
    insert(root, "CB-STOP-001", "**CB-NEW-001** A port SHOULD do b.")
    insert(root, "CB-HOOK-002", "**CB-MORE-001** A port SHOULD do b.")
    profiles = {entry["id"]: entry["profile"] for entry in yaml.safe_load(with_missing(ENTRIES, load(root))[0])}
    assert profiles["CB-NEW-001"] in {"checkpoint", "resume"}
    assert profiles["CB-MORE-001"] in {"callbacks", "checkpoint"}


def test_a_tested_requirement_is_not_called_pending(root: Path) -> None:
    insert(root, "CB-STOP-001", "**CB-HOOK-008** A port MUST do b.\n\n**CB-HOOK-009** A port MUST do c.")
    (root / "tests").mkdir()
    (root / "tests/test_it.py").write_text('@pytest.mark.req("CB-HOOK-008")\ndef test_it(): ...\n')
    entries = {entry["id"]: entry for entry in yaml.safe_load(with_missing(ENTRIES, load(root))[0])}
    assert "pending" not in entries["CB-HOOK-008"]
    assert entries["CB-HOOK-009"]["pending"] == "TODO"


def test_a_new_registry_is_filled(root: Path) -> None:
    (root / REGISTRY).write_text("")
    text, added = with_missing("", load(root))
    assert [entry["id"] for entry in yaml.safe_load(text)] == added == ["CB-HOOK-001", "CB-HOOK-002", "CB-STOP-001"]


@pytest.mark.parametrize(
    "sentence",
    [
        "A trainer MAY call hooks.",
        "A: `b` # c MUST {d} [e, f) - 'g' \"h\".",
        "Two  spaces MUST stay.",
        " ".join(["word-with-hyphens"] * 30) + " MUST be folded.",
        "Bytes MUST be `" + "0" * 150 + "`.",
    ],
)
def test_the_text_of_the_prose_is_taken_over(root: Path, sentence: str) -> None:
    prose = root / "spec/v1/10-callbacks.md"
    prose.write_text(PROSE.replace("A context MUST NOT hold `A: # _`.", sentence))
    text, changed = with_prose(ENTRIES, load(root))
    assert changed == ["CB-HOOK-002"]
    entry = yaml.safe_load(text)[1]
    assert entry["text"] == sentence
    assert entry["level"] == ("MAY" if "MAY" in sentence else "MUST")
    before, after = ENTRIES.splitlines(), text.splitlines()
    assert [line for line in before if line not in after] == before[17:18] + before[20:21], "level and text alone"
    long = [line for line in after if len(line) > 120]
    assert not long or "0" * 150 in long[0]


def test_a_retired_entry_is_left_alone(root: Path) -> None:
    retired = ENTRIES.replace("  excluded: Nothing is required.", '  retired: "1.3"\n  reason: None used it.')
    (root / REGISTRY).write_text(retired)
    prose = root / "spec/v1/10-callbacks.md"
    prose.write_text(PROSE.replace("A port MAY stop.", "A port MUST stop."))
    assert with_prose(retired, load(root)) == (retired, [])
    assert with_missing(retired, load(root)) == (retired, [])


def test_a_folded_field_is_removed_whole() -> None:
    folded = "- id: CB-HOOK-001\n  pending: >-\n    trainer\n    tests\n\n- id: CB-HOOK-002\n  pending: other\n"
    assert without_pending(folded, {"CB-HOOK-001"}) == "- id: CB-HOOK-001\n\n- id: CB-HOOK-002\n  pending: other\n"
