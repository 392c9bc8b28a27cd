"""The page about the suite is up to date, and leaves no case, law or hostile adapter out."""

from __future__ import annotations

import pytest

from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.meta import page
from tenuto.conformance_tests.meta.hostile.__main__ import BEHAVIORS
from tenuto.conformance_tests.plan import all_cases


@pytest.mark.skipif(not page.PAGE.parent.is_dir(), reason="an installed package comes without its documents")
def test_the_committed_page_is_that_of_the_suite(capsys: pytest.CaptureFixture[str]) -> None:
    assert page.main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_a_page_that_differs_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "EXPECTATIONS", [])
    assert page.main(["--check"]) == 1
    assert "run `make spec`" in capsys.readouterr().err


def test_every_area_has_cases_and_every_adapter_a_line() -> None:
    assert {page.area(case) for case in all_cases(spec_folder())} == page.AREAS.keys()
    text = page.page()
    assert [name for name in BEHAVIORS if f"\n| {name}" not in text] == []
    assert "lambda" not in text
