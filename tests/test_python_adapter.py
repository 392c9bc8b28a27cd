"""The operations of the Python adapter beside training: what it lists, encodes, answers and leaves behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from python_adapter import PORT, Adapter, action, observer, saver, scenario

from tenuto.reference.checkpoint import read_checkpoint

VECTORS = Path(__file__).parents[1] / "spec/v1/vectors/ckpt/valid"


@pytest.fixture(scope="module")
def adapter():
    with Adapter() as running:
        yield running


# -- nothing is left behind -------------------------------------------------------------------------------------------


@pytest.mark.req("SCN-OP-006")
def test_what_was_carried_out_before_changes_nothing(tmp_path):
    wild = [action("signal", "on_batch_start", signal="SIGTERM"), action("break", "on_exception")]
    first = scenario(observer("A", *wild, counts=True), saver(async_save=True))
    second = scenario(observer("A", counts=True), saver(), epochs=2)
    told = []
    for number, order in enumerate(([second], [first, second, second], [second, first, second])):
        with Adapter() as fresh:
            replies = [fresh.carry(one, tmp_path / f"{number}" / str(at)) for at, one in enumerate(order)]
        told += [reply for reply, one in zip(replies, order, strict=True) if one is second]
    assert told == [told[0]] * len(told)
    assert len(told) == 5


@pytest.mark.req("SCN-OP-006")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_after_an_interruption_signals_do_what_they_did_before(number, tmp_path):
    interrupted = scenario(observer("A", action("signal", "on_batch_start", signal=number.name)))
    with Adapter() as fresh:
        assert fresh.carry(interrupted, tmp_path / "f")[0]["outcome"] == "interrupted"
        fresh.process.send_signal(number)
        fresh.process.wait(10)
    assert fresh.process.returncode == -number


# -- the other operations ---------------------------------------------------------------------------------------------


@pytest.mark.req("SCN-OP-005")
def test_a_folder_is_listed_as_the_reference_sees_it(adapter, tmp_path):
    folder = tmp_path / "f"
    assert adapter.ask("list", folder=str(folder)) == {"reply": "ok", "checkpoints": [], "damaged": [], "newest": ""}
    fails = action("raise", "on_batch_start", 4, code="x_a")
    adapter.carry(scenario(observer("A", fails), saver(save_best=False), epochs=2), folder)
    (folder / "b.ckpt").write_bytes(b"no checkpoint")
    (folder / "c.txt").write_bytes(b"no checkpoint either")
    told = adapter.ask("list", folder=str(folder))
    run_id = read_checkpoint(folder / "latest.ckpt").head["metadata"]["origin"]["run_id"]
    common = {"run_id": run_id, "attempt": "i:1", "epoch": "i:1", "kind": "full"}
    end = {"batch_in_epoch": "i:0", "global_step": "i:2", "exact": True, "reasons": ["periodic"], **common}
    inside = {"batch_in_epoch": "i:1", "global_step": "i:3", "exact": False, "reasons": ["exception"], **common}
    assert told["checkpoints"] == [
        {"name": "checkpoint_epoch_0001.ckpt", **end},
        {"name": "emergency_epoch_0001_step_00000003.ckpt", **inside},
        {"name": "latest.ckpt", **end},
    ]
    assert told["damaged"] == [{"name": "b.ckpt", "code": "file_too_small"}]
    assert told["newest"] == "checkpoint_epoch_0001.ckpt"


@pytest.mark.req("SCN-OP-005")
def test_no_checkpoint_is_the_newest_where_auto_takes_none(adapter, tmp_path):
    adapter.carry(scenario(observer(), saver()), tmp_path / "f")
    adapter.carry(scenario(observer(), saver()), tmp_path / "g")
    (tmp_path / "g/latest.ckpt").rename(tmp_path / "f/other.ckpt")
    told = adapter.ask("list", folder=str(tmp_path / "f"))
    assert len({entry["run_id"] for entry in told["checkpoints"]}) == 2
    assert told["newest"] == ""


@pytest.fixture
def document():
    """A document of a vector, with the file that it has to become."""
    chosen = max(VECTORS.glob("*.json"))
    return json.loads(chosen.read_text()), chosen.with_suffix(".ckpt").read_bytes()


@pytest.mark.req("SCN-OP-001")
def test_a_document_is_encoded(adapter, document, tmp_path):
    tagged, file = document
    path, out = tmp_path / "d.json", tmp_path / "out"
    path.write_text(json.dumps(tagged))
    assert adapter.ask("encode", document=str(path), out=str(out)) == {"reply": "ok"}
    assert out.read_bytes() == file
    reply = adapter.ask("encode", document=str(path), out=str(out / "below a file"))
    assert reply == {"reply": "error", "code": "io_error", "phase": "io"}
    reply = adapter.ask("encode", document=str(tmp_path / "no.json"), out=str(out))
    assert reply == {"reply": "error", "code": "file_not_found", "phase": "io"}


@pytest.mark.req("SCN-OP-001")
@pytest.mark.parametrize(
    ("key", "value", "reply"),
    [
        ("metadata", None, {"reply": "error", "code": "missing_key", "phase": "encode"}),
        ("requires", ["array", "s:zstd"], {"reply": "error", "code": "unsupported_feature", "phase": "encode"}),
        ("trailer", "nil", {"reply": "error", "code": "misplaced_key", "phase": "encode"}),
        (
            "x",
            ["tensor", "t:900", "float31", "", "b:00"],
            {"reply": "error", "code": "unknown_dtype", "phase": "encode"},
        ),
        ("x", "i:18446744073709551616", {"reply": "error", "code": "unserializable_value", "phase": "encode"}),
    ],
)
def test_a_document_that_no_file_holds_is_refused(key, value, reply, adapter, document, tmp_path):
    pairs = dict(document[0][1:])
    path, out = tmp_path / "d.json", tmp_path / "out"
    changed = {name: part for name, part in {**pairs, key: value}.items() if part is not None}
    path.write_text(json.dumps(["map", *([name, changed[name]] for name in sorted(changed))]))
    assert adapter.ask("encode", document=str(path), out=str(out)) == reply
    assert not out.exists()


@pytest.mark.parametrize(
    "tagged",
    [
        ["array"],
        ["map", ["a", "nil"], ["a", "nil"]],
    ],
)
def test_what_is_no_document_is_a_fault(tagged, adapter, tmp_path):
    (tmp_path / "d.json").write_text(json.dumps(tagged))
    told = adapter.ask("encode", document=str(tmp_path / "d.json"), out=str(tmp_path / "out"))
    assert told["reply"] == "internal"


@pytest.mark.req("CKPT-VAL-002")
@pytest.mark.parametrize("other", [["int8", "1", "b:01"], ["uint8", "1", "b:00"], ["int8", "1,1", "b:00"]])
def test_tensors_of_one_identity_that_differ_are_refused(other, adapter, tmp_path):
    tagged = ["map", ["a", ["tensor", "t:0", "int8", "1", "b:00"]], ["b", ["tensor", "t:0", *other]]]
    (tmp_path / "d.json").write_text(json.dumps(tagged))
    told = adapter.ask("encode", document=str(tmp_path / "d.json"), out=str(tmp_path / "out"))
    assert told == {"reply": "error", "code": "bad_tensor", "phase": "encode"}
    assert not (tmp_path / "out").exists()


@pytest.mark.req("CONF-REPLY-002", "CONF-REPLY-003")
def test_a_greeting_and_a_line_that_are_at_fault_are_answered(adapter):
    greeting = {"protocol": "i:1", "spec": "1.0", "nonce": "n"}
    described = tomllib.loads((PORT / "port.toml").read_text())
    told = adapter.ask("hello", **greeting)
    assert (told["reply"], told["nonce"]) == ("ok", "n")
    assert [told[key] for key in ("claims", "capabilities")] == [described[key] for key in ("claims", "capabilities")]
    assert adapter.ask("hello", **{**greeting, "spec": "9.0"}) == {"reply": "unsupported", "capability": "spec"}
    assert adapter.ask("hello", **{**greeting, "protocol": "i:2"}) == {"reply": "unsupported", "capability": "protocol"}
    for line in ("{", "[]", '{"id":"7"}', '{"id":"7","op":[]}'):
        assert adapter.ask_line(line, "")["reply"] == "internal"


def test_an_adapter_trains_without_torch():
    code = f"import sys; sys.path.insert(0, {str(PORT)!r}); import adapter, scenario; print('torch' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.stdout, ended.stderr) == ("False\n", "")
