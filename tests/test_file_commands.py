"""`tenuto verify`, `diff`, `recode`, and how the command line starts and ends."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import subprocess
import sys
import zipfile

import pytest

from tenuto import cli
from tenuto.cli import files
from tenuto.reference.checkpoint import encode, read_checkpoint, write_checkpoint
from tenuto.reference.checkpoint.compare import digest
from tenuto.reference.checkpoint.foreign import name_foreign
from tenuto.reference.errors import CheckpointError, TrainingInterrupted


def tenuto(*arguments):
    command = [sys.executable, "-m", "tenuto.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", b"x" * 200)
    return buffer.getvalue()


SAFETENSORS_HEADER = b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
FOREIGN = {
    "zip": zipped(),
    "gzip": gzip.compress(b"x" * 200),
    "safetensors": len(SAFETENSORS_HEADER).to_bytes(8, "little") + SAFETENSORS_HEADER + bytes(100),
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(200),
    "pickle": pickle.dumps(list(range(200))),
    "GGUF": b"GGUF" + bytes(200),
    "HTML": b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>" + b" " * 200,
    "git lfs pull": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12345\n",
    "zstd": b"\x28\xb5\x2f\xfd" + bytes(200),
    "empty file": b"",
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.req("STORE-CLI-003")
def test_foreign_files_are_named(tmp_path, name):
    path = tmp_path / "model.ckpt"
    path.write_bytes(FOREIGN[name])
    for command in ("verify", "inspect"):
        ended = tenuto(command, path)
        assert ended.returncode == 1
        assert name in ended.stdout + ended.stderr
        assert len((ended.stdout + ended.stderr).splitlines()) == 1


@pytest.mark.req("STORE-CLI-003")
def test_what_is_not_known_is_not_named(make_document):
    assert name_foreign(b"hello world, this is text") is None
    assert name_foreign(b"\x80") is None
    assert name_foreign((9).to_bytes(8, "little") + b"no json here") is None
    assert "HTML" in (name_foreign(b"<html lang=en>") or "")
    assert name_foreign(b"<htmlx>") is None
    for version in range(2, 6):
        assert "pickle" in (name_foreign(pickle.dumps({}, protocol=version)) or "")
    assert name_foreign(next(encode(make_document()))[:64]) is None


@pytest.mark.req("STORE-CLI-001")
def test_verify_ends_with_1_if_one_file_is_bad(make_document, tmp_path):
    write_checkpoint(tmp_path / "good.ckpt", make_document())
    (tmp_path / "bad.ckpt").write_bytes((tmp_path / "good.ckpt").read_bytes()[:-1])
    ended = tenuto("verify", tmp_path / "good.ckpt", tmp_path / "bad.ckpt", tmp_path / "missing.ckpt")
    assert ended.returncode == 1
    lines = ended.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["ok", "bad_magic", "file_not_found"]
    told = json.loads(tenuto("verify", "--json", tmp_path).stdout)
    assert [(result["ok"], result.get("code"), result.get("phase")) for result in told] == [
        (False, "bad_magic", "open"),
        (True, None, None),
    ]


@pytest.mark.req("STORE-CLI-001")
def test_a_folder_without_checkpoints_is_not_called_good(tmp_path):
    ended = tenuto("verify", tmp_path)
    assert ended.returncode == 1
    assert ended.stdout.startswith("no_checkpoints")


@pytest.mark.req("CKPT-CANON-006")
def test_diff(make_document, make_tensor, tmp_path):
    parts = {"model_state": {"w": make_tensor(3)}}
    write_checkpoint(tmp_path / "a", make_document(**parts, metadata={"origin": {"host": "x"}}))
    write_checkpoint(tmp_path / "b", make_document(**parts))
    write_checkpoint(tmp_path / "c", make_document(model_state={"w": make_tensor(3, start=1)}))
    same = tenuto("diff", tmp_path / "a", tmp_path / "b")
    sha = digest(read_checkpoint(tmp_path / "a"))
    assert (same.returncode, same.stderr) == (0, "")
    assert same.stdout.splitlines() == [f"{sha}  {tmp_path / 'a'}", f"{sha}  {tmp_path / 'b'}", "identical"]
    other = tenuto("diff", tmp_path / "a", tmp_path / "c")
    assert other.returncode == 1
    assert "first difference: model_state.w: float32 tensor of shape [3], 3 elements differ" in other.stdout
    told = json.loads(tenuto("diff", "--json", tmp_path / "a", tmp_path / "c").stdout)
    assert (told["identical"], told["sha256"][0]) == (False, sha)
    missing = tenuto("diff", tmp_path / "a", tmp_path / "d")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "file_not_found" in missing.stderr


@pytest.mark.req("CKPT-CANON-006", "CKPT-CANON-005")
def test_recode(make_document, tmp_path):
    write_checkpoint(tmp_path / "a", make_document(metadata={"origin": {"host": "x"}, "n": 1}))
    assert tenuto("recode", tmp_path / "a", tmp_path / "b").returncode == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert tenuto("recode", "--strip-origin", tmp_path / "a", tmp_path / "a").returncode == 0
    assert read_checkpoint(tmp_path / "a").head["metadata"] == {"origin": {}, "n": 1}
    (tmp_path / "bad").write_bytes(b"x" * 500)
    ended = tenuto("recode", tmp_path / "bad", tmp_path / "out")
    assert ended.returncode == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.req("CKPT-READ-006")
def test_recode_replaces_nothing_but_files_and_makes_no_folders(make_document, tmp_path):
    source, pipe, link, folder = (tmp_path / name for name in ("a", "pipe", "link", "folder"))
    write_checkpoint(source, make_document())
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    folder.mkdir()
    before = sorted(tmp_path.rglob("*"))
    for target, code in (
        (pipe, "not_a_file"),
        (link, "not_a_file"),
        (folder, "not_a_file"),
        (tmp_path / "missing" / "x", "file_not_found"),
        (source / "x", "file_not_found"),
    ):
        ended = tenuto("recode", source, target)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert f"[{code}]" in ended.stderr
        assert ended.stderr.count(f"{target}: ") == 1
        with pytest.raises(CheckpointError) as caught:
            files.recode(source, target)
        assert (caught.value.code, caught.value.phase) == (code, "io")
    assert sorted(tmp_path.rglob("*")) == before
    assert pipe.is_fifo()


def test_diff_tells_that_the_models_differ(make_document, make_tensor, tmp_path):
    def write(name, fingerprint, **tensors):
        metadata = {"origin": {}, "architecture": {"fingerprint": fingerprint}}
        write_checkpoint(tmp_path / name, make_document(metadata=metadata, model_state=tensors))
        return tmp_path / name

    one = write("one", "a" * 16, w=make_tensor(3, 4), b=make_tensor(3), gone=make_tensor(2))
    two = write("two", "b" * 16, w=make_tensor(3, 5), b=make_tensor(3), **{f"new{n}": make_tensor(1) for n in range(6)})
    ended = tenuto("diff", one, two)
    assert ended.returncode == 1
    assert ended.stdout.splitlines()[3:] == [
        "hint: the models differ in model_state:",
        "  model_state.gone: float32 [2]; not in the second",
        *(f"  model_state.new{n}: not in the first; float32 [1]" for n in range(4)),
        "  and 3 more",
    ]
    assert json.loads(tenuto("diff", "--json", one, two).stdout)["model_differences"][-1] == (
        "model_state.w: float32 [3, 4]; float32 [3, 5]"
    )
    assert "but not in names and shapes" in tenuto("diff", one, write("three", "c", **_like(one))).stdout
    assert "hint" not in tenuto("diff", one, write("four", "a" * 16, w=make_tensor(3))).stdout


def _like(path):
    return read_checkpoint(path).head["model_state"]


@pytest.mark.parametrize("command", ["inspect", "verify", "diff", "recode"])
def test_a_message_has_the_path_once_and_a_hint_for_a_folder(tmp_path, command):
    for path in (tmp_path / "nothere", tmp_path):
        if command == "verify" and path == tmp_path:
            continue
        ended = tenuto(command, path, *([tmp_path / "b"] if command in {"diff", "recode"} else []))
        assert ended.returncode == 1
        assert (ended.stdout + ended.stderr).count(str(path)) == (1 if path != tmp_path else 2)
        assert ("tenuto verify" in ended.stderr) == (path == tmp_path)


def closed_early(*arguments):
    """Runs a command whose stdout nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "tenuto.cli", *arguments]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    return ended.returncode, ended.stderr


@pytest.mark.req("STORE-CLI-001")
def test_a_pipe_that_is_closed_early_is_no_bad_file(make_document, tmp_path):
    good, bad = tmp_path / "good.ckpt", tmp_path / "bad.ckpt"
    write_checkpoint(good, make_document())
    for arguments in (("inspect",), ("inspect", "--json"), ("verify",), ("verify", "--json"), ("diff", good)):
        assert closed_early(*arguments, good) == (0, "")
    assert closed_early("recode", good, tmp_path / "out") == (0, "")
    bad.write_bytes(b"x" * 500)
    assert closed_early("verify", good, bad) == (1, "")  # the pipe changes what is seen and not what is found


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CheckpointError("io_error", "no luck", phase="io"), 1),
        (TrainingInterrupted("stopped", exit_code=143), 143),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError(), 3),
        (None, None),
    ],
    ids=repr,
)
@pytest.mark.req("STORE-CLI-001")
def test_how_the_command_line_ends(monkeypatch, capsys, error, code):
    def run():
        if error is not None:
            raise error

    monkeypatch.setattr(cli, "app", run)
    if code is None:
        cli.main()
        return
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == code
    assert ("Traceback" in capsys.readouterr().err) == (code == 3)


def test_a_wrong_option_is_usage():
    assert tenuto("verify", "--nonsense").returncode == 2
    assert tenuto("verify").returncode == 2


@pytest.mark.parametrize("arguments", [("--help",), ("verify", "--help"), ("spec", "--help")], ids=" ".join)
def test_help_is_quick_to_come(arguments):
    code = (
        "import sys\nfrom tenuto.cli import app\n"
        f"app({list(arguments)!r}, standalone_mode=False)\n"
        "print('LOADED', sorted({'torch', 'numpy', 'yaml', 'msgpack', 'matplotlib'} & sys.modules.keys()))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.stdout.splitlines()[-1] == "LOADED []", ended.stderr
