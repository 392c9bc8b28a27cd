"""The worked examples of the specification: each is run, and each is shown to fail when it is spoiled."""

from __future__ import annotations

from collections import Counter

import pytest
from attrs import evolve
from spec_examples import decisions, files, folders, steps, traces
from spec_examples.source import BadExampleError, examples, items
from spec_examples.trace_form import parse_trace

from tenuto.reference.errors import CheckpointError

RUNNERS = {
    "ckpt-hex": files.run,
    "python": folders.program,
    "due": decisions.due,
    "best": decisions.best,
    "list": decisions.best_list,
    "name": decisions.name,
    "keep": decisions.keep,
    "newest": folders.newest,
    "step": steps.run,
}
# How many of each kind there are at least, so that none is lost unseen; a table counts by its rows.
FLOOR = {
    "trace": 27,
    "ckpt-hex": 3,
    "python": 1,
    "due": 5,
    "best": 10,
    "list": 7,
    "name": 10,
    "keep": 9,
    "newest": 9,
    "step": 15,
}
STATED_CELLS = {"due": 2, "best": 1, "list": 2, "name": 1, "keep": 1, "newest": 1, "step": 2}  # the last ones of a row
# What each example shows, as it says behind `req=`: written out here for the linter, which reads the marks of tests.
SHOWN = {
    "EX-CB-001": pytest.mark.req(
        "CB-HOOK-007", "CB-HOOK-009", "CB-HOOK-013", "CB-ORDER-001", "CB-ORDER-005", "CB-ORDER-006"
    ),
    "EX-CB-002": pytest.mark.req("TR-LOOP-001", "TR-LOOP-010", "TR-LOOP-011", "RW-ACC-001"),
    "EX-CB-003": pytest.mark.req("CB-HOOK-007", "CB-STOP-001", "CB-STOP-002"),
    "EX-CB-004": pytest.mark.req("CB-STOP-001", "CB-STOP-003"),
    "EX-CB-005": pytest.mark.req("CB-STOP-001"),
    "EX-CB-006": pytest.mark.req("CB-HOOK-006", "CB-STOP-004", "TR-STATE-014"),
    "EX-CB-007": pytest.mark.req("CB-HOOK-009", "CB-STOP-006"),
    "EX-CB-008": pytest.mark.req(
        *("CB-FAIL-001", "CB-FAIL-002", "CB-FAIL-003", "CB-FAIL-004", "CB-HOOK-005", "CB-ORDER-005", "TR-LOOP-017")
    ),
    "EX-CB-009": pytest.mark.req("CB-FAIL-001", "CB-FAIL-005"),
    "EX-CB-010": pytest.mark.req("CB-FAIL-006"),
    "EX-CKPT-001": pytest.mark.req(
        *("CKPT-FILE-001", "CKPT-FILE-002", "CKPT-FILE-003", "CKPT-FRAME-001", "CKPT-FRAME-002", "CKPT-FRAME-003")
    ),
    "EX-CKPT-002": pytest.mark.req(
        *("CKPT-SEG-002", "CKPT-SEG-003", "CKPT-SEG-004", "CKPT-SEG-005", "CKPT-VAL-003", "CKPT-VAL-005"),
        *("CKPT-VAL-008", "CKPT-VAL-009"),
    ),
    "EX-CKPT-003": pytest.mark.req(
        *("CKPT-CANON-001", "CKPT-CANON-002", "CKPT-CANON-005", "CKPT-VAL-001", "CKPT-VAL-013")
    ),
    "EX-CKPT-004": pytest.mark.req("CKPT-FILE-001", "CKPT-SEG-003"),
    "EX-CPC-001": pytest.mark.req("CPC-WHEN-001", "CPC-WHEN-002", "CPC-WHEN-007", "CPC-WHEN-010"),
    "EX-CPC-002": pytest.mark.req("CPC-BEST-001", "CPC-BEST-002", "CPC-BEST-003", "CPC-BEST-009"),
    "EX-CPC-003": pytest.mark.req("CPC-BEST-001", "CPC-BEST-005", "CPC-BEST-010"),
    "EX-CPC-004": pytest.mark.req("CPC-BEST-002", "CPC-BEST-003", "CPC-BEST-004", "CPC-BEST-009"),
    "EX-CPC-005": pytest.mark.req(
        *("CPC-NAME-001", "CPC-NAME-002", "CPC-NAME-003", "CPC-NAME-004", "CPC-NAME-007", "CPC-NAME-008")
    ),
    "EX-CPC-006": pytest.mark.req("CPC-KEEP-001", "CPC-KEEP-003", "CPC-KEEP-004", "CPC-KEEP-005"),
    "EX-CPC-007": pytest.mark.req("CPC-NAME-001", "CPC-WHEN-001", "CPC-WHEN-002", "CPC-WHEN-007"),
    "EX-CPC-008": pytest.mark.req("CPC-NAME-005", "CPC-NAME-013", "CPC-WHEN-005", "CPC-WHEN-012"),
    "EX-CPC-009": pytest.mark.req("CPC-BEST-002"),
    "EX-CPC-010": pytest.mark.req("CPC-BEST-003", "CPC-BEST-006", "CPC-WHEN-003", "CPC-WHEN-004"),
    "EX-CPC-011": pytest.mark.req("CB-HOOK-010", "CPC-BEST-004", "CPC-BEST-012", "CPC-NAME-003", "CPC-NAME-013"),
    "EX-CPC-012": pytest.mark.req("CB-HOOK-010", "CPC-KEEP-001", "CPC-KEEP-004"),
    "EX-CPC-013": pytest.mark.req("CPC-BEST-009", "CPC-CALL-004", "CPC-NAME-005"),
    "EX-CPC-014": pytest.mark.req("CPC-BEST-015", "CPC-CALL-003", "CPC-NAME-003", "CPC-NAME-008"),
    "EX-CPC-015": pytest.mark.req("CB-HOOK-010", "CB-HOOK-017", "CPC-BEST-012", "CPC-KEEP-009"),
    "EX-RW-001": pytest.mark.req(
        *("RW-DATA-001", "RW-DATA-002", "RW-DATA-003", "RW-GEN-001", "RW-GEN-004", "RW-MODEL-001", "RW-MODEL-002"),
        *("RW-MODEL-003", "RW-MODEL-004", "RW-SGD-001"),
    ),
    "EX-TR-001": pytest.mark.req("TR-RES-001", "TR-RES-003", "TR-RES-006", "TR-RES-011", "TR-RES-021"),
    "EX-TR-002": pytest.mark.req("CB-HOOK-006", "TR-REST-005", "TR-RES-001", "TR-STATE-014"),
    "EX-TR-003": pytest.mark.req("TR-RES-009", "TR-REST-008"),
    "EX-TR-004": pytest.mark.req(
        *("TR-FAIL-001", "TR-FAIL-002", "TR-FAIL-007", "TR-FAIL-011", "TR-FAIL-014", "TR-RES-001")
    ),
    "EX-TR-005": pytest.mark.req("CB-HOOK-008", "TR-FAIL-007", "TR-LOOP-017", "TR-RES-003"),
    "EX-TR-006": pytest.mark.req("TR-FAIL-002", "TR-FAIL-003", "TR-FAIL-015"),
    "EX-TR-007": pytest.mark.req("TR-FAIL-004", "TR-FAIL-008", "TR-REST-005"),
    "EX-TR-008": pytest.mark.req("TR-FAIL-016"),
    "EX-TR-009": pytest.mark.req("CB-HOOK-015", "TR-FAIL-015", "TR-REST-005"),
}
ITEMS = items()


def params(*kinds):
    """Returns what of these kinds is run, each with its id and with what it shows."""
    chosen = [item for item in ITEMS if item.example.kind in kinds]
    return [pytest.param(item, id=item.id, marks=SHOWN.get(item.example.id, ())) for item in chosen]


def is_wrong(item, folder):
    """Whether an example is refused, or states something else than what is found."""
    try:
        return not RUNNERS[item.example.kind](item, folder).agrees
    except (BadExampleError, CheckpointError):
        return True


@pytest.fixture(scope="module", autouse=True)
def _without_syncs():
    """Durability is shown elsewhere; here the syncs of some hundred saves would take longer than all the rest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)
        yield


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    """Returns a function that runs a trace once: the trace, and what came of it."""
    made = {}

    def run(item):
        if item.id not in made:
            trace = parse_trace(item.example.body)
            made[item.id] = trace, traces.observe(trace, tmp_path_factory.mktemp(item.id))
        return made[item.id]

    return run


@pytest.mark.parametrize("item", params(*RUNNERS))
def test_the_example_is_right(item, tmp_path):
    verdict = RUNNERS[item.example.kind](item, tmp_path)
    assert verdict.found == verdict.stated


@pytest.mark.parametrize("item", params("trace"))
def test_the_trace_is_right(item, observed):
    verdict = traces.compare(*observed(item))
    assert verdict.found == verdict.stated


# -- nothing is lost --------------------------------------------------------------------------------------------------


def test_every_example_is_run_and_none_is_lost():
    found = examples()
    files_and_documents = [example.id for example in found if example.kind in {"ckpt-hex", "document"}]
    assert Counter(files_and_documents) == dict.fromkeys(files_and_documents, 2)
    assert {example.kind for example in found} - {"document"} == RUNNERS.keys() | {"trace"}
    counts = Counter(item.example.kind for item in ITEMS)
    assert {kind: counts[kind] for kind, floor in FLOOR.items() if counts[kind] < floor} == {}
    assert len({item.id for item in ITEMS}) == len(ITEMS)


def test_the_marks_are_those_of_the_examples():
    stated = {item.example.id: tuple(item.options.get("req", "").split(",")) for item in ITEMS}
    assert {identity: mark.args for identity, mark in SHOWN.items()} == stated


# -- a spoiled example fails ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("item", params("ckpt-hex"))
def test_a_changed_byte_or_value_is_noticed(item, tmp_path):
    lines = item.example.body
    for at, line in enumerate(lines):
        code, comment = line.split("#", 1)
        first, rest = code[:6], code[6:]
        flipped = f"{first}{int(rest[:2], 16) ^ 1:02x}{rest[2:]}#{comment}"
        shifted = f"{int(line[:4], 16) + 1:04x}{line[4:]}"
        silent = code.rstrip()
        assert all(is_wrong(item.with_line(at, spoiled), tmp_path) for spoiled in (flipped, shifted, silent)), line
    document = "\n".join(item.partner.body)
    for old, new in (("s:1.0", "s:1.1"), ('["requires", ["array"]]', '["requires", ["map"]]')):
        assert document.count(old) == 1
        body = tuple(document.replace(old, new).splitlines())
        assert is_wrong(evolve(item, partner=evolve(item.partner, body=body)), tmp_path)
    assert is_wrong(evolve(item, partner=None), tmp_path)


@pytest.mark.parametrize("item", params(*STATED_CELLS))
def test_a_changed_cell_is_noticed(item, tmp_path):
    for at in range(-STATED_CELLS[item.example.kind], 0):
        place = len(item.cells) + at
        assert is_wrong(item.with_cell(place, f"{item.cells[place]}, 9"), tmp_path)


@pytest.mark.parametrize("item", params("python"))
def test_a_changed_program_is_noticed(item, tmp_path):
    lines = item.example.body
    (at,) = [at for at, line in enumerate(lines) if "[-stored:]" in line]
    assert is_wrong(item.with_line(at, lines[at].replace("[-stored:]", "[stored:]")), tmp_path)


@pytest.mark.parametrize("item", params("trace"))
def test_a_changed_statement_is_noticed(item, observed):
    trace, found = observed(item)
    for number, attempt in enumerate(trace.attempts):
        for stated in spoiled(attempt.stated):
            changed = [evolve(one, stated=stated) if at == number else one for at, one in enumerate(trace.attempts)]
            assert not traces.compare(evolve(trace, attempts=tuple(changed)), found).agrees, stated
    for key in trace.undisturbed:
        assert not traces.compare(trace, [*found[:-1], {**found[-1], key: "other"}]).agrees, key


def spoiled(stated):
    """Yields what an attempt states with one line of a list missing, one too many, or another value."""
    for key, value in stated.items():
        lines = value if isinstance(value, list) else []
        yield {**stated, key: [*lines, "more"]}
        for at in range(len(lines)):
            yield {**stated, key: lines[:at] + lines[at + 1 :]}


def test_a_run_that_continues_otherwise_is_noticed(observed, tmp_path):
    (item,) = [item for item in ITEMS if item.id == "EX-TR-002"]
    trace, _ = observed(item)
    first, second = trace.attempts
    other = evolve(first, given={**first.given, "metrics": {"val_loss": [0.0, 0.0]}})
    found = traces.observe(evolve(trace, attempts=(other, second)), tmp_path)
    assert not traces.compare(trace, found).agrees
    assert traces.compare(evolve(trace, undisturbed=("log",)), found).agrees


@pytest.mark.parametrize(
    "text",
    [
        "given: {max_epochs: 1, callbacks: []}",
        "given: {max_epochs: 1, callbacks: []}\noutcome: finished\nfile: []",
        "given: {max_epoch: 1, callbacks: []}\noutcome: finished",
        "given: {max_epochs: 1, callbacks: [{name: A, at: {call: 1}, do: stop, reason: x}]}\noutcome: finished",
        "given: {max_epochs: 1, callbacks: [{name: A, at: {hook: on_teardown, call: 1}}]}\noutcome: finished",
        "attempts: []\nundisturbed: [files]",
    ],
)
def test_a_trace_with_a_key_that_nobody_reads_is_refused(text):
    with pytest.raises(BadExampleError):
        parse_trace(text.splitlines())
