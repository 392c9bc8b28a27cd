"""How the page of results looks, and what its cells do when they are clicked."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c1f23; --soft: #5c6670; --line: #dfe3e8; --paper: #fff; --raised: #f6f7f9;
  --good: #14692f; --good-bg: #e2f4e7; --bad: #a3180e; --bad-bg: #fde7e4; --hole: #7a5300; --hole-bg: #fff2cf; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --soft: #98a2ad; --line: #30363d; --paper: #14171b;
  --raised: #1c2127; --good: #7fd89a; --good-bg: #143821; --bad: #ff9d92; --bad-bg: #4a1a16; --hole: #f0c25c;
  --hole-bg: #40320e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 24px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { margin: 0 0 16px; font-size: 26px; } h2 { margin: 0; font-size: 18px; }
small { color: var(--soft); font-weight: normal; font-size: 14px; margin-left: 6px; }
code, pre, .id, .failures a { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 13px; }
code { background: var(--raised); border-radius: 3px; padding: 1px 4px; }
.ports { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); gap: 16px;
  align-items: start; }
.port { border: 1px solid var(--line); border-radius: 8px; padding: 16px 18px; background: var(--raised); }
.port p { margin: 8px 0 0; } .port svg { display: block; }
.port ul { list-style: none; margin: 10px 0 0; padding: 0; color: var(--soft); font-size: 14px; }
.claims { display: flex; flex-wrap: wrap; gap: 6px; }
.claims span { border-radius: 4px; padding: 1px 8px; font-size: 13px; }
.port details { margin-top: 12px; } summary { cursor: pointer; font-weight: 600; color: var(--bad); }
.failures { max-height: 220px; overflow: auto; } .failures a { color: inherit; }
nav { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; margin: 22px 0 8px; }
nav input { flex: 1 1 260px; } nav input, nav select { font: inherit; color: inherit; background: var(--paper);
  border: 1px solid var(--line); border-radius: 6px; padding: 5px 9px; }
#count { color: var(--soft); font-size: 14px; }
table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: 6px 8px; border-bottom: 1px solid var(--line); }
thead th { position: sticky; top: 0; z-index: 1; background: var(--paper); border-bottom: 2px solid var(--line);
  color: var(--soft); font-weight: 600; font-size: 13px; }
.section th { font-size: 16px; padding-top: 22px; }
.section td { padding-top: 24px; color: var(--soft); font-size: 13px; }
tr.requirement th { width: 1%; white-space: nowrap; } .profile { width: 1%; white-space: nowrap;
  color: var(--soft); font-size: 13px; }
.text div { display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical; overflow: hidden; }
.open .text div { -webkit-line-clamp: unset; }
button { font: inherit; color: inherit; border: 0; background: none; padding: 0; cursor: pointer; text-align: left; }
.id { font-weight: 600; } .id:hover { text-decoration: underline; }
.cell { border-radius: 4px; padding: 1px 8px; font-size: 13px; white-space: nowrap; }
.good { color: var(--good); background: var(--good-bg); } .bad { color: var(--bad); background: var(--bad-bg); }
.no-case, .known { color: var(--hole); background: var(--hole-bg); } .neither { color: var(--soft); }
.open > * { background: var(--raised); border-bottom-color: transparent; }
.detail > td { background: var(--raised); padding: 4px 12px 18px; }
.detail p { margin: 6px 0; max-width: 90ch; }
.detail h3 { margin: 16px 0 4px; font-size: 15px; }
.case { border-left: 3px solid var(--bad); padding: 2px 0 2px 12px; margin: 12px 0; }
.case dl { display: grid; grid-template-columns: 72px 1fr; gap: 4px; margin: 6px 0; }
.case dt, .label { color: var(--soft); font-weight: 600; font-size: 13px; } .case dd { margin: 0; min-width: 0; }
.case pre { margin: 0; padding: 4px 10px; background: var(--paper);
  border: 1px solid var(--line); border-radius: 5px;
  white-space: pre-wrap; overflow-wrap: anywhere; max-height: 320px; overflow: auto; }
.detail summary { color: var(--soft); font-weight: 600; font-size: 13px; margin-bottom: 4px; }
.passed { display: flex; flex-wrap: wrap; gap: 4px; } .passed code { color: var(--good); background: var(--good-bg); }
.copy { border: 1px solid var(--line); border-radius: 4px; padding: 0 8px; font-size: 12px; margin-left: 8px; }
footer { color: var(--soft); font-size: 14px; margin-top: 20px; }
@media (max-width: 760px) { .profile, thead th:nth-child(3) { display: none; } body { padding: 12px; } }
"""

SCRIPT = """
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const rows = [...document.querySelectorAll("tr.requirement")];
const [search, state, profile] = ["search", "state", "profile"].map(id => document.getElementById(id));
const SHOWN = 60, FEW = 12;

function add(parent, name, text = "", kind = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = kind;
  parent.append(made);
  return made;
}

function addFailure(parent, id, [verdict, title, detail, expected, actual, repro]) {
  const box = add(parent, "div", "", "case");
  add(box, "code", id);
  box.append(` ${verdict}: ${title}`);
  if (detail) add(box, "p", detail);
  const list = add(box, "dl");
  for (const [label, text] of [["expected", expected], ["got", actual], ["again", repro]]) {
    if (!text) continue;
    add(list, "dt", label);
    const shown = add(add(list, "dd"), "pre", text);
    if (label !== "again") continue;
    const copy = add(shown, "button", "copy", "copy");
    copy.addEventListener("click", () => navigator.clipboard.writeText(repro));
  }
}

function addPort(parent, port, requirement) {
  const cases = port.cells[requirement].map(id => [id, port.cases[id]]);
  const failed = cases.filter(([, told]) => told.length > 2), passed = cases.filter(([, told]) => told.length === 2);
  const told = cases.length ? `${passed.length} of ${cases.length} cases pass` : "no case was run";
  add(parent, "h3", `${port.name}: ${told}`);
  if (passed.length) {
    const list = add(parent, "details");
    list.open = passed.length <= FEW;
    add(list, "summary", "those that pass");
    const box = add(list, "div", "", "passed");
    for (const [id, told] of passed) add(box, "code", id).title = told[1];
  }
  failed.slice(0, SHOWN).forEach(([id, told]) => addFailure(parent, id, told));
  if (failed.length > SHOWN) add(parent, "p", `and ${failed.length - SHOWN} more failures`);
}

function toggle(row, wanted = !row.classList.contains("open")) {
  if (row.classList.contains("open") === wanted) return;
  row.classList.toggle("open", wanted);
  if (!wanted) { row.nextElementSibling.remove(); return; }
  const detail = document.createElement("tr");
  detail.className = "detail";
  const cell = add(detail, "td");
  cell.colSpan = row.cells.length;
  const [level, , explanation] = data.clauses[row.id];
  add(cell, "p").innerHTML = explanation;  // of the specification, escaped when the page was made
  add(cell, "p", `${level}, profile ${row.dataset.profile}`, "label");
  data.ports.forEach(port => addPort(cell, port, row.id));
  row.after(detail);
}

function filter() {
  const words = search.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    const cases = data.ports.flatMap(port => port.cells[row.id]).join(" ");
    const text = `${row.id} ${row.querySelector(".text").textContent} ${cases}`.toLowerCase();
    const fits = words.every(word => text.includes(word))
      && (!state.value || row.dataset.kinds.split(" ").includes(state.value))
      && (!profile.value || row.dataset.profile === profile.value);
    if (!fits) toggle(row, false);
    row.hidden = !fits;
    shown += fits;
  }
  for (const body of document.querySelectorAll("tbody"))
    body.hidden = !body.querySelector("tr.requirement:not([hidden])");
  document.getElementById("count").textContent = `${shown} of ${rows.length}`;
}

function follow() {
  const row = rows.find(one => one.id === decodeURIComponent(location.hash.slice(1)));
  if (!row) return;
  if (row.hidden) { search.value = state.value = profile.value = ""; filter(); }
  toggle(row, true);
  row.scrollIntoView({block: "center"});
}

for (const row of rows)
  for (const button of row.querySelectorAll("button")) button.addEventListener("click", () => toggle(row));
for (const control of [search, state, profile]) control.addEventListener("input", filter);
addEventListener("hashchange", follow);
filter();
follow();
"""
