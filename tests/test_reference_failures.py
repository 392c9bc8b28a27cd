"""What a batch, a validation or an end of an epoch that fails leaves behind."""

import pytest

from tenuto.callbacks.base import BaseCallback
from tenuto.reference.checkpoint.compare import first_difference
from tenuto.reference.checkpoint.tree import Document
from tenuto.reference.trainer.loop import Trainer
from tenuto.reference.trainer.metrics import MetricBook
from tenuto.reference.workload import ReferenceWorkload, WorkloadSettings
from tenuto.reference.workload.network import Network
from tenuto.reference.workload.optimizers import Optimizer, Sgd
from tenuto.reference.workload.schedulers import Plateau


class BrokenError(RuntimeError):
    """What the tests raise inside a batch."""


class Emergency(BaseCallback):
    """Captures the state of each batch, and that of a failure."""

    saves_on_exception = True

    def __init__(self):
        self.whole, self.after = [], None

    def on_train_start(self, context):
        self.whole.append(context.capture())

    def on_batch_end(self, context):
        self.whole.append(context.capture())

    def on_exception(self, context):
        self.after = context.capture()


def fail_at_call(monkeypatch, kind, name, number, *, after):
    """Makes the method of a class fail when it is called for the nth time."""
    method, calls = getattr(kind, name), []

    def counting(*arguments):
        calls.append(name)
        if len(calls) != number:
            return method(*arguments)
        if after:
            method(*arguments)
        raise BrokenError

    monkeypatch.setattr(kind, name, counting)


@pytest.mark.req("TR-FAIL-007", "TR-FAIL-011", "TR-LOOP-004")
@pytest.mark.parametrize(
    ("kind", "name", "number", "after", "batches"),
    [
        (Network, "_add_gradients", 2, True, 0),  # in the first batch
        (Network, "_add_gradients", 7, True, 1),  # inside a window
        (Network, "_add_gradients", 10, True, 2),  # in the first batch of a window
        (Optimizer, "_start", 1, True, 1),
        (Sgd, "update", 2, True, 3),
        (MetricBook, "add_batch", 4, False, 3),  # the update is made, and not counted
        (Plateau, "after_epoch", 1, True, 6),
        (MetricBook, "forget_batches", 1, False, 6),  # the scheduler is stepped, and the epoch not counted
    ],
)
def test_a_failure_leaves_the_training_as_of_the_boundary_and_it_is_not_exact(
    monkeypatch, kind, name, number, after, batches
):
    fail_at_call(monkeypatch, kind, name, number, after=after)
    emergency = Emergency()
    trainer = Trainer(
        ReferenceWorkload(WorkloadSettings(accumulate=2, scheduler="plateau")), max_epochs=1, callbacks=[emergency]
    )
    with pytest.raises(BrokenError):
        trainer.fit()
    assert trainer.progress.batch_in_epoch == batches
    assert emergency.after.head["metadata"]["exact"] is False
    whole = emergency.whole[-1]
    # The metadata may be ahead: the means of an epoch are recorded before its schedulers are stepped.
    after = Document({**emergency.after.head, "metadata": whole.head["metadata"]})
    assert first_difference(whole, after) is None


@pytest.mark.req("TR-FAIL-008", "TR-FAIL-011")
def test_a_failure_in_validation_leaves_an_exact_state(monkeypatch):
    fail_at_call(monkeypatch, Network, "error", 3, after=False)
    emergency = Emergency()
    trainer = Trainer(ReferenceWorkload(), max_epochs=1, callbacks=[emergency])
    with pytest.raises(BrokenError):
        trainer.fit()
    assert emergency.after.head["metadata"]["exact"] is True
    assert first_difference(emergency.whole[-1], emergency.after) is None
