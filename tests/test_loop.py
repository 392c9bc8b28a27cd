"""What is counted, and what belongs together in a saved state."""

import pytest
from small_job import Recorder, make_trainer

import tenuto


@pytest.mark.req("TR-LOOP-001")
def test_epochs_count_when_completed_and_steps_with_each_update():
    seen = []

    class Counting(Recorder):
        def record(self, hook, context):
            progress = context.progress
            seen.append((hook.value, progress.epoch, progress.batch_in_epoch, progress.global_step))

    make_trainer(callbacks=[Counting()]).fit()
    assert [entry for entry in seen if entry[0] in {"on_batch_start", "on_batch_end", "on_epoch_end"}][:10] == [
        ("on_batch_start", 0, 0, 0),
        ("on_batch_end", 0, 1, 1),
        ("on_batch_start", 0, 1, 1),
        ("on_batch_end", 0, 2, 2),
        ("on_batch_start", 0, 2, 2),
        ("on_batch_end", 0, 3, 3),
        ("on_batch_start", 0, 3, 3),
        ("on_batch_end", 0, 4, 4),
        ("on_epoch_end", 1, 0, 4),
        ("on_batch_start", 1, 0, 4),
    ]
    assert seen[-1] == ("on_teardown", 3, 0, 12)


@pytest.mark.req("TR-LOOP-004", "STORE-SAVE-001", "CPC-ERR-003")
def test_a_state_saved_after_a_failed_batch_is_that_of_the_batch_before(tmp_path):
    """The failed batch has moved the generators (dropout) and left gradients; neither reaches the file."""
    make_trainer(tmp_path / "whole", save_every_steps=1).fit()
    trainer = make_trainer(tmp_path / "failed")
    step = trainer.workload._step
    calls = iter(range(99))

    def fail_after_forward(model, batch):
        metrics = step(model, batch)
        if next(calls) == 7 + 3:  # three batches of validation are among the calls
            raise RuntimeError("in the eighth update")
        return metrics

    trainer.workload._step = fail_after_forward
    with pytest.raises(RuntimeError):
        trainer.fit()
    (emergency,) = (tmp_path / "failed").glob("emergency_*.ckpt")
    saved = tenuto.read_checkpoint(emergency).head
    expected = tenuto.read_checkpoint(tmp_path / "whole" / "checkpoint_epoch_0001_step_00000007.ckpt").head
    assert saved["metadata"]["exact"] is True
    assert saved["metadata"]["progress"] == expected["metadata"]["progress"]
    assert saved["rng_state"] == expected["rng_state"]
    for name, weight in expected["model_state"].items():
        assert bytes(saved["model_state"][name].data) == bytes(weight.data)
