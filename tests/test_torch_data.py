"""What a trainer takes over of a DataLoader, what it refuses, and how its workers end."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from small_job import Points
from test_torch_workload import make, refused
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

import tenuto
from tenuto.reference.trainer.torch_data import EpochLoader, epoch_order

ENDED_EARLY = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from small_job import Recorder, make_trainer

def act(context):
    how = sys.argv[1]
    if how == "stop":
        context.request_stop("enough")
    elif how == "raise":
        raise RuntimeError("broken")
    elif how == "group":
        os.killpg(0, signal.SIGTERM)
    else:
        os.kill(os.getpid(), signal.Signals[how])

trainer = make_trainer(callbacks=[Recorder(at=("on_batch_end", 2), act=act)], workers=2)
try:
    trainer.fit()
except Exception as error:
    sys.exit(getattr(error, "exit_code", 1))
"""


@pytest.mark.req("TR-FAIL-001", "TR-FAIL-003", "TR-FAIL-004", "TR-FAIL-010")
@pytest.mark.parametrize(
    ("how", "code"), [("stop", 0), ("raise", 1), ("SIGTERM", 143), ("group", 143), ("SIGINT", -signal.SIGINT)]
)
def test_a_process_with_loader_workers_ends_after_any_early_end(tmp_path, how, code):
    script = tmp_path / "script.py"
    script.write_text(ENDED_EARLY.format(tests=str(Path(__file__).parent)))
    command = [sys.executable, script, how]
    ended = subprocess.run(command, timeout=60, capture_output=True, text=True, check=False, start_new_session=True)
    assert ended.returncode == code, ended.stderr


def test_close_ends_the_workers_of_the_epoch_in_progress():
    trainer = make(data=DataLoader(Points(), batch_size=6, num_workers=2), validation_data=DataLoader(Points(9)))
    trainer.workload.open_epoch(0, 0)
    trainer.workload.next_batch()
    workers = trainer.workload._train._iterator._workers
    trainer.workload.close()
    assert [worker.is_alive() for worker in workers] == [False, False]
    assert trainer.workload.next_batch() is None


@pytest.mark.req("TR-FAIL-009")
def test_a_validation_batch_that_fails_to_load_asks_for_the_signal_first():
    class Killed(Points):
        def __getitem__(self, index):
            raise OSError("worker is gone")

    def poll():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(validation_data=DataLoader(Killed())).workload.validate(poll)
    with pytest.raises(OSError, match="worker is gone"):
        make(validation_data=DataLoader(Killed())).workload.validate(lambda: None)


def drawing_collate(samples):
    noise = random.random() + float(np.random.rand()) + float(torch.rand(()))
    return torch.stack([sample[0] for sample in samples]) + noise


@pytest.mark.req("TR-LOOP-003", "TR-LOOP-005")
@pytest.mark.parametrize("dataset", [TensorDataset(torch.arange(22.0)), Points()], ids=["tensors", "points"])
@pytest.mark.parametrize("workers", [0, 2])
def test_collation_draws_the_same_for_any_workers_and_any_start(dataset, workers):
    def batches(workers, epoch, skip):
        source = DataLoader(dataset, 6, shuffle=True, num_workers=workers, collate_fn=drawing_collate)
        loader = EpochLoader(source, 5)
        loader.open_epoch(epoch, skip)
        return [batch.tolist() for batch in iter(loader.next_batch, None)]

    tenuto.seed_all(1)
    before = random.getstate()
    expected = batches(0, 1, 0)
    assert random.getstate() == before
    tenuto.seed_all(2)
    assert batches(workers, 1, 1) == expected[1:]
    assert batches(workers, 2, 0) != expected


def layout(batch):
    return type(batch), [(one.dtype, one.shape, one.stride(), one.is_conj(), one.is_neg(), plain(one)) for one in batch]


def plain(tensor):
    return tensor.view(torch.uint8).tolist() if tensor.dtype in {torch.bits8, torch.float8_e4m3fn} else tensor.tolist()


KINDS = {
    "tensors": (torch.rand(22, 3, 4), torch.arange(22), torch.arange(22) % 2 == 0, torch.rand(22).to(torch.bfloat16)),
    "not contiguous": (torch.rand(22, 3, 4, 5).to(memory_format=torch.channels_last), torch.rand(3, 22).T),
    "contiguous in two ways": (torch.rand(22, 1, 4, 5).to(memory_format=torch.channels_last), torch.rand(22, 3, 1, 1)),
    "expanded": (torch.rand(1, 3).expand(22, 3), torch.rand(22, 1).expand(22, 4), torch.rand(44, 2)[::2]),
    "empty": (torch.rand(22, 0, 3), torch.rand(22, 1, 0, 0, 1)),
    "views": (torch.rand(22, 2, dtype=torch.complex64).conj(), torch.rand(22, dtype=torch.complex64).conj().imag),
    "of bits": (torch.zeros(22, 16, dtype=torch.uint8).view(torch.bits8), torch.rand(22).to(torch.float8_e4m3fn)),
}


@pytest.mark.req("TR-LOOP-002", "TR-LOOP-003")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataset_of_tensors_gives_the_batches_that_torch_gives(kind, workers):
    dataset = TensorDataset(*KINDS[kind])
    loader = EpochLoader(DataLoader(dataset, 6, shuffle=True, num_workers=workers), 5)
    order = epoch_order(5, 1, 22)
    expected = DataLoader(dataset, batch_sampler=[order[start : start + 6] for start in range(0, 22, 6)])
    loader.open_epoch(1, 0)
    assert [layout(batch) for batch in iter(loader.next_batch, None)] == [layout(batch) for batch in expected]
    loader.close()


def test_tensors_that_a_dataset_gets_between_epochs_are_seen():
    dataset = TensorDataset(torch.zeros(4))
    loader = EpochLoader(DataLoader(dataset, 4), 5)
    for epoch in range(2):
        loader.open_epoch(epoch, 0)
        assert loader.next_batch()[0].tolist() == [float(epoch)] * 4
        dataset.tensors = (torch.ones(4),)


def add_some(_):
    dataset = torch.utils.data.get_worker_info().dataset
    dataset.tensors = (dataset.tensors[0] + len(dataset) + dataset[0][0],)


def test_a_worker_finds_the_dataset_of_tensors_that_was_given():
    source = DataLoader(TensorDataset(torch.arange(4.0)), 2, num_workers=1, worker_init_fn=add_some)
    loader = EpochLoader(source, 5)
    loader.open_epoch(0, 0)
    assert [batch[0].tolist() for batch in iter(loader.next_batch, None)] == [[4.0, 5.0], [6.0, 7.0]]
    loader.close()


class Started(Points):
    start = 0

    def __getitem__(self, index):
        return torch.tensor([self.start, torch.utils.data.get_worker_info().id])


def note_start(worker):
    torch.utils.data.get_worker_info().dataset._dataset.start = 7 + worker


@pytest.mark.req("TR-LOOP-003")
def test_settings_of_the_loader_are_taken_over_and_persistent_workers_persist():
    source = DataLoader(
        Started(), 6, num_workers=1, worker_init_fn=note_start, persistent_workers=True, prefetch_factor=3, timeout=50
    )
    loader = EpochLoader(source, 5)
    loader.open_epoch(0, 0)
    assert next(iter(loader.next_batch, None))[0].tolist() == [7, 0]
    made, workers = loader._loader, loader._iterator._workers
    assert (made.prefetch_factor, made.timeout, made.persistent_workers) == (3, 50, True)
    loader.open_epoch(1, 1)
    assert loader._iterator._workers[0].pid == workers[0].pid
    assert len(list(iter(loader.next_batch, None))) == 3
    loader.close()
    assert not workers[0].is_alive()


@pytest.mark.req("TR-LOOP-002", "TR-LOOP-006")
@pytest.mark.parametrize(
    ("data", "part"),
    [
        (
            DataLoader(Points(), sampler=RandomSampler(Points(), replacement=True, num_samples=5)),
            "5 of 22 samples with",
        ),
        (DataLoader(Points(), sampler=RandomSampler(Points(), num_samples=5)), "5 of 22 samples;"),
        (DataLoader(Points(), batch_size=None), "batch_size"),
        (DataLoader(Points(3), batch_size=4, drop_last=True), "no batch (3 samples"),
        (DataLoader(Points(), num_workers=1, in_order=False), "in_order=False"),
    ],
    ids=["replacement", "part", "unbatched", "empty", "any_order"],
)
def test_loaders_that_would_be_replaced_silently_are_refused(data, part):
    assert part in refused("unsupported_loader", data=data)
