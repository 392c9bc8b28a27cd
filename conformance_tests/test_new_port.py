import json
import subprocess
import sys
from pathlib import Path

import pytest

from tenuto.conformance_tests.command import Options, judge_port
from tenuto.conformance_tests.new_port import NewPortError, write_port
from tenuto.conformance_tests.port import read_port


def tenuto(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tenuto.cli", "conformance", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.req("CONF-OP-001", "CONF-OP-002", "CONF-OP-005", "CONF-REPLY-002", "CONF-VERDICT-003")
def test_a_new_port_in_python_is_judged_honestly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "my port"
    write_port(folder, "Python")
    toml = (folder / "port.toml").read_text().replace('"python3"', json.dumps(sys.executable))
    (folder / "port.toml").write_text(toml)
    of_the_adapter = ["CONF-HELLO", "CONF-ECHO-*", "CONF-UNKNOWN-OP", "CONF-BAD-LINE", "CONF-BYE", "CONF-END-OF-INPUT"]
    options = Options(folder / "port.toml", filters=of_the_adapter, results=tmp_path / "r", as_json=True)
    assert judge_port(options) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"PASS": 9}
    options = Options(
        folder / "port.toml", filters=["CKPT-V-001/[dr]*", "CKPT-I-001"], results=tmp_path / "r", as_json=True
    )
    assert judge_port(options) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["counts"], told["awarded"]) == ({"NOT_CLAIMED": 1, "NOT_TESTABLE": 2}, [])


@pytest.mark.parametrize(
    ("folder", "language", "name", "run"),
    [
        ("Mine_2", "Rust", "mine-2", ("./build/adapter",)),
        ("---", 'C "11"', "port", ("./build/adapter",)),
        ("p", "PYTHON", "p", ("python3", "adapter.py")),
    ],
)
def test_what_is_written_is_a_port(tmp_path: Path, folder: str, language: str, name: str, run: tuple[str, ...]) -> None:
    written = write_port(tmp_path / folder, language)
    assert all(path.is_file() for path in written)
    port = read_port(tmp_path / folder / "port.toml")
    assert (port.name, port.language, port.run) == (name, language, run)
    told = (tmp_path / folder / "README.md").read_text()
    assert f"# {name}: a tenuto port in {language}\n" in told
    assert 'escape  = "\\" ( \'"\' | "\\" | "/"' in told
    assert ("`adapter.py` is there" in told) == (language == "PYTHON")


def test_a_folder_in_use_and_a_language_that_is_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    write_port(tmp_path / "used", "Go")
    for folder, language, said in (
        ("used", "Go", "not empty"),
        ("used/README.md", "Go", "expected a folder that can be made"),
        ("new", " ", "expected the name of a language"),
        ("new", "Go\n", "expected the name of a language"),
    ):
        with pytest.raises(NewPortError, match=said):
            write_port(tmp_path / folder, language)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("language", "suffix"), [("mojo", ".mojo"), ("Python", ".py"), ("Zig", "")])
def test_the_command_adds_the_skeleton_of_a_language_that_has_one(tmp_path: Path, language: str, suffix: str) -> None:
    ended = tenuto("new-port", "--lang", language, tmp_path / "mine")
    assert ended.returncode == 0, ended.stderr
    told = [Path(line) for line in ended.stdout.splitlines()]
    assert told == [path for path in told if path.is_file()]
    skeleton = {path.name for path in told if path.parent.name == "skeleton"}
    assert skeleton == (
        {f"{name}{suffix}" for name in ("__init__", "callbacks", "ckpt", "errors")} if suffix else set()
    )
    ended = tenuto("new-port", "--lang", language, tmp_path / "mine")
    assert (ended.returncode, ended.stderr[-46:]) == (2, "not empty; expected a folder that is not there yet\n"[-46:])
