"""The ends of a training that its settings ask for, and what a resume may be asked to refuse or to move aside."""

import shutil

import pytest
from recorder import Recorder, heads, refusal, rewrite, saving, set_in, small

from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.ledger import read_ledger
from tenuto.reference.errors import TrainingInterrupted
from tenuto.reference.events.hooks import Hook
from tenuto.reference.trainer.loop import Trainer
from tenuto.reference.workload import ReferenceWorkload, WorkloadSettings

NEVER, AT_ONCE = 1e9, 1e-9  # seconds


def limited(*callbacks, max_epochs=2, workload=None, **limits):
    """Returns a trainer of 2 batches an epoch, one sample of validation after each."""
    settings = {"samples": 8, "validation_samples": 1, "batch_size": 4, **(workload or {})}
    made = ReferenceWorkload(WorkloadSettings(**settings))
    return Trainer(made, max_epochs=max_epochs, callbacks=callbacks, **limits)


# -- steps ------------------------------------------------------------------------------------------------------------


@pytest.mark.req("TR-LOOP-014")
def test_the_last_step_ends_a_run_like_a_stop_with_a_final_save(tmp_path):
    seen = Recorder()
    result = limited(seen, saving(tmp_path), max_steps=2).fit()
    assert (result.stop_reason, result.progress.global_step, result.progress.batch_in_epoch) == ("max_steps", 2, 2)
    assert seen.hooks[-4:] == ["on_batch_end", "on_train_end", "on_checkpoint_saved", "on_teardown"]


@pytest.mark.req("TR-LOOP-014")
def test_the_request_of_a_callback_at_the_last_step_comes_first():
    asking = Recorder(**{Hook.BATCH_END: lambda context: context.request_stop("mine")})
    assert limited(asking, max_steps=1).fit().stop_reason == "mine"


@pytest.mark.req("TR-LOOP-014")
def test_steps_are_windows_not_batches():
    workload = {"samples": 16, "accumulate": 2}
    assert limited(max_steps=1, workload=workload).fit().progress.batch_in_epoch == 2


@pytest.mark.req("TR-LOOP-014", "TR-RES-009")
def test_a_run_with_all_its_steps_has_nothing_left_to_do_and_gives_no_reason(tmp_path, caplog):
    limited(saving(tmp_path), max_steps=3).fit()
    seen = Recorder()
    result = limited(seen, saving(tmp_path), max_steps=2).fit("auto")
    assert (result.stop_reason, seen.hooks) == (None, ["on_train_start", "on_train_end", "on_teardown"])
    assert "nothing left to do: 3 of 2 steps are done" in caplog.text
    assert limited(saving(tmp_path), max_steps=4).fit("auto").progress.global_step == 4


# -- time -------------------------------------------------------------------------------------------------------------


@pytest.mark.req("TR-FAIL-020")
def test_time_that_is_over_interrupts_at_the_first_end_of_a_batch(tmp_path):
    seen = Recorder()
    with pytest.raises(TrainingInterrupted) as caught:
        limited(seen, saving(tmp_path), max_seconds=AT_ONCE).fit()
    assert (caught.value.code, caught.value.exit_code) == ("training_interrupted", 75)
    assert seen.hooks.count("on_batch_end") == 1
    (state,) = heads(tmp_path).values()
    assert (state["metadata"]["exact"], state["metadata"]["origin"]["reasons"]) == (True, ["signal"])


@pytest.mark.req("TR-FAIL-020")
def test_time_that_is_over_is_noticed_in_validation_and_at_the_last_batch_of_all(tmp_path):
    limited(saving(tmp_path), max_steps=2).fit()  # stopped before validation
    seen = Recorder()
    with pytest.raises(TrainingInterrupted):
        limited(seen, saving(tmp_path), max_epochs=1, max_seconds=AT_ONCE).fit("auto")
    assert seen.hooks[1:3] == ["on_validation_start", "on_exception"]
    with pytest.raises(TrainingInterrupted):
        limited(max_epochs=1, workload={"samples": 4, "validation_samples": 0}, max_seconds=AT_ONCE).fit()


@pytest.mark.req("TR-FAIL-020", "TR-FAIL-021")
def test_each_attempt_has_the_whole_time(tmp_path):
    with pytest.raises(TrainingInterrupted):
        limited(saving(tmp_path), max_seconds=AT_ONCE).fit()
    trainer = limited(saving(tmp_path), max_seconds=NEVER)
    trainer._started -= 2 * NEVER  # as if it had been made long ago
    assert trainer.fit("auto").progress.epoch == 2


# -- what is asked of a resume ----------------------------------------------------------------------------------------


@pytest.mark.req("TR-REST-012")
def test_an_inexact_state_is_refused_where_an_exact_resume_is_required(tmp_path):
    small(saving(tmp_path, save_best=False)).fit()
    rewrite(tmp_path / "checkpoint_epoch_0001.ckpt", set_in("metadata", "exact", to=False))
    trainer, path = small(), tmp_path / "checkpoint_epoch_0001.ckpt"
    assert refusal(lambda: trainer.fit(path, require_exact=True)) == ("state_mismatch", "restore")
    assert trainer.progress.epoch == 0
    assert trainer.fit(path).progress.epoch == 2
    by_hand = small()
    by_hand.restore_state(read_checkpoint(path))
    assert refusal(lambda: by_hand.fit(require_exact=True)) == ("state_mismatch", "restore")


@pytest.mark.req("TR-SET-001")
@pytest.mark.parametrize("asked", [{"require_exact": 1}, {"on_unusable_checkpoint": "quarantine"}])
def test_what_is_asked_of_a_resume_has_its_range(asked):
    seen = Recorder()
    assert refusal(lambda: small(seen).fit(**asked)) == ("invalid_setting", "config")
    assert seen.log == []


@pytest.mark.req("TR-RES-017", "STORE-KEEP-003")
def test_files_of_which_none_is_usable_are_moved_aside_and_named_with_their_codes(tmp_path, caplog):
    small(saving(tmp_path, latest="none", save_best=False), max_epochs=3).fit()
    one, two, three = sorted(tmp_path.iterdir())
    one.write_bytes(one.read_bytes()[:-1])
    rewrite(two, set_in("metadata", "exact", to=False))
    rewrite(three, set_in("metadata", "kind", to="weights"))
    held = {path.name: path.read_bytes() for path in (one, two, three)}
    (tmp_path / "quarantine").mkdir()
    (tmp_path / "quarantine" / one.name).write_bytes(b"of an earlier time")
    result = small(saving(tmp_path, latest="none", save_best=False)).fit("auto", on_unusable_checkpoint="fresh")
    assert (result.run.attempt, result.progress.epoch) == (1, 2)
    moved = {path.name: path.read_bytes() for path in (tmp_path / "quarantine").iterdir()}
    assert moved.pop(one.name) == b"of an earlier time"
    assert moved == {"checkpoint_epoch_0001_2.ckpt": held.pop(one.name), **held}
    for name, code in ((one.name, "bad_magic"), (two.name, "inexact_state"), (three.name, "not_resumable")):
        assert any(f"moved {name}" in told and f"[{code}]" in told for told in caplog.messages)


@pytest.mark.req("TR-RES-017", "STORE-DIR-002")
def test_files_in_folders_of_epochs_are_moved_aside_with_their_folders(tmp_path):
    settings = {"latest": "symlink", "layout": "epoch_dirs", "save_best": False}
    small(saving(tmp_path, **settings)).fit()
    for number in (1, 2):
        (tmp_path / f"epoch_{number}/checkpoint.ckpt").write_bytes(b"torn")
    (tmp_path / "epoch_1/notes.txt").write_text("of the user")
    small(saving(tmp_path, **settings), max_epochs=1).fit("auto", on_unusable_checkpoint="fresh")
    aside = tmp_path / "quarantine"
    assert [path.read_bytes() for path in sorted(aside.glob("epoch_*/checkpoint.ckpt"))] == [b"torn"] * 2
    assert (aside / "latest.ckpt").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch_1", "latest.ckpt", "quarantine"]
    assert read_checkpoint(tmp_path / "epoch_1/checkpoint.ckpt").head["metadata"]["origin"]["attempt"] == 1


@pytest.mark.req("TR-RES-017", "TR-RES-003", "TR-RES-006")
def test_nothing_is_moved_where_something_is_usable_or_it_was_not_allowed(tmp_path):
    folder = tmp_path / "run"
    small(saving(folder, save_best=False)).fit()
    spoiled = folder / "checkpoint_epoch_0002.ckpt"
    spoiled.write_bytes(spoiled.read_bytes()[:-1])
    assert small(saving(folder)).fit("auto", on_unusable_checkpoint="fresh").run.attempt == 2
    for path in folder.glob("*.ckpt"):
        path.write_bytes(path.read_bytes()[:-1])
    before = sorted(folder.iterdir())
    assert refusal(lambda: small(saving(folder)).fit("auto")) == ("no_usable_checkpoint", "restore")
    fresh = {"on_unusable_checkpoint": "fresh"}
    assert refusal(lambda: small(saving(folder)).fit(folder, **fresh)) == ("no_usable_checkpoint", "restore")
    other = tmp_path / "other"
    small(saving(other)).fit()
    shutil.copy(other / "latest.ckpt", folder / "a.ckpt")
    small(saving(tmp_path / "third")).fit()
    shutil.copy(tmp_path / "third" / "latest.ckpt", folder / "b.ckpt")
    assert refusal(lambda: small(saving(folder)).fit("auto", **fresh)) == ("ambiguous_run", "config")
    assert sorted(folder.iterdir()) == sorted([*before, folder / "a.ckpt", folder / "b.ckpt"])


@pytest.mark.req("TR-RES-020", "TR-RES-023")
def test_a_file_whose_state_has_another_form_is_passed_over_like_a_damaged_one(tmp_path, caplog):
    small(saving(tmp_path, save_best=False, latest="none"), max_epochs=3).fit()
    rewrite(tmp_path / "checkpoint_epoch_0003.ckpt", set_in("trainer_state", "sums", to=[]))
    result = small(saving(tmp_path, save_best=False, latest="none"), max_epochs=3).fit("auto")
    assert result.run.lineage == ((1, (2, 0, 4)),)
    assert "checkpoint_epoch_0003.ckpt" in caplog.text
    assert "[not_resumable]" in caplog.text


@pytest.mark.req("STORE-DIR-001")
def test_a_link_is_a_checkpoint_only_where_it_leads_to_a_file_of_the_same_folder(tmp_path):
    folder = tmp_path / "run"
    small(saving(folder, save_best=False, latest="symlink")).fit()
    deep = folder / "deep"
    deep.mkdir()
    shutil.copy(folder / "checkpoint_epoch_0002.ckpt", deep / "er.ckpt")
    for path in folder.glob("*.ckpt"):
        path.unlink()
    (folder / "elsewhere.ckpt").symlink_to("deep/er.ckpt")
    small(saving(folder)).fit()  # a folder without checkpoints
    (folder / "checkpoint_epoch_0002.ckpt").rename(folder / "x.ckpt")
    for name in ("checkpoint_epoch_0001.ckpt", "latest.ckpt", "best_model_val_loss.ckpt"):
        (folder / name).unlink(missing_ok=True)
    (folder / "y.ckpt").symlink_to(folder.absolute() / "x.ckpt")
    assert small(saving(folder), max_epochs=3).fit("auto").run.attempt == 2
    shutil.copytree(folder / "deep", folder / "epoch_7")
    (folder / "epoch_7/er.ckpt").rename(folder / "epoch_7/checkpoint.ckpt")
    (folder / "seventh.ckpt").symlink_to("epoch_7/checkpoint.ckpt")
    found = {entry.name for entry in read_ledger(str(folder)).entries}
    assert {"seventh.ckpt", "epoch_7/checkpoint.ckpt", "y.ckpt"} < found
    assert "elsewhere.ckpt" not in found


# -- manual saves at the end of an attempt ----------------------------------------------------------------------------


@pytest.mark.req("CPC-CALL-008", "CPC-CALL-007")
@pytest.mark.parametrize("hook", ["on_exception", "on_teardown"])
def test_a_manual_save_in_a_last_hook_is_not_exact_and_its_news_wait(hook, tmp_path):
    saver = saving(tmp_path, save_best=False, save_on_exception=False, save_frequency=None)

    def save(_):
        if (hook, "saved") not in done:
            done.append((hook, "saved"))
            saver.save_checkpoint(trainer)

    done = []
    seen = Recorder(**{hook: save})
    trainer = limited(seen, saver, max_seconds=AT_ONCE)
    with pytest.raises(TrainingInterrupted):
        trainer.fit()
    (state,) = {head["metadata"]["origin"]["checkpoint_id"]: head for head in heads(tmp_path).values()}.values()
    assert state["metadata"]["exact"] is False
    assert ("on_checkpoint_saved" in seen.hooks) is (hook == "on_exception")


@pytest.mark.req("CPC-CALL-007")
def test_a_manual_save_after_an_attempt_is_told_to_nobody_in_the_next_one(tmp_path):
    saver, seen = saving(tmp_path, save_best=False, save_on_train_end=False, save_frequency=None), Recorder()
    trainer = small(seen, saver)
    trainer.fit()
    state = read_checkpoint(saver.save_checkpoint(trainer))
    trainer.restore_state(state)
    trainer.max_epochs = 3
    trainer.fit()
    assert "on_checkpoint_saved" not in seen.hooks
