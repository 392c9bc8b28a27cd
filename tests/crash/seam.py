"""Puts a storage under the whole product, and takes chance out of it, so that the same run gives the same bytes."""

from __future__ import annotations

import itertools
import sys
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from tenuto.reference.checkpoint import reader, storage

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
    """Reads equal heads once: most of the time of a search would go into parsing what is parsed already.

    Every byte is still read from the disk; what is remembered is what follows from the bytes alone.
    """
    parse, encode, find = reader.parse_head, reader.encode_head, reader.tensors_of
    parsed, encoded, found = {}, {}, {}

    def parse_once(head):
        key = bytes(head)
        if key not in parsed:
            parsed[key] = parse(head)
        return parsed[key]

    def encode_once(document):
        return _once(encoded, document.head, lambda: encode(document))

    def find_once(head):
        return iter(_once(found, head, lambda: list(find(head))))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reader, "parse_head", parse_once)
        patch.setattr(reader, "encode_head", encode_once)
        patch.setattr(reader, "tensors_of", find_once)
        yield


def _once(known, head, follow):
    """Returns what follows from a head; it is kept beside it, so that no other object takes its place."""
    if id(head) not in known:
        known[id(head)] = head, follow()
    return known[id(head)][1]
