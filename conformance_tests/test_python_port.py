"""The Python reference, judged as any other port: as a process, by its answers."""

import json
import sys
from pathlib import Path

import pytest

from tenuto.conformance_tests.command import Options, judge_port

PORT = Path(__file__).resolve().parent.parent / "ports" / "python"


@pytest.fixture
def port(tmp_path: Path) -> Path:
    """The port of the checkout with the interpreter that runs the tests."""
    text = (PORT / "port.toml").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("run =")]
    run = json.dumps([sys.executable, str(PORT / "adapter.py")])
    path = tmp_path / "port.toml"
    path.write_text("\n".join([*lines, f"run = {run}", ""]))
    return path


@pytest.mark.req("CONF-OP-001", "CONF-OP-002", "CONF-OP-003", "CONF-OP-004", "CONF-OP-005", "CONF-VERDICT-003")
def test_the_python_reference_passes_every_case_of_codec(
    port: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = judge_port(Options(port, "codec", results=tmp_path / "results.jsonl", jobs=2, as_json=True))
    told = json.loads(capsys.readouterr().out)
    assert (code, told["exit_code"]) == (0, 0)
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text("utf-8").splitlines()]
    other = [line["case"] for line in lines if line["kind"] == "verdict" and line["verdict"] != "PASS"]
    assert other == ["CKPT-I-245/refuse"]  # what a port without zstd says of a compressed file
    # What is not awarded waits for cases, and for nothing else.
    assert {"codec-read", "codec"} <= {*told["awarded"], *told["withheld"]}


def test_the_adapter_only_translates() -> None:
    text = (PORT / "adapter.py").read_text("utf-8")
    assert len(text.splitlines()) < 300
    for word in ("torch", "msgpack", "xxhash", "conformance_tests"):
        assert f"import {word}" not in text
        assert f"from {word}" not in text
