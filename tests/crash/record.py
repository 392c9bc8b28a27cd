"""What a lane did: printed, held against its floor, and kept in `build/torture.json`.

A lane comes in two sizes: that of every test run, and a long one, which `make torture` asks for by `TENUTO_TORTURE=1`.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path

from attrs import asdict, field, frozen

FILE = Path(__file__).parents[2] / "build/torture.json"
PROPERTY = "lane"  # under which pytest carries the line of a lane to where it is printed


def is_long():
    """Returns whether the long size was asked for."""
    return os.environ.get("TENUTO_TORTURE", "0") not in {"", "0"}


def sized(short, long):
    """Returns what belongs to the size that was asked for."""
    return long if is_long() else short


@frozen
class Lane:
    """What a lane did.

    Attributes:
        lane: Its name: a letter and a word or two.
        executed: How many cases ran.
        distinct: How many of them are different from each other; all, where cases are made different.
        skipped: How many did not run; `reason` says why.
        failed: How many found a breach of what is claimed.
        floor: How many distinct cases there have to be, in this size.
        reason: Why cases were skipped.
        detail: What the distinct cases were, each kind with its count.
        size: `ci` or `long`.
    """

    lane: str
    executed: int
    distinct: int
    skipped: int
    failed: int
    floor: int
    reason: str = ""
    detail: dict = field(factory=dict)
    size: str = field(factory=lambda: sized("ci", "long"))

    def line(self):
        """Returns what is printed."""
        skipped = f"{self.skipped:,} skipped{f' ({self.reason})' if self.reason else ''}"
        counts = f"{self.executed:,} executed, {self.distinct:,} distinct (floor {self.floor:,})"
        detail = "".join(f"\n    {name}: {count}" for name, count in self.detail.items())
        return f"lane {self.lane} [{self.size}]: {counts}, {skipped}, {self.failed:,} failed{detail}"


def numbered(breaches):
    """Returns the first breaches as lines of the detail of a lane."""
    return {f"breach {number}": breach for number, breach in enumerate(breaches[:20], start=1)}


def conclude(lane, record_property):
    """Notes what a lane did, and fails if that is less than its floor, or if a case failed.

    Args:
        lane: A `Lane`.
        record_property: The fixture of pytest, which carries the line to the summary.
    """
    write(lane, FILE)
    record_property(PROPERTY, lane.line())
    assert not lane.skipped or lane.reason, f"{lane.line()}: no reason for what was skipped"
    assert lane.failed == 0, lane.line()
    assert lane.distinct >= lane.floor, lane.line()


def write(lane, file):
    """Puts a lane into a file in place of what it did before; other lanes stay. Processes wait for each other."""
    file.parent.mkdir(exist_ok=True)
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lanes = {one["lane"]: one for one in json.loads(file.read_text())} if file.exists() else {}
        lanes[lane.lane] = asdict(lane)
        made = file.with_suffix(".new")
        made.write_text(json.dumps([lanes[name] for name in sorted(lanes)], indent=1) + "\n")
        made.replace(file)


def pytest_terminal_summary(terminalreporter):
    """Prints the lines of the lanes that ran, whichever process they ran in."""
    reports = [one for found in terminalreporter.stats.values() for one in found if hasattr(one, "user_properties")]
    lines = {line for one in reports for name, line in one.user_properties if name == PROPERTY}
    if lines:
        terminalreporter.section("lanes")
        for line in sorted(lines):
            terminalreporter.write_line(line)
