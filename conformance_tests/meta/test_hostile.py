"""The runner survives every adapter of `hostile/adapter.py` and gives it exactly the verdicts that it deserves.

No adapter there can read files, so `FAIL` is the right verdict of a file that it was asked about in good order.
"""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from attrs import frozen

from tenuto.conformance_tests.cases import Case, Refusal, Refuse, SuiteError, select
from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.plan import adapter_cases, all_cases
from tenuto.conformance_tests.port import read_port
from tenuto.conformance_tests.results import Result, Summary
from tenuto.conformance_tests.runner import run
from tenuto.conformance_tests.session import Deadlines

ADAPTER = Path(__file__).parent / "hostile" / "adapter.py"
IMPATIENT = Deadlines(hello=20, operation=1, end=1)

# In the order of the plan: the greeting, one echo, an empty file, a file without the magic, the smallest file
# decoded and recoded, the end.
ONLY = ("CONF-HELLO", "CONF-ECHO-SCALARS", "CKPT-I-001", "CKPT-I-050", "CKPT-V-001", "CONF-BYE")
UNTESTED = "UNCOVERED UNCOVERED UNCOVERED UNCOVERED UNCOVERED"


@frozen
class Run:
    results: list[Result]
    summary: Summary
    folder: Path

    @property
    def verdicts(self) -> str:
        return " ".join(str(result.verdict) for result in self.results)

    @property
    def starts(self) -> int:
        return len((self.folder / "starts").read_text())


Judge = Callable[..., Run]


@pytest.fixture(scope="module")
def every_case() -> list[Case]:
    return all_cases(spec_folder())


@pytest.fixture
def judged(tmp_path: Path, every_case: list[Case]) -> Judge:
    def judge(behavior: str, only: Sequence[str] = ONLY, deadlines: Deadlines | None = None) -> Run:
        path = tmp_path / "port.toml"
        run_command = [sys.executable, "-I", str(ADAPTER), behavior]
        path.write_text(
            f'name = "hostile"\nversion = "1"\nlanguage = "Python"\nrun = {run_command!r}\n'
            'claims = ["codec-read", "codec"]\n'
        )
        plan = select(every_case, only)
        results, summary = run(read_port(path), plan, every_case, tmp_path / "results.jsonl", deadlines)
        assert not any(summary.awarded.values())
        assert summary.exit_code == 1
        return Run(results, summary, tmp_path)

    return judge


@pytest.mark.req("CONF-VERDICT-005", "CONF-VERDICT-001")
@pytest.mark.parametrize(
    ("behavior", "verdicts", "starts"),
    [
        # Each process answers two requests and dies of the third; its successor was greeted again.
        ("crashes", "PASS PASS CRASH FAIL CRASH FAIL CRASH", 3),
        ("exits_early", "PASS PASS CRASH FAIL CRASH FAIL CRASH", 3),
        ("crashes_on_files", "PASS PASS CRASH CRASH CRASH CRASH PASS", 5),
        # A crash is never a rejection, though the file was to be rejected.
        ("refuses_by_crashing", "PASS PASS CRASH FAIL FAIL FAIL PASS", 2),
    ],
)
def test_an_adapter_that_ends_early(judged: Judge, behavior: str, verdicts: str, starts: int) -> None:
    run = judged(behavior)
    assert (run.verdicts, run.starts) == (verdicts, starts)


@pytest.mark.req("CONF-VERDICT-005", "CONF-LINE-003")
@pytest.mark.parametrize(
    ("behavior", "verdicts", "starts"),
    [
        ("hangs", "PASS PASS TIMEOUT TIMEOUT TIMEOUT TIMEOUT PASS", 5),
        ("floods", "PASS PASS TIMEOUT TIMEOUT TIMEOUT TIMEOUT PASS", 5),
        ("prints_garbage", "PASS PASS TIMEOUT TIMEOUT TIMEOUT TIMEOUT PASS", 5),
        ("stays", "PASS PASS FAIL FAIL FAIL FAIL TIMEOUT", 1),
    ],
)
def test_an_adapter_without_an_answer(judged: Judge, behavior: str, verdicts: str, starts: int) -> None:
    run = judged(behavior, deadlines=IMPATIENT)
    assert (run.verdicts, run.starts) == (verdicts, starts)


@pytest.mark.req("CONF-LINE-003", "CONF-VERDICT-005")
def test_a_missing_answer_is_explained_by_what_came_instead(judged: Judge) -> None:
    run = judged("forgets_prefix", only=["CONF-HELLO", "CKPT-I-001"], deadlines=IMPATIENT)
    assert run.verdicts == "PASS TIMEOUT"
    detail = run.results[1].judgement.detail
    assert "1 line without the prefix `@tenuto ` was ignored, the first: '{" in detail
    assert "not written yet" in detail
    assert "forgotten prefix or flush?" in detail
    run = judged("forgets_flush", only=["CKPT-I-001", "CKPT-V-001/recode"], deadlines=IMPATIENT)
    details = [result.judgement.detail for result in run.results]
    assert "nothing came on stdout; forgotten flush?" in details[0]
    assert """not ended: '@tenuto {"id"'""" in details[1]
    run = judged("crashes_on_files", only=["CKPT-I-001"])
    assert "nothing came on stdout" in run.results[0].judgement.detail
    run = judged("prints_garbage", only=["CKPT-I-001"], deadlines=IMPATIENT)
    assert r"1000 lines without the prefix `@tenuto ` were ignored, the first: '\x00\x01 not a reply'" in (
        run.results[0].judgement.detail
    )


@pytest.mark.req("CONF-OP-005")
def test_an_adapter_that_outlives_its_input(judged: Judge) -> None:
    run = judged("stays", only=["CONF-END-OF-INPUT"], deadlines=IMPATIENT)
    assert run.verdicts == "TIMEOUT"


@pytest.mark.req("CONF-VERDICT-005", "CONF-OP-002")
def test_an_adapter_that_hangs_at_once_costs_two_deadlines(judged: Judge) -> None:
    run = judged("hangs_at_once", deadlines=Deadlines(hello=1, operation=1, end=1))
    assert (run.verdicts, run.starts) == (f"TIMEOUT TIMEOUT {UNTESTED}", 2)


@pytest.mark.req("CONF-LINE-003")
def test_noise_is_no_failure(judged: Judge) -> None:
    run = judged("prints_noise")
    # It always answers `bad_magic`: right for one file, and right in the midst of noise.
    assert (run.verdicts, run.starts) == ("PASS PASS FAIL PASS FAIL FAIL PASS", 1)


@pytest.mark.req("CONF-LINE-002", "CONF-LINE-004", "CONF-LINE-005", "CONF-REPLY-001", "CONF-VERDICT-006")
@pytest.mark.parametrize(
    ("behavior", "verdicts", "starts"),
    [
        ("wrong_nonce", f"PROTOCOL PROTOCOL {UNTESTED}", 2),
        ("wrong_id", "PASS PASS PROTOCOL PROTOCOL PROTOCOL PROTOCOL PASS", 5),
        ("floods_reply", "PASS PASS PROTOCOL PROTOCOL PROTOCOL PROTOCOL PASS", 5),
        ("breaks_json", "PASS PASS PROTOCOL PROTOCOL PROTOCOL PROTOCOL PASS", 5),
        # The second answer to `echo` is taken for the answer to the next request.
        ("answers_twice", "PASS PASS PROTOCOL FAIL FAIL FAIL PASS", 2),
        # Out of words, not out of step: the adapter goes on.
        ("own_words", "PASS PASS PROTOCOL PROTOCOL PROTOCOL PROTOCOL PASS", 1),
    ],
)
def test_an_adapter_that_breaks_the_protocol(judged: Judge, behavior: str, verdicts: str, starts: int) -> None:
    run = judged(behavior)
    assert (run.verdicts, run.starts) == (verdicts, starts)


@pytest.mark.req("CONF-VERDICT-007", "CONF-VERDICT-001", "CONF-VERDICT-004", "CONF-OP-001", "CONF-OP-002")
@pytest.mark.parametrize(
    ("behavior", "verdicts"),
    [
        ("canned_ok", "PASS PASS FAIL FAIL FAIL FAIL PASS"),
        # Copying the input is the right answer for a canonical file, and for nothing else.
        ("canned_file", "PASS PASS FAIL FAIL FAIL PASS PASS"),
        ("canned_error", "PASS PASS FAIL PASS FAIL FAIL PASS"),
        ("wrong_phase", "PASS PASS FAIL FAIL FAIL FAIL PASS"),
        ("claims_too_much", "PASS PASS NOT_TESTABLE NOT_TESTABLE NOT_TESTABLE NOT_TESTABLE PASS"),
        ("writes_no_file", "PASS PASS FAIL FAIL FAIL FAIL PASS"),
        ("removes_sandbox", "PASS PASS FAIL FAIL FAIL FAIL PASS"),
        ("boasts", f"FAIL FAIL {UNTESTED}"),
        ("damages_numbers", f"PASS FAIL {UNTESTED}"),
    ],
)
def test_an_adapter_that_lies(judged: Judge, behavior: str, verdicts: str) -> None:
    assert judged(behavior).verdicts == verdicts


@pytest.mark.req("CONF-VERDICT-005")
def test_after_ten_deaths_the_rest_has_the_verdict_of_the_last(judged: Judge) -> None:
    only = ["CONF-HELLO", *(f"CKPT-I-{number:03}" for number in range(10, 20)), "CONF-BYE", "CKPT-I-050"]
    run = judged("crashes_on_files", only=only)
    assert run.verdicts == "PASS" + " CRASH" * 12
    assert run.starts == 10


@pytest.mark.req("CONF-VERDICT-005")
def test_what_an_adapter_leaves_behind_is_killed_with_it(judged: Judge) -> None:
    run = judged("leaves_a_child", only=["CKPT-I-001"])
    assert run.verdicts == "CRASH"
    status = Path("/proc", (run.folder / "child").read_text(), "stat")
    for _ in range(100):
        # A killed orphan may stay a zombie until its new parent looks.
        if not status.exists() or ") Z " in status.read_text():
            return
        time.sleep(0.05)
    pytest.fail("the child of the adapter is still alive")


@pytest.mark.req("CONF-VERDICT-005")
def test_an_adapter_that_cannot_be_started(tmp_path: Path, every_case: list[Case]) -> None:
    path = tmp_path / "port.toml"
    path.write_text('name="x"\nversion="1"\nlanguage="none"\nrun=["./missing"]\nclaims=["codec"]\n')
    plan = select(every_case, ["CONF-HELLO", "CKPT-V-001/decode"])
    results, summary = run(read_port(path), plan, every_case, tmp_path / "results.jsonl")
    assert [str(result.verdict) for result in results] == ["CRASH", "CRASH"]
    assert summary.exit_code == 1


@pytest.mark.req("CONF-LINE-004")
def test_documents_too_deep_to_read_are_the_fault_of_the_port(judged: Judge) -> None:
    run = judged("nests_deeply", only=["CKPT-V-001/decode", "CKPT-V-002/decode", "CKPT-V-003/decode"])
    assert run.verdicts == "PROTOCOL PROTOCOL PROTOCOL"


@pytest.mark.req("CONF-VERDICT-003")
def test_a_fault_of_the_suite_has_its_own_verdict(tmp_path: Path) -> None:
    def place(path: Path) -> None:
        raise SuiteError(f"{path.name}: gone; expected a vector")

    path = tmp_path / "port.toml"
    command = [sys.executable, "-I", str(ADAPTER), "polite_only"]
    path.write_text(f'name="hostile"\nversion="1"\nlanguage="x"\nrun={command!r}\nclaims=["codec-read", "codec"]\n')
    broken = Case("X/refuse", "codec-read", (), "x", Refuse(place, Refusal("bad_magic", "open")))
    plan = [broken, *(case for case in adapter_cases() if case.id == "CONF-UNKNOWN-OP")]
    results, summary = run(read_port(path), plan, plan, tmp_path / "results.jsonl")
    assert [str(result.verdict) for result in results] == ["SUITE_ERROR", "PASS"]
    assert summary.exit_code == 3


def test_a_build_that_fails_leaves_every_case_uncovered(tmp_path: Path, every_case: list[Case]) -> None:
    path = tmp_path / "port.toml"
    build = [sys.executable, "-c", "raise SystemExit('no compiler')"]
    path.write_text(f'name="x"\nversion="1"\nlanguage="none"\nrun=["true"]\nbuild={build!r}\nclaims=["codec"]\n')
    plan = select(every_case, ["CONF-HELLO", "CKPT-V-001/decode"])
    results, summary = run(read_port(path), plan, every_case, tmp_path / "results.jsonl")
    assert [str(result.verdict) for result in results] == ["UNCOVERED", "UNCOVERED"]
    assert "no compiler" in results[0].judgement.detail
    assert summary.exit_code == 1
