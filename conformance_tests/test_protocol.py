import json
from collections.abc import Iterable
from typing import Any

import pytest

from tenuto.conformance_tests.lines import LineReader, OversizedError
from tenuto.conformance_tests.oracle.document import Json, MalformedError, Reader, dump, load
from tenuto.conformance_tests.oracle.tree import Tensor, filled, make
from tenuto.conformance_tests.plan import ESCAPES
from tenuto.conformance_tests.protocol import Reply, check_reply, parse_json, parse_reply, request_line


@pytest.mark.req("CONF-LINE-004")
@pytest.mark.parametrize(
    "text",
    [
        "1",
        "-1.5",
        "NaN",
        "Infinity",
        "null",
        '{"a": null}',
        '["a", 0]',
        '{"a": "1", "a": "2"}',
        '"\\ud800"',
        '{"\\udfff": "a"}',
        "",
        '"a" "b"',
        "[" * 100_000,
        '"\x01"',
    ],
)
def test_json_that_is_not_allowed(text: str) -> None:
    with pytest.raises(MalformedError):
        parse_json(text.encode())


@pytest.mark.req("CONF-LINE-004", "CONF-LINE-002")
def test_json_that_is_allowed() -> None:
    data = '{"a": ["b", true, false, {}, []], "\\ud83d\\ude00": "\u20ac"}'.encode()
    assert parse_json(data) == {"a": ["b", True, False, {}, []], "\U0001f600": "\u20ac"}


@pytest.mark.req("CONF-LINE-002")
def test_a_reply_is_utf8() -> None:
    with pytest.raises(MalformedError):
        parse_json(b'"\xff"')


@pytest.mark.req("CONF-LINE-001", "CONF-LINE-006")
def test_a_request_is_one_line_of_ascii() -> None:
    line = request_line({"id": "1", "value": ESCAPES}, escape_slash=True)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert json.loads(line)["value"] == ESCAPES
    for escape in (rb"\"", rb"\\", rb"\/", rb"\b", rb"\f", rb"\n", rb"\r", rb"\t", rb"\u0000", rb"\ud83d\ude00"):
        assert escape in line


@pytest.mark.req("CONF-LINE-001")
def test_a_request_has_an_end() -> None:
    with pytest.raises(ValueError, match="expected at most 1048576"):
        request_line({"value": "x" * (1 << 20)})


@pytest.mark.req("CONF-LINE-005", "CONF-VERDICT-006")
@pytest.mark.parametrize(
    "body", ['{"reply": "ok"}', '{"id": "2", "reply": "ok"}', '{"id": true, "reply": "ok"}', "[]", '"ok"', "{"]
)
def test_a_reply_to_something_else(body: str) -> None:
    with pytest.raises(MalformedError):
        parse_reply(b"@tenuto " + body.encode(), "1")


@pytest.mark.req("CONF-REPLY-001")
@pytest.mark.parametrize(
    "members",
    [
        {},
        {"reply": True},
        {"reply": "OK"},
        {"reply": "error"},
        {"reply": "error", "code": "bad_magic"},
        {"reply": "error", "code": "bad_magic", "phase": "reading"},
        {"reply": "error", "code": "oops", "phase": "open"},
        {"reply": "unsupported"},
        {"reply": "internal", "message": ["x"]},
    ],
)
def test_a_reply_that_is_none_of_the_table(members: dict[str, Json]) -> None:
    line = b"@tenuto " + json.dumps({"id": "1", **members}).encode()
    with pytest.raises(MalformedError):
        check_reply(parse_reply(line, "1"))


@pytest.mark.req("CONF-REPLY-001")
def test_replies_of_the_table() -> None:
    for members in (
        {"reply": "ok", "more": "x"},
        {"reply": "error", "code": "bad_magic", "phase": "open"},
        {"reply": "unsupported", "capability": "zstd"},
        {"reply": "internal", "message": ""},
    ):
        line = b"@tenuto " + json.dumps({"id": "1", **members}).encode()
        check_reply(parse_reply(line, "1"))
    with pytest.raises(MalformedError):
        Reply("ok", {"a": True}).text("a")


def read(chunks: Iterable[bytes], limit: int = 40) -> tuple[list[bytes], int]:
    reader = LineReader(limit)
    return [line for chunk in chunks for line in reader.feed(chunk)], reader.noise


@pytest.mark.req("CONF-LINE-003", "CONF-LINE-002")
def test_noise_is_counted_and_replies_are_found_however_the_bytes_arrive() -> None:
    text = b"hello\n@tenuto {}\n\n@tenut\n" + b"x" * 1000 + b"\n @tenuto {}\n@tenuto []\n@tenuto\n"
    expected = ([b"@tenuto {}", b"@tenuto []"], 6)
    assert read([text]) == expected
    assert read([text[at : at + 1] for at in range(len(text))]) == expected
    assert read([text[at : at + 7] for at in range(0, len(text), 7)]) == expected


@pytest.mark.req("CONF-LINE-003")
def test_the_first_ignored_line_is_kept_however_the_bytes_arrive() -> None:
    text = b"before\n@tenuto {}\n" + b"first " * 50 + b"\nsecond\n"
    for step in (1, 7, len(text)):
        reader = LineReader()
        for at in range(0, len(text), step):
            list(reader.feed(text[at : at + step]))
        assert (reader.ignored, reader.noise, reader.sample) == (2, 3, b"first " * 20)


@pytest.mark.req("CONF-LINE-003", "CONF-VERDICT-005")
def test_noise_without_end_is_not_kept() -> None:
    reader = LineReader()
    for _ in range(1000):
        assert list(reader.feed(b"x" * 10_000)) == []
    assert reader.held < 100
    assert list(reader.feed(b"x\n@tenuto {}\n")) == [b"@tenuto {}"]


@pytest.mark.req("CONF-LINE-002", "CONF-VERDICT-005")
def test_a_reply_without_end_is_given_up() -> None:
    with pytest.raises(OversizedError):
        read([b"@tenuto " + b"x" * 33])
    assert read([b"@tenuto " + b"x" * 32 + b"\n"])[1] == 0


@pytest.mark.req("CONF-LINE-004")
@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "NIL",
        "i:01",
        "i:-0",
        "i:+1",
        "i:",
        "i:1 ",
        "i:18446744073709551616",
        "i:-9223372036854775809",
        "i:\u0661",
        "f64:3FF0000000000000",
        "f64:1.0",
        "b:0",
        "b:0G",
        "b:AA",
        {},
        [],
        [True],
        ["set"],
        [["array"]],
        ["map", "a"],
        ["map", ["a"]],
        ["map", [True, "nil"]],
        ["map", ["b", "nil"], ["a", "nil"]],
        ["map", ["a", "nil"], ["a", "nil"]],
        ["map", ["\U00010000", "nil"], ["\uffff", "nil"]],
        ["tensor", "t:0", "uint8", "1"],
        ["tensor", "0", "uint8", "1", "b:00"],
        ["tensor", "t:00", "uint8", "1", "b:00"],
        ["tensor", "t:0", "uint9", "1", "b:00"],
        ["tensor", "t:0", "uint8", "1,", "b:00"],
        ["tensor", "t:0", "uint8", "01", "b:00"],
        ["array", ["tensor", "t:0", "uint8", "1", "b:00"], ["tensor", "t:0", "uint8", "1", "b:01"]],
    ],
)
def test_trees_that_break_a_rule(value: Json) -> None:
    with pytest.raises(MalformedError):
        Reader().tree(value)


@pytest.mark.req("CONF-LINE-004")
def test_identities_follow_the_order_of_the_file_and_keys_that_of_their_bytes() -> None:
    tied, empty = filled("uint8", 1), Tensor("uint8", (0,), b"")
    document = make(aaa=tied, model_state={"z": tied, "a": filled("uint8", 2)}, trainer_state=[empty, empty])
    value = dump(document)
    assert isinstance(value, list)
    pairs: list[Any] = value[1:]
    assert [pair[0] for pair in pairs[:3]] == ["aaa", "callback_state", "metadata"]
    parts = {pair[0]: pair[1] for pair in pairs}
    assert [pair[1][1] for pair in parts["model_state"][1:]] == ["t:0", "t:1"]
    assert parts["aaa"][1] == "t:1"
    assert [part[1] for part in parts["trainer_state"][1:]] == ["t:2", "t:3"]
    assert dump(load(value)) == value
