import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tenuto.conformance_tests.cases import SuiteError, read_source
from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.command import Options, judge_file, judge_port
from tenuto.conformance_tests.judge import Judgement, Verdict
from tenuto.conformance_tests.meta.ports import hostile, write_port
from tenuto.conformance_tests.plan import all_cases
from tenuto.conformance_tests.port import read_port
from tenuto.conformance_tests.report import Report
from tenuto.conformance_tests.results import Result
from tenuto.conformance_tests.selection import choose

EVERY_CASE = all_cases(spec_folder())


@pytest.fixture(autouse=True)
def _cases_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenuto.conformance_tests.command.all_cases", lambda _: EVERY_CASE)


def judged(path: Path, *filters: str, **more: object) -> int:
    options: dict[str, object] = {"results": path.parent / "r.jsonl", **more}
    return judge_port(Options(path, filters=filters, **options))  # type: ignore[arg-type]


@pytest.mark.req("CONF-VERDICT-003", "CONF-PORT-001")
@pytest.mark.parametrize(
    ("filters", "more", "said"),
    [
        (["CKPT-V-0"], {}, "--filter CKPT-V-0: no such case"),
        ([], {"profile": "codecs"}, "--profile codecs; expected one of codec-read, "),
        ([], {"seed": "-1"}, "--seed -1; expected a number of digits, or random"),
        ([], {"seed": "one"}, "--seed one; expected"),
        ([], {"jobs": 0}, "--jobs 0; expected 1 or more"),
        ([], {"memory_gib": 0}, "--memory-gib 0; expected 1 or more"),
        (["CONF-BYE"], {"results": Path("/dev/null/r")}, "expected a file that can be written"),
    ],
)
def test_wrong_usage_ends_with_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], filters: list[str], more: dict[str, object], said: str
) -> None:
    path = write_port(tmp_path, ["false"], ["codec"])
    assert judged(path, *filters, **more) == 2
    assert said in capsys.readouterr().err


@pytest.mark.req("CONF-VERDICT-003", "CONF-PORT-001")
def test_a_port_that_breaks_a_rule_ends_with_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "port.toml"
    assert judged(path) == 2
    assert capsys.readouterr().err == f"{path}: no such file; expected a readable port.toml\n"
    path.write_text('nam = "x"\n')
    assert judged(path) == 2
    assert "unknown key 'nam'" in capsys.readouterr().err


@pytest.mark.req("CONF-VERDICT-002")
def test_cases_that_are_not_run_are_counted_and_their_reason_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = [sys.executable, "-c", "raise SystemExit('no compiler' * 2)"]
    path = write_port(tmp_path, ["true"], ["codec-read"], build=build)
    assert judged(path) == 1
    told = capsys.readouterr().out
    assert told.count("no compilerno compiler") == 1
    assert "CONF-OP-001" not in told
    lines = (tmp_path / "r.jsonl").read_text().splitlines()
    uncovered = sum('"verdict": "UNCOVERED"' in line for line in lines)
    assert 0 < uncovered < len(lines) - 2
    assert f"UNCOVERED: {uncovered} cases were not run" in told
    assert judged(write_port(tmp_path, ["false"], ["codec-read"])) == 1
    told = capsys.readouterr().out
    assert (told.count("CRASH CONF-HELLO"), told.count("again: ")) == (1, 1)
    assert "ended with exit code 1" in told
    assert f"UNCOVERED: {uncovered - 1} cases were not run" in told


@pytest.mark.parametrize("part", [{"filters": ["CONF-BYE"]}, {"profile": "codec-read"}])
def test_the_results_of_a_part_do_not_replace_those_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: dict[str, object]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write_port(tmp_path, ["false"], ["codec-read"], name="x")
    folder = tmp_path / "build" / "conformance"
    judge_port(Options(path, as_json=True))
    whole = (folder / "x.jsonl").read_text()
    judge_port(Options(path, as_json=True, **part))  # type: ignore[arg-type]
    assert (folder / "x.jsonl").read_text() == whole
    assert 3 <= len((folder / "x.part.jsonl").read_text().splitlines()) < len(whole.splitlines())


def test_page_and_badge_and_junit_stand_beside_the_results(tmp_path: Path) -> None:
    judged(hostile(tmp_path, "canned_error"), "CKPT-I-050")
    assert "<title>Conformance of hostile</title>" in (tmp_path / "r.html").read_text()
    assert '<testsuite name="tenuto.hostile"' in (tmp_path / "r.xml").read_text()
    assert json.loads((tmp_path / "r.badge.json").read_text())["label"] == "tenuto 1.0 codec"
    assert (tmp_path / "r.badge.svg").read_text().startswith("<svg ")


def test_results_that_go_to_no_file_have_nothing_beside_them(tmp_path: Path) -> None:
    assert judged(hostile(tmp_path, "canned_error"), "CKPT-I-050", results=Path(os.devnull)) == 0
    assert not list(Path(os.devnull).parent.glob("null.*"))


def test_a_seed_that_is_drawn_is_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = hostile(tmp_path, "canned_error")
    drawn = set()
    for _ in range(3):
        judged(path, "CKPT-I-050", seed="random")
        drawn.add(json.loads((tmp_path / "r.jsonl").read_text().splitlines()[0])["seed"])
        told = capsys.readouterr().out
        assert any(f"order: --seed {seed}\n" in told for seed in drawn)
    assert len(drawn) > 1
    judged(path, "CKPT-I-050", seed="12")
    assert json.loads((tmp_path / "r.jsonl").read_text().splitlines()[0])["seed"] == 12


def test_where_the_output_is_no_terminal_a_good_run_is_told_at_its_end_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judged(hostile(tmp_path, "canned_error"), "CKPT-I-050", "CONF-HELLO") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("hostile 1 (Python)")
    assert lines[-1] == f"results: {tmp_path / 'r.jsonl'}"
    assert len(lines) < 12
    assert judged(hostile(tmp_path, "canned_error", ["ext:pool"]), "CKPT-I-050") == 0
    told = capsys.readouterr().out
    assert "claimed, and no case of it was run: codec, ext:pool\n" in told
    assert "│ codec " not in told
    judged(hostile(tmp_path, "prints_noise"), "CKPT-I-050")
    told = capsys.readouterr().out  # what comes after the last reply may be read or not
    assert any(f"noise: {count} lines on stdout were no replies\n" in told for count in (11, 12))


@pytest.mark.req("CONF-VERDICT-002", "CONF-VERDICT-003")
def test_a_port_that_claims_nothing_passes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert judged(write_port(tmp_path, ["false"], []), as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["counts"].keys(), told["awarded"]) == ({"NOT_CLAIMED"}, [])


@pytest.mark.req("CONF-VERDICT-003")
def test_a_fault_of_the_suite_is_not_blamed_on_the_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SuiteError):
        all_cases(tmp_path)
    sidecar = tmp_path / "CKPT-V-001.yaml"
    for text in ("", "id: [", "id: CKPT-V-001\n", "- a\n"):
        sidecar.write_text(text)
        with pytest.raises(SuiteError):
            read_source(sidecar)
    monkeypatch.setattr("tenuto.conformance_tests.command.all_cases", lambda _: all_cases(tmp_path))
    assert judged(write_port(tmp_path, ["false"], ["codec"])) == 3


@pytest.mark.req("CONF-VERDICT-003")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_machine_without_room_is_a_fault_of_the_suite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], jobs: int
) -> None:
    def full(**_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", full)
    assert judged(hostile(tmp_path, "canned_error"), "CKPT-I-050", jobs=jobs) == 3
    assert "fault of the suite: sandbox: [Errno 28] No space left on device; expected" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_told_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, pipe = write_port(tmp_path, ["false"], ["codec"]), tmp_path / "pipe"
    os.mkfifo(pipe)
    for missing, said in (
        (tmp_path / "nothere", "no such file"),
        (path / "x", "no such file"),
        (tmp_path, "not a regular file"),
        (pipe, "not a regular file"),
    ):
        assert judge_file(path, missing) == 2
        assert capsys.readouterr().err == f"{missing}: {said}; expected a checkpoint\n"


def test_the_command_that_is_printed_shows_the_failure_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    judged(hostile(folder, "canned_error"), "CKPT-I-001")
    told = capsys.readouterr().out
    command = next(line for line in told.splitlines() if line.startswith("  again: ")).removeprefix("  again: ")
    ended = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)  # noqa: S602 - as it is pasted
    assert ended.returncode == 1, ended.stderr
    assert ended.stdout.startswith("FAIL CKPT-I-001/refuse: no bytes\n")


def test_every_option_of_the_command_line_is_heard(tmp_path: Path) -> None:
    port, results = hostile(tmp_path, "remembers"), tmp_path / "r.jsonl"
    command = [sys.executable, "-m", "tenuto.cli", "conformance"]
    options = ["--filter", "CKPT-I-001", "--filter", "CKPT-I-050", "--profile", "codec-read", "--jobs", "2"]
    options += ["--seed", "9", "--process-per-test", "--memory-gib", "1", "--results", str(results), "--json"]
    ended = subprocess.run([*command, "run", "--port", port, *options], capture_output=True, text=True, check=False)
    told = json.loads(ended.stdout)
    assert (ended.returncode, told["counts"], told["results"]) == (1, {"FAIL": 1, "PASS": 1}, str(results))
    assert json.loads(results.read_text().splitlines()[0])["seed"] == 9
    assert "state leak" in results.read_text()
    page = tmp_path / "new" / "page.html"
    ended = subprocess.run(
        [*command, "report", results, results, "--out", page], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, page.read_text().count("<th>hostile</th>")) == (0, 2)


def test_on_a_terminal_the_run_is_seen_as_it_goes_on(tmp_path: Path) -> None:
    port = read_port(hostile(tmp_path, "canned_error"))
    plan = choose(EVERY_CASE, None, ["CKPT-I-050", "CKPT-I-051", "CKPT-I-001"])
    for terminal in (True, False):
        screen = StringIO()
        with Report(Console(file=screen, force_terminal=terminal, width=100), port, plan) as report:
            for case, verdict in zip(plan, ("FAIL", "PASS", "FAIL"), strict=True):
                report.tell(Result(case, Judgement(Verdict(verdict), "why"), 0.1))
        assert ("hostile, 2 failing" in screen.getvalue(), "3/3" in screen.getvalue()) == (terminal, terminal)
        assert "FAIL CKPT-I-001/refuse" in screen.getvalue()
