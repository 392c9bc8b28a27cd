"""The reference workload resumed from every save point, and saved by the checkpoint callback inside windows."""

import pytest

from tenuto.callbacks.base import BaseCallback
from tenuto.callbacks.checkpoint import CheckpointCallback
from tenuto.reference.checkpoint import BufferSource, open_checkpoint
from tenuto.reference.checkpoint.compare import first_difference
from tenuto.reference.checkpoint.files import read_checkpoint
from tenuto.reference.checkpoint.writer import encode, strip_origin
from tenuto.reference.trainer.loop import Trainer
from tenuto.reference.workload import ReferenceWorkload, WorkloadSettings

EPOCHS, BATCHES = 3, 6


def file_of(document):
    return b"".join(encode(document))


class SavePoints(BaseCallback):
    """Keeps every boundary by its progress: the file, and the file without origin."""

    def __init__(self):
        self.files, self.stripped = {}, {}

    def save(self, context):
        state = context.capture()
        self.files[context.progress] = file_of(state)
        self.stripped[context.progress] = file_of(strip_origin(state))

    on_batch_end = on_epoch_end = save


def train(settings, file=None):
    """Trains to the end, from a file or from the start, and returns the save points."""
    points = SavePoints()
    trainer = Trainer(ReferenceWorkload(settings), max_epochs=EPOCHS, callbacks=[points])
    if file is not None:
        trainer.restore_state(opened(file))
        assert file_of(strip_origin(trainer.capture_state())) == file_of(strip_origin(opened(file)))
    trainer.fit()
    return points


def opened(file):
    return open_checkpoint(BufferSource(memoryview(file))).document()


@pytest.mark.req(
    *("TR-REST-003", "TR-REST-004", "TR-REST-005", "TR-REST-013", "TR-STATE-001", "TR-STATE-010", "TR-STATE-014"),
    *("RW-STATE-001", "RW-STATE-002", "RW-STATE-003", "RW-STATE-004", "RW-STATE-005", "RW-ACC-001"),
)
@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("scheduler", ["none", "warmup_step", "plateau"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_resume_from_every_save_point_is_exact(optimizer, scheduler, accumulate):
    """Every state that the resumed training reaches is that of the training that was never interrupted."""
    kinds = {"optimizer": optimizer, "scheduler": scheduler, "accumulate": accumulate}
    settings = WorkloadSettings(**kinds, warmup=3, step_size=2, patience=0, threshold=10.0, cooldown=1)
    whole = train(settings)
    assert len(whole.files) == EPOCHS * (BATCHES + 1)
    for point, file in whole.files.items():
        later = {progress: state for progress, state in whole.stripped.items() if progress > point}
        assert train(settings, file).stripped == later


@pytest.mark.req("TR-STATE-010", "RW-STATE-005")
def test_gradients_are_in_the_states_inside_windows_only():
    places = {True: set(), False: set()}
    for progress, file in train(WorkloadSettings(accumulate=4)).files.items():
        places["gradients" in opened(file).head["trainer_state"]].add(progress.batch_in_epoch)
    assert places == {True: {1, 2, 3, 5}, False: {0, 4, 6}}


def test_another_seed_gives_other_states():
    """Shows that the comparison can fail."""
    one, other = train(WorkloadSettings()).stripped, train(WorkloadSettings(seed=1)).stripped
    assert one.keys() == other.keys()
    assert not set(one.values()) & set(other.values())


class Stop(BaseCallback):
    """Asks for the end after so many batches of an attempt; notes what was saved."""

    def __init__(self, batches):
        self.left, self.saved = batches, []

    def on_batch_end(self, context):
        self.left -= 1
        if self.left == 0:
            context.request_stop("enough")

    def on_checkpoint_saved(self, context):
        progress = context.saved.progress
        self.saved.append((progress.epoch, progress.batch_in_epoch, progress.global_step))


def run(folder, batches=99, resume="never"):
    """Trains with a save at each step, for so many batches, and returns what was saved."""
    stop = Stop(batches)
    saving = CheckpointCallback(folder, save_every_steps=1)
    workload = ReferenceWorkload(WorkloadSettings(accumulate=4, optimizer="adam", scheduler="plateau"))
    Trainer(workload, max_epochs=2, callbacks=[stop, saving]).fit(resume=resume)
    return stop.saved


@pytest.mark.req("CPC-WHEN-002", "CPC-WHEN-004", "TR-LOOP-001")
def test_a_save_by_steps_is_due_at_the_end_of_a_window_and_once(tmp_path):
    assert run(tmp_path) == [(0, 4, 1), (0, 6, 2), (1, 0, 2), (1, 4, 3), (1, 6, 4), (2, 0, 4)]


@pytest.mark.req("TR-REST-005", "TR-REST-013", "CPC-WHEN-004", "CPC-WHEN-007")
@pytest.mark.parametrize("batches", range(1, 12))
def test_a_run_stopped_inside_a_window_resumes_exactly_and_saves_nothing_twice(tmp_path, batches):
    whole = run(tmp_path / "whole")
    first = run(tmp_path / "stopped", batches)
    second = run(tmp_path / "stopped", resume="auto")
    reached = (batches // BATCHES, batches % BATCHES) if batches % BATCHES else (batches // BATCHES - 1, BATCHES)
    assert first[-1][:2] == reached
    assert len(set(first + second)) == len(first + second)
    assert sorted({*first, *second} - {first[-1]}) == sorted({*whole} - {first[-1]})
    one, other = (read_checkpoint(tmp_path / name / "checkpoint_epoch_0002.ckpt") for name in ("whole", "stopped"))
    assert first_difference(one, other) is None
