"""The plugin of pytest, run as a user runs it: in a process of its own, in a folder without tenuto's settings."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tenuto.conformance_tests.meta.ports import hostile, write_port

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = ["-p", "tenuto.conformance_tests.plugin"]
FEW = ["-k", "CONF-HELLO or I-001/ or I-050/ or V-001/"]


def run_pytest(folder: Path, *words: object, **environment: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-ra", *map(str, words)]
    given = {**os.environ, "COLUMNS": "200", **environment}
    ended = subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout + ended.stderr


def counts(told: str) -> dict[str, int]:
    """The counts of the last line."""
    return {kind: int(count) for count, kind in re.findall(r"([0-9]+) (\w+)", told.splitlines()[-1].split(" in ")[0])}


@pytest.mark.req("CONF-VERDICT-002")
def test_there_is_an_item_for_each_requirement_and_case(tmp_path: Path) -> None:
    port = hostile(tmp_path, "canned_error", ["codec-read"])
    code, told = run_pytest(tmp_path, *PLUGIN, "--port", port, *FEW, "-v")
    assert code == 1
    assert "CKPT-FILE-001[CKPT-I-050/refuse] PASSED" in told
    assert "CKPT-READ-001[CKPT-I-050/refuse] PASSED" in told
    assert "CKPT-READ-001[CKPT-I-001/refuse] FAILED" in told
    assert re.search(r"SKIPPED \[[0-9]+\] .*NOT_CLAIMED", told)  # recoding is of a profile that is not claimed
    found = counts(told)
    assert found.keys() == {"passed", "failed", "skipped", "deselected"}
    assert min(found.values()) > 1


def test_a_case_is_asked_once_for_all_its_requirements(tmp_path: Path) -> None:
    port = hostile(tmp_path, "canned_error")
    code, told = run_pytest(tmp_path, *PLUGIN, "--port", port, "-k", "I-050/")
    assert (code, counts(told)["passed"] > 2) == (0, True)
    assert (tmp_path / "starts").read_text() == "x"


def test_a_failure_is_shown_as_the_runner_shows_it(tmp_path: Path) -> None:
    port = hostile(tmp_path, "canned_error")
    _, told = run_pytest(tmp_path, *PLUGIN, "--port", port, "-k", "READ-001 and I-001/")
    assert "FAIL CKPT-I-001/refuse: no bytes\n  another outcome than this refusal\n" in told
    assert "  expected: error file_too_small in phase open\n  got:      error bad_magic in phase open\n" in told
    assert "CKPT-READ-001: A reader that refuses a file MUST" in told
    assert f"--port {port} --filter CKPT-I-001/refuse" in told
    assert "Traceback" not in told


def test_without_a_port_the_plugin_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("def test_mine(): pass\n")
    code, told = run_pytest(tmp_path, *PLUGIN)
    assert (code, counts(told)) == (0, {"passed": 1})


def test_tests_that_are_asked_for_by_name_are_run_as_well(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text("def test_mine(): pass\n")
    port = hostile(tmp_path, "canned_error")
    code, told = run_pytest(tmp_path, *PLUGIN, "--port", port, "test_mine.py", "-v")
    assert (code, counts(told)) == (0, {"passed": 1})


@pytest.mark.parametrize(("text", "said"), [(None, "no such file"), ("nam = 1\n", "unknown key 'nam'")])
def test_a_port_that_breaks_a_rule_is_wrong_usage(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "port.toml").write_text(text)
    code, told = run_pytest(tmp_path, *PLUGIN, "--port", "port.toml")
    assert (code, said in told) == (2, True)


def test_a_build_that_fails_fails_every_claimed_case(tmp_path: Path) -> None:
    build = [sys.executable, "-c", "raise SystemExit('no compiler')"]
    port = write_port(tmp_path, ["true"], ["codec-read"], build=build)
    code, told = run_pytest(tmp_path, *PLUGIN, "--port", port, "-k", "I-001/")
    assert (code, set(counts(told))) == (1, {"failed", "deselected"})
    assert "no compiler" in told


def test_the_package_is_named_to_collect_the_cases_and_nothing_else(tmp_path: Path) -> None:
    """As it is where tenuto was installed: the entry point of pyproject.toml makes the plugin known to pytest."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    installed = tmp_path / "site" / "declared-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: declared\nVersion: 1.0\n")
    lines = [f"{name} = {module}\n" for name, module in declared.items()]
    (installed / "entry_points.txt").write_text("".join(["[pytest11]\n", *lines]))
    port = hostile(tmp_path, "canned_error")
    words = ["--pyargs", "tenuto.conformance_tests", "--port", port, "-k", "I-050/ or test_exit_codes", "-v"]
    paths = f"{tmp_path / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    for more in ([], PLUGIN):  # that it is named as well makes no difference
        code, told = run_pytest(tmp_path, *more, *words, PYTHONPATH=paths)
        assert code == 0, told
    assert "CKPT-READ-001[CKPT-I-050/refuse] PASSED" in told
    assert counts(told).keys() == {"passed", "deselected"}
    assert "::test_" not in told


def test_workers_share_the_items(tmp_path: Path) -> None:
    port = hostile(tmp_path, "canned_error")
    code, told = run_pytest(tmp_path, *PLUGIN, "--port", port, *FEW, "-n", "2")
    alone_code, alone = run_pytest(tmp_path, *PLUGIN, "--port", port, *FEW)
    assert (code, {kind: counts(told)[kind] for kind in ("passed", "failed")}) == (
        alone_code,
        {kind: counts(alone)[kind] for kind in ("passed", "failed")},
    )
