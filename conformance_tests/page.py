"""The page of results: requirements by ports, in one file that needs nothing from elsewhere.

What a port said is never put into the page as markup: it stands in a block of data and is shown as text.

Spec: section 8 of 90-conformance.md, CONF-VERDICT-002, CONF-PROF-002.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from tenuto.conformance_tests.awards import is_failure
from tenuto.conformance_tests.badge import badge, badge_svg
from tenuto.conformance_tests.judge import Verdict
from tenuto.conformance_tests.matrix import NO_CASE, NOT_CLAIMED, Cell, Row, Section, cells, sections
from tenuto.conformance_tests.page_style import SCRIPT, STYLE
from tenuto.conformance_tests.port import PROFILE_INCLUDES, included
from tenuto.conformance_tests.record import Judged, Run

_TEXT_MAX = 4000
_FAILURES_MAX = 20
_GLYPHS = {Verdict.PASS: "✓", Verdict.XFAIL: "✓", Verdict.UNCOVERED: "?", NO_CASE: "○"}
_PAGE = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
script-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head><body>
<header><h1>Conformance <small>tenuto specification {spec}</small></h1>
<div class="ports">{ports}</div></header>
<nav><input id="search" type="search" placeholder="id, words of a clause, or a case" aria-label="search">
<select id="state" aria-label="which requirements"><option value="">all requirements</option>
<option value="claimed" selected>claimed by a port</option><option value="bad">failing</option>\
<option value="no-case">without a case</option></select>
<select id="profile" aria-label="profile"><option value="">all profiles</option>{profiles}</select>
<span id="count"></span></nav>
<noscript><p>Clauses, differences and commands behind the cells need JavaScript.</p></noscript>
<table><thead><tr><th>requirement</th><th>clause</th><th>profile</th>{heads}</tr></thead>
{sections}</table>
<footer>Click a cell, or a requirement, for the clause, what was expected, what came, and a command that shows it again.
A cell shows the worst verdict of the cases that judge a requirement, and how many of them did not pass.</footer>
<script type="application/json" id="data">{data}</script><script>{script}</script></body></html>
"""


def page(runs: Sequence[Run]) -> str:
    """The whole page for the runs of one or more ports, a column for each."""
    documents = list(sections())
    rows = [row for section in documents for row in section.rows]
    columns = [cells(run, rows) for run in runs]
    return _PAGE.format(
        title=escape(f"Conformance of {', '.join(run.name for run in runs)}"),
        spec=escape(", ".join(sorted({run.spec for run in runs}))),
        style=STYLE,
        script=SCRIPT,
        ports="".join(_port(run) for run in runs),
        profiles="".join(f"<option>{profile}</option>" for profile in PROFILE_INCLUDES),
        heads="".join(f"<th>{escape(run.name)}</th>" for run in runs),
        sections="".join(_section(section, columns) for section in documents),
        data=_data(runs, rows, columns),
    )


def _port(run: Run) -> str:
    failures = [judged for judged in run.judged if is_failure(judged.verdict)]
    counts = ", ".join(f"{count} {verdict}" for verdict, count in run.counts.items())
    told = [counts, f"capabilities: {', '.join(run.capabilities) or 'none'}", f"suite {run.suite}"]
    told += [] if run.seed is None else [f"seed {run.seed}"]
    told += [f"baseline entry without a case: {pattern}" for pattern in run.idle]
    name = f"{escape(run.name)} <small>{escape(f'{run.version}, {run.language}')}</small>"
    facts = "".join(f"<li>{escape(fact)}</li>" for fact in told)
    return (
        f'<section class="port"><h2>{name}</h2><p>{badge_svg(badge(run))}</p><p class="claims">{_claims(run)}</p>'
        f"<ul>{facts}</ul>{_failures(failures)}</section>"
    )


def _claims(run: Run) -> str:
    claimed = sorted(frozenset().union(*(included(one) for one in run.claims)), key=lambda one: len(included(one)))
    return " ".join(_claim(run, profile) for profile in claimed)


def _claim(run: Run, profile: str) -> str:
    if profile in run.awarded:
        return f'<span class="good">{profile}: awarded</span>'
    own = [judged for judged in run.judged if judged.profile in included(profile)]
    failures, holes = sum(is_failure(judged.verdict) for judged in own), len(run.withheld.get(profile, ()))
    word = f"{failures} of {len(own)} fail" if failures else f"withheld, {holes} without a case" if holes else "not run"
    return f'<span class="{"bad" if failures else "no-case"}">{profile}: {word}</span>'


def _failures(failures: Sequence[Judged]) -> str:
    if not failures:
        return ""
    shown = "".join(
        f'<li><a href="#{escape(one.req[0] if one.req else "")}">{escape(one.case)}</a> {one.verdict}'
        f"<small>{escape(one.title)}</small></li>"
        for one in failures[:_FAILURES_MAX]
    )
    more = len(failures) - _FAILURES_MAX
    rest = f"<li>and {more} more</li>" if more > 0 else ""
    return f'<details open><summary>{len(failures)} failing</summary><ul class="failures">{shown}{rest}</ul></details>'


def _section(section: Section, columns: Sequence[Mapping[str, Cell]]) -> str:
    told = "".join(f"<td>{_share(section, column)}</td>" for column in columns)
    head = f'<tr class="section"><th colspan="3">{marked(section.title)}</th>{told}</tr>'
    return f"<tbody>{head}{''.join(_row(row, columns) for row in section.rows)}</tbody>\n"


def _share(section: Section, column: Mapping[str, Cell]) -> str:
    """How many requirements of a document pass, of those that the port claims."""
    words = [column[row.id].word for row in section.rows if column[row.id].word != NOT_CLAIMED]
    return f"{words.count(Verdict.PASS)} of {len(words)}" if words else ""


def _row(row: Row, columns: Sequence[Mapping[str, Cell]]) -> str:
    shown = "".join(f"<td>{_button(column[row.id])}</td>" for column in columns)
    kinds = " ".join(sorted({_kind(column[row.id]) for column in columns}))
    kinds += " claimed" * any(column[row.id].word != NOT_CLAIMED for column in columns)
    full = escape(f"{row.text} {row.explanation}".strip())
    return (
        f'<tr class="requirement" id="{row.id}" data-profile="{row.profile}" data-kinds="{kinds}">'
        f'<th scope="row"><button class="id" title="{full}">{row.id}</button></th>'
        f'<td class="text"><div>{marked(row.text)}</div></td><td class="profile">{row.profile}</td>{shown}</tr>'
    )


def _button(cell: Cell) -> str:
    glyph = _GLYPHS.get(cell.word, "✗" if cell.judged else "·")
    others = len(cell.judged) - cell.passed
    count = f" {others} of {len(cell.judged)}" if others else f" {cell.passed}"
    word = f"{glyph} {cell.word}{count if cell.judged else ''}"
    return f'<button class="cell {_kind(cell)}">{escape(word)}</button>'


def _kind(cell: Cell) -> str:
    if not cell.judged:
        return "no-case" if cell.word == NO_CASE else "neither"
    if cell.word == Verdict.PASS:
        return "good"
    return "bad" if is_failure(Verdict(cell.word)) else "known"


def marked(text: str) -> str:
    """A clause as markup: code and bold words; everything else is escaped."""
    return re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", re.sub("`([^`]+)`", r"<code>\1</code>", escape(text)))


def _data(runs: Sequence[Run], rows: Sequence[Row], columns: Sequence[Mapping[str, Cell]]) -> str:
    """The clauses, and what each port said to each case, for the script; no text in it ends the block."""
    clauses = {row.id: [str(row.entry.fields["level"]), marked(row.text), marked(row.explanation)] for row in rows}
    ports = [
        {
            "name": run.name,
            "cases": {judged.case: list(_told(judged)) for judged in run.judged},
            "cells": {row.id: [judged.case for judged in column[row.id].judged] for row in rows},
        }
        for run, column in zip(runs, columns, strict=True)
    ]
    return json.dumps({"clauses": clauses, "ports": ports}, separators=(",", ":")).replace("<", "\\u003c")


def _told(judged: Judged) -> Iterator[str]:
    yield from (str(judged.verdict), judged.title)
    if is_failure(judged.verdict) or judged.verdict is Verdict.XFAIL:
        yield from (text[:_TEXT_MAX] for text in (judged.detail, judged.expected, judged.actual, judged.repro))
