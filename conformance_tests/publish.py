"""Writes what is made of results: a page, JUnit XML and a badge.

Spec: section 8 of 90-conformance.md.
"""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tenuto.conformance_tests.badge import badge, badge_json, badge_svg
from tenuto.conformance_tests.junit import junit_text
from tenuto.conformance_tests.page import page
from tenuto.conformance_tests.record import RecordError, read_run


def write_beside(results: Path) -> None:
    """Write page, JUnit XML and badge of a run beside its results, under the same name; raises OSError if it cannot."""
    run = read_run(results)
    shown = badge(run)
    for suffix, text in {
        ".html": page([run]),
        ".xml": junit_text(run),
        ".badge.svg": badge_svg(shown),
        ".badge.json": badge_json(shown),
    }.items():
        results.with_suffix(suffix).write_text(text, "utf-8")


def report_page(results: Sequence[Path], out: Path) -> int:
    """Write the page of several files of results; returns the exit code, 2 if one cannot be read or written."""
    try:
        runs = [read_run(path) for path in results]
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(page(runs), "utf-8")
    except RecordError as error:
        Console(stderr=True).print(Text(str(error)), soft_wrap=True)
        return 2
    except OSError as error:
        Console(stderr=True).print(
            Text(f"{out}: {error.strerror}; expected a file that can be written"), soft_wrap=True
        )
        return 2
    return 0
