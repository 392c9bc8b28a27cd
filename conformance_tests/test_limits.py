import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tenuto.conformance_tests.limits import Deadlines, Limits
from tenuto.conformance_tests.process import Adapter, Answer, Ended

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits are set on Linux alone")


@pytest.fixture
def sleeper() -> Iterator[int]:
    with subprocess.Popen(SLEEPER) as process:
        yield process.pid
        process.kill()


def limits_of(process_id: int) -> dict[str, list[str]]:
    """The soft and the hard limit of each kind."""
    lines = Path("/proc", str(process_id), "limits").read_text().splitlines()[1:]
    return {line[:26].strip(): line[26:].split()[:2] for line in lines}


@pytest.mark.req("CONF-VERDICT-005")
def test_the_limits_hold_a_process_that_runs(sleeper: int) -> None:
    Limits(memory_bytes=1 << 30, open_files=77, cpu_seconds=9, file_bytes=4096).hold(sleeper)
    found = limits_of(sleeper)
    assert found["Max address space"] == ["1073741824"] * 2
    assert found["Max open files"] == ["77"] * 2
    assert found["Max cpu time"] == ["9"] * 2
    assert found["Max file size"] == ["4096"] * 2
    assert found["Max core file size"] == ["0"] * 2


def test_a_limit_never_grows(sleeper: int) -> None:
    Limits(open_files=60).hold(sleeper)
    Limits(open_files=70).hold(sleeper)
    assert limits_of(sleeper)["Max open files"] == ["60"] * 2


def test_a_process_that_has_ended_needs_no_limits() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        Limits().hold(process.pid)


@pytest.mark.req("CONF-VERDICT-005")
@pytest.mark.parametrize(
    ("limits", "code", "how"),
    [
        (Limits(cpu_seconds=1), "while True: pass", "died of signal SIG(XCPU|KILL)"),
        (Limits(memory_bytes=1 << 30), "import mmap; mmap.mmap(-1, 1 << 31)", "ended with exit code 1"),
        (Limits(open_files=32), "import os; [os.dup(0) for _ in range(64)]", "ended with exit code 1"),
    ],
)
def test_an_adapter_that_takes_more_ends(tmp_path: Path, limits: Limits, code: str, how: str) -> None:
    # The limits are there before the first request is, so that is what it waits for.
    adapter = Adapter.start([sys.executable, "-c", f"input()\n{code}"], tmp_path, limits)
    try:
        outcome = adapter.ask(b"{}\n", 20)
    finally:
        adapter.kill()
    assert isinstance(outcome, Ended), outcome
    assert re.fullmatch(how, outcome.how)


@pytest.mark.req("CONF-VERDICT-005")
def test_who_leaves_the_process_group_is_killed_with_it(tmp_path: Path) -> None:
    leave = f"import subprocess, sys; print('@tenuto', subprocess.Popen({SLEEPER!r}, start_new_session=True).pid)"
    adapter = Adapter.start([sys.executable, "-u", "-c", f"{leave}\ninput()"], tmp_path, Limits())
    outcome = adapter.ask(b"", 20)
    assert isinstance(outcome, Answer)
    status = Path("/proc", outcome.line.split()[1].decode(), "stat")
    assert status.exists()
    adapter.kill()
    for _ in range(100):
        if not status.exists() or ") Z " in status.read_text():  # a killed orphan, until its new parent looks
            return
        time.sleep(0.05)
    pytest.fail("it is still alive")


def test_deadlines_are_multiplied() -> None:
    assert Deadlines().scaled(2.5) == Deadlines(50.0, 25.0, 5.0)
