"""The checkpoint callback at work: what lies in the folder after which settings."""

import errno
import os
from pathlib import Path

import pytest
from small_job import Recorder, make_trainer

import tenuto
from tenuto.callbacks.repository import Repository
from tenuto.reference.checkpoint.compare import first_difference
from tenuto.reference.checkpoint.storage import PosixStorage


def files(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def saver(trainer):
    return trainer._dispatcher.listeners[-1]


@pytest.mark.req("CPC-NAME-001", "CPC-NAME-003", "CPC-NAME-005", "CPC-WHEN-005", "CPC-WHEN-001", "STORE-NAME-001")
def test_defaults_leave_each_epoch_best_and_latest_with_shared_bytes(tmp_path):
    trainer = make_trainer(tmp_path)
    trainer.fit()
    epochs = [f"checkpoint_epoch_{epoch:04d}.ckpt" for epoch in (1, 2, 3)]
    assert files(tmp_path) == ["best_model_val_loss.ckpt", *epochs, "latest.ckpt"]
    assert (tmp_path / "latest.ckpt").samefile(tmp_path / epochs[-1])
    best = tenuto.read_checkpoint(saver(trainer).best_model_path).head["metadata"]
    assert (tmp_path / "best_model_val_loss.ckpt").samefile(tmp_path / epochs[best["progress"]["epoch"] - 1])
    assert best["metrics"]["val_loss"]["value"] == saver(trainer).best_model_score
    assert best["best"]["val_loss"][0]["file"] == "best_model_val_loss.ckpt"
    for path in tmp_path.glob("*.ckpt"):
        tenuto.verify_checkpoint(path)


@pytest.mark.req("CPC-NAME-005")
@pytest.mark.parametrize(
    ("mode", "is_link", "is_same"), [("auto", False, True), ("symlink", True, True), ("copy", False, False)]
)
def test_latest_modes(tmp_path, mode, is_link, is_same):
    make_trainer(tmp_path, latest=mode).fit()
    latest, newest = tmp_path / "latest.ckpt", tmp_path / "checkpoint_epoch_0003.ckpt"
    assert latest.is_symlink() is is_link
    assert latest.samefile(newest) is is_same
    assert latest.read_bytes() == newest.read_bytes()
    if is_link:
        assert os.readlink(latest) == newest.name  # relative: the folder can be moved


@pytest.mark.req("CPC-NAME-005")
def test_latest_none(tmp_path):
    make_trainer(tmp_path, latest="none").fit()
    assert "latest.ckpt" not in files(tmp_path)


@pytest.mark.req("CPC-KEEP-001", "CPC-KEEP-004")
def test_keep_last_n_keeps_best_and_latest_beside(tmp_path):
    trainer = make_trainer(tmp_path, keep_last_n=1, mode="max", monitor="train_loss")
    trainer.fit()
    assert files(tmp_path) == ["best_model_train_loss.ckpt", "checkpoint_epoch_0003.ckpt", "latest.ckpt"]
    assert tenuto.read_checkpoint(tmp_path / "best_model_train_loss.ckpt").head["metadata"]["progress"]["epoch"] == 1


@pytest.mark.req("CPC-BEST-004", "CPC-NAME-003")
def test_top_k_files_are_exactly_the_k_best(tmp_path):
    trainer = make_trainer(tmp_path, save_frequency=None, save_top_k=2, latest="none", save_on_train_end=False)
    trainer.fit()
    kept = saver(trainer).best_k_models
    assert len(kept) == 2
    assert files(tmp_path) == sorted({"best_model_val_loss.ckpt", *(Path(path).name for path in kept)})
    assert (tmp_path / "best_model_val_loss.ckpt").samefile(next(iter(kept)))


@pytest.mark.req("CPC-BEST-008")
def test_the_best_list_survives_a_resume_in_a_moved_folder(tmp_path):
    whole = make_trainer(tmp_path / "a", mode="max", monitor="train_loss")
    whole.fit()
    half = make_trainer(tmp_path / "b", mode="max", monitor="train_loss")
    half.max_epochs = 2
    half.fit()
    (tmp_path / "b").rename(tmp_path / "moved")
    rest = make_trainer(tmp_path / "moved", mode="max", monitor="train_loss")
    rest.fit(resume="auto")
    assert saver(rest).best_model_score == saver(whole).best_model_score
    assert saver(rest).best_model_path == str(tmp_path / "moved" / "best_model_train_loss.ckpt")


@pytest.mark.req("CPC-BEST-007")
def test_a_missing_monitor_warns_once_and_training_goes_on(tmp_path, caplog):
    make_trainer(tmp_path, monitor="nope").fit()
    assert caplog.text.count("monitor: 'nope'") == 1
    assert "train_loss" in caplog.text
    with pytest.raises(tenuto.ConfigError) as caught:
        make_trainer(tmp_path / "strict", monitor="nope", strict_monitor=True).fit()
    assert caught.value.code == "monitor_missing"


@pytest.mark.req("CPC-SET-001")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("save_frequency", 0),
        ("save_every_steps", -1),
        ("mode", "best"),
        ("keep_last_n", 0),
        ("save_top_k", 1.5),
        ("min_delta", -1),
        ("min_delta", float("nan")),
        ("latest", "yes"),
        ("verify", "maybe"),
        ("max_save_failures", 0),
        ("save_frequency", True),
    ],
)
def test_settings_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(tenuto.ConfigError, match=name) as caught:
        tenuto.CheckpointCallback(**{name: value})
    assert caught.value.code == "invalid_setting"


class Full(PosixStorage):
    """Has no room for files whose name holds a text."""

    text = "checkpoint_epoch_0001"

    def create(self, path):
        if self.text in path:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().create(path)


class AlwaysFull(Full):
    text = ".ckpt"


def put_under(monkeypatch, storage):
    """Puts a storage under every repository, through the seam."""
    original = Repository.__init__
    monkeypatch.setattr(
        Repository, "__init__", lambda self, *args, **kw: original(self, *args, **{**kw, "ops": storage})
    )


@pytest.mark.req("CPC-ERR-001", "CPC-ASYNC-004", "STORE-SAVE-010", "STORE-SAVE-008")
@pytest.mark.parametrize("in_background", [False, True])
def test_a_failed_save_is_logged_and_training_goes_on(tmp_path, monkeypatch, caplog, in_background):
    put_under(monkeypatch, Full())
    recorder = Recorder()
    settings = {"monitor": "train_loss", "mode": "max"}  # the first epoch would stay the best for ever
    result = make_trainer(tmp_path, [recorder], async_save=in_background, **settings).fit()
    assert result.progress.epoch == 3
    assert "disk_full" in caplog.text
    assert files(tmp_path) == [
        "best_model_train_loss.ckpt",
        "checkpoint_epoch_0002.ckpt",
        "checkpoint_epoch_0003.ckpt",
        "latest.ckpt",
    ]
    best = tenuto.read_checkpoint(tmp_path / "latest.ckpt").head["metadata"]["best"]["train_loss"][0]
    assert best["epoch"] == 2  # what was not saved is not remembered as best
    assert [hook for _, hook, _ in recorder.log].count("on_checkpoint_saved") == 2


@pytest.mark.req("CPC-ERR-002", "CPC-ERR-003")
def test_too_many_failures_in_a_row_end_the_run_with_the_error(tmp_path, monkeypatch):
    put_under(monkeypatch, AlwaysFull())
    with pytest.raises(tenuto.CheckpointError) as caught:
        make_trainer(tmp_path, max_save_failures=2).fit()
    assert caught.value.code == "disk_full"
    assert any("in on_exception" in note for note in caught.value.__notes__)
    assert files(tmp_path) == []


@pytest.mark.req("CPC-ASYNC-001", "CPC-ASYNC-002", "CPC-ASYNC-003", "CB-HOOK-004")
def test_background_saves_write_the_same_files(tmp_path):
    threads = []
    import threading

    class Watch(tenuto.BaseCallback):
        def on_checkpoint_saved(self, context):
            threads.append(threading.current_thread())
            tenuto.verify_checkpoint(context.saved.path)

    make_trainer(tmp_path / "a", save_every_steps=1).fit()
    make_trainer(tmp_path / "b", [Watch()], save_every_steps=1, async_save=True).fit()
    assert files(tmp_path / "a") == files(tmp_path / "b")
    for name in files(tmp_path / "a"):
        one, other = (tenuto.read_checkpoint(tmp_path / folder / name) for folder in "ab")
        assert first_difference(one, other) is None
    assert set(threads) == {threading.main_thread()}
    assert len(threads) == 15


@pytest.mark.req("CPC-ASYNC-001")
def test_an_update_right_after_a_background_save_does_not_reach_the_file(tmp_path):
    import threading

    release = threading.Event()

    class Slow(PosixStorage):
        def create(self, path):
            release.wait(60)
            return super().create(path)

    trainer = make_trainer(tmp_path, async_save=True)
    expected = []

    def spoil(_):
        weight = next(trainer.workload._model.parameters())
        expected.append(weight.detach().numpy().tobytes())
        weight.data.fill_(7.0)
        release.set()

    with pytest.MonkeyPatch.context() as patch:
        put_under(patch, Slow())
        trainer._dispatcher = type(trainer._dispatcher)(
            [*trainer._dispatcher.listeners, Recorder(at=("on_epoch_start", 4), act=spoil)]
        )
        trainer.fit()
    saved = tenuto.read_checkpoint(tmp_path / "checkpoint_epoch_0001.ckpt").head["model_state"]["0.weight"]
    assert bytes(saved.data) == expected[0]


@pytest.mark.req("CPC-CALL-001", "CPC-WHEN-006")
def test_a_manual_save_returns_its_path_and_moves_nothing_else(tmp_path):
    trainer = make_trainer(tmp_path, save_frequency=2, keep_last_n=1)
    paths = []
    recorder = Recorder(at=("on_batch_end", 2), act=lambda _: paths.append(saver(trainer).save_checkpoint(trainer)))
    trainer = make_trainer(tmp_path, [recorder], save_frequency=2, keep_last_n=1)
    trainer.fit()
    assert paths == [str(tmp_path / "checkpoint_epoch_0000_step_00000002.ckpt")]
    assert Path(paths[0]).exists()  # manual saves stay
    assert tenuto.read_checkpoint(paths[0]).head["metadata"]["origin"]["reasons"] == ["manual"]
    make_trainer(tmp_path / "plain", save_frequency=2, keep_last_n=1).fit()
    ends = [tenuto.read_checkpoint(folder / "latest.ckpt") for folder in (tmp_path, tmp_path / "plain")]
    assert first_difference(*ends) is None
    with pytest.raises(tenuto.ConfigError) as caught:
        saver(trainer).save_checkpoint(trainer, epoch=7)
    assert caught.value.code == "epoch_mismatch"


@pytest.mark.req("CPC-CALL-002")
def test_load_checkpoint_finds_bare_names_in_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trainer = make_trainer(tmp_path / "run")
    trainer.fit()
    assert saver(trainer).load_checkpoint("latest.ckpt").head["metadata"]["progress"]["epoch"] == 3
    with pytest.raises(tenuto.CheckpointError) as caught:
        saver(trainer).load_checkpoint("nope.ckpt")
    assert caught.value.code == "file_not_found"


@pytest.mark.req("CPC-KEEP-002", "STORE-KEEP-002")
def test_nothing_is_deleted_before_the_new_file_is_durable(tmp_path, monkeypatch):
    operations = []

    class Noting(PosixStorage):
        def rename(self, old, new):
            super().rename(old, new)
            operations.append(("rename", Path(new).name))

        def sync_folder(self, path):
            super().sync_folder(path)
            operations.append(("sync_folder", ""))

        def unlink(self, path):
            super().unlink(path)
            operations.append(("unlink", Path(path).name))

    original = Repository.__init__
    monkeypatch.setattr(
        Repository, "__init__", lambda self, *args, **kw: original(self, *args, **{**kw, "ops": Noting()})
    )
    make_trainer(tmp_path, keep_last_n=1, save_best=False).fit()
    at = operations.index(("unlink", "checkpoint_epoch_0001.ckpt"))
    assert operations[at - 4 : at] == [
        ("rename", "checkpoint_epoch_0002.ckpt"),
        ("sync_folder", ""),
        ("rename", "latest.ckpt"),
        ("sync_folder", ""),
    ]
    assert operations[at + 1] == ("sync_folder", "")
