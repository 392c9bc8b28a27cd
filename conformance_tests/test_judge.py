"""One value of an expectation flipped, and the judge says so."""

import re
from pathlib import Path
from typing import Any

import pytest

from tenuto.conformance_tests import judge
from tenuto.conformance_tests.cases import Decode, Recode, Refusal, Refuse
from tenuto.conformance_tests.clauses import spec_folder
from tenuto.conformance_tests.judge import Verdict
from tenuto.conformance_tests.oracle.document import Json, MalformedError, dump
from tenuto.conformance_tests.oracle.make_vectors import all_vectors
from tenuto.conformance_tests.oracle.vector import dump_text, flip
from tenuto.conformance_tests.plan import all_cases
from tenuto.conformance_tests.port import Port
from tenuto.conformance_tests.process import Exit
from tenuto.conformance_tests.protocol import Reply

OK = Reply("ok", {"canonical": True})
VECTOR = next(vector for vector in all_vectors() if vector.id == "CKPT-V-002")
REFUSAL = Refusal("bad_magic", "open")
PORT = Port(Path("port.toml"), "x", "1", "Python", ("run",), ("codec", "codec-read"), ("zstd",))


def document() -> Json:
    assert VECTOR.document is not None
    return dump(VECTOR.document)


def written() -> bytes:
    assert VECTOR.document is not None
    return dump_text(VECTOR.document)


def leaves(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(leaves, value))
    return 1


def flipped(value: Any, number: int) -> Any:
    """The value with one leaf changed."""
    if not isinstance(value, list):
        return (not value) if isinstance(value, bool) else value + "0"
    found = []
    for item in value:
        count = leaves(item)
        found.append(flipped(item, number) if 0 <= number < count else item)
        number -= count
    return found


@pytest.mark.req("CONF-OP-003", "CONF-VERDICT-007")
def test_a_document_with_any_leaf_changed_does_not_pass() -> None:
    assert judge.judge_decode(True, document(), OK, written()) == judge.PASSED
    for number in range(leaves(document())):
        verdict = judge.judge_decode(True, flipped(document(), number), OK, written()).verdict
        assert verdict is Verdict.FAIL


@pytest.mark.req("CONF-OP-003")
@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (["array", "i:1"], ["array", "i:1", "i:1"]),
        (["array", "i:1", "i:1"], ["array", "i:1"]),
        (["array"], ["map"]),
        (True, "true"),
        ("f64:8000000000000000", "f64:0000000000000000"),
        ("i:1", "f64:3ff0000000000000"),
        ("b:61", "s:a"),
    ],
)
def test_values_that_differ(expected: Json, actual: Json) -> None:
    found = judge.difference(expected, actual, "value")
    assert found is not None
    assert found.verdict is Verdict.FAIL
    assert found.expected != found.actual


@pytest.mark.req("CONF-OP-003")
def test_the_form_of_a_file_is_part_of_the_answer() -> None:
    assert judge.judge_decode(False, document(), OK, written()).verdict is Verdict.FAIL
    with pytest.raises(MalformedError):
        judge.judge_decode(True, document(), Reply("ok", {}), written())
    with pytest.raises(MalformedError):
        judge.judge_decode(True, document(), Reply("ok", {"canonical": "true"}), written())


@pytest.mark.req("CONF-VERDICT-007", "CONF-LINE-004")
def test_what_was_written_is_looked_at() -> None:
    assert judge.judge_decode(True, document(), OK, None).verdict is Verdict.FAIL
    for broken in (b"", b"null", b'["map", ["version", "1.0"]]', written()[:-3], b'"s:x"'):
        with pytest.raises(MalformedError):
            judge.judge_decode(True, document(), OK, broken)


@pytest.mark.req("CONF-OP-004", "CKPT-CANON-005")
def test_a_file_that_differs_in_one_bit_does_not_pass() -> None:
    data = VECTOR.data
    assert judge.judge_recode(data, OK, data) == judge.PASSED
    for at in range(0, len(data), 17):
        found = judge.judge_recode(data, OK, flip(data, at))
        assert found.verdict is Verdict.FAIL
        assert str(at) in found.detail
    for other in (data[:-1], data + b"\x00", b"", None):
        assert judge.judge_recode(data, OK, other).verdict is Verdict.FAIL


@pytest.mark.req("CONF-VERDICT-001")
@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (Reply("error", {"code": "bad_magic", "phase": "open"}), Verdict.PASS),
        (Reply("error", {"code": "bad_magic", "phase": "head"}), Verdict.FAIL),
        (Reply("error", {"code": "wrong_length", "phase": "open"}), Verdict.FAIL),
        (Reply("internal", {"message": "error bad_magic in phase open"}), Verdict.FAIL),
        (Reply("ok", {"canonical": True}), Verdict.FAIL),
        (Reply("unsupported", {"capability": "decode"}), Verdict.NOT_TESTABLE),
    ],
)
def test_only_the_right_refusal_passes(reply: Reply, verdict: Verdict) -> None:
    assert judge.judge_refusal(REFUSAL, reply).verdict is verdict


@pytest.mark.req("CONF-VERDICT-001")
@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (Reply("error", {"code": "bad_magic", "phase": "open"}), Verdict.FAIL),
        (Reply("internal", {"message": "x"}), Verdict.FAIL),
        (Reply("unsupported", {"capability": "decode"}), Verdict.NOT_TESTABLE),
    ],
)
def test_a_good_file_that_is_refused(reply: Reply, verdict: Verdict) -> None:
    assert judge.judge_decode(True, document(), reply, written()).verdict is verdict
    assert judge.judge_recode(b"x", reply, b"x").verdict is verdict
    assert judge.judge_echo("nil", reply).verdict is verdict


def hello(**changes: Json) -> Reply:
    told: dict[str, Json] = {
        "nonce": "n",
        "protocol": "i:1",
        "port": {"name": "x", "version": "1", "language": "anything"},
        "spec": "1.0",
        "claims": ["codec-read", "codec"],
        "capabilities": ["zstd"],
    }
    return Reply("ok", told | changes)


@pytest.mark.req("CONF-OP-001", "CONF-VERDICT-006")
def test_a_greeting() -> None:
    assert judge.judge_hello(PORT, "n", hello()) == judge.PASSED
    lies: list[dict[str, Json]] = [
        {"protocol": "i:2"},
        {"port": {"name": "y", "version": "1", "language": "Python"}},
        {"port": {"name": "x", "version": "2", "language": "Python"}},
        {"claims": ["codec"]},
        {"claims": ["codec", "codec-read", "resume"]},
        {"capabilities": []},
    ]
    for changes in lies:
        assert judge.judge_hello(PORT, "n", hello(**changes)).verdict is Verdict.FAIL
    breaches: list[dict[str, Json]] = [
        {"nonce": "m"},
        {"port": "x"},
        {"port": {"name": "x", "version": "1"}},
        {"spec": "2.0"},
        {"spec": True},
        {"claims": "codec"},
        {"capabilities": [True]},
    ]
    for changes in breaches:
        with pytest.raises(MalformedError):
            judge.judge_hello(PORT, "n", hello(**changes))


@pytest.mark.req("CONF-OP-002")
def test_an_echo() -> None:
    value: Json = ["array", "i:1", ["map", ["a", "nil"]]]
    assert judge.judge_echo(value, Reply("ok", {"value": value})) == judge.PASSED
    assert judge.judge_echo(value, Reply("ok", {"value": ["array", "i:1"]})).verdict is Verdict.FAIL
    for broken in ({}, {"value": "x"}):
        with pytest.raises(MalformedError):
            judge.judge_echo(value, Reply("ok", broken))


@pytest.mark.req("CONF-REPLY-002")
def test_an_unknown_operation() -> None:
    assert judge.judge_unknown("x-1", Reply("unsupported", {"capability": "x-1"})) == judge.PASSED
    for reply in (
        Reply("unsupported", {"capability": "x"}),
        Reply("ok", {"capability": "x-1"}),
        Reply("internal", {"message": ""}),
    ):
        assert judge.judge_unknown("x-1", reply).verdict is Verdict.FAIL


@pytest.mark.req("CONF-REPLY-003")
def test_a_bad_line() -> None:
    assert judge.judge_bad_line(Reply("internal", {"message": "x"})) == judge.PASSED
    for reply in (Reply("ok", {}), Reply("unsupported", {"capability": ""})):
        assert judge.judge_bad_line(reply).verdict is Verdict.FAIL


@pytest.mark.req("CONF-OP-005")
@pytest.mark.parametrize(
    ("found", "verdict"),
    [(Exit(0), Verdict.PASS), (Exit(3), Verdict.FAIL), (Exit(-11), Verdict.CRASH), (None, Verdict.TIMEOUT)],
)
def test_an_end(found: Exit | None, verdict: Verdict) -> None:
    assert judge.judge_end(found).verdict is verdict


def test_the_verdicts_are_those_of_the_text() -> None:
    text = (spec_folder() / "90-conformance.md").read_text("utf-8")
    section = text[text.index("## 5. Verdicts") : text.index("**CONF-VERDICT-001**")]
    words = set(re.findall(r"`([A-Z_]{4,})`", section))
    assert words == set(Verdict)


@pytest.mark.req("CONF-VERDICT-001")
def test_the_plan_expects_what_the_oracle_made() -> None:
    """A sidecar or a document that was changed by hand would judge every port wrongly."""
    tasks = {case.id: case.task for case in all_cases(spec_folder())}
    for vector in all_vectors():
        if vector.code is not None:
            refuse = tasks[f"{vector.id}/refuse"]
            assert isinstance(refuse, Refuse)
            assert refuse.refusal.code == vector.code
            continue
        decode, recode = tasks[f"{vector.id}/decode"], tasks[f"{vector.id}/recode"]
        assert isinstance(decode, Decode)
        assert isinstance(recode, Recode)
        assert vector.document is not None
        assert decode.document() == dump(vector.document)
        assert decode.canonical is (vector.twin is None)
        assert (recode.data() == vector.data) is (vector.twin is None)
