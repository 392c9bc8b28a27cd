"""A small specification without a fault, for the tests of the linter and of its commands."""

from __future__ import annotations

from pathlib import Path

from tenuto.conformance_tests.citations import TRACE_PAGE
from tenuto.conformance_tests.registry import PARTS, REGISTRY, load
from tenuto.conformance_tests.trace import page

__all__ = [
    "CALLBACKS",
    "CONVENTIONS",
    "ENTRIES",
    "FILES",
    "MUTANT",
    "POLICY",
    "VECTOR",
    "VERDICTS",
    "change",
    "write_sample",
]

CALLBACKS = "spec/v1/10-callbacks.md"
CONVENTIONS = "spec/v1/00-conventions.md"
VECTOR = "spec/v1/vectors/ckpt/valid/CKPT-V-001.yaml"
MUTANT = "conformance_tests/mutants/best.yaml"
POLICY = "conformance_tests/mutants/policy.yaml"
VERDICTS = "ports/mojo/verdicts.json"

_PROSE = """# Callbacks

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

```trace EX-CB-001 given="{a: 1}" req=CB-HOOK-001
on_train_start
```

<!-- example EX-CB-002 kind=best mode=min -->

| values | best |
| --- | --- |
| 1 | 1 |

## 2. Implementation-defined

All else, see CB-HOOK-001 to CB-HOOK-003 and CKPT-V-001.
"""
_CONVENTIONS = """# Conventions

| word | meaning |
| --- | --- |
| MUST, MUST NOT | scored |

**GEN-VER-001** A runner MUST be kind.

**GEN-VER-002** A port SHOULD NOT be rude.

## Implementation-defined

Nothing.
"""
ENTRIES = """# a comment that stays
- id: CB-HOOK-001
  level: MUST
  since: "1.0"
  profile: callbacks
  text: A trainer MUST call `will` hooks.
  observe: A trace shows it.
  pending: trainer

- id: CB-HOOK-002
  level: MUST NOT
  since: "1.0"
  profile: callbacks
  text: A context MUST NOT hold `A-Z . _` or [-2^63, 2^64).
  observe: A trace shows it.

# another comment
- id: CB-HOOK-003
  level: MAY
  since: "1.0"
  profile: callbacks
  text: A port MAY do more over two lines.
  excluded: Nothing is required.

- id: CB-HOOK-004
  level: MUST
  since: "0.9"
  text: It MUST be.
  retired: "1.0"
  reason: It asked too much.

- id: GEN-VER-001
  level: MUST
  since: "1.0"
  profile: suite
  text: A runner MUST be kind.
  observe: One is asked and answers.

- id: GEN-VER-002
  level: SHOULD NOT
  since: "1.0"
  profile: codec
  text: A port SHOULD NOT be rude.
  observe: One is asked and answers.
"""
_PARTS = "# parts\ntrainer: the trainer\n"
_MUTANT = """- id: CB-M-001
  breaks: [CB-HOOK-002]
  file: callbacks/base.py
  old: a < b
  new: a <= b
  killed_by: tests/test_it.py::test_it
"""
_POLICY = "enforced: true\nwithout:\n  CB-HOOK-003: It is a freedom.\n"
_CHANGELOG = "# Changes\n\n## 1.0\n\nCB-HOOK-004 is retired.\n\n## 0.9, draft\n"
_TEST = '''
import pytest

@pytest.mark.req("CB-HOOK-002")
def test_it() -> None:
    """Spec: CB-HOOK-001 to CB-HOOK-003."""

@pytest.mark.parametrize("one", [pytest.param(1, marks=pytest.mark.req("GEN-VER-001"))])
def test_one(one) -> None: ...
'''
_CODE = '''class Base:
    if True:

        def less(self):
            """Compares.

            Spec: CB-HOOK-001, CB-HOOK-002
            and CB-HOOK-003.

            CB-HOOK-999 is not meant.
            """
            if a < b:
                pass
'''
_README = """| document | area |
| --- | --- |
| [v1/00-conventions.md](v1/00-conventions.md) | `GEN`: how |
| [v1/10-callbacks.md](v1/10-callbacks.md) | `CB`: hooks |
"""
_VERDICTS = """{
  "CB-HOOK-001": {"cases": 1, "profile": "resume", "verdict": "FAIL"},
  "CB-HOOK-002": {"cases": 2, "profile": "codec", "verdict": "PASS"}
}
"""
_SIDECAR = "id: CKPT-V-001\nreq: [CB-HOOK-002]\n"


FILES = {
    "spec/README.md": _README,
    "spec/VERSION": "1.0\n",
    "spec/CHANGELOG.md": _CHANGELOG,
    CONVENTIONS: _CONVENTIONS,
    CALLBACKS: _PROSE,
    PARTS: _PARTS,
    REGISTRY: ENTRIES,
    VECTOR: _SIDECAR,
    "spec/v1/interfaces/ckpt.yaml": "codes: {bad: CB-HOOK-001}\n",
    "README.md": "See CB-HOOK-001.\n",
    "ports/mojo/README.md": "See CB-HOOK-001.\n",
    "docs/porting.md": "See CB-HOOK-001 and EX-CB-001.\n",
    "callbacks/base.py": _CODE,
    "tests/test_it.py": _TEST,
    "ports/mojo/codec.mojo": '"""Reads.\n\nSpec: CB-HOOK-001.\n"""\n',
    VERDICTS: _VERDICTS,
    MUTANT: _MUTANT,
    POLICY: _POLICY,
}


def write_sample(root: Path) -> Path:
    """Writes the specification below a folder, with its page of traceability."""
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / TRACE_PAGE).parent.mkdir()
    (root / TRACE_PAGE).write_text(page(load(root)))
    return root


def change(root: Path, file: str, old: str, new: str) -> None:
    """Replaces the first place of a text in a file; the text has to be there."""
    text = (root / file).read_text()
    assert old in text, f"{file} does not hold {old!r}"
    (root / file).write_text(text.replace(old, new, 1))
