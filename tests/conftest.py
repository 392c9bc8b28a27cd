"""Fixtures that several tests use."""

from __future__ import annotations

import numpy as np
import pytest
from crash.record import pytest_terminal_summary  # noqa: F401 - pytest looks for its hooks here
from recorder import saving, small

from tenuto.reference.checkpoint import Document, Tensor


def _make_document(**parts):
    head = {
        "version": "1.0",
        "requires": [],
        "metadata": {"origin": {}},
        "model_state": {},
        "optimizer_state": {},
        "scheduler_state": {},
        "rng_state": {},
        "callback_state": {},
        "trainer_state": {},
    }
    return Document({**head, **parts})


@pytest.fixture(scope="session")
def make_document():
    """Returns a function that makes a document; keywords replace or add keys of the head."""
    return _make_document


@pytest.fixture(scope="session")
def make_tensor():
    """Returns a function that makes a float32 tensor of a shape, filled with different values."""

    def make(*shape, start=0.0):
        count = int(np.prod(shape, dtype=int))
        return Tensor("float32", shape, np.arange(start, start + count, dtype="<f4").tobytes())

    return make


@pytest.fixture
def finished_run(tmp_path):
    """A folder with a run of two epochs."""
    small(saving(tmp_path / "run", save_best=False)).fit()
    return tmp_path / "run"
