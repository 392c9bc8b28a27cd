"""`tenuto spec stub`: the skeleton of a port is accepted by the tools of its language, and runs."""

from __future__ import annotations

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tenuto.callbacks.settings import CheckpointSettings
from tenuto.interfaces.load import load
from tenuto.interfaces.stub_mojo import mojo_stub
from tenuto.interfaces.stub_python import python_stub
from tenuto.reference.checkpoint import constants
from tenuto.reference.codes import PHASES_OF
from tenuto.reference.events.hooks import Hook

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
QUIET = {"MODULAR_CRASH_REPORTING_ENABLED": "false", "MODULAR_TELEMETRY_ENABLED": "0"}


def stub(*arguments):
    command = [BIN / "tenuto", "spec", "stub", *arguments, "--root", ROOT]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """The Python stub: a function that imports one of its modules."""
    folder = tmp_path_factory.mktemp("python")
    assert stub("--lang", "python", "--out", folder / "port_stub").returncode == 0
    sys.path.insert(0, str(folder))
    yield lambda name: importlib.import_module(f"port_stub.{name}")
    sys.path.remove(str(folder))


def test_the_python_stub_passes_strict_type_checks(port, tmp_path):
    folder = Path(port("ckpt").__file__).parent
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", tmp_path, folder]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    assert subprocess.run([sys.executable, "-m", "compileall", "-q", folder], check=False).returncode == 0


def test_the_python_stub_has_every_hook_with_a_default_that_does_nothing(port):
    callbacks = port("callbacks")
    hooks = [name for name in vars(callbacks.BaseCallback) if name.startswith("on_")]
    assert hooks == [hook.value for hook in Hook]
    base = callbacks.BaseCallback()
    assert [getattr(base, hook)(object()) for hook in hooks] == [None] * len(hooks)
    assert (base.state_key, base.phase, base.state_dict()) == ("BaseCallback", "observe", {})


def test_the_python_stub_has_the_settings_codes_and_numbers_of_the_reference(port):
    callbacks, errors, ckpt = port("callbacks"), port("errors"), port("ckpt")
    made, ours = callbacks.CheckpointCallback(), CheckpointSettings()
    names = [one.name for one in CheckpointSettings.__attrs_attrs__ if one.init and one.name != "checkpoint_dir"]
    assert {name: getattr(made, name) for name in names} == {name: getattr(ours, name) for name in names}
    assert (made.checkpoint_dir, made.phase) == ("./checkpoints", "checkpoint")
    assert errors.PHASES_OF == PHASES_OF
    assert errors.FIELDS_OF["state_mismatch"] == {"mismatches": "list[str]"}
    assert (ckpt.DTYPES, ckpt.HEAD_KEYS) == (constants.DTYPES, constants.HEAD_KEYS)
    assert (ckpt.RANK_LIMIT, bytes.fromhex(ckpt.MAGIC)) == (constants.RANK_LIMIT, constants.MAGIC)


def test_a_call_that_is_not_written_says_so(port):
    callbacks = port("callbacks")
    with pytest.raises(NotImplementedError):
        callbacks.Trainer(max_epochs=1).fit()


@pytest.mark.parametrize("write", [python_stub, mojo_stub])
def test_every_item_stands_in_the_stub_with_its_clause(write):
    interfaces = load(ROOT)
    text = "\n".join(write(interfaces).values())
    for interface in interfaces:
        for item in interface.items():
            assert item.clause in text, item
            assert item.name in text or item.name.upper() in text, item


def test_without_a_folder_the_stub_is_printed_and_what_is_there_is_left_alone(tmp_path):
    printed = stub("--lang", "python").stdout
    assert printed.startswith("# ---- __init__.py\n")
    ast.parse(printed.partition("# ---- errors.py\n")[2].partition("# ---- ")[0])
    (tmp_path / "errors.py").write_text("mine")
    ended = stub("--lang", "python", "--out", tmp_path)
    assert ended.returncode == 2
    assert "errors.py: is there" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["errors.py"]
    assert (tmp_path / "errors.py").read_text() == "mine"
    assert stub("--lang", "cobol").returncode == 2


PROGRAM = """
from port_stub.callbacks import AnyCallback, BaseCallback, CheckpointCallback, Context, EarlyStopping, Progress
from port_stub.callbacks import RunIdentity, Trainer
from port_stub.ckpt import HEAD_LIMIT, dtype_bytes, head_keys_value
from port_stub.errors import Code, TenutoError, fields_of, phases_of


struct Counter(BaseCallback):
    var batches: Int

    def __init__(out self):
        self.batches = 0

    def state_key(self) -> String:
        return "Counter"

    def on_batch_end(mut self, mut context: Context) raises TenutoError:
        self.batches += 1
        context.request_stop("enough")


def main() raises:
    var callbacks: List[AnyCallback] = []
    callbacks.append(AnyCallback(Counter()))
    callbacks.append(AnyCallback(CheckpointCallback(save_top_k=3)))
    callbacks.append(AnyCallback(EarlyStopping()))
    var trainer = Trainer(max_epochs=2, callbacks=callbacks^)
    var context = Context(progress=Progress(epoch=1), metrics={}, run=RunIdentity(run_id="r"), in_window=False)
    for i in range(len(trainer.callbacks)):
        trainer.callbacks[i].on_batch_end(context)
        trainer.callbacks[i].on_teardown(context)
        print(trainer.callbacks[i].state_key(), trainer.callbacks[i].phase(), len(trainer.callbacks[i].state_dict()))
    print(context.request_stop_calls[0], len(context.request_stop_calls), context.progress.epoch)
    print(HEAD_LIMIT, dtype_bytes("complex128"), dtype_bytes("float31"), head_keys_value("metadata"))
    print(phases_of(Code.BAD_TENSOR)[1], fields_of(Code.STATE_MISMATCH)[0], len(phases_of("none")))
    var settings = CheckpointCallback(save_top_k=3)
    print(settings.mode, settings.save_frequency.value(), settings.save_top_k.value(), settings.min_delta)
    print(settings.save_every_steps is None, settings.save_best, settings.checkpoint_dir)
    try:
        _ = trainer.fit()
    except e:
        print(e)
"""
PRINTED = """\
Counter observe 0
CheckpointCallback checkpoint 0
EarlyStopping observe 0
enough 1 1
268435456 16 0 map
encode mismatches 0
min 1 3 0.0
True True ./checkpoints
fit: not written; expected it of the port [x_not_written]
"""


def test_the_mojo_stub_compiles_and_runs(tmp_path):
    """All of it is compiled as a package; then a program uses it."""
    assert stub("--lang", "mojo", "--out", tmp_path / "port_stub").returncode == 0
    (tmp_path / "main.mojo").write_text(PROGRAM)
    for command in (["precompile", "port_stub", "-o", tmp_path / "out.mojoc"], ["run", "-I", ".", "main.mojo"]):
        ended = subprocess.run(
            [BIN / "mojo", *command],
            cwd=tmp_path,
            env={**os.environ, **QUIET},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
    assert ended.stdout == PRINTED
