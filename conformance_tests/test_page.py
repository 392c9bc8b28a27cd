"""The page of results: what it says, and that a real browser shows it."""

import re
import shutil
import subprocess
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tenuto.conformance_tests.judge import Verdict
from tenuto.conformance_tests.meta.runs import judged, run_of
from tenuto.conformance_tests.page import marked, page

HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
GOOD = run_of(judged("C-1", Verdict.PASS), judged("C-2", Verdict.PASS, req=("CKPT-FILE-001",)), awarded=("codec-read",))
BAD = run_of(
    judged("C-1", Verdict.FAIL, detail="why", expected="this", actual=HOSTILE, title=HOSTILE),
    judged("C-2", Verdict.PASS, req=("CKPT-FILE-001",)),
    judged("C-3", Verdict.NOT_CLAIMED, req=("CKPT-CANON-001",), profile="codec"),
    judged("C-5", Verdict.NOT_CLAIMED, req=("CKPT-FILE-004",)),
    judged("C-4", Verdict.XFAIL, detail="known: issue 7", req=("CKPT-FILE-002",)),
    name="y",
    version=HOSTILE,
    claims=("codec-read",),
    withheld={"codec-read": ("CKPT-FILE-010",)},
)


class Reader(HTMLParser):
    """The cells of each requirement, and what the page would load."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.cells: dict[str, list[str]] = {}
        self.loads: list[str] = []
        self.scripts = 0
        self._row = ""
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.loads += [value for name, value in attrs if name in {"src", "data", "action"} and value]
        self.loads += [told["href"] or ""] if tag == "link" else []
        self.scripts += tag == "script"
        if tag == "tr":
            self._row = told.get("id") or ""
        self._in_cell = tag == "button" and (told.get("class") or "").startswith("cell")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.cells.setdefault(self._row, []).append(data)
            self._in_cell = False


@pytest.mark.req("CONF-VERDICT-002", "CONF-PROF-002")
def test_a_cell_shows_what_a_port_has_come_to_on_a_requirement() -> None:
    cells = Reader(page([GOOD, BAD])).cells
    assert cells["CKPT-FILE-001"] == ["✓ PASS 2", "✗ FAIL 1 of 2"]
    assert cells["CKPT-READ-001"] == ["✓ PASS 1", "✗ FAIL 1 of 1"]
    assert cells["CKPT-FILE-002"] == ["○ no case", "✓ XFAIL 1 of 1"]
    assert cells["CKPT-CANON-001"] == ["○ no case", "· not claimed"]
    assert cells["CKPT-FILE-004"] == ["○ no case", "· not claimed"]  # it needs a capability
    assert cells["CKPT-FILE-010"] == ["· excluded", "· excluded"]
    assert cells["CB-HOOK-001"] == ["· not claimed", "· not claimed"]
    # What binds the runner or the command line is no matter of ports.
    assert "CONF-PROF-002" not in cells
    assert "STORE-CLI-001" not in cells


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = page([GOOD, BAD])
    assert Reader(text).loads == []
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}
    assert "url(http" not in text


def test_what_a_port_says_is_never_markup() -> None:
    reader = Reader(page([BAD]))
    assert (reader.loads, reader.scripts) == ([], 2)


def test_clauses_are_marked_up_after_they_are_escaped() -> None:
    assert marked("a `<b>` and **bold** & more") == "a <code>&lt;b&gt;</code> and <b>bold</b> &amp; more"


@pytest.fixture(scope="module")
def browser() -> str:
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("chromium is missing: `make chromium` installs it")
    return found


Show = Callable[..., tuple[str, str]]


@pytest.fixture
def show(browser: str, tmp_path: Path) -> Show:
    """Shows a page; returns what the browser printed, and its console."""

    def shown(text: str, *options: str, anchor: str = "") -> tuple[str, str]:
        path = tmp_path / "page.html"
        path.write_text(text, "utf-8")
        fixed = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,900", "--enable-logging=stderr"]
        command = [browser, *fixed, f"--user-data-dir={tmp_path / 'profile'}", *options, f"file://{path}{anchor}"]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        return ended.stdout, "\n".join(line for line in ended.stderr.splitlines() if "CONSOLE" in line)

    return shown


def test_a_browser_shows_the_page(show: Show, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    _, console = show(page([GOOD, BAD]), f"--screenshot={picture}")
    assert console == ""
    assert len(set(pixels(picture.read_bytes()))) > 100, "the picture is blank"


def pixels(png: bytes) -> bytes:
    """The filtered rows of a picture; of a blank one they hold a few different bytes."""
    at, packed = 8, b""
    while at < len(png):
        size, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        packed += png[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    return zlib.decompress(packed)


def test_a_link_to_a_requirement_opens_it(show: Show) -> None:
    text = page([GOOD, BAD])
    told, console = show(text, "--dump-dom", anchor="#CKPT-READ-001")
    assert console == ""
    assert "<title>Conformance of x, y</title>" in told, "the text of a port was run"
    assert told.count('<tr class="detail">') == 1
    assert '<h3 class="">x: 1 of 1 cases pass</h3>' in told
    assert '<h3 class="">y: 0 of 1 cases pass</h3>' in told
    assert "tenuto conformance run --filter C-1" in told
    assert told.count("&lt;img src=x onerror=") >= 2  # the title of the case, and what came
    closed, _ = show(text, "--dump-dom")
    assert closed.count('<tr class="detail">') == 0


def test_a_fault_of_the_script_would_be_seen(show: Show) -> None:
    told, console = show(page([GOOD]).replace('"use strict";', '"use strict"; missing();'), "--dump-dom")
    assert "missing is not defined" in console
    assert '<span id="count"></span>' in told
    told, _ = show(page([GOOD]), "--dump-dom")
    assert re.search(r'<span id="count">[0-9]+ of [0-9]+</span>', told)
