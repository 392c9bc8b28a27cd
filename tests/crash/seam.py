"""Puts a storage under the whole product, and takes chance out of it, so that the same run gives the same bytes."""

from __future__ import annotations

import itertools
import sys
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from attrs import evolve

from tenuto.reference.checkpoint import files, reader, storage
from tenuto.reference.checkpoint.source import BufferSource

_PRODUCT = "tenuto."
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
def through(ops):
    """Lets everything in the product that is given no storage of its own work through this one."""
    system = storage.PosixStorage
    users = [
        module
        for name, module in sys.modules.items()
        if name.startswith(_PRODUCT) and module is not storage and vars(module).get("PosixStorage") is system
    ]
    with pytest.MonkeyPatch.context() as patch:
        for module in users:
            patch.setattr(module, "PosixStorage", lambda: ops)
        yield ops


@contextmanager
def without_chance(process=0):
    """Numbers what is drawn, other than in another process, and stops the calendar."""
    drawn = itertools.count(process << 24)

    class Calendar(datetime):
        @classmethod
        def now(cls, tz=None):
            return MOMENT.astimezone(tz)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("secrets.token_hex", lambda count=32: f"{next(drawn):0{2 * count}x}")
        patch.setattr("tenuto.reference.trainer.state.datetime", Calendar)
        yield


@contextmanager
def remembering():
    """Opens equal files once: most of the time of a search would go into checking what is checked already.

    Every byte is still read from the disk; what is remembered is what follows from the bytes alone.
    """
    check, encode = files.open_checkpoint, reader.encode_head
    opened, encoded = {}, {}

    def open_once(source):
        data = bytes(source.read(0, source.length)) if source.length else b""
        if data not in opened:
            opened[data] = check(BufferSource(memoryview(data)))
        return evolve(opened[data], source=source)

    def encode_once(document):
        """Encodes a head once; it is kept beside the outcome, so that no other object takes its place."""
        head = document.head
        if id(head) not in encoded:
            encoded[id(head)] = head, encode(document)
        return encoded[id(head)][1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "open_checkpoint", open_once)
        patch.setattr(reader, "encode_head", encode_once)
        yield
