"""Files beside the periodic ones: of several monitors, with a time in the name, in folders, and the weights alone."""

import os
import re

import pytest
from recorder import Recorder, epochs, full_at, heads, losses, names, refusal, saving, small

from tenuto.callbacks.policies.monitors import MonitorSettings
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.storage import PosixStorage
from tenuto.reference.errors import CheckpointError

# -- several monitors, and files that replace none --------------------------------------------------------------------


@pytest.mark.req("CPC-BEST-007", "CPC-BEST-011")
def test_a_monitor_that_is_missing_is_warned_of_once_and_the_others_go_on(tmp_path, caplog):
    monitors = [{"monitor": "nope"}, MonitorSettings("val_loss"), {"monitor": "val_parts.abs", "mode": "max"}]
    script = {"loss": [0.5, 0.4], "parts": [{"abs": 1.0}, {"abs": 2.0}]}
    saver = saving(tmp_path, monitors=monitors)
    small(saver, script=script).fit()
    assert caplog.text.count("monitor: 'nope'") == 1
    best = read_checkpoint(tmp_path / "latest.ckpt").head["metadata"]["best"]
    assert {name: [entry["epoch"] for entry in entries] for name, entries in best.items()} == {
        "nope": [],
        "val_loss": [2],
        "val_parts.abs": [2],
    }
    assert (saver.best_model_path, saver.best_k_models) == (None, {})  # those of the first monitor
    small(saver, max_epochs=3, script=losses(0.5, 0.4, 0.3)).fit("auto")
    assert caplog.text.count("monitor: 'nope'") == 2  # another attempt


STAMP = re.compile(r"best_model_val_loss_\d{8}T\d{6}Z(_\d+)?\.ckpt")


@pytest.mark.req("CPC-NAME-009", "CPC-NAME-014", "CPC-CALL-006", "CPC-STATE-004")
def test_files_of_the_best_that_replace_none(tmp_path):
    saver = saving(tmp_path, overwrite=False, save_frequency=None, latest="none", save_on_train_end=False)
    recorder = Recorder()
    small(recorder, saver, max_epochs=3, script=losses(0.5, 0.4, 0.3)).fit()
    found = names(tmp_path)
    assert len(found) == 3
    assert all(STAMP.fullmatch(name) for name in found)
    by_epoch = sorted(heads(tmp_path).items(), key=lambda one: one[1]["metadata"]["progress"]["epoch"])
    for epoch, (name, head) in enumerate(by_epoch, 1):
        assert head["metadata"]["progress"]["epoch"] == epoch
        assert head["metadata"]["origin"]["files"] == {"val_loss": name}
        moment = re.sub(r"[-:]|\.\d+", "", head["metadata"]["origin"]["timestamp"])
        assert f"_{moment}" in name
        assert [entry["file"] for entry in head["metadata"]["best"]["val_loss"]] == ["best_model_val_loss.ckpt"]
    assert saver.best_model_path == str(tmp_path / name)
    again = saving(tmp_path, overwrite=False, latest="none")
    small(again, max_epochs=4, script=losses(0.5, 0.4, 0.3, 0.9)).fit(tmp_path / name)
    assert again.best_model_path == str(tmp_path / name)
    assert names(tmp_path) == sorted([*found, *epochs(4)])  # found again by its state, and nothing made beside it
    files = read_checkpoint(tmp_path / epochs(4)[0]).head["metadata"]["origin"]["files"]
    assert files == {"val_loss": name}


@pytest.mark.req("CPC-NAME-009", "CPC-NAME-006")
def test_a_stamped_name_that_a_kill_kept_from_being_made_is_made_good(tmp_path):
    small(saving(tmp_path, overwrite=False), max_epochs=2, script=losses(0.4, 0.5)).fit()
    (stamped,) = (name for name in names(tmp_path) if STAMP.fullmatch(name))
    (tmp_path / stamped).unlink()
    saver = saving(tmp_path, overwrite=False)
    small(saver, max_epochs=3, script=losses(0.4, 0.5, 0.6)).fit("auto")
    assert saver.best_model_path == str(tmp_path / stamped)
    assert (tmp_path / stamped).samefile(tmp_path / epochs(1)[0])


# -- folders for epochs -----------------------------------------------------------------------------------------------


@pytest.mark.req("STORE-DIR-001", "STORE-DIR-002", "CB-HOOK-010")
def test_folders_of_epochs_come_and_go_with_their_checkpoint(tmp_path):
    recorder, saver = (
        Recorder(),
        saving(tmp_path, layout="epoch_dirs", keep_last_n=2, save_every_steps=3, save_best=False),
    )
    deleted = []
    recorder.act["on_checkpoint_deleted"] = lambda context: deleted.append(context.deleted.path)
    small(recorder, saver, max_epochs=4).fit()
    assert names(tmp_path) == ["epoch_3/checkpoint.ckpt", "epoch_4/checkpoint.ckpt", "latest.ckpt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch_3", "epoch_4", "latest.ckpt"]
    assert deleted[:2] == [
        str(tmp_path / "epoch_1/checkpoint.ckpt"),
        str(tmp_path / "checkpoint_epoch_0001_step_00000003.ckpt"),
    ]
    assert (tmp_path / "latest.ckpt").samefile(tmp_path / "epoch_4/checkpoint.ckpt")
    (tmp_path / "latest.ckpt").unlink()
    small(saving(tmp_path, layout="epoch_dirs", save_best=False), max_epochs=5).fit("auto")
    assert heads(tmp_path)["latest.ckpt"]["metadata"]["progress"]["epoch"] == 5  # it went on from a folder
    assert heads(tmp_path)["latest.ckpt"]["metadata"]["origin"]["attempt"] == 2


@pytest.mark.req("STORE-DIR-002", "TR-RES-008", "STORE-NAME-005")
def test_a_file_in_the_folder_of_an_epoch_is_freed_into_the_run_folder(tmp_path):
    small(saving(tmp_path, layout="epoch_dirs", save_best=False), max_epochs=3).fit()
    (tmp_path / "epoch_3/notes.txt").write_text("of the user")
    rest = saving(tmp_path, layout="epoch_dirs", save_best=False, latest="symlink")
    small(rest, max_epochs=3).fit(tmp_path / "epoch_1")
    assert names(tmp_path) == [
        "epoch_1/checkpoint.ckpt",
        "epoch_2/checkpoint.ckpt",
        "epoch_2_attempt1.ckpt",
        "epoch_3/checkpoint.ckpt",
        "epoch_3/notes.txt",
        "epoch_3_attempt1.ckpt",
        "latest.ckpt",
    ]
    assert os.readlink(tmp_path / "latest.ckpt") == "epoch_3/checkpoint.ckpt"
    assert read_checkpoint(tmp_path / "epoch_2_attempt1.ckpt").head["metadata"]["origin"]["attempt"] == 1


# -- the weights alone ------------------------------------------------------------------------------------------------


@pytest.mark.req("CPC-NAME-012", "TR-STATE-019", "TR-RES-013", "TR-RES-008")
def test_the_weights_alone_are_written_last_and_never_resumed_from(tmp_path):
    recorder, saver = Recorder(), saving(tmp_path, save_final_weights=True, save_best=False)
    small(recorder, saver).fit()
    weights, last = (heads(tmp_path)[name] for name in ("final_model.ckpt", "latest.ckpt"))
    assert weights["model_state"].keys() == last["model_state"].keys()
    assert {name for name, part in weights.items() if part == {}} == {
        *("optimizer_state", "scheduler_state", "rng_state", "callback_state", "trainer_state")
    }
    origin = weights["metadata"]["origin"]
    assert (weights["metadata"]["kind"], origin["reasons"]) == ("weights", ["train_end"])
    assert origin["checkpoint_id"] != last["metadata"]["origin"]["checkpoint_id"]
    assert recorder.hooks.count("on_checkpoint_saved") == 2  # of the epochs; this file is not announced
    assert refusal(lambda: small(saving(tmp_path)).fit(tmp_path / "final_model.ckpt")) == ("not_resumable", "restore")
    small(saving(tmp_path, save_final_weights=True, save_best=False)).fit("auto")  # nothing is left to do
    assert names(tmp_path) == [*epochs(1, 2), "final_model.ckpt", "latest.ckpt"]
    small(saving(tmp_path, save_final_weights=True, save_best=False), max_epochs=3).fit(tmp_path / epochs(1)[0])
    assert "final_model_attempt2.ckpt" in names(tmp_path)  # that of a state that is superseded is kept


@pytest.mark.req("CPC-NAME-012", "CPC-ERR-004")
def test_weights_that_cannot_be_written_fail_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(PosixStorage, "create", full_at(PosixStorage.create, {2}))
    trainer = small(saving(tmp_path, save_final_weights=True, save_best=False, latest="none"), max_epochs=1)
    with pytest.raises(CheckpointError) as failed:
        trainer.fit()
    assert failed.value.code == "disk_full"
    assert "final_model.ckpt" not in names(tmp_path)


# -- entries, by hand and of an earlier attempt -----------------------------------------------------------------------


@pytest.mark.req("TR-RES-008", "CPC-NAME-011", "CPC-BEST-012")
def test_entries_of_an_earlier_attempt_are_freed_and_never_deleted(tmp_path):
    settings = {"save_top_k": 2, "keep_last_n": 1}
    small(saving(tmp_path, save_top_k=2), max_epochs=3, script=losses(0.9, 0.5, 0.4)).fit()
    script = losses(None, 0.8, 0.7, 0.6)
    small(saving(tmp_path, **settings), max_epochs=4, script=script).fit(tmp_path / epochs(1)[0])
    attempts = {name: head["metadata"]["origin"]["attempt"] for name, head in heads(tmp_path).items()}
    assert {name: attempt for name, attempt in attempts.items() if name.startswith("best_model_val_loss_")} == {
        "best_model_val_loss_epoch_0002_attempt1.ckpt": 1,
        "best_model_val_loss_epoch_0003.ckpt": 2,
        "best_model_val_loss_epoch_0003_attempt1.ckpt": 1,
        "best_model_val_loss_epoch_0004.ckpt": 2,
    }


@pytest.mark.req("CPC-BEST-013", "CPC-CALL-003")
@pytest.mark.parametrize(("hook", "place"), [("on_batch_start", (0, 1)), ("on_train_start", (0, 0))])
def test_a_save_by_hand_finds_itself_in_all_lists_of_its_file_and_of_later_ones(tmp_path, hook, place):
    saver = saving(tmp_path, save_top_k=2)

    def save(context):
        if (context.progress.epoch, context.progress.global_step) == place:
            saver.save_checkpoint(trainer, metrics={"val_loss": 0.1})

    trainer = small(Recorder(**{hook: save}), saver, max_epochs=1, script=losses(0.5))
    trainer.fit()
    for name in names(tmp_path):
        head = read_checkpoint(tmp_path / name).head
        entries = head["metadata"]["best"]["val_loss"]
        assert head["callback_state"]["CheckpointCallback"]["best"]["val_loss"]["entries"] == entries
        assert (entries[0]["epoch"], entries[0]["step"]) == place


@pytest.mark.req("CPC-CALL-007")
def test_a_save_by_hand_in_the_last_hook_is_told_to_nobody(tmp_path):
    saver = saving(tmp_path, save_best=False)
    recorder = Recorder(on_teardown=lambda _: saver.save_checkpoint(trainer))
    trainer = small(recorder, saver, max_epochs=1)
    trainer.fit()
    assert recorder.hooks.count("on_checkpoint_saved") == 1
    assert recorder.hooks[-1] == "on_teardown"
