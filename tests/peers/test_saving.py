"""What users of other frameworks have met while a checkpoint was written, or when it was opened. See docs/peers.md."""

import os
import pickle
import signal
import stat
import subprocess
import sys
import threading

import pytest
import torch
from recorder import Recorder, heads, saving, small
from small_job import make_trainer
from test_checkpoint_callback import put_under
from test_kills import Dying, attempt, train_on

import tenuto
from tenuto.reference.checkpoint.compare import first_difference
from tenuto.reference.checkpoint.storage import PosixStorage


@pytest.mark.req("CPC-ASYNC-001", "TR-STATE-014")
def test_a_save_in_the_background_holds_one_step_and_names_it(tmp_path):
    """Tensors on the CPU, weights that move on at once: every file is that of a save that training waits for."""
    for folder, in_background in (("a", False), ("b", True)):
        make_trainer(tmp_path / folder, save_every_steps=1, save_best=False, async_save=in_background).fit()
    names = {path.name for path in (tmp_path / "a").glob("checkpoint_*.ckpt")}
    assert names == {path.name for path in (tmp_path / "b").glob("checkpoint_*.ckpt")}
    for name in names:
        one, other = (tenuto.read_checkpoint(tmp_path / folder / name) for folder in "ab")
        assert first_difference(one, other) is None, name


class Held(PosixStorage):
    """Holds the save of the second epoch back until it is let go."""

    def __init__(self):
        self.held, self.go = threading.Event(), threading.Event()

    def create(self, path):
        if "epoch_0002" in path:
            self.held.set()
            assert self.go.wait(60)
        return super().create(path)


@pytest.mark.req("CPC-ASYNC-003", "CPC-NAME-005", "CB-HOOK-004", "CPC-KEEP-002")
def test_latest_the_hook_and_deleting_wait_for_the_file(tmp_path, monkeypatch):
    storage, seen, told = Held(), [], []
    put_under(monkeypatch, storage)

    def look(context):
        if context.progress.global_step == 5:  # the save after step 4 is in flight
            assert storage.held.wait(60)
            epoch = heads(tmp_path)["latest.ckpt"]["metadata"]["progress"]["epoch"]
            seen.append((sorted(path.name for path in tmp_path.glob("checkpoint*")), epoch, list(told)))
            storage.go.set()

    recorder = Recorder(
        on_batch_end=look, on_checkpoint_saved=lambda context: told.append(context.saved.progress.epoch)
    )
    small(recorder, saving(tmp_path, async_save=True, keep_last_n=1, save_best=False), max_epochs=3).fit()
    assert seen == [(["checkpoint_epoch_0001.ckpt"], 1, [1])]
    assert told == [1, 2, 3]


@pytest.mark.req("STORE-SAVE-007", "TR-FAIL-023", "TR-RES-002")
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_sigkill_in_the_middle_of_a_save_leaves_only_whole_files_and_auto_goes_on(tmp_path, share):
    torch.set_num_threads(1)
    whole = Dying()
    train_on(whole, tmp_path / "whole", 0)
    writes = [at for at in range(1, whole.count) if at % 7 == 3]
    deadly = writes[int(share * len(writes))]
    assert attempt(tmp_path / "run", 0, deadly) == -signal.SIGKILL
    for path in (tmp_path / "run").glob("*.ckpt"):
        assert tenuto.verify_checkpoint(path)
    assert attempt(tmp_path / "run", 0, None) == 0


class Latest(PosixStorage):
    """Looks, after each operation, for a checkpoint under `latest.ckpt`, once there was one."""

    def __init__(self, folder):
        self.path, self.looks, self.there = folder / "latest.ckpt", 0, False

    def rename(self, old, new):
        super().rename(old, new)
        self.look()

    def unlink(self, path):
        super().unlink(path)
        self.look()

    def link(self, existing, new):
        super().link(existing, new)
        self.look()

    def look(self):
        self.there = self.there or self.path.exists()
        if self.there:
            assert tenuto.verify_checkpoint(self.path)
            self.looks += 1


@pytest.mark.req("CPC-NAME-005", "CPC-NAME-006")
@pytest.mark.parametrize("kind", ["auto", "symlink", "copy"])
def test_there_is_no_moment_without_a_latest(tmp_path, monkeypatch, kind):
    storage = Latest(tmp_path)
    put_under(monkeypatch, storage)
    small(saving(tmp_path, latest=kind, keep_last_n=1), max_epochs=4).fit()
    assert storage.looks > 4


@pytest.mark.req("CPC-NAME-005", "CPC-WHEN-005")
def test_latest_and_best_are_no_symbolic_links_and_cost_no_second_write(tmp_path, monkeypatch):
    written = []

    class Counts(PosixStorage):
        def create(self, path):
            written.append(path)
            return super().create(path)

    put_under(monkeypatch, Counts())
    small(saving(tmp_path), max_epochs=1).fit()
    names = ["best_model_val_loss.ckpt", "checkpoint_epoch_0001.ckpt", "latest.ckpt"]
    assert sorted(heads(tmp_path)) == names
    assert len([path for path in written if ".ckpt" in path]) == 1
    assert all(stat.S_ISREG((tmp_path / name).lstat().st_mode) for name in names)


class Breaks(PosixStorage):
    """Raises an error of Python's own in the middle of a save."""

    calls = 0

    def write(self, file, pieces):
        self.calls += 1
        if self.calls == 3:
            raise TypeError("not about arguments")
        return super().write(file, pieces)


@pytest.mark.req("TR-FAIL-001", "CPC-ERR-001")
def test_a_save_that_fails_is_not_tried_again_in_another_way(tmp_path, monkeypatch):
    storage = Breaks()
    put_under(monkeypatch, storage)
    with pytest.raises(TypeError, match="not about arguments"):
        small(saving(tmp_path, save_best=False, save_on_exception=False), max_epochs=5).fit()
    assert storage.calls == 3


@pytest.mark.req("STORE-SAVE-011")
def test_a_folder_that_cannot_be_written_to_ends_the_run_before_it_has_cost_anything(tmp_path):
    (tmp_path / "file").write_text("in the way")
    recorder = Recorder()
    with pytest.raises(tenuto.CheckpointError) as caught:
        small(recorder, saving(tmp_path / "file")).fit()
    assert caught.value.code == "not_a_folder"
    assert "on_batch_start" not in recorder.hooks


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.req("CKPT-READ-001", "STORE-CLI-003", "CKPT-READ-004")
def test_nothing_in_a_file_is_ever_executed(tmp_path):
    small(saving(tmp_path / "run", save_best=False), max_epochs=1).fit()
    whole = (tmp_path / "run" / "checkpoint_epoch_0001.ckpt").read_bytes()
    payload = pickle.dumps(Evil(tmp_path / "touched"))
    for name, data in {"alone": payload, "before": payload + whole, "after": whole + payload}.items():
        path = tmp_path / f"{name}.ckpt"
        path.write_bytes(data)
        with pytest.raises(tenuto.CheckpointError):
            tenuto.read_checkpoint(path)
        code = f"import tenuto.cli, sys; sys.argv = ['tenuto', 'inspect', {str(path)!r}]; tenuto.cli.main()"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 1
    assert not (tmp_path / "touched").exists()


@pytest.mark.req("CKPT-READ-001", "CKPT-FRAME-003")
def test_a_file_that_was_cut_anywhere_is_refused(tmp_path):
    small(saving(tmp_path, save_best=False, latest="none"), max_epochs=1).fit()
    path = tmp_path / "checkpoint_epoch_0001.ckpt"
    data = path.read_bytes()
    for length in [*range(0, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(tenuto.CheckpointError):
            tenuto.read_checkpoint(path)


@pytest.mark.req("CKPT-FRAME-001", "TR-STATE-001")
def test_the_whole_state_is_read_by_a_stock_msgpack_without_tenuto_or_torch(tmp_path):
    make_trainer(tmp_path, save_best=False).fit()
    code = (
        "import msgpack, sys\n"
        f"data = open({str(tmp_path / 'latest.ckpt')!r}, 'rb').read()\n"
        "state = msgpack.unpackb(data, strict_map_key=False)\n"
        "print(*sorted(state))\n"
        "assert not {'tenuto', 'torch'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    keys = set(done.stdout.split())
    assert {"model_state", "optimizer_state", "scheduler_state", "rng_state", "callback_state", "metadata"} <= keys
