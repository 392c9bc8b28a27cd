"""The message of every error code, provoked: it names the thing, what it is, what was expected, and the file."""

import importlib
import os
import re
import signal

import pytest
import torch
import yaml
from parts_of_state import changed
from recorder import Recorder, rewrite, saving, set_in, small
from test_torch_workload import make
from torch import nn

import tenuto
from tenuto.callbacks.optional_packages import load_package
from tenuto.reference.checkpoint import open_file, read_checkpoint, verify_checkpoint, write_checkpoint
from tenuto.reference.codes import PHASES_OF
from tenuto.reference.errors import TenutoError
from tenuto.reference.trainer.job import TrainingConfig, build_trainer, load_job
from tenuto.reference.trainer.metrics import flatten

VECTORS = importlib.resources.files("tenuto") / "spec/v1/vectors/ckpt/invalid"

# Codes that no test can bring about here, each with the reason.
NOT_PROVOKED = {
    "config_mismatch": "the reference lacks it: part runs",
    "disk_full": "needs a full disk; its message is that of not_a_folder with another reason",
    "not_writable": "the superuser may write anywhere; its message is that of not_a_folder with another reason",
    "inexact_arithmetic": "needs a machine with another arithmetic",
    "inexact_state": "told in the log, never raised",
    "head_limit": "needs a head of more than the limit of bytes; test_codec.py lowers the limit",
    "node_limit": "needs a head of more than the limit of values; test_codec.py lowers the limit",
    "tensor_limit": "needs a head of more than the limit of tensors; test_codec.py lowers the limit",
}


def without_the_extra(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tenuto.callbacks.settings.is_available", lambda: False)
        saving(folder, compression="zstd")


def job(folder, text):
    path = folder / "job.py"
    path.write_text(text)
    return path


def finished(folder, name="a"):
    trainer = small(saving(folder / name))
    trainer.fit()
    return folder / name / "latest.ckpt"


def two_runs(folder):
    rewrite(finished(folder), set_in("metadata", "origin", "run_id", to="other"), name="other.ckpt")
    small(saving(folder / "a")).fit(resume="auto")


def damaged(folder):
    finished(folder)
    for path in (folder / "a").glob("*.ckpt"):
        path.write_bytes(b"")
    small(saving(folder / "a")).fit(resume="auto")


def interrupted(_):
    small(Recorder(on_batch_end=lambda _: os.kill(os.getpid(), signal.SIGTERM))).fit()


def again(_):
    trainer = small()
    trainer.fit()
    trainer.fit()


def other_job(folder):
    (folder / "job").mkdir()
    build = load_job(job(folder, "def build(config):\n    return config.trainer\n"))
    build_trainer(lambda _: small(saving(folder / "b")), TrainingConfig(folder / "c"), is_folder_given=True)
    return build


def weights_alone(folder):
    state = read_checkpoint(finished(folder))
    small().restore_state(changed(state, (("metadata", "kind"), "weights")))


def cut_off(folder):
    path = finished(folder)
    with open_file(path) as opened:
        os.truncate(path, 1000)  # by another process, while it is read
        opened.check_segments()


# code -> (what brings it about in a folder, what is wrong, what came)
PROVOKED = {
    "already_trained": (again, "trainer", "has trained to step 4"),
    "ambiguous_run": (two_runs, "folder {}/a", "checkpoints of 2 runs"),
    "directory_in_use": (
        lambda folder: small(saving(finished(folder).parent)).fit(),
        "folder {}/a",
        "holds checkpoints",
    ),
    "duplicate_file_name": (
        lambda folder: tenuto.CheckpointManager(
            folder, [{"monitor": "a", "filename": "x.ckpt"}, {"monitor": "b", "filename": "x.ckpt"}]
        ),
        "checkpoint_configs",
        "x.ckpt",
    ),
    "duplicate_metric": (lambda _: flatten({"a.b": 1.0, "a": {"b": 2.0}}), "metric 'a.b'", "given flat and nested"),
    "duplicate_state_key": (
        lambda _: small(tenuto.EarlyStopping(), tenuto.EarlyStopping()),
        "state_key 'EarlyStopping'",
        "used by 2 callbacks",
    ),
    "epoch_mismatch": (lambda folder: saving(folder).save_checkpoint(small(), epoch=3), "epoch", "3"),
    "file_not_found": (lambda folder: read_checkpoint(folder / "none.ckpt"), "{}/none.ckpt", "no such file"),
    "invalid_metric": (lambda _: flatten({"a": "text"}), "metric 'a'", "str"),
    "invalid_setting": (lambda _: small(max_epochs=0), "max_epochs", "0"),
    "io_error": (cut_off, "{}/a/latest.ckpt", "nothing at byte "),
    "job_not_found": (lambda folder: load_job(folder / "none.py"), "job {}/none.py", "no such file"),
    "missing_package": (
        lambda _: load_package("tenuto_lacks_this", "wandb"),
        "module tenuto_lacks_this",
        "No module named",
    ),
    "monitor_missing": (
        lambda folder: small(saving(folder, monitor="none", strict_monitor=True)).fit(),
        "monitor",
        "'none'",
    ),
    "no_checkpoint_dir": (lambda _: small().fit(resume="auto"), "resume='auto'", "no callback saves"),
    "no_usable_checkpoint": (damaged, "folder {}/a", "none of"),
    "not_a_file": (read_checkpoint, "{}", "not a regular file"),
    "not_a_folder": (
        lambda folder: small(saving(job(folder, "") / "b", max_save_failures=1)).fit(),
        "{}/job.py/b",
        "not a folder",
    ),
    "not_a_job": (lambda folder: load_job(job(folder, "")), "job {}/job.py", "no function build"),
    "not_resumable": (weights_alone, "metadata.kind", "'weights'"),
    "option_ignored": (other_job, "output folder", "the job saves in {}/b"),
    "several_checkpoint_callbacks": (
        lambda folder: small(saving(folder / "a"), saving(folder / "b")),
        "callbacks that save checkpoints",
        "CheckpointCallback, CheckpointCallback",
    ),
    "state_mismatch": (
        lambda folder: small(batch_size=2).restore_state(read_checkpoint(finished(folder))),
        "saved state",
        "metadata.config.batch_size: 4 in the file, 2",
    ),
    "training_interrupted": (interrupted, "training", "stopped by SIGTERM"),
    "unserializable_value": (
        lambda folder: write_checkpoint(
            folder / "a.ckpt", changed(small().capture_state(), (("callback_state", "a"), {"b": object()}))
        ),
        "callback_state.a.b",
        "object",
    ),
    "unsupported_loader": (lambda _: make(data=iter([1])), "data", "an iterator"),
    "unsupported_model": (
        lambda _: make(nn.Linear(1, 1), torch.optim.SGD(nn.Linear(1, 1).parameters())),
        "optimizer",
        "2 of 2 parameters are not in the model",
    ),
    "unsupported_setting": (without_the_extra, "compression", "'zstd'"),
}

VECTORS_OF = {}
for _path in sorted(VECTORS.glob("*.yaml")):
    VECTORS_OF.setdefault(yaml.safe_load(_path.read_text())["expect"]["error"], []).append(_path.with_suffix(".ckpt"))


@pytest.mark.req("ERR-CODE-006")
def test_every_code_is_provoked_or_it_is_said_why_not():
    provoked = {*PROVOKED, *VECTORS_OF}
    assert provoked | NOT_PROVOKED.keys() == PHASES_OF.keys()
    assert provoked & NOT_PROVOKED.keys() == set()


@pytest.mark.req("ERR-CODE-006")
@pytest.mark.parametrize("code", PROVOKED)
def test_a_message_names_the_thing_what_it_is_and_what_was_expected(tmp_path, code):
    provoke, thing, got = PROVOKED[code]
    with pytest.raises(TenutoError) as caught:
        provoke(tmp_path)
    assert caught.value.code == code
    message = caught.value.message
    assert got.format(tmp_path) in message
    assert thing.format(tmp_path) in message.partition(": ")[0]
    assert re.search(r"; expected \S", message)
    assert str(caught.value).endswith(f"[{code}]")


@pytest.mark.req("ERR-CODE-006")
@pytest.mark.parametrize("code", VECTORS_OF)
@pytest.mark.parametrize("read", [read_checkpoint, verify_checkpoint])
def test_a_message_about_the_bytes_of_a_file_names_the_file_the_place_and_what_was_expected(code, read):
    refused = 0
    for path in VECTORS_OF[code]:
        with pytest.raises(TenutoError) as caught:
            read(path) if read is read_checkpoint else read(path).document()
        if caught.value.code == code:
            assert re.fullmatch(rf"{re.escape(str(path))}: [^:]+: .+; expected .+", caught.value.message, re.DOTALL)
            assert caught.value.message.count(str(path)) == 1
            refused += 1
    assert refused
