"""States, restore, resume and the best list: what only trainings with torch have shown, without torch."""

from __future__ import annotations

import os

import pytest
from recorder import Recorder, heads, refusal, rewrite, saving, set_in, small

from tenuto.callbacks.base import BaseCallback
from tenuto.callbacks.policies.ranking import BestEntry, admit
from tenuto.reference.checkpoint.entries import Entry, Ledger
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.errors import RestoreError


class Counting(BaseCallback):
    """Counts batches that were begun."""

    def __init__(self):
        self.batches = 0

    def state_dict(self):
        return {"batches": self.batches}

    def load_state_dict(self, state):
        self.batches = state["batches"]

    def on_batch_start(self, context):
        self.batches += 1


@pytest.mark.req("TR-STATE-002", "TR-STATE-003", "TR-STATE-004", "GEN-NAME-002")
def test_the_keys_of_metadata_and_origin():
    metadata = small().capture_state(reasons=("best", "periodic")).head["metadata"]
    assert set(metadata) == {"progress", "metrics", "best", "config", "architecture", "exact", "kind", "origin"}
    assert set(metadata["progress"]) == {"epoch", "global_step", "batch_in_epoch"}
    origin = metadata["origin"]
    assert set(origin) == {
        *("checkpoint_id", "run_id", "attempt", "parent", "lineage", "timestamp", "producer", "reasons"),
        "elapsed_seconds",
    }
    assert len(bytes.fromhex(origin["checkpoint_id"])) == 16
    assert origin["timestamp"].endswith("Z")
    assert (origin["attempt"], origin["parent"], origin["lineage"]) == (1, None, [])
    assert origin["reasons"] == ["periodic", "best"]
    assert type(origin["elapsed_seconds"]) is float


@pytest.mark.req("TR-STATE-005")
def test_the_state_of_each_parameter_is_a_pair_of_its_index_and_a_map():
    trainer = small(max_epochs=1)
    trainer.fit()
    state = trainer.capture_state().head["optimizer_state"]["optimizer"]["state"]
    assert [(type(pair), pair[0], list(pair[1])) for pair in state] == [
        (list, index, ["momentum_buffer"]) for index in range(4)
    ]


@pytest.mark.req("TR-REST-006")
def test_a_file_of_weights_alone_is_not_resumed(finished_run):
    rewrite(finished_run / "latest.ckpt", set_in("metadata", "kind", to="weights"), "weights.ckpt")
    state = read_checkpoint(finished_run / "weights.ckpt")
    assert refusal(lambda: small().restore_state(state)) == ("not_resumable", "restore")


@pytest.mark.req("TR-REST-002")
def test_a_restore_that_fails_gives_callbacks_their_former_states_back(tmp_path):
    class Refusing(BaseCallback):
        def state_dict(self):
            return {"a": 1}

        def load_state_dict(self, state):
            if state["a"] == 2:
                raise RestoreError("not_resumable", "another one")

    small(Counting(), Refusing(), saving(tmp_path, save_best=False), max_epochs=1).fit()
    rewrite(tmp_path / "latest.ckpt", set_in("callback_state", "Refusing", "a", to=2), "odd.ckpt")
    counting = Counting()
    trainer = small(counting, Refusing())
    assert refusal(lambda: trainer.fit(tmp_path / "odd.ckpt")) == ("not_resumable", "restore")
    assert counting.batches == 0


@pytest.mark.req("TR-LOOP-004", "TR-FAIL-011")
def test_the_states_of_callbacks_in_an_emergency_save_are_those_of_the_boundary(tmp_path):
    def fail(context):
        if context.progress.global_step == 1:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        small(Counting(), Recorder(on_batch_start=fail), saving(tmp_path)).fit()
    head = heads(tmp_path)["emergency_epoch_0000_step_00000001.ckpt"]
    assert head["callback_state"]["Counting"] == {"batches": 1}  # the second batch was begun, and not completed


@pytest.mark.req("TR-RES-004", "ERR-CODE-005")
def test_a_path_that_is_missing_or_damaged_is_an_error_and_no_fresh_start(finished_run, tmp_path):
    recorder = Recorder()
    trainer = small(recorder, saving(tmp_path / "other"))
    assert refusal(lambda: trainer.fit(tmp_path / "missing.ckpt")) == ("file_not_found", "io")
    whole = (finished_run / "latest.ckpt").read_bytes()
    (tmp_path / "damaged.ckpt").write_bytes(whole[:300] + bytes([whole[300] ^ 1]) + whole[301:])
    assert refusal(lambda: trainer.fit(tmp_path / "damaged.ckpt")) == ("head_digest_mismatch", "open")
    assert recorder.log == []
    assert not (tmp_path / "other").exists()


@pytest.mark.req("TR-RES-005")
def test_a_fresh_start_in_a_folder_with_checkpoints_is_refused(finished_run):
    assert refusal(lambda: small(saving(finished_run)).fit()) == ("directory_in_use", "config")


@pytest.mark.req("TR-RES-007")
def test_an_attempt_has_a_greater_number_than_every_file_of_its_run(finished_run):
    settings = {"save_best": False}
    assert small(saving(finished_run, **settings), max_epochs=3).fit("auto").run.attempt == 2
    origin = heads(finished_run)["checkpoint_epoch_0003.ckpt"]["metadata"]["origin"]
    parent = heads(finished_run)["checkpoint_epoch_0002.ckpt"]["metadata"]["origin"]
    assert (origin["attempt"], origin["parent"]) == (2, parent["checkpoint_id"])
    older = small(saving(finished_run, **settings), max_epochs=3).fit(finished_run / "checkpoint_epoch_0001.ckpt")
    assert older.run.attempt == 3


@pytest.mark.req("TR-RES-010")
def test_a_trainer_that_has_trained_needs_a_state_to_go_on(finished_run):
    trainer = small()
    trainer.fit()
    assert refusal(trainer.fit) == ("already_trained", "config")
    trainer.restore_state(read_checkpoint(finished_run / "checkpoint_epoch_0001.ckpt"))
    result = trainer.fit()
    assert (result.progress.epoch, result.run.attempt) == (2, 2)


@pytest.mark.req("STORE-NAME-004", "GEN-TIME-002")
def test_the_newest_is_read_from_the_heads_whatever_names_links_and_times_say(finished_run):
    (finished_run / "latest.ckpt").unlink()
    (finished_run / "latest.ckpt").symlink_to("checkpoint_epoch_0001.ckpt")
    os.utime(finished_run / "checkpoint_epoch_0002.ckpt", (1, 1))
    (finished_run / "checkpoint_epoch_0002.ckpt").rename(finished_run / "aaa.ckpt")
    start = Recorder()
    small(start, saving(finished_run, save_best=False)).fit("auto")
    assert start.log[0] == ("on_train_start", (2, 0, 4))


# -- the best ---------------------------------------------------------------------------------------------------------


@pytest.mark.req("CPC-BEST-007")
def test_a_missing_monitor_warns_once_or_fails_the_run(tmp_path, caplog):
    small(saving(tmp_path / "a", monitor="nope")).fit()
    assert caplog.text.count("monitor: 'nope'") == 1
    assert not list((tmp_path / "a").glob("best_*"))
    strict = small(saving(tmp_path / "b", monitor="nope", strict_monitor=True), max_epochs=1)
    assert refusal(strict.fit) == ("monitor_missing", "config")


@pytest.mark.req("TR-RES-011")
def test_a_later_epoch_is_later_whatever_batch_the_other_one_has_reached():
    def entry(name, position):
        return Entry(name, name, "run", 1, position, True, True, ("periodic",), None, (), None)

    for later, earlier in (((2, 0, 12), (1, 2, 8)), ((1, 3, 1), (1, 2, 1)), ((1, 2, 9), (1, 2, 8))):
        for pair in ((later, earlier), (earlier, later)):
            ledger = Ledger(tuple(entry(str(position), position) for position in pair), ())
            assert [one.position for one in ledger.newest_first()] == [later, earlier]


@pytest.mark.req("TR-RES-012")
@pytest.mark.parametrize("bad", ["checkpoint_epoch_0002.ckpt", "latest.ckpt"])
def test_a_copy_whose_tensors_are_damaged_keeps_no_whole_one_from_being_used(finished_run, bad):
    """The head of both is whole, so both are candidates."""
    whole = (finished_run / "latest.ckpt").read_bytes()
    (finished_run / "latest.ckpt").unlink()
    (finished_run / "latest.ckpt").write_bytes(whole)
    damaged = bytearray(whole)
    damaged[whole.rindex(b"\xadsegment_table") - 1] ^= 1
    (finished_run / bad).write_bytes(damaged)
    start = Recorder()
    small(start, saving(finished_run, save_best=False), max_epochs=3).fit("auto")
    assert start.log[0] == ("on_train_start", (2, 0, 4))


@pytest.mark.req("CPC-BEST-010")
@pytest.mark.parametrize(("first", "value", "mode"), [(0.3, 0.4, "max"), (-0.3, -0.4, "min")])
def test_the_distance_is_one_subtraction_of_the_two_values(first, value, mode):
    """0.4 - 0.3 is more than 0.1 as a float64, and 0.3 + 0.1 is 0.4."""
    change = admit((BestEntry(first, 1, 1, "a"),), BestEntry(value, 2, 2, "b"), mode=mode, slots=1, min_delta=0.1)
    assert change is not None


@pytest.mark.req("CPC-BEST-001", "CPC-BEST-002")
@pytest.mark.parametrize(("values", "mode"), [((0.0, -0.0), "min"), ((-0.0, 0.0), "max")])
def test_the_two_zeros_are_equal_in_a_list_too(values, mode):
    first, second = (BestEntry(value, epoch, epoch, "") for epoch, value in enumerate(values, 1))
    assert admit((first,), second, mode=mode, slots=2, min_delta=0.0).entries == (first, second)


@pytest.mark.req("CPC-BEST-008")
def test_the_best_list_survives_a_resume_in_a_folder_that_was_moved(tmp_path):
    script = {"loss": [0.1, 0.5, 0.4]}
    small(saving(tmp_path / "a"), script=script).fit()
    (tmp_path / "a").rename(tmp_path / "b")
    saver = saving(tmp_path / "b")
    small(saver, script=script, max_epochs=3).fit("auto")
    assert saver.best_k_models == {str(tmp_path / "b" / "best_model_val_loss.ckpt"): 0.1}
    assert heads(tmp_path / "b")["best_model_val_loss.ckpt"]["metadata"]["progress"]["epoch"] == 1
