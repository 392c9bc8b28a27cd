import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tenuto.conformance_tests.clauses import clauses, spec_folder
from tenuto.conformance_tests.explanation import explained
from tenuto.conformance_tests.plan import all_cases
from tenuto.conformance_tests.selection import choose

PORT = Path("a b/port.toml")


EVERY_CASE = all_cases(spec_folder())


def told(identity: str) -> str:
    text = explained(identity, EVERY_CASE, PORT)
    assert text is not None
    return text


def filter_in(text: str) -> str:
    """The filter of the last command in a text."""
    return shlex.split(text.splitlines()[-1])[-1]


def test_a_requirement_is_told_with_its_clause_and_its_cases() -> None:
    text = told("conf-op-005")
    assert text.startswith("CONF-OP-005: MUST, profile codec-read, since 1.0\n")
    assert clauses()["CONF-OP-005"] in " ".join(text.split())
    assert "seen by: Exit code and time after `bye` and after end of input." in text
    assert "\ncases: 2\n  CONF-END-OF-INPUT  the end of its input ends the adapter\n  CONF-BYE  bye ends" in text
    assert [case.id for case in choose(EVERY_CASE, None, [filter_in(text)])] == ["CONF-END-OF-INPUT", "CONF-BYE"]
    assert shlex.split(text.splitlines()[-1])[-3] == "a b/port.toml"


def test_many_cases_are_counted() -> None:
    text = told("CKPT-READ-001")
    assert text.count("\n  CKPT-") == 20
    cases = int(text.split("\ncases: ")[1].split()[0])
    assert cases > 400
    assert f"\n  and {cases - 20} more\n" in text


def test_a_requirement_without_a_case_is_told_so() -> None:
    text = told("CONF-PORT-001")
    assert "\ncases: none" in text
    assert "run:" not in text


@pytest.mark.parametrize(
    ("identity", "asked", "expected"),
    [
        ("CONF-HELLO", "hello", "the nonce"),
        ("CONF-ECHO-TEXT", "echo of ['map'", "an equal value"),
        ("CONF-UNKNOWN-OP", "an operation that nobody knows", "unsupported"),
        ("CONF-BAD-LINE", "a line that is no JSON", "internal"),
        ("CONF-BAD-OUT-RECODE", "recode of a good file", "error io_error in phase io"),
        ("CONF-BYE", "bye", "exit code 0"),
        ("CONF-END-OF-INPUT", "nothing more", "exit code 0"),
        ("CKPT-I-001/refuse", "decode of the file", "error file_too_small in phase open"),
        ("CKPT-V-001/decode", "decode of the file", "ok, canonical true, and the document"),
        ("CKPT-V-170/strip", "recode of the file, strip_origin true", "ok, and the canonical bytes"),
    ],
)
def test_a_case_is_told_with_what_it_asks_and_expects(identity: str, asked: str, expected: str) -> None:
    text = told(identity)
    lines = text.splitlines()
    assert lines[0].startswith(f"{identity}: ")
    assert lines[2].startswith(f"asked:    {asked}")
    assert lines[3].startswith("expected: ")
    assert expected in lines[3]
    assert [case.id for case in choose(EVERY_CASE, None, [filter_in(text)])] == [identity]


def test_a_vector_is_told_case_by_case_with_its_files() -> None:
    text = told("CKPT-V-001")
    of_the_vector = [case.id for case in EVERY_CASE if case.id.startswith("CKPT-V-001/")]
    assert len(of_the_vector) > 1
    assert [line.partition(":")[0] for line in text.splitlines() if line.startswith("CKPT-V-001/")] == of_the_vector
    files = [line.split()[-1] for line in text.splitlines() if line.startswith("file:")]
    assert {Path(file).suffix for file in files} == {".ckpt", ".yaml", ".json"}
    assert all(Path(file).is_file() for file in files)


def test_every_case_can_be_explained() -> None:
    kinds = {type(case.task): case.id for case in EVERY_CASE}
    assert len(kinds) >= 9
    for identity in kinds.values():
        assert "run: " in told(identity)


def test_the_command_says_what_there_is_not() -> None:
    command = [sys.executable, "-m", "tenuto.cli", "conformance", "explain"]
    ended = subprocess.run([*command, "CKPT-V-0"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("CKPT-V-0: no such requirement, case or vector; expected an id")
    ended = subprocess.run([*command, "CONF-BYE"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.splitlines()[0][:9]) == (0, "CONF-BYE:")
